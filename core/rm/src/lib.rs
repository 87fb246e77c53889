//! Resource Manager: one call as one sentence; pure.
//!
//! A SIP proxy that decides tenant, profile, permission and media server for every call, and
//! records it. No socket, clock, file or chance of its own: time, bytes and randomness are inputs.
//! The stages below stand in the order in which a call passes them; `LIFECYCLE.md` tells the story.
#![warn(missing_docs)]

// What goes in, what comes out, and the one machine between.
pub mod settings;
pub mod input;
pub mod output;
pub mod proxy;

/// Stage 4: loops, draining, unknown peers, and the methods that are not calls.
mod admit;
/// When the engine cannot follow, and what share of the new requests it sheds.
mod overload;
/// Stage 5: number → tenant → profile → service.
mod select;
/// Stage 6: the limits of the tenant tree say yes, or why not.
mod policy;
/// Stage 7: a media server that is alive and has a free place.
mod pool;
/// Who is in the pool besides those that the configuration lists.
mod discovery;
/// Stage 8: rewrite, send, the next one on failure, answers back.
mod forward;
/// Between stages 7 and 8: where host names lead, and who waits for that.
mod resolve;
/// Stage 9, entered by requests inside a dialog: the way is in the token.
mod dialog;
/// Stage 9: sessions and legs, their owner and epoch, their end.
mod session;
/// Stage 10: facts of the call become numbered records.
mod record;

/// Stage 11, first half: which records go to disk together, and what is dropped when none can.
pub mod journal;
/// The payload of a record's frame on disk.
pub mod frame;

/// Between select and place: a call that names a dialog goes to its holder.
mod affinity;
/// A leg enters its conference, and finds it again after a restart.
mod conference;
/// What a request says of its place.
mod wish;
/// Between select and place: what a call shares with others leads to their resource.
mod pin;
/// What stands between the stages: one call, handed on.
mod call;
/// A decision alone, for measurements.
mod trial;
/// What an operator wants of a resource.
mod administer;
/// Calls that end because of their resource.
mod release;
/// A new configuration, for every part that keeps something of it.
mod configure;
/// What would become of an INVITE, without doing it.
mod explain;
/// Every "no", in one table.
mod reject;
/// Answers that the Resource Manager makes itself.
mod answer;
/// The sealed token of a Record-Route entry.
pub mod token;
/// What is due when.
mod timer;
/// Numbers of log lines.
mod log;
/// Every alarm, in one list.
mod alarm;
/// The messages of late, for who looks for one call.
pub mod heads;
pub mod counters;
pub mod view;
pub mod limits;
mod invariant;

pub use alarm::Alarm;
pub use counters::Counters;
pub use explain::{Assume, Caller, Chosen, Explained, Named, Question, Unclear};
pub use input::{Input, NodeState, Will};
pub use output::{Event, FrameKind, Stream};
pub use proxy::{Proxy, Restored};
pub use settings::{Listener, Match, Options, Peer, Role, Route, Settings, SipTimers};
pub use token::Keys;
pub use trial::Trial;
pub use view::{CallDetail, CallFilter, CallSlice, CallView, LegView, ResourceView, Status};
