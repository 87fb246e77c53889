//! Stage 9, remember: sessions and their legs, who owns them, when they end (rm.md §2, §11.6).
//!
//! Between forward, which has sent the call on, and record, which tells what became of it. Load
//! and usage are sizes of sets that sessions and legs are put into and taken out of here, nowhere
//! else. Must not look at messages.

use std::sync::Arc;

use model::id::Guid;
use model::time::Millis;
use smallvec::SmallVec;

pub(crate) mod block;
pub(crate) mod end;
pub(crate) mod expiry;
mod hang_up;
pub(crate) mod leg;
pub(crate) mod names;
pub(crate) mod restore;
pub(crate) mod table;
pub(crate) mod texts;

pub(crate) use leg::{Bye, Kind, Leg, Owner, Side, State};
pub(crate) use names::{Names, ProfileNames, ResourceNames, TenantNames};
pub(crate) use table::Table;
pub(crate) use texts::{Text, Texts};

/// All legs of one interaction; what it holds never changes in its life.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) guid: Guid,
    /// None only for an attempt that was refused before selection.
    pub(crate) tenant: Option<Arc<TenantNames>>,
    pub(crate) profile: Option<Arc<ProfileNames>>,
    /// Configuration revision at creation.
    pub(crate) revision: u64,
    /// Burst level, 1–3.
    pub(crate) burst: u8,
    /// Counted by limits, never refused by them.
    pub(crate) priority: bool,
    pub(crate) started: Millis,
    /// Keys of its legs.
    pub(crate) legs: SmallVec<[usize; 2]>,
}
