//! From session and leg to the fields of a `cdr` (rm.md §9.2, rs.md §2.2), in the order of the
//! wire. Pure translation; what is told once comes with its story.

use model::id::Guid;
use model::record::{CallType, EndState, Object, Phase, Scope, UpdateReason};
use model::time::Millis;

use super::Story;
use crate::limits;
use crate::session::{Kind, Leg, Session, Text};

/// One record of a leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cdr<'a> {
    pub(super) session: &'a Session,
    pub(super) leg: &'a Leg,
    pub(super) phase: Phase,
    pub(super) sip_status: Option<u16>,
    /// End, state and reason word of an `end`.
    pub(super) end: Option<(Millis, EndState, &'static str)>,
    pub(super) update: Option<UpdateReason>,
    /// What is told of a call once.
    pub(super) story: Option<&'a Story>,
    /// The trace is part of the story.
    pub(super) trace: bool,
}

impl Cdr<'_> {
    pub(super) fn write(&self, out: &mut Object<'_>) {
        let Self { session, leg, .. } = self;
        out.text("phase", self.phase.as_str());
        out.shown("guid", session.guid);
        out.shown("leg", leg.id);
        out.shown("session_id", format_args!("{}.{}", session.guid, leg.id));
        if leg.epoch.0 > 0 {
            out.number("epoch", leg.epoch.0);
        }
        out.list("owners", &leg.owners, |out, owner| {
            out.object("component", |out| object(out, &owner.name, owner.dbid.map(|dbid| dbid.0)));
            out.shown("from", owner.from);
        });
        out.shown("started_at", leg.started);
        time(out, "answered_at", leg.answered);
        time(out, "ended_at", self.end.map(|(at, ..)| at.max(leg.started)));
        let call_type = match leg.kind {
            Kind::Inbound => CallType::Inbound,
            Kind::Bridged => CallType::Bridged,
            Kind::Outbound => CallType::Outbound,
        };
        out.text("call_type", call_type.as_str());
        self.belongs(out);
        self.texts(out);
        if let Some(resource) = &leg.resource {
            out.object("resource", |out| {
                out.text("group", &resource.group);
                object(out, &resource.name, Some(resource.dbid.0));
                out.text("address", &resource.address);
                if leg.attempts > 0 {
                    out.number("attempts", leg.attempts);
                }
            });
        }
        self.outcome(out);
        self.of_rm(out);
    }

    /// Tenant, usage, profile, service.
    fn belongs(&self, out: &mut Object<'_>) {
        let Self { session, leg, story, .. } = self;
        if let Some(tenant) = &session.tenant {
            out.object("tenant", |out| {
                object(out, &tenant.name, Some(tenant.dbid.0));
                let path = tenant.path.iter();
                out.list("path", path, |out, (name, dbid)| object(out, name, Some(dbid.0)));
            });
        }
        if let Some(story) = story.filter(|_| leg.primary && self.phase == Phase::Start) {
            let tenants = session.tenant.iter().flat_map(|tenant| &tenant.path);
            let tenants = tenants.map(|(name, dbid)| (Scope::Tenant, name, *dbid));
            let profile = session.profile.iter().map(|one| (Scope::Profile, &one.name, one.dbid));
            let levels = tenants.chain(profile).zip(&story.usage);
            out.list("usage", levels, |out, ((scope, name, dbid), figure)| {
                out.text("scope", scope.as_str());
                out.number("dbid", dbid.0);
                out.text("name", name);
                out.number("usage", figure.usage);
                out.number("burst", figure.burst);
            });
        }
        if let Some(profile) = &session.profile {
            out.object("profile", |out| {
                object(out, &profile.name, Some(profile.dbid.0));
                out.text("service", profile.service().as_str());
            });
        }
        // one that gave up before it was selected has asked for nothing that is known
        if session.tenant.is_some() && (leg.selected_by.is_some() || leg.rebuilt) {
            out.text("service", leg.service.as_str());
        }
    }

    fn texts(&self, out: &mut Object<'_>) {
        let texts = &self.leg.texts;
        self.some(out, "dn", Text::Dn, 64);
        let (local, remote) = match self.leg.kind {
            Kind::Inbound | Kind::Bridged => (Text::ToUri, Text::FromUri),
            Kind::Outbound => (Text::FromUri, Text::ToUri),
        };
        out.text("local_uri", cut(texts.get(local), limits::RECORD_URI));
        out.text("remote_uri", cut(texts.get(remote), limits::RECORD_URI));
        self.some(out, "call_id", Text::CallId, 256);
        self.some(out, "call_uuid", Text::CallUuid, 256);
    }

    /// How it ended, who refused it, and how that came about.
    fn outcome(&self, out: &mut Object<'_>) {
        if let Some((_, state, _)) = self.end {
            out.text("end_state", state.as_str());
        }
        if let Some(status) = self.sip_status {
            out.number("sip_status", status);
        }
        out.some("reason", self.end.map(|(.., word)| word));
        if let Some(policy) = self.story.and_then(|story| story.policy.as_ref()) {
            out.object("policy", |out| {
                out.text("rule", cut(&policy.rule, limits::RECORD_WORD));
                out.some("scope", policy.scope.map(|scope| scope.as_str()));
                if let Some(dbid) = policy.dbid {
                    out.number("dbid", dbid);
                }
                out.some("name", policy.name.as_deref());
                for (name, figure) in [("limit", policy.limit), ("usage", policy.usage)] {
                    if let Some(figure) = figure {
                        out.number(name, figure);
                    }
                }
            });
        }
        if let Some(story) = self.story.filter(|_| self.trace) {
            story.trace.write(out);
        }
    }

    /// What only RM tells of a leg.
    fn of_rm(&self, out: &mut Object<'_>) {
        let Self { session, leg, .. } = self;
        out.flag("primary", leg.primary);
        out.flag("resurrected", session.resurrected);
        out.flag("rebuilt", leg.rebuilt);
        out.flag("cti", session.cti);
        out.flag("priority", session.priority);
        self.some(out, "from_tag", Text::FromTag, 128);
        self.some(out, "to_tag", Text::ToTag, 128);
        self.some(out, "ani", Text::Ani, 64);
        self.some(out, "conference", Text::Conference, 128);
        self.some(out, "dialled", Text::Dialled, 64);
        out.some("geo", Some(cut(&session.geo, 256)).filter(|text| !text.is_empty()));
        out.some("selected_by", leg.selected_by.map(|by| by.as_str()));
        out.some("placed_by", Some(&*leg.placed_by).filter(|text| !text.is_empty()));
        let address = leg.texts.get(Text::SourceAddress);
        if !address.is_empty() {
            out.object("source", |out| {
                self.some(out, "name", Text::SourceName, 128);
                out.text("address", address);
            });
        }
        time(out, "ringing_at", leg.ringing);
        let tries = self.story.iter().flat_map(|story| &story.tries);
        out.list("tries", tries, |out, one| {
            out.text("resource", &one.resource.name);
            if let Some(status) = one.status {
                out.number("sip_status", status);
            }
            if let Some(why) = one.why {
                out.shown("reason", why);
            }
            out.number("ms", one.ms);
        });
        self.some(out, "reason_header", Text::ReasonHeader, limits::REASON);
        out.some("update_reason", self.update.map(|reason| reason.as_str()));
    }

    /// A text of the leg, cut at `most` bytes; nothing, if there is none.
    fn some(&self, out: &mut Object<'_>, name: &str, field: Text, most: usize) {
        let text = cut(self.leg.texts.get(field), most);
        out.some(name, Some(text).filter(|text| !text.is_empty()));
    }
}

/// One call in `sample` shows its trace: the same ones on every node.
pub(super) fn is_sampled(guid: Guid, sample: u32) -> bool {
    let [.., a, b, c, d] = guid.0;
    sample > 0 && u32::from_be_bytes([a, b, c, d]).is_multiple_of(sample)
}

fn object(out: &mut Object<'_>, name: &str, dbid: Option<u32>) {
    out.text("name", name);
    if let Some(dbid) = dbid {
        out.number("dbid", dbid);
    }
}

fn time(out: &mut Object<'_>, name: &str, at: Option<Millis>) {
    if let Some(at) = at {
        out.shown(name, at);
    }
}

/// At most `most` bytes, cut at a character border.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
