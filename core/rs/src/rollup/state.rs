//! What is known of the bins as a whole: which are frozen, which are still there, of which zone
//! they are (rs.md §4.4, §4.5, §9).

use super::tables::Meta;
use super::zone::Granularity;

const FROZEN: &str = "rollup.frozen_ms";
const KEPT: &str = "rollup.kept_ms.";
const LOST: &str = "rollup.late_lost";
const ZONE: &str = "rollup.zone";

/// It, as `meta` has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// Five-minute bins that begin before it are frozen: facts of theirs are gone, and they are
    /// never made again.
    pub frozen_ms: i64,
    /// By granularity: bins that begin before it are gone.
    kept_ms: [i64; 6],
    /// Facts that came for frozen bins, and changed nothing.
    pub late_lost: u64,
    /// Name of the zone and of the day that weeks begin with.
    pub zone: Option<String>,
    guard: Option<String>,
}

impl State {
    /// What the rows say; what is missing is 0.
    #[must_use]
    pub fn of(meta: &Meta) -> Self {
        let number = |key: &str| meta.get(key).and_then(|text| text.parse().ok());
        let kept = Granularity::ALL.map(|of| number(&kept_key(of)).unwrap_or_default());
        Self {
            frozen_ms: number(FROZEN).unwrap_or_default(),
            kept_ms: kept,
            late_lost: meta.get(LOST).and_then(|text| text.parse().ok()).unwrap_or_default(),
            zone: meta.get(ZONE).cloned(),
            guard: meta.get(FROZEN).cloned(),
        }
    }

    /// What has to be unchanged when figures are written that were made under this state.
    #[must_use]
    pub fn guard(&self) -> (String, Option<String>) {
        (FROZEN.to_owned(), self.guard.clone())
    }

    /// Bins of this granularity that begin before it are gone.
    #[must_use]
    pub fn kept_ms(&self, of: Granularity) -> i64 {
        let at = Granularity::ALL.iter().position(|one| *one == of);
        at.and_then(|at| self.kept_ms.get(at)).copied().unwrap_or_default()
    }

    /// The rows that say: bins before it are frozen from now on.
    #[must_use]
    pub fn freeze(before_ms: i64) -> Meta {
        [(FROZEN.to_owned(), before_ms.to_string())].into()
    }

    /// The rows that say: bins of this granularity before it are gone.
    #[must_use]
    pub fn forget(of: Granularity, before_ms: i64) -> Meta {
        [(kept_key(of), before_ms.to_string())].into()
    }

    /// The rows that say: so many facts were lost.
    pub(super) fn lost(count: u64) -> Meta {
        [(LOST.to_owned(), count.to_string())].into()
    }

    /// The rows that say: larger bins are of this zone.
    #[must_use]
    pub fn zoned(name: &str) -> Meta {
        [(ZONE.to_owned(), name.to_owned())].into()
    }
}

fn kept_key(of: Granularity) -> String {
    format!("{KEPT}{}", of.number())
}
