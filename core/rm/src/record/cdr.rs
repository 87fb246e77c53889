//! From session and leg to the fields of a `cdr` (rm.md §9.2). Pure translation.

use model::id::Guid;
use model::record::{
    CallType, Cdr, ObjectRef, Owner, Phase, Profile, Resource, RmFields, Source, Tenant,
};

use super::Story;
use crate::limits;
use crate::session::{Kind, Leg, Session, Text};

/// All that every record of a leg carries.
pub(crate) fn facts(session: &Session, leg: &Leg, phase: Phase) -> Cdr {
    let call_type = match leg.kind {
        Kind::Inbound => CallType::Inbound,
        Kind::Bridged => CallType::Bridged,
    };
    let session_id = format!("{}.{}", session.guid, leg.id);
    let mut cdr = Cdr::new(phase, session_id, leg.started, call_type);
    cdr.guid = Some(session.guid.into());
    cdr.leg = Some(leg.id);
    cdr.epoch = u64::from(leg.epoch.0);
    cdr.owners = leg.owners.iter().map(owner).collect();
    cdr.answered_at = leg.answered;
    cdr.tenant = session.tenant.as_ref().map(|tenant| Tenant {
        name: Some(tenant.name.clone()),
        dbid: Some(tenant.dbid.0),
        path: tenant.path.iter().map(|(name, dbid)| object(name, dbid.0)).collect(),
    });
    cdr.profile = session.profile.as_ref().map(|profile| Profile {
        name: Some(profile.name.clone()),
        dbid: Some(profile.dbid.0),
        service: Some(profile.service()),
    });
    cdr.service = session.profile.as_ref().map(|_| leg.service);
    cdr.dn = some(&leg.texts, Text::Dn, 64);
    cdr.local_uri = cut(leg.texts.get(Text::ToUri), limits::RECORD_URI).to_owned();
    cdr.remote_uri = cut(leg.texts.get(Text::FromUri), limits::RECORD_URI).to_owned();
    cdr.call_id = some(&leg.texts, Text::CallId, 256);
    cdr.call_uuid = some(&leg.texts, Text::CallUuid, 256);
    cdr.resource = leg.resource.as_ref().map(|resource| Resource {
        group: Some(resource.group.clone()),
        name: Some(resource.name.clone()),
        dbid: Some(resource.dbid.0),
        address: Some(resource.address.clone()),
        attempts: (leg.attempts > 0).then(|| u64::from(leg.attempts)),
    });
    cdr.sip_status = leg.sip_status;
    cdr.rm = rm_fields(session, leg);
    cdr
}

/// What is told once.
pub(crate) fn tell(cdr: &mut Cdr, leg: &Leg, story: &Story, trace: bool) {
    if leg.primary {
        cdr.usage = story.usage.clone();
    }
    cdr.rm.tries = story.tries.clone();
    cdr.policy = story.policy.clone();
    if trace {
        cdr.trace = story.trace.steps();
    }
}

/// One call in `sample` shows its trace: the same ones on every node.
pub(crate) fn is_sampled(guid: Guid, sample: u32) -> bool {
    let [.., a, b, c, d] = guid.0;
    sample > 0 && u32::from_be_bytes([a, b, c, d]).is_multiple_of(sample)
}

fn rm_fields(session: &Session, leg: &Leg) -> RmFields {
    let address = leg.texts.get(Text::SourceAddress);
    RmFields {
        primary: leg.primary,
        rebuilt: leg.rebuilt,
        priority: session.priority,
        from_tag: some(&leg.texts, Text::FromTag, 128),
        to_tag: some(&leg.texts, Text::ToTag, 128),
        ani: some(&leg.texts, Text::Ani, 64),
        selected_by: leg.selected_by,
        placed_by: Some(leg.placed_by.to_string()).filter(|text| !text.is_empty()),
        source: (!address.is_empty()).then(|| Source {
            name: some(&leg.texts, Text::SourceName, 128),
            address: address.to_owned(),
        }),
        ringing_at: leg.ringing,
        reason_header: some(&leg.texts, Text::ReasonHeader, limits::REASON),
        ..RmFields::default()
    }
}

fn owner(owner: &crate::session::Owner) -> Owner {
    let component =
        ObjectRef { name: Some(owner.name.clone()), dbid: owner.dbid.map(|dbid| dbid.0) };
    Owner { component, from: owner.from }
}

fn object(name: &str, dbid: u32) -> ObjectRef {
    ObjectRef { name: Some(name.to_owned()), dbid: Some(dbid) }
}

fn some(texts: &crate::session::Texts, field: Text, most: usize) -> Option<String> {
    let text = cut(texts.get(field), most);
    (!text.is_empty()).then(|| text.to_owned())
}

/// At most `most` bytes, cut at a character border.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
