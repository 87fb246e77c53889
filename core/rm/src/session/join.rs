//! Which session a request belongs to: that of its header, or a new one (rm.md §2.3, §2.4).
//!
//! Only a trusted source may join. A session that is not known is made again under its id when the
//! header names a tenant and a profile that exist. Must not select anything else.

use std::sync::Arc;
use std::time::Duration;

use model::config::{ProfileIx, TenantIx};
use model::id::{Dbid, Guid};
use model::snapshot::Snapshot;
use model::time::Now;
use sip::message::Message;

use super::Session;
use super::end::objects;
use crate::admit::{Request, Source, Who};
use crate::proxy::Proxy;
use crate::select::recording::GEO_LOCATION;
use crate::settings::Role;

/// The header by which a session is joined.
pub(crate) const SESSION_ID: &str = "X-Genesys-GVP-Session-ID";

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) guid: Guid,
    /// Number of the tenant and name of the profile.
    pub(crate) owner: Option<(Dbid, String)>,
}

/// Reads the header as leniently as rm.md §2.3 wants: any order, any case, blanks, unknown
/// parameters. `None`: it is not there, or names no session.
pub(crate) fn named(message: &Message<'_>) -> Option<Named> {
    let header = message.named(SESSION_ID)?;
    let text = header.text_lossy();
    let mut guid = None;
    let mut owner = None;
    for part in text.split(';') {
        match part.split_once('=') {
            None => guid = guid.or_else(|| Guid::parse(part.trim())),
            Some((name, value)) if name.trim().eq_ignore_ascii_case("gvp.rm.tenant-id") => {
                owner = owner_of(value.trim());
            }
            Some(_) => {}
        }
    }
    guid.map(|guid| Named { guid, owner })
}

/// `1.102_IVRAppDefault`: the last number of the path, and what follows the first underscore.
fn owner_of(text: &str) -> Option<(Dbid, String)> {
    let (path, profile) = text.split_once('_')?;
    let tenant = path.rsplit('.').next()?.trim().parse().ok()?;
    Some((Dbid(tenant), profile.trim().to_owned()))
}

/// A session before an INVITE was explained.
pub(crate) struct Before {
    session: Session,
    /// It has ended, and can be joined until then.
    lingers: Option<Duration>,
}

impl Named {
    /// Tenant and profile, when both exist.
    fn owner(&self, snapshot: &Snapshot) -> Option<(TenantIx, ProfileIx)> {
        let (tenant, profile) = self.owner.as_ref()?;
        let tenant = snapshot.tenant_by_dbid(*tenant)?;
        Some((tenant, snapshot.profile_within(tenant, profile)?))
    }
}

impl Proxy {
    /// The session of a request outside dialogs: that of its header, or a new one.
    pub(crate) fn session_for(&mut self, request: &Request<'_, '_>, source: &Source) -> usize {
        let named = source.trusted.then(|| named(request.message)).flatten();
        let joined = named.and_then(|named| self.joined(request.now, &named));
        joined.unwrap_or_else(|| {
            let guid = Guid::v7(request.now.wall, &mut self.chance);
            let session = self.new_session(request, source, guid);
            self.table.insert_session(session)
        })
    }

    /// The session that is named: one that lives, one that has just ended, or one made again. The
    /// latter two are in no set until a leg of theirs is granted.
    fn joined(&mut self, now: Now, named: &Named) -> Option<usize> {
        let living = self.table.session_of(named.guid);
        if let Some(key) = living {
            let known = self.table.session(key).is_some_and(|one| one.tenant.is_some());
            return known.then_some(key);
        }
        let room = |session: &Session| session.counter < u16::MAX;
        if let Some(session) = self.lingering.take(named.guid).filter(room) {
            return Some(self.table.insert_session(session));
        }
        let snapshot = Arc::clone(&self.snapshot);
        let (tenant, profile) = named.owner(&snapshot)?;
        let mut session = Session::begun(named.guid, now.wall);
        session.resurrected = true;
        session.revision = snapshot.revision.0;
        session.belongs(
            self.names.tenant(&snapshot, tenant),
            Some(self.names.profile(&snapshot, profile)),
        );
        Some(self.table.insert_session(session))
    }

    /// The session that a request which begins none belongs to, if it lives.
    pub(crate) fn living_session(
        &self,
        message: &Message<'_>,
        source: &Source,
    ) -> Option<&Session> {
        let named = named(message).filter(|_| source.trusted)?;
        let session = self.table.session(self.table.session_of(named.guid)?);
        session.filter(|session| session.profile.is_some())
    }

    /// What an INVITE that is only explained would change of the session that it joins.
    pub(crate) fn session_before(&self, message: &Message<'_>, source: &Source) -> Option<Before> {
        let guid = named(message).filter(|_| source.trusted)?.guid;
        let living = self.table.session_of(guid).and_then(|key| self.table.session(key));
        if let Some(session) = living {
            return Some(Before { session: session.clone(), lingers: None });
        }
        let (until, session) = self.lingering.get(guid)?;
        Some(Before { session: session.clone(), lingers: Some(until) })
    }

    /// The session is again as it was, and in the sets that it was in.
    pub(crate) fn session_as_before(&mut self, before: Before) {
        let Before { session, lingers } = before;
        if let Some(until) = lingers {
            return self.lingering.put_back(until, session);
        }
        let Some(key) = self.table.session_of(session.guid) else { return };
        let Some(own) = self.table.session_mut(key) else { return };
        let (now, was) = (objects(own), objects(&session));
        let legs = session.legs.clone();
        std::mem::replace(own, session).release(&mut self.buffers);
        for object in now.into_iter().filter(|object| !was.contains(object)) {
            self.usage.leave_session(object, key, &legs);
        }
    }

    fn new_session(&mut self, request: &Request<'_, '_>, source: &Source, guid: Guid) -> Session {
        let message = request.message;
        let mut text = |name: &str, known: bool| {
            let header = message.named(name).filter(|_| known);
            let Some(header) = header else { return String::new() };
            let value = header.text_lossy();
            let mut text = self.buffers.text(value.len());
            text.push_str(value.trim());
            text
        };
        let (call_uuid, geo) =
            (text("X-Genesys-CallUUID", true), text(GEO_LOCATION, source.trusted));
        let gateway = match (source.role, source.who) {
            (Some(Role::Gateway), Who::Resource(number)) => {
                self.snapshot.nth_resource(number).map(|resource| resource.dbid)
            }
            _ => None,
        };
        Session {
            revision: self.snapshot.revision.0,
            priority: source.priority,
            gateway,
            call_uuid,
            geo,
            ..Session::begun(guid, request.now.wall)
        }
    }
}

/// Number of the latest leg of sessions that are made again, at the start of a run. Nothing is
/// known of the earlier legs of such a session, which have counted from 1, and two records may
/// never have the same id: all such legs of a run count on together, in the upper half.
pub(crate) fn first_remade(now: Now) -> u16 {
    let seconds = now.wall.0 / 1000 % 0x7FFF;
    u16::try_from(seconds).unwrap_or(0) | 0x8000
}

/// The one behind it.
pub(crate) const fn next_remade(latest: u16) -> u16 {
    latest.wrapping_add(1) | 0x8000
}

#[cfg(test)]
mod tests {
    use super::named;
    use model::id::{Dbid, Guid};

    const GUID: &str = "9E565000-457B-6487-67D5-BA32B23886C4";

    fn read(line: &str) -> Option<(Guid, Option<(u32, String)>)> {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
             {line}Content-Length: 0\r\n\r\n"
        );
        let message = sip::parse::parse(text.as_bytes(), &sip::limits::Limits::DEFAULT).unwrap();
        let found = named(&message)?;
        Some((found.guid, found.owner.map(|(Dbid(tenant), profile)| (tenant, profile))))
    }

    #[test]
    fn any_order_case_and_blanks() {
        let guid = Guid::parse(GUID).unwrap();
        let msml = Some((102, "MSML_PROFILE".to_owned()));
        for (value, owner) in [
            (
                format!("{GUID};gvp.rm.datanodes=2|1;gvp.rm.tenant-id=1.102_MSML_PROFILE"),
                msml.clone(),
            ),
            (format!("{GUID} ; GVP.RM.Tenant-ID = 1.102_MSML_PROFILE ;x=y;z"), msml.clone()),
            (format!("gvp.rm.tenant-id=102_MSML_PROFILE;{}", GUID.to_lowercase()), msml),
            (GUID.to_owned(), None),
            (format!("{GUID};gvp.rm.tenant-id=1.102_my app"), Some((102, "my app".to_owned()))),
            (format!("{GUID};gvp.rm.tenant-id=1.x_a"), None),
            (format!("{GUID};gvp.rm.tenant-id=102"), None),
        ] {
            let line = format!("x-genesys-gvp-session-id : {value}\r\n");
            assert_eq!(read(&line), Some((guid, owner)), "{value}");
        }
        for value in ["", "9E565000", "gvp.rm.tenant-id=1.102_a", ";;;"] {
            assert_eq!(read(&format!("X-Genesys-GVP-Session-ID: {value}\r\n")), None, "{value}");
        }
        assert_eq!(read(""), None);
    }
}
