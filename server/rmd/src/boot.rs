//! What a start finds and leaves in `data_dir`: the boot epoch, in a directory locked for us.
//!
//! The epoch is part of leg ids and of `producer` in every record: it must be on disk before the
//! first of them is made, and must never come twice under one node name. It must not be guessed
//! from anything else (rm.md §2.2).
//!
//! ```text
//! {data_dir}/rm/boot    decimal number and line feed; replaced whole by rename
//! {data_dir}/rm/drained there as long as an operator has drained the node (rm.md §11.7)
//! ```

use crate::error::StartError;
use config::Home;
use model::id::BootEpoch;
use model::time::Millis;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// 2020-01-01T00:00:00Z in seconds since 1970.
const YEAR_2020: u64 = 1_577_836_800;

/// The directory of one Resource Manager, ours until dropped.
#[derive(Debug)]
pub(crate) struct DataDir(Home);

impl DataDir {
    /// Makes and locks `{data_dir}/rm`.
    pub(crate) fn lock(data_dir: &Path) -> Result<Self, StartError> {
        Ok(Self(Home::lock(data_dir, "rm")?))
    }

    /// Where the spool lies.
    pub(crate) fn spool(&self) -> PathBuf {
        self.0.path().join("spool")
    }

    /// Where it is kept what operators want of resources.
    pub(crate) fn wills(&self) -> PathBuf {
        self.0.path().join("resources")
    }

    /// The mark of a node that an operator has drained.
    pub(crate) fn drained(&self) -> PathBuf {
        self.0.path().join("drained")
    }

    /// Counts this start. Without a file (a first start, or a lost directory) the epoch is the
    /// number of seconds since 2020, which is above every epoch that was counted before.
    pub(crate) fn next_boot(&self, now: Millis) -> Result<BootEpoch, StartError> {
        let path = self.0.path().join("boot");
        let failed = |error| StartError::file(&path, error);
        let epoch = match fs::read_to_string(&path) {
            Ok(text) => {
                let last: u32 = text.trim().parse().map_err(|_| failed(malformed()))?;
                last.checked_add(1).ok_or_else(|| failed(malformed()))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                u32::try_from((now.0 / 1000).saturating_sub(YEAR_2020)).unwrap_or(1).max(1)
            }
            Err(error) => return Err(failed(error)),
        };
        replace(&path, format!("{epoch}\n").as_bytes()).map_err(failed)?;
        Ok(BootEpoch(epoch))
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a boot epoch")
}

/// Replaces a file so that a crash leaves the old or the new one, and returns when it is on disk.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_767_225_600_000);

    #[test]
    fn each_start_counts_one_and_a_lost_directory_starts_above() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataDir::lock(dir.path()).unwrap().next_boot(NOW).unwrap();
        assert_eq!(first.0, 189_388_800);
        for n in 1..3 {
            let next = DataDir::lock(dir.path()).unwrap().next_boot(NOW).unwrap();
            assert_eq!(next.0, first.0 + n);
        }
    }

    #[test]
    fn a_damaged_epoch_stops_the_start_instead_of_repeating_one() {
        let dir = tempfile::tempdir().unwrap();
        let held = DataDir::lock(dir.path()).unwrap();
        for text in ["", "minus", "4294967295"] {
            fs::write(dir.path().join("rm/boot"), text).unwrap();
            assert_eq!(held.next_boot(NOW).unwrap_err().exit_code(), 8, "{text:?}");
        }
    }
}
