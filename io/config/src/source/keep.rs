//! When what is in force is written to disk: changes that come quickly are one write, and what the
//! disk did not take is tried again. The time is an argument.

use std::io;
use std::time::Duration;

use model::config::Set;

use super::cache::{Cache, Head};
use super::limits::{KEEP_AGAIN, KEEP_IDLE, KEEP_MOST};

/// The last known good, and what it still has to get.
pub(super) struct Keep {
    cache: Cache,
    /// What is not on disk: since when, and when it changed last.
    since: Option<(Duration, Duration)>,
    /// The disk did not take it: when it is tried again.
    again: Option<Duration>,
}

impl Keep {
    pub(super) fn new(cache: Cache) -> Self {
        Self { cache, since: None, again: None }
    }

    /// Something else is in force.
    pub(super) fn changed(&mut self, now: Duration) {
        let first = self.since.map_or(now, |(first, _)| first);
        self.since = Some((first, now));
    }

    /// When it is to be written; `None`: everything is on disk.
    pub(super) fn due(&self) -> Option<Duration> {
        let due = self.since.map(|(first, last)| (last + KEEP_IDLE).min(first + KEEP_MOST));
        due.into_iter().chain(self.again).min()
    }

    /// Writes what is in force.
    ///
    /// # Errors
    /// The disk does not take it; it is due again later.
    pub(super) fn write(&mut self, now: Duration, head: Head<'_>, held: &Set) -> io::Result<()> {
        let kept = self.cache.keep(head, held);
        self.since = None;
        self.again = kept.is_err().then(|| now + KEEP_AGAIN);
        kept
    }

    /// Keeps what is to be in force no more, for people.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(super) fn put_aside(&self, head: Head<'_>, held: &Set) -> io::Result<()> {
        self.cache.put_aside(head, held)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Head, Keep};
    use model::config::Set;
    use model::id::Revision;
    use std::fs;
    use std::time::Duration;

    const fn head(revision: u64) -> Head<'static> {
        Head { revision: Revision(revision), books: None }
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn changes_that_come_quickly_are_one_write() {
        let dir = tempfile::tempdir().unwrap();
        let mut keep = Keep::new(Cache::at(dir.path().to_owned()));
        assert_eq!(keep.due(), None);
        keep.changed(s(10));
        assert_eq!(keep.due(), Some(s(11)));
        for quick in 11..15 {
            keep.changed(s(quick));
        }
        assert_eq!(keep.due(), Some(s(15)), "the first one waits no longer");
        keep.write(s(15), head(1), &Set::default()).unwrap();
        assert_eq!(keep.due(), None);
    }

    #[test]
    fn what_the_disk_did_not_take_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("snapshot");
        fs::write(&path, "in the way").unwrap();
        let mut keep = Keep::new(Cache::at(path.clone()));
        keep.changed(s(10));
        assert!(keep.write(s(11), head(1), &Set::default()).is_err());
        assert_eq!(keep.due(), Some(s(41)));
        keep.changed(s(20));
        assert_eq!(keep.due(), Some(s(21)), "what is newer does not wait for it");
        assert!(keep.write(s(21), head(2), &Set::default()).is_err());
        assert_eq!(keep.due(), Some(s(51)));
        fs::remove_file(&path).unwrap();
        keep.write(s(51), head(2), &Set::default()).unwrap();
        assert_eq!(keep.due(), None);
        assert!(path.join("current").is_file());
    }
}
