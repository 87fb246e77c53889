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

/// All committed inputs of a target: those that somebody has named, and those that were distilled
/// from long runs. Each in the order of their paths.
///
/// # Errors
/// A file or folder that cannot be read, or no input at all.
pub fn committed(target: &Target) -> Result<Vec<Vec<u8>>> {
    let mut inputs = named(target)?;
    inputs.extend(distilled(target)?.into_iter().map(|(_, input)| input));
    anyhow::ensure!(!inputs.is_empty(), "{} has no inputs", target.name);
    Ok(inputs)
}

/// Those that somebody has named, here and in other rooms.
///
/// # Errors
/// A file or folder that cannot be read.
pub fn named(target: &Target) -> Result<Vec<Vec<u8>>> {
    let mut files = files(&own(target)).context("cannot read the inputs")?;
    files.retain(|file| !is_distilled(file));
    let mut inputs = Vec::new();
    let seeds = target.seeds.iter().map(|place| folder().join("..").join(place));
    for place in files.into_iter().chain(seeds) {
        read(&place, &mut inputs).with_context(|| format!("cannot read {}", place.display()))?;
    }
    Ok(inputs)
}

/// Those that were distilled, with their files.
///
/// # Errors
/// A file that cannot be read.
pub fn distilled(target: &Target) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = files(&own(target)).context("cannot read the inputs")?;
    files.retain(|file| is_distilled(file));
    let read = |file: PathBuf| {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok((file, bytes))
    };
    files.into_iter().map(read).collect()
}

/// Where the inputs of a target are committed.
#[must_use]
pub fn own(target: &Target) -> PathBuf {
    folder().join("corpus").join(target.name)
}

/// It has a name that [`name`] gives.
fn is_distilled(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The files of a folder in order, or the file itself.
fn files(place: &Path) -> io::Result<Vec<PathBuf>> {
    if !place.is_dir() {
        return Ok(vec![place.to_path_buf()]);
    }
    let entries = fs::read_dir(place)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// The inputs of a file, or of all files in a folder.
///
/// # Errors
/// What the file system says.
pub fn read(place: &Path, inputs: &mut Vec<Vec<u8>>) -> io::Result<()> {
    for file in files(place)?.into_iter().filter(|file| file.is_file()) {
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
