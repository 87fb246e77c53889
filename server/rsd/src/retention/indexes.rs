//! Indexes that the settings ask for, made or dropped beside the purge, a day in each turn
//! (`rs.database_uri_indexes`, spec rs.md §3.2).

use super::{Work, tell};
use crate::store::keeping::Indexed;

/// After a step that could not be taken: the schema may be in the making, or another one be at it.
const AGAIN_MS: i64 = 10_000;

/// How far it is.
#[derive(Default)]
pub(super) struct Indexes {
    /// Not before.
    next_ms: i64,
    /// All days are as they are wanted.
    ended: bool,
    /// Why it could not go on, which is told once.
    why: Option<String>,
}

impl Work {
    /// Takes one step.
    pub(super) fn index(&mut self, now_ms: i64) {
        let Indexes { next_ms, ended, why } = &mut self.indexes;
        // a clock that was set back makes nobody wait for longer
        let waits = now_ms < *next_ms && *next_ms - now_ms <= AGAIN_MS;
        if *ended || waits {
            return;
        }
        match self.parts.store.keeping().index_uris() {
            Ok(Indexed::More) => *why = None,
            Ok(Indexed::All) => *ended = true,
            Ok(Indexed::Elsewhere) => *next_ms = now_ms + AGAIN_MS,
            Err(error) => {
                *next_ms = now_ms + AGAIN_MS;
                let reason = error.reason();
                if why.as_ref() != Some(&reason) {
                    tell(&self.parts.log, "indexes", &error);
                    *why = Some(reason);
                }
            }
        }
    }
}
