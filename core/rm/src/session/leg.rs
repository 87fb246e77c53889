//! One leg: an INVITE dialog through RM, early or confirmed (rm.md §2.1).
//!
//! Plain facts; who may change them: stage 8 until the answer, stage 9 afterwards.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use model::config::Service;
use model::id::{Dbid, Epoch, LegId};
use model::record::SelectedBy;
use model::time::{Millis, Now};
use serde::{Deserialize, Serialize};
use sip::transport::Transport;

use super::names::ResourceNames;
use super::texts::Texts;
use crate::pool::Direction;

/// A leg that is not `ended`; an ended one is a tombstone in the table.
#[derive(Clone, Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    /// Key of its session in the table.
    pub(crate) session: usize,
    pub(crate) epoch: Epoch,
    pub(crate) state: State,
    pub(crate) kind: Kind,
    pub(crate) service: Service,
    /// First leg of its session.
    pub(crate) primary: bool,
    /// Facts come from a token.
    pub(crate) rebuilt: bool,
    /// Adopted, and no message of it was seen since.
    pub(crate) silent: bool,
    pub(crate) resource: Option<Arc<ResourceNames>>,
    pub(crate) attempts: u8,
    pub(crate) started: Millis,
    pub(crate) ringing: Option<Millis>,
    pub(crate) answered: Option<Millis>,
    /// Latest message of the dialog, or when it was written down.
    pub(crate) last_heard: Millis,
    /// A BYE is on its way, or was answered, maybe before the 2xx: when it came, and from whom.
    pub(crate) bye: Option<Bye>,
    /// The spool has an open frame of it.
    pub(crate) opened: bool,
    /// A REFER of this dialog was accepted.
    pub(crate) referred: bool,
    /// Its INVITE came from a source whose internal headers are believed; not known after a
    /// restart.
    pub(crate) caller_trusted: bool,
    /// How its INVITE came; after a restart as the caller's Contact says.
    pub(crate) caller_transport: Transport,
    /// Highest CSeq seen: caller, called side.
    pub(crate) cseq: [u32; 2],
    /// Agreed session interval (RFC 4028).
    pub(crate) session_timer: Option<Duration>,
    /// Latest in-dialog request, on the monotonic clock.
    pub(crate) heard: Duration,
    /// Latest 2xx to an INVITE or UPDATE, on the monotonic clock: its session timer runs since.
    pub(crate) refreshed: Duration,
    /// End by `max_call_duration`, on the monotonic clock.
    pub(crate) longest: Duration,
    /// All owners, from epoch 2 on.
    pub(crate) owners: Vec<Owner>,
    /// Update records made of this epoch.
    pub(crate) updates: u32,
    /// Call events made of this epoch.
    pub(crate) events: u32,
    /// Final answer to the INVITE.
    pub(crate) sip_status: Option<u16>,
    pub(crate) selected_by: Option<SelectedBy>,
    pub(crate) placed_by: Cow<'static, str>,
    pub(crate) texts: Texts,
}

/// `trying` → `early` → `up` → `ending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Trying,
    Early,
    Up,
    Ending,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Early => "early",
            Self::Up => "up",
            Self::Ending => "ending",
        }
    }
}

/// Where a leg comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// From a peer or gateway to a resource.
    Inbound,
    /// From a resource to a media service.
    Bridged,
    /// Through a gateway to the outside.
    Outbound,
}

impl Kind {
    pub(crate) const fn direction(self) -> Direction {
        match self {
            Self::Inbound | Self::Bridged => Direction::In,
            Self::Outbound => Direction::Out,
        }
    }
}

/// One side of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Who sent the INVITE.
    Caller,
    /// Who answered it.
    Callee,
}

impl Side {
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::Callee => 1,
        }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// The BYE of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bye {
    pub(crate) at: Millis,
    pub(crate) by: Side,
}

/// Who carried a leg, from when on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) name: String,
    pub(crate) dbid: Option<Dbid>,
    pub(crate) from: Millis,
}

impl Leg {
    /// A leg of which nothing is known but who it is and when it began; everything else is to be
    /// filled in.
    pub(crate) fn begun(id: LegId, epoch: Epoch, service: Service, now: Now) -> Self {
        Self {
            id,
            session: 0,
            epoch,
            state: State::Trying,
            kind: Kind::Inbound,
            service,
            primary: false,
            rebuilt: false,
            silent: false,
            resource: None,
            attempts: 0,
            started: now.wall,
            ringing: None,
            answered: None,
            last_heard: now.wall,
            bye: None,
            opened: false,
            referred: false,
            caller_trusted: false,
            caller_transport: Transport::Udp,
            cseq: [0; 2],
            session_timer: None,
            heard: now.mono,
            refreshed: now.mono,
            longest: Duration::MAX,
            owners: Vec::new(),
            updates: 0,
            events: 0,
            sip_status: None,
            selected_by: None,
            placed_by: Cow::Borrowed(""),
            texts: Texts::default(),
        }
    }

    /// Notes a CSeq of one side; they only rise.
    pub(crate) fn note_cseq(&mut self, side: Side, number: u32) {
        if let Some(highest) = self.cseq.get_mut(side.index()) {
            *highest = number.max(*highest);
        }
    }

    pub(crate) fn highest_cseq(&self, side: Side) -> u32 {
        self.cseq.get(side.index()).copied().unwrap_or(0)
    }
}
