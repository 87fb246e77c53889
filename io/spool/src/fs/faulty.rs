//! A file system in memory that fails on demand, for tests and the simulator: it loses, tears and
//! reorders what was not synced, fills up, fails syncs and stops at any chosen operation. Same
//! seed, same faults.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, FileSystem, parent};

/// What the disk writes whole or not at all, bytes.
const SECTOR: usize = 512;

/// A disk; clones share it.
#[derive(Clone)]
pub struct FaultyFs {
    world: Arc<Mutex<World>>,
    /// Passed by each sync.
    gate: Arc<Mutex<()>>,
}

#[derive(Default)]
struct World {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
    durable_dirs: BTreeSet<PathBuf>,
    locked: BTreeSet<PathBuf>,
    chance: u64,
    operations: u64,
    syncs: u64,
    crash_at: Option<u64>,
    failing_syncs: BTreeSet<u64>,
    capacity: Option<u64>,
    /// Bytes of files that no read gives.
    unreadable: Vec<(usize, Range<u64>)>,
}

#[derive(Clone, Default)]
struct Inode {
    /// What a read sees.
    cache: Vec<u8>,
    /// What is safe.
    disk: Vec<u8>,
    /// Written, not synced.
    unsynced: Vec<(usize, Vec<u8>)>,
}

impl FaultyFs {
    /// An empty disk without faults.
    pub fn new(seed: u64) -> Self {
        let world = World { chance: seed, ..World::default() };
        Self::of(world)
    }

    fn of(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)), gate: Arc::default() }
    }

    /// Syncs of files do not end before the guard is dropped.
    pub fn hang(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The power goes at the operation with this number (from 0): it and all later ones fail.
    pub fn crash_at(&self, operation: u64) {
        self.world().crash_at = Some(operation);
    }

    /// The syncs of files with these numbers (from 0) fail, and lose some of what they were for.
    pub fn fail_syncs(&self, numbers: &[u64]) {
        self.world().failing_syncs.extend(numbers);
    }

    /// Bytes the disk holds.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world().capacity = bytes;
    }

    /// Operations (writes, syncs, changes of names) so far.
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// Syncs of files so far.
    pub fn syncs(&self) -> u64 {
        self.world().syncs
    }

    /// The disk as the next start finds it: of what was not synced any sectors, in any order, and
    /// any of the changes of names that were not synced.
    pub fn restart(&self) -> Self {
        let mut old = self.world();
        let mut chance = old.next();
        let mut new = World { chance: old.next(), capacity: old.capacity, ..World::default() };
        let kept = |dir: &&PathBuf| old.durable_dirs.contains(*dir) || coin(&mut chance);
        new.dirs = old.dirs.iter().filter(kept).cloned().collect();
        let paths: BTreeSet<_> = old.names.keys().chain(old.durable_names.keys()).collect();
        for path in paths {
            if !new.dirs.contains(parent(path)) {
                continue;
            }
            let (seen, safe) = (old.names.get(path), old.durable_names.get(path));
            let kept = if seen == safe || coin(&mut chance) { seen } else { safe };
            let Some(inode) = kept.and_then(|inode| old.inodes.get(*inode)) else { continue };
            let disk = inode.after_crash(&mut chance);
            new.names.insert(path.clone(), new.inodes.len());
            new.inodes.push(Inode { cache: disk.clone(), disk, unsynced: Vec::new() });
        }
        new.durable_names = new.names.clone();
        new.durable_dirs = new.dirs.clone();
        Self::of(new)
    }

    /// The disk as the next start finds it when only the process was killed: all that was written.
    pub fn killed(&self) -> Self {
        let old = self.world();
        let mut new = World { chance: old.chance, capacity: old.capacity, ..World::default() };
        for (path, inode) in &old.names {
            let Some(inode) = old.inodes.get(*inode) else { continue };
            let disk = inode.cache.clone();
            new.names.insert(path.clone(), new.inodes.len());
            new.inodes.push(Inode { cache: disk.clone(), disk, unsynced: Vec::new() });
        }
        new.durable_names = new.names.clone();
        new.dirs = old.dirs.clone();
        new.durable_dirs = new.dirs.clone();
        Self::of(new)
    }

    /// The disk as the next start finds it when nothing arrived that was not synced, with room for
    /// that start: what was promised must be here.
    pub fn safe(&self) -> Self {
        let old = self.world();
        let mut new = World { chance: old.chance, ..World::default() };
        let durable = old.durable_names.iter();
        for (path, inode) in durable.filter(|(path, _)| old.durable_dirs.contains(parent(path))) {
            let Some(inode) = old.inodes.get(*inode) else { continue };
            let disk = inode.disk.clone();
            new.names.insert(path.clone(), new.inodes.len());
            new.inodes.push(Inode { cache: disk.clone(), disk, unsynced: Vec::new() });
        }
        new.durable_names = new.names.clone();
        new.dirs = old.durable_dirs.clone();
        new.durable_dirs = new.dirs.clone();
        Self::of(new)
    }

    /// Changes the bytes of a file behind everybody's back.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        if let Some(inode) = world.names.get(path).copied()
            && let Some(inode) = world.inodes.get_mut(inode)
        {
            change(&mut inode.disk);
            inode.cache.clone_from(&inode.disk);
        }
    }

    /// A bad sector: no read gives these bytes until the next start.
    pub fn spoil(&self, path: &Path, bytes: Range<u64>) {
        let mut world = self.world();
        if let Some(inode) = world.names.get(path).copied() {
            world.unreadable.push((inode, bytes));
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn next(&mut self) -> u64 {
        mix(&mut self.chance)
    }

    fn operation(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        if self.crash_at.is_some_and(|at| number >= at) {
            return Err(io::Error::other("the power is off"));
        }
        Ok(())
    }

    fn used(&self) -> u64 {
        let inodes = self.names.values().filter_map(|inode| self.inodes.get(*inode));
        inodes.map(|inode| inode.cache.len() as u64).sum()
    }
}

impl Inode {
    fn after_crash(&self, chance: &mut u64) -> Vec<u8> {
        let mut disk = self.disk.clone();
        for (offset, bytes) in &self.unsynced {
            let mut at = 0;
            while at < bytes.len() {
                let end = (at + SECTOR - (offset + at) % SECTOR).min(bytes.len());
                if coin(chance) {
                    put(&mut disk, offset + at, &bytes[at..end]);
                }
                at = end;
            }
        }
        disk
    }
}

fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if to.len() < offset + bytes.len() {
        to.resize(offset + bytes.len(), 0);
    }
    to[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// `SplitMix64`.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn coin(chance: &mut u64) -> bool {
    mix(chance) & 1 == 1
}

struct Taken {
    fs: FaultyFs,
    dir: PathBuf,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.fs.world().locked.remove(&self.dir);
    }
}

impl FileSystem for FaultyFs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        if !world.dirs.contains(dir) {
            world.operation()?;
            world.dirs.insert(dir.to_owned());
            let above: Vec<_> = dir.ancestors().skip(1).map(Path::to_owned).collect();
            world.dirs.extend(above.iter().cloned());
            world.durable_dirs.extend(above);
        }
        Ok(())
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        if !self.world().locked.insert(dir.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Taken { fs: self.clone(), dir: dir.to_owned() }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.world();
        let here = world.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(here.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.world().names.get(path).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(FaultyFile { fs: self.clone(), inode }))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut world = self.world();
        world.operation()?;
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !world.dirs.contains(parent(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inode = world.inodes.len();
        world.inodes.push(Inode::default());
        world.names.insert(path.to_owned(), inode);
        Ok(Arc::new(FaultyFile { fs: self.clone(), inode }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operation()?;
        world.names.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operation()?;
        world.durable_names.retain(|path, _| path.parent() != Some(dir));
        let World { names, durable_names, dirs, durable_dirs, .. } = &mut *world;
        durable_dirs.extend(dirs.iter().filter(|one| one.parent() == Some(dir)).cloned());
        let here = names.iter().filter(|(path, _)| path.parent() == Some(dir));
        durable_names.extend(here.map(|(path, inode)| (path.clone(), *inode)));
        Ok(())
    }
}

struct FaultyFile {
    fs: FaultyFs,
    inode: usize,
}

impl FaultyFile {
    fn with<T>(&self, world: &mut World, act: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        world.inodes.get_mut(self.inode).map(act).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl File for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.with(&mut self.fs.world(), |inode| inode.cache.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.fs.world();
        let end = offset.saturating_add(buffer.len() as u64);
        let mut spoiled = world.unreadable.iter();
        if spoiled.any(|(inode, bad)| *inode == self.inode && bad.start < end && offset < bad.end) {
            return Err(io::Error::other("a bad sector"));
        }
        self.with(&mut world, |inode| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(inode.cache.len());
            let length = buffer.len().min(inode.cache.len() - from);
            buffer[..length].copy_from_slice(&inode.cache[from..from + length]);
            length
        })
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.fs.world();
        let power = world.operation();
        if world.crash_at.is_some_and(|at| world.operations > at + 1) {
            return power;
        }
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let used = world.used();
        let length = self.with(&mut world, |inode| inode.cache.len())?;
        let grows = (offset + bytes.len()).saturating_sub(length) as u64;
        if world.capacity.is_some_and(|capacity| grows > 0 && used + grows > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // without power the write is under way: any part of it may arrive
        self.with(&mut world, |inode| {
            inode.unsynced.push((offset, bytes.to_vec()));
            put(&mut inode.cache, offset, bytes);
        })?;
        power
    }

    fn sync_data(&self) -> io::Result<()> {
        drop(self.fs.hang());
        let mut world = self.fs.world();
        world.operation()?;
        let number = world.syncs;
        world.syncs += 1;
        let fails = world.failing_syncs.contains(&number);
        let mut chance = world.next();
        self.with(&mut world, |inode| {
            if fails {
                // the kernel forgets what it could not write: a second sync would succeed
                inode.disk = inode.after_crash(&mut chance);
            } else {
                for (offset, bytes) in &inode.unsynced {
                    put(&mut inode.disk, *offset, bytes);
                }
            }
            inode.unsynced.clear();
        })?;
        if fails { Err(io::Error::other("sync failed")) } else { Ok(()) }
    }
}
