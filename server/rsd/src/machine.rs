//! Limits that are too large for this machine are clamped, and the log tells (rs.md §9).

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use config::Settings;
use config::settings::Rs;
use telemetry::Log;

use crate::error::StartError;
use crate::settings::{bytes, count};

/// Descriptors that are not connections of producers: HTTP, files of the database, segments.
const OTHER_DESCRIPTORS: u64 = 512;
/// Share of the memory limit that producers may take, percent.
const MEMORY_PERCENT: u64 = 40;
/// Share of the volume that the spool may take, percent.
const VOLUME_PERCENT: u64 = 80;

/// Limits as they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clamped {
    /// Connections of producers at once.
    pub(crate) connections: usize,
    /// Bytes of the ingest queue on disk.
    pub(crate) spool_bytes: u64,
    /// Bytes that all producers together may hold in memory.
    pub(crate) memory: usize,
    /// What was asked for in vain.
    pub(crate) beyond: Vec<Beyond>,
}

impl Clamped {
    /// Looks at the volume of the spool, at the limit of memory and at the descriptors of this
    /// process. What cannot be looked at is not clamped.
    ///
    /// # Errors
    /// `rs.strict_limits`: something is too large.
    pub(crate) fn of(rs: &Rs, spool: &Path, log: &Log) -> Result<Self, StartError> {
        let found = Self::look(rs, spool);
        if rs.strict_limits && !found.beyond.is_empty() {
            let texts: Vec<_> = found.beyond.iter().map(ToString::to_string).collect();
            let text = format!("rs.strict_limits: {}", texts.join("; "));
            return Err(StartError::Settings(text));
        }
        found.beyond.iter().for_each(|limit| limit.tell(log));
        Ok(found)
    }

    /// The same of a server that runs: it goes on with what there is, and tells nothing.
    pub(crate) fn look(rs: &Rs, spool: &Path) -> Self {
        let asked = u64::from(rs.broker_limits.connections);
        let most =
            net::descriptors::raise(asked + OTHER_DESCRIPTORS).saturating_sub(OTHER_DESCRIPTORS);
        let all = [
            Beyond { key: "rs.broker_limits.connections", asked, most: most.max(1) },
            Beyond { key: "rs.spool.limit", asked: rs.spool_limit, most: spool_most(spool) },
            memory(rs.broker_memory, memory_limit()),
        ];
        let [connections, spool_bytes, memory] = all.map(|limit| limit.given());
        let beyond: Vec<_> = all.into_iter().filter(|limit| limit.asked > limit.most).collect();
        let connections = u32::try_from(connections).unwrap_or(rs.broker_limits.connections);
        let (connections, memory) = (count(connections), bytes(memory));
        Self { connections, spool_bytes, memory, beyond }
    }

    /// Tells what is beyond, and was not before.
    pub(crate) fn tell_beside(&self, before: &Self, log: &Log) {
        let new = self.beyond.iter().filter(|limit| !before.beyond.contains(limit));
        new.for_each(|limit| limit.tell(log));
    }
}

/// A limit that this machine cannot keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// The setting.
    pub key: &'static str,
    /// What it says.
    pub asked: u64,
    /// What there is.
    pub most: u64,
}

impl Beyond {
    fn given(&self) -> u64 {
        self.asked.min(self.most)
    }

    fn tell(&self, log: &Log) {
        let (asked, given) = (self.asked.to_string(), self.most.to_string());
        log.emit(31105, None, &[("limit", self.key), ("asked", &asked), ("given", &given)]);
    }
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, asked, most } = self;
        write!(f, "{key} is {asked}, and this machine has {most}")
    }
}

/// Limits of these settings that are beyond the spool's volume. RS clamps them when it starts.
#[must_use]
pub fn limits_beyond(settings: &Settings) -> Vec<Beyond> {
    let most = spool_most(&settings.rs_spool_dir());
    let spool = Beyond { key: "rs.spool.limit", asked: settings.rs.spool_limit, most };
    [spool].into_iter().filter(|beyond| beyond.asked > beyond.most).collect()
}

/// Bytes that the spool may take of the volume that it lies on.
fn spool_most(spool: &Path) -> u64 {
    volume(spool).map_or(u64::MAX, |bytes| bytes / 100 * VOLUME_PERCENT)
}

/// `rs.broker_memory` as the limit of this process's memory allows it.
fn memory(asked: u64, limit: Option<u64>) -> Beyond {
    let most = limit.map_or(u64::MAX, |limit| limit / 100 * MEMORY_PERCENT);
    Beyond { key: "rs.broker_memory", asked, most }
}

/// The limit of the control group that this process is in, if it has one of its own.
fn memory_limit() -> Option<u64> {
    let group = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = group.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let file = Path::new("/sys/fs/cgroup").join(path).join("memory.max");
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// What of the volume that a directory lies on may still be written, percent.
pub(crate) fn free_percent(dir: &Path) -> Option<u64> {
    let volume = rustix::fs::statvfs(dir).ok()?;
    volume.f_bavail.saturating_mul(100).checked_div(volume.f_blocks)
}

/// The same in bytes.
pub(crate) fn free(dir: &Path) -> Option<u64> {
    let volume = rustix::fs::statvfs(dir).ok()?;
    Some(volume.f_bavail.saturating_mul(volume.f_frsize))
}

/// Whether two directories, or what there is of the paths to them, lie on one volume.
pub(crate) fn is_same_volume(one: &Path, other: &Path) -> bool {
    let device = |dir: &Path| {
        // the last of the ancestors of a relative one is no directory
        let dir = std::path::absolute(dir).ok()?;
        let there = dir.ancestors().find_map(|dir| std::fs::metadata(dir).ok());
        there.map(|there| there.dev())
    };
    let device = device(one).zip(device(other));
    device.is_some_and(|(one, other)| one == other)
}

/// Bytes of the volume that the directory lies on.
fn volume(dir: &Path) -> Option<u64> {
    let dir = std::path::absolute(dir).ok()?;
    let at = dir.ancestors().find(|dir| dir.exists())?;
    let volume = rustix::fs::statvfs(at).ok()?;
    Some(volume.f_blocks.saturating_mul(volume.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_one_volume_also_where_they_are_to_be_made() {
        let dir = tempfile::tempdir().unwrap();
        assert!(is_same_volume(dir.path(), &dir.path().join("not/there")));
        assert!(!is_same_volume(dir.path(), Path::new("/proc/self")));
        let here = std::env::current_dir().unwrap();
        assert!(is_same_volume(&here, Path::new("not/there/yet")), "relative to where we are");
        assert_eq!(volume(Path::new("not/there/yet")), volume(&here));
    }

    #[test]
    fn what_is_too_large_is_cut_and_told() {
        let (log, lines) = Log::capture(|| model::time::Millis(0));
        let mut rs = Rs { spool_limit: u64::MAX, ..Rs::default() };
        rs.broker_limits.connections = u32::MAX;
        let of = |rs: &Rs, spool: &str| Clamped::of(rs, Path::new(spool), &log);
        let clamped = of(&rs, "/tmp/not/there/yet").unwrap();
        assert!(clamped.connections < 1 << 31 && clamped.connections > 0, "{clamped:?}");
        assert!(clamped.spool_bytes < 1 << 60 && clamped.spool_bytes > 0, "{clamped:?}");
        let keys: Vec<_> = clamped.beyond.iter().map(|limit| limit.key).collect();
        assert_eq!(keys, ["rs.broker_limits.connections", "rs.spool.limit"]);
        rs.strict_limits = true;
        let refused = of(&rs, "/tmp/not/there/yet").unwrap_err();
        assert_eq!(refused.exit_code(), 78);
        let text = refused.to_string();
        assert!(keys.iter().all(|key| text.contains(key)), "{text}");
        rs = Rs { spool_limit: 1 << 20, strict_limits: true, ..Rs::default() };
        rs.broker_limits.connections = 10;
        let clamped = of(&rs, "/").unwrap();
        assert_eq!((clamped.connections, clamped.spool_bytes), (10, 1 << 20));
        assert!(clamped.beyond.is_empty());
        assert_eq!(memory(100, None).given(), 100);
        assert_eq!(memory(100, Some(1000)).given(), 100);
        assert_eq!(memory(100, Some(200)).given(), 80);
        log.flush();
        let lines = lines.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("31105") && lines[0].contains("rs.broker_limits.connections"));
    }
}
