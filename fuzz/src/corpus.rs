//! Inputs: the committed ones, those that a long run found, and the files of a crash.
//!
//! `corpus/<target>/` holds one input per file, or one per line in a file that ends with `.lines`
//! or `.ndjson`. A target may also read files of other rooms, so that nothing stands twice.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::target::Target;

/// The folder of this crate.
#[must_use]
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All committed inputs of a target, in the order of their paths.
///
/// # Errors
/// A file or folder that cannot be read, or no input at all.
pub fn committed(target: &Target) -> Result<Vec<Vec<u8>>> {
    let own = folder().join("corpus").join(target.name);
    let mut places = vec![own];
    places.extend(target.seeds.iter().map(|place| folder().join("..").join(place)));
    let mut inputs = Vec::new();
    for place in places {
        read(&place, &mut inputs).with_context(|| format!("cannot read {}", place.display()))?;
    }
    anyhow::ensure!(!inputs.is_empty(), "{} has no inputs", target.name);
    Ok(inputs)
}

/// The inputs of a file, or of all files in a folder.
///
/// # Errors
/// What the file system says.
pub fn read(place: &Path, inputs: &mut Vec<Vec<u8>>) -> io::Result<()> {
    let mut files = vec![place.to_path_buf()];
    if place.is_dir() {
        files = fs::read_dir(place)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        files.sort();
    }
    for file in files.into_iter().filter(|file| file.is_file()) {
        let bytes = fs::read(&file)?;
        if file.extension().is_some_and(|end| end == "lines" || end == "ndjson") {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            inputs.extend(lines.map(<[u8]>::to_vec));
        } else {
            inputs.push(bytes);
        }
    }
    Ok(())
}

/// A name for an input: the same for the same bytes.
#[must_use]
pub fn name(input: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Writes an input under its name.
///
/// # Errors
/// What the file system says.
pub fn keep(folder: &Path, input: &[u8]) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join(name(input));
    fs::write(&file, input).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Writes the input of a crash. A disk that is full must not hide the crash itself.
#[must_use]
pub fn keep_artifact(artifacts: &Path, target: &str, input: &[u8]) -> PathBuf {
    let folder = artifacts.join(target);
    keep(&folder, input).unwrap_or(folder)
}
