//! Limits that are too large, for this machine or for another setting, are clamped, and the log
//! tells (rs.md §9).

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use config::Settings;
use config::settings::{Database, Rs};
use telemetry::Log;

use crate::error::StartError;
use crate::settings::{bytes, count};

/// Descriptors that are not connections of producers: HTTP, files of the database, segments.
pub(crate) const OTHER_DESCRIPTORS: u64 = 512;
/// The setting that the number of descriptors holds down.
const CONNECTIONS: &str = "rs.broker_limits.connections";
/// Share of the memory limit that producers may take, percent.
const MEMORY_PERCENT: u64 = 40;
/// The same of what is kept of the database's files.
const CACHE_PERCENT: u64 = 20;
/// Share of the volume that the spool may take, percent.
const VOLUME_PERCENT: u64 = 80;

/// Where control groups are.
const GROUPS: &str = "/sys/fs/cgroup";
/// File systems that lie elsewhere, by their number in `statfs(2)`.
const NETWORK: [(u32, &str); 9] = [
    (0x6969, "nfs"),
    (0x517B, "smb"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "fuse"),
    (0x00C3_6400, "ceph"),
    (0x0BD0_0BD0, "lustre"),
    (0x5346_414F, "afs"),
];

/// Limits as they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clamped {
    /// Files and sockets that this process may have open.
    pub(crate) files: u64,
    /// Connections of producers at once.
    pub(crate) connections: usize,
    /// Bytes of the ingest queue on disk.
    pub(crate) spool_bytes: u64,
    /// Bytes that all producers together may hold in memory.
    pub(crate) memory: usize,
    /// Bytes of the database's files that are kept in memory.
    pub(crate) caches: u64,
    /// What was asked for in vain.
    pub(crate) beyond: Vec<Beyond>,
}

impl Clamped {
    /// Looks at the volume of the spool, at the limit of memory and at the descriptors of this
    /// process. What cannot be looked at is not clamped.
    ///
    /// # Errors
    /// `rs.strict_limits`: something is too large.
    pub(crate) fn of(rs: &Rs, spool: &Path) -> Result<Self, StartError> {
        Self::look(rs, spool).at_start(rs)
    }

    fn at_start(self, rs: &Rs) -> Result<Self, StartError> {
        if rs.strict_limits && !self.beyond.is_empty() {
            let texts: Vec<_> = self.beyond.iter().map(ToString::to_string).collect();
            let text = format!("rs.strict_limits: {}", texts.join("; "));
            return Err(StartError::Settings(text));
        }
        Ok(self)
    }

    /// Whether more files would have to be open for all connections.
    pub(crate) fn lacks_files(&self) -> bool {
        self.beyond.iter().any(|limit| limit.key == CONNECTIONS)
    }

    /// Tells what is beyond.
    pub(crate) fn tell(&self, log: &Log) {
        self.beyond.iter().for_each(|limit| limit.tell(log));
    }

    /// The same of a server that runs: it goes on with what there is, and tells nothing.
    pub(crate) fn look(rs: &Rs, spool: &Path) -> Self {
        let asked = u64::from(rs.broker_limits.connections);
        let files = net::descriptors::raise(asked + OTHER_DESCRIPTORS);
        Self::within(rs, files, (volume(spool), memory_limit(Path::new(GROUPS))))
    }

    /// The same where so many files may be open, on a volume of so many bytes, in a control group
    /// that may take so many.
    fn within(rs: &Rs, files: u64, (volume, group): (Option<u64>, Option<u64>)) -> Self {
        let asked = u64::from(rs.broker_limits.connections);
        let most = files.saturating_sub(OTHER_DESCRIPTORS);
        let all = [
            Beyond::of(CONNECTIONS, asked, most.max(1)),
            Beyond::of("rs.spool.limit", rs.spool_limit, spool_most(volume)),
            memory(rs.broker_memory, group),
            caches(&rs.database, group),
        ];
        let [connections, spool_bytes, memory, caches] = all.map(|limit| limit.given());
        let all = all.into_iter().chain(beside(rs));
        let beyond: Vec<_> = all.filter(|limit| limit.asked > limit.most).collect();
        let connections = u32::try_from(connections).unwrap_or(rs.broker_limits.connections);
        let (connections, memory) = (count(connections), bytes(memory));
        Self { files, connections, spool_bytes, memory, caches, beyond }
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
    /// The setting that says so; `None`: it is all that this machine has.
    pub by: Option<&'static str>,
}

impl Beyond {
    pub(crate) const fn of(key: &'static str, asked: u64, most: u64) -> Self {
        Self { key, asked, most, by: None }
    }

    fn given(&self) -> u64 {
        self.asked.min(self.most)
    }

    fn tell(&self, log: &Log) {
        let (asked, given) = (self.asked.to_string(), self.most.to_string());
        let fields = [("limit", self.key), ("asked", &asked), ("given", &given)];
        let by = self.by.map(|by| ("by", by));
        log.emit(31105, None, &fields.into_iter().chain(by).collect::<Vec<_>>());
    }
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, asked, most, by } = self;
        match by {
            Some(by) => write!(f, "{key} is {asked}, and {by} is {most}"),
            None => write!(f, "{key} is {asked}, and this machine has {most}"),
        }
    }
}

/// Limits of these settings that are beyond the spool's volume. RS clamps them when it starts.
#[must_use]
pub fn limits_beyond(settings: &Settings) -> Vec<Beyond> {
    let most = spool_most(volume(&settings.rs_spool_dir()));
    let spool = Beyond::of("rs.spool.limit", settings.rs.spool_limit, most);
    [spool].into_iter().filter(|beyond| beyond.asked > beyond.most).collect()
}

/// Bytes that the spool may take of a volume of so many.
fn spool_most(volume: Option<u64>) -> u64 {
    volume.map_or(u64::MAX, |bytes| bytes / 100 * VOLUME_PERCENT)
}

/// `rs.broker_memory` as the limit of this process's memory allows it.
fn memory(asked: u64, limit: Option<u64>) -> Beyond {
    let most = limit.map_or(u64::MAX, |limit| limit / 100 * MEMORY_PERCENT);
    Beyond::of("rs.broker_memory", asked, most)
}

/// `rs.database_cache` likewise; a server has caches of its own, elsewhere.
fn caches(database: &Database, limit: Option<u64>) -> Beyond {
    let limit = limit.filter(|_| database.url.is_none());
    let most = limit.map_or(u64::MAX, |limit| limit / 100 * CACHE_PERCENT);
    Beyond::of("rs.database_cache", database.cache, most)
}

/// Settings that another one holds down. A file that has both in this way is refused; options and
/// the environment meet only here.
fn beside(rs: &Rs) -> [Beyond; 2] {
    let (limits, reports) = (&rs.broker_limits, &rs.reports);
    let (page, most) = (reports.page_size.into(), reports.page_size_max.into());
    let below = |key, asked, most, by| Beyond { by: Some(by), ..Beyond::of(key, asked, most) };
    [
        below("rs.broker_limits.record", limits.record, limits.frame, "rs.broker_limits.frame"),
        below("rs.reports.page_size", page, most, "rs.reports.page_size_max"),
    ]
}

/// The smallest limit of the control groups that this process is in: one inside another has no
/// more than that.
fn memory_limit(groups: &Path) -> Option<u64> {
    let group = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    smallest_limit(groups, group.lines().find_map(|line| line.strip_prefix("0::/"))?)
}

fn smallest_limit(groups: &Path, group: &str) -> Option<u64> {
    let limit = |group: &Path| -> Option<u64> {
        let text = std::fs::read_to_string(groups.join(group).join("memory.max"));
        // "max" where there is none
        text.ok()?.trim().parse().ok()
    };
    Path::new(group).ancestors().filter_map(limit).min()
}

/// The kind of file system that a directory lies on, if that is one of another machine: whether a
/// sync reaches a disk is then up to that.
pub(crate) fn network_file_system(dir: &Path) -> Option<&'static str> {
    file_system(dir).and_then(network)
}

/// The number of the file system that a directory lies on, as in `statfs(2)`.
fn file_system(dir: &Path) -> Option<u32> {
    let found = rustix::fs::statfs(dir).ok()?.f_type;
    u32::try_from(i128::from(found) & 0xffff_ffff).ok()
}

/// The name of a file system that lies elsewhere.
fn network(number: u32) -> Option<&'static str> {
    let known = NETWORK.iter().find(|(known, _)| *known == number);
    known.map(|(_, name)| *name)
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

    /// Scenario 41: 7680 MiB and 18 GiB, as GVP has them, where there are 512 MiB and 2 GiB; and
    /// what is kept of the files.
    #[test]
    fn limits_of_gvp_are_cut_in_a_small_container() {
        let (log, lines) = Log::capture(|| model::time::Millis(0));
        let (mib, gib) = (1_u64 << 20, 1_u64 << 30);
        let mut rs = Rs { broker_memory: 7680 * mib, spool_limit: 18 * gib, ..Rs::default() };
        let of = |rs: &Rs| Clamped::within(rs, 20_000, (Some(2 * gib), Some(512 * mib)));
        let clamped = of(&rs).at_start(&rs).unwrap();
        clamped.tell(&log);
        let most = (512 * mib / 100 * 40, 2 * gib / 100 * 80);
        assert_eq!((u64::try_from(clamped.memory).unwrap(), clamped.spool_bytes), most);
        assert_eq!((clamped.connections, clamped.caches), (10_000, 512 * mib / 100 * 20));
        log.flush();
        let told = lines.lines();
        assert_eq!(told.len(), 3, "{told:?}");
        let names = |text: &str, key: &str| text.contains("31105") && text.contains(key);
        assert!(names(&told[0], "rs.spool.limit") && names(&told[1], "rs.broker_memory"));
        assert!(names(&told[2], "rs.database_cache asked=394264576 given=107374180"), "{told:?}");
        rs.strict_limits = true;
        let refused = of(&rs).at_start(&rs).unwrap_err();
        assert_eq!(refused.exit_code(), 78);
        let text = refused.to_string();
        for key in ["rs.spool.limit", "rs.broker_memory", "rs.database_cache"] {
            assert!(text.contains(key), "{text}");
        }
        // a server's memory is not ours
        rs.database.url = Some("postgres://db/rs".to_owned());
        assert!(of(&rs).beyond.iter().all(|limit| limit.key != "rs.database_cache"));
    }

    #[test]
    fn a_group_has_no_more_than_those_around_it() {
        let dir = tempfile::tempdir().unwrap();
        let write = |group: &str, limit: &str| {
            std::fs::create_dir_all(dir.path().join(group)).unwrap();
            std::fs::write(dir.path().join(group).join("memory.max"), limit).unwrap();
        };
        let of = |group: &str| smallest_limit(dir.path(), group);
        write("pod/box", "max\n");
        assert_eq!(of("pod/box"), None);
        write("pod", "1000\n");
        assert_eq!((of("pod/box"), of("pod"), of("")), (Some(1000), Some(1000), None));
        write("pod/box", "700\n");
        write("", "5000\n");
        assert_eq!((of("pod/box"), of("other")), (Some(700), Some(5000)));
    }

    #[test]
    fn file_systems_of_other_machines_are_known() {
        assert_eq!(file_system(Path::new("/proc")), Some(0x9FA0));
        assert_eq!(network(0x9FA0), None);
        assert_eq!((network(0x6969), network(0xFF53_4D42)), (Some("nfs"), Some("cifs")));
        assert_eq!(file_system(Path::new("/not/there")), None);
    }

    #[test]
    fn what_is_too_large_is_cut_and_told() {
        let (log, lines) = Log::capture(|| model::time::Millis(0));
        // no more memory than the group of a test has
        let least = 16 << 20;
        let database = Database { cache: least, ..Rs::default().database };
        let small = Rs { broker_memory: least, database, ..Rs::default() };
        let mut rs = Rs { spool_limit: u64::MAX, ..small.clone() };
        rs.broker_limits.connections = u32::MAX;
        let of = |rs: &Rs, spool: &str| Clamped::of(rs, Path::new(spool));
        let clamped = of(&rs, "/tmp/not/there/yet").unwrap();
        clamped.tell(&log);
        assert!(clamped.connections < 1 << 31 && clamped.connections > 0, "{clamped:?}");
        assert!(clamped.spool_bytes < 1 << 60 && clamped.spool_bytes > 0, "{clamped:?}");
        let keys: Vec<_> = clamped.beyond.iter().map(|limit| limit.key).collect();
        assert_eq!(keys, ["rs.broker_limits.connections", "rs.spool.limit"]);
        rs.strict_limits = true;
        let refused = of(&rs, "/tmp/not/there/yet").unwrap_err();
        assert_eq!(refused.exit_code(), 78);
        let text = refused.to_string();
        assert!(keys.iter().all(|key| text.contains(key)), "{text}");
        rs = Rs { spool_limit: 1 << 20, strict_limits: true, ..small };
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
