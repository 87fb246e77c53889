//! What the spool asks of a file system: a dozen calls, so that a test or the simulator can tear
//! writes, fail syncs, fill the disk and crash at any of them. No policy here.

pub mod faulty;
pub mod real;

use std::io;
use std::path::Path;
use std::sync::Arc;

/// A directory tree. All calls may be made from several threads.
pub trait FileSystem: Send + Sync {
    /// Makes the directory and its parents; present is fine. The parents are durable then, its own
    /// name when its parent is synced.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the directory for this process until the guard is dropped; an error if it is taken.
    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>>;
    /// Names (not paths) of the plain files in the directory, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Opens a present file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Makes a new, empty file; an error if it is there.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes what was created and removed in the directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// A directory that is found again after a crash. One that is there may have been made by a process
/// that ended before it was durable.
pub(crate) fn make_dir(fs: &dyn FileSystem, dir: &Path) -> io::Result<()> {
    fs.create_dir(dir)?;
    fs.sync_dir(parent(dir))
}

/// Where the name of a path stands; a bare name stands in the directory of the process.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

/// One open file.
pub trait File: Send + Sync {
    /// Bytes in the file.
    fn len(&self) -> io::Result<u64>;
    /// True without bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads at the offset, possibly less than asked for; 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all bytes at the offset, growing the file where needed.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes all bytes written so far durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
}
