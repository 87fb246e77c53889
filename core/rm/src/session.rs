//! Stage 9, remember: sessions and their legs, who owns them, when they end (rm.md §2, §11.6).
//!
//! Between forward, which has sent the call on, and record, which tells what became of it. Load
//! and usage are sizes of sets that sessions and legs are put into and taken out of here, nowhere
//! else. Must not look at messages.

use std::sync::Arc;
use std::time::Duration;

use model::id::{Dbid, Guid};
use model::time::Millis;
use sip::buffers::Buffers;
use smallvec::SmallVec;

use crate::limits;

pub(crate) mod block;
pub(crate) mod end;
pub(crate) mod expiry;
pub(crate) mod farewell;
mod hang_up;
pub(crate) mod join;
pub(crate) mod leg;
pub(crate) mod linger;
pub(crate) mod names;
pub(crate) mod restore;
pub(crate) mod table;
pub(crate) mod texts;

pub(crate) use farewell::{Farewell, Farewells};
pub(crate) use leg::{Bye, Kind, Leg, Owner, Side, State};
pub(crate) use linger::Lingering;
pub(crate) use names::{Names, ProfileNames, ResourceNames, TenantNames};
pub(crate) use table::Table;
pub(crate) use texts::{Text, Texts};

/// All legs of one interaction; what it is given when it begins never changes in its life.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) guid: Guid,
    /// None only for an attempt that was refused before selection.
    pub(crate) tenant: Option<Arc<TenantNames>>,
    /// None for such an attempt, and while a CTI connector is asked first.
    pub(crate) profile: Option<Arc<ProfileNames>>,
    /// Configuration revision at creation.
    pub(crate) revision: u64,
    /// Burst level, 1–3.
    pub(crate) burst: u8,
    /// Counted by limits, never refused by them.
    pub(crate) priority: bool,
    /// Of its first leg.
    pub(crate) kind: Kind,
    /// Longest life of its legs (rm.md §6.1, `max_call_duration`).
    pub(crate) longest: Duration,
    pub(crate) started: Millis,
    /// It went to a CTI connector.
    pub(crate) cti: bool,
    /// Made again under the id that a header named (rm.md §2.4).
    pub(crate) resurrected: bool,
    /// One of its legs was answered: it can be joined for a while after its end.
    pub(crate) lasted: bool,
    /// It has ended and can be joined until then; somebody wants to, and is judged. None: it lives.
    pub(crate) lingers: Option<Duration>,
    /// Counter of the latest leg that this run has made in it.
    pub(crate) counter: u16,
    /// The gateway through which it came in.
    pub(crate) gateway: Option<Dbid>,
    /// `X-Genesys-CallUUID`, or empty.
    pub(crate) call_uuid: String,
    /// `X-Genesys-geo-location` from a trusted source, or empty.
    pub(crate) geo: String,
    /// Keys of its legs.
    pub(crate) legs: SmallVec<[usize; 2]>,
}

impl Session {
    /// A session of which nothing is known but its id and when it began; everything else is to be
    /// filled in.
    pub(crate) fn begun(guid: Guid, started: Millis) -> Self {
        Self {
            guid,
            tenant: None,
            profile: None,
            revision: 0,
            burst: 1,
            priority: false,
            kind: Kind::Inbound,
            longest: limits::MAX_CALL_DURATION,
            started,
            cti: false,
            resurrected: false,
            lasted: false,
            lingers: None,
            counter: 0,
            gateway: None,
            call_uuid: String::new(),
            geo: String::new(),
            legs: SmallVec::new(),
        }
    }

    /// Whose it is, as fields of a log line.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, String)> {
        let tenant = self.tenant.as_ref().map(|one| ("tenant", one.name.clone()));
        let profile = self.profile.as_ref().map(|one| ("profile", one.name.clone()));
        tenant.into_iter().chain(profile)
    }

    /// Gives its memory back.
    pub(crate) fn release(self, buffers: &mut Buffers) {
        buffers.release(self.call_uuid.into_bytes());
        buffers.release(self.geo.into_bytes());
    }
}
