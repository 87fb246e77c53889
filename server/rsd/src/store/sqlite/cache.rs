//! How much of the files is kept in memory: one budget (`rs.database_cache`) for all connections
//! that may be open at once, so that their sum is bounded however many days are looked at.

use super::{Sqlite, bins, keeping, readers, write};

/// Connections at most: of the writer, of whoever asks, of the rollup job, of the other jobs, each
/// to the main file and to files of days; and of whoever moves a log, to its file. One of them is
/// to the hot day.
const CONNECTIONS: usize = (1 + write::OPEN_DAYS + write::BESIDE_DAYS)
    + readers::KEPT * (1 + readers::OPEN_DAYS)
    + readers::GUESTS * 2
    + (1 + bins::OPEN_DAYS)
    + (1 + keeping::OPEN_DAYS)
    + 1;

/// Page caches of connections, KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caches {
    /// Of the day that the writer has opened last, which is mostly today. Keys of one minute lie in
    /// no order: its pages are met again and again.
    pub(super) hot: i64,
    /// Of every other one.
    pub(super) each: i64,
}

impl Default for Caches {
    /// As large as they are of use: 64 and 4 MiB (rs.md §3.3).
    fn default() -> Self {
        Self { hot: 65_536, each: 4096 }
    }
}

impl Caches {
    /// So large at most that all of them are within so many bytes. Where that is less than they
    /// could use, the hot day gets up to half.
    pub(super) fn within(bytes: u64) -> Self {
        let all = i64::try_from(bytes >> 10).unwrap_or(i64::MAX);
        let most = Self::default();
        let others = i64::try_from(CONNECTIONS - 1).unwrap_or(i64::MAX);
        let hot = most.hot.min(all / 2);
        Self { hot, each: most.each.min((all - hot) / others).max(1) }
    }

    #[cfg(test)]
    pub(super) fn bytes(self) -> u64 {
        let others = i64::try_from(CONNECTIONS - 1).unwrap();
        u64::try_from(self.hot + others * self.each).unwrap() << 10
    }
}

impl Sqlite {
    /// The same, with so many bytes of the files in memory at most.
    #[must_use]
    pub fn with_cache(mut self, bytes: u64) -> Self {
        self.layout.caches = Caches::within(bytes);
        self
    }
}
