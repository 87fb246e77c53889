//! The packed leg of an open frame in the spool (rm.md §2.1, §9.6): what a node that comes back
//! needs to carry the call on and to write its whole end record.
//!
//! One version byte, then postcard of [`Packed`]. Another version or a damaged block is refused
//! as a whole. Must not need the configuration: names travel with it.

use std::sync::Arc;
use std::time::Duration;

use model::config::Service;
use model::id::{Dbid, Epoch, Guid, LegId};
use model::record::{EARLIEST_MS, SelectedBy};
use model::time::{Millis, Now};
use serde::{Deserialize, Serialize};
use sip::locate::Goal;
use sip::transport::Transport;
use sip::uri::Uri;

use super::{
    Kind, Leg, Owner, ProfileNames, ResourceNames, Session, State, TenantNames, Text, Texts,
};

const VERSION: u8 = 2;

/// The written form: borrowed to write, owned to read; the order of the fields is the format.
#[derive(Serialize, Deserialize)]
struct Packed<T, P, R, O, S, X> {
    guid: [u8; 16],
    tenant: Option<T>,
    profile: Option<P>,
    revision: u64,
    burst: u8,
    priority: bool,
    session_kind: Kind,
    longest: u32,
    session_started: u64,
    cti: bool,
    resurrected: bool,
    gateway: Option<u32>,
    call_uuid: S,
    geo: S,
    leg: u32,
    epoch: u16,
    kind: Kind,
    service: u8,
    primary: bool,
    rebuilt: bool,
    resource: Option<R>,
    attempts: u8,
    started: u64,
    ringing: Option<u64>,
    answered: Option<u64>,
    last_heard: u64,
    referred: bool,
    cseq: [u32; 2],
    session_timer: Option<u32>,
    owners: O,
    sip_status: Option<u16>,
    selected_by: u8,
    placed_by: S,
    texts: X,
}

type Read = Packed<TenantNames, ProfileNames, ResourceNames, Vec<Owner>, String, Texts>;

/// Appends the block of a leg.
pub(crate) fn write(session: &Session, leg: &Leg, out: &mut Vec<u8>) {
    let before = out.len();
    let packed = Packed {
        guid: session.guid.0,
        tenant: session.tenant.as_deref(),
        profile: session.profile.as_deref(),
        revision: session.revision,
        burst: session.burst,
        priority: session.priority,
        session_kind: session.kind,
        longest: u32::try_from(session.longest.as_secs()).unwrap_or(u32::MAX),
        session_started: session.started.0,
        cti: session.cti,
        resurrected: session.resurrected,
        gateway: session.gateway.map(|gateway| gateway.0),
        call_uuid: session.call_uuid.as_str(),
        geo: session.geo.as_str(),
        leg: leg.id.0,
        epoch: leg.epoch.0,
        kind: leg.kind,
        service: leg.service.number(),
        primary: leg.primary,
        rebuilt: leg.rebuilt,
        resource: leg.resource.as_deref(),
        attempts: leg.attempts,
        started: leg.started.0,
        ringing: leg.ringing.map(|at| at.0),
        answered: leg.answered.map(|at| at.0),
        last_heard: leg.last_heard.0,
        referred: leg.referred,
        cseq: leg.cseq,
        session_timer: leg.session_timer.and_then(|timer| u32::try_from(timer.as_secs()).ok()),
        owners: &leg.owners,
        sip_status: leg.sip_status,
        selected_by: leg.selected_by.map_or(0, SelectedBy::number),
        placed_by: leg.placed_by.as_ref(),
        texts: &leg.texts,
    };
    out.push(VERSION);
    // postcard into a vector fails only for types it cannot hold, and these it can: the tests
    // write and read every field. An empty block would be refused at the restart, and counted.
    if postcard::to_io(&packed, &mut *out).is_err() {
        out.truncate(before);
    }
}

/// Reads a block; `None` if it is not one of this version, or damaged. Times that cannot be are
/// the nearest that can.
pub(crate) fn read(block: &[u8], now: Now) -> Option<(Session, Leg)> {
    let (version, rest) = block.split_first()?;
    if *version != VERSION {
        return None;
    }
    let (packed, surplus) = postcard::take_from_bytes::<Read>(rest).ok()?;
    if !surplus.is_empty() || !packed.texts.is_sound() {
        return None;
    }
    let service = Service::from_number(packed.service)?;
    // a clock that went wrong when they were written: no record with such times would be taken
    let past = |at: u64| Millis(at.max(EARLIEST_MS)).min(now.wall);
    let mut owners = packed.owners;
    owners.iter_mut().for_each(|owner| owner.from = past(owner.from.0));
    let session = Session {
        tenant: packed.tenant.map(Arc::new),
        profile: packed.profile.map(Arc::new),
        revision: packed.revision,
        burst: packed.burst,
        priority: packed.priority,
        kind: packed.session_kind,
        longest: Duration::from_secs(u64::from(packed.longest)),
        cti: packed.cti,
        resurrected: packed.resurrected,
        lasted: true,
        gateway: packed.gateway.map(Dbid),
        call_uuid: packed.call_uuid,
        geo: packed.geo,
        ..Session::begun(Guid(packed.guid), past(packed.session_started))
    };
    let caller = Uri::parse(packed.texts.get(Text::CallerTarget)).ok();
    let caller_transport = caller.and_then(|uri| Goal::of_uri(&uri)?.transport);
    let leg = Leg {
        caller_transport: caller_transport.unwrap_or(Transport::Udp),
        state: State::Up,
        kind: packed.kind,
        primary: packed.primary,
        rebuilt: packed.rebuilt,
        silent: true,
        resource: packed.resource.map(Arc::new),
        attempts: packed.attempts,
        started: past(packed.started),
        ringing: packed.ringing.map(past),
        answered: packed.answered.map(past),
        last_heard: past(packed.last_heard),
        opened: true,
        referred: packed.referred,
        cseq: packed.cseq,
        session_timer: packed.session_timer.map(|s| Duration::from_secs(u64::from(s))),
        owners,
        sip_status: packed.sip_status,
        selected_by: SelectedBy::from_number(packed.selected_by),
        placed_by: packed.placed_by.into(),
        texts: packed.texts,
        ..Leg::begun(LegId(packed.leg), Epoch(packed.epoch), service, now)
    };
    Some((session, leg))
}
