//! Byte rules of a forwarded message (rm.md §5.1–5.3): the Request-URI towards a resource, and
//! edits that every hop makes.
//!
//! What is not named here leaves as it came. Must not send anything.

use std::borrow::Cow;
use std::fmt::Write;
use std::io::Write as _;

use model::config::{ResourceAddress, Service};
use model::id::Guid;
use model::snapshot::Snapshot;
use sip::buffers::Buffers;
use sip::header::{Header, Name};
use sip::message::Message;
use sip::transport::Flow;
use sip::uri::{Scheme, Uri, escape_param, unescape};
use smallvec::SmallVec;

use super::draft::Edits;
use crate::limits;
use crate::reject::{No, Reason};
use crate::select::Choice;

/// The Request-URI towards any resource of a call: everything but host, port and transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    secure: bool,
    /// User part, then the parameters.
    text: String,
    /// Bytes of the user part.
    user: usize,
}

/// What stands for `${…}` in parameter values, besides names of the snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) dnis: &'a str,
    pub(crate) ani: &'a str,
    pub(crate) session: Option<Guid>,
    pub(crate) uuid: &'a str,
}

/// Works out user part and parameters, appended to `text`.
pub(crate) fn target(
    snapshot: &Snapshot,
    choice: &Choice,
    uri: &Uri<'_>,
    trusted: bool,
    facts: Facts<'_>,
    mut text: String,
) -> Target {
    let user = uri.user.unwrap_or_default();
    let addressed = crate::select::service::of_user(user) == Some(choice.service);
    user_part(choice.service, user, addressed, facts.dnis, &mut text);
    let user = text.len();
    let pages = pages(snapshot, choice, uri, trusted && addressed, addressed);
    let parameters = snapshot.parameters(choice.tenant, choice.profile, choice.service);
    let mut kept: SmallVec<[Cow<'_, str>; 16]> = SmallVec::new();
    for (spelled, value) in uri.params() {
        let name = unescape(spelled);
        let named = |other: &str| name.eq_ignore_ascii_case(other);
        let replaced = pages.iter().any(|(page, _)| named(page))
            || parameters.iter().any(|one| one.fixed && named(&one.name));
        if replaced
            || is_ours(&name, choice.consumed, trusted)
            || is_page_of(choice.service, &name, addressed)
        {
            continue;
        }
        text.push(';');
        text.push_str(spelled);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
        kept.push(name);
    }
    for (name, value) in &pages {
        named(name, &mut text);
        escape_param(value, &mut text);
    }
    for one in parameters {
        if one.fixed || !kept.iter().any(|name| name.eq_ignore_ascii_case(&one.name)) {
            named(&one.name, &mut text);
            fill(&one.value, snapshot, choice, facts, &mut text);
        }
    }
    Target { secure: uri.scheme == Scheme::Sips, text, user }
}

fn named(name: &str, out: &mut String) {
    out.push(';');
    out.push_str(name);
    out.push('=');
}

impl Target {
    /// Appends the whole Request-URI for one address.
    ///
    /// # Errors
    /// `internal`, when it would be too long.
    pub(crate) fn write(&self, address: &ResourceAddress, out: &mut String) -> Result<(), No> {
        let parsed = Uri::parse(&address.uri).map_err(|_| No::from(Reason::Internal))?;
        let before = out.len();
        let scheme = if self.secure || address.secure { "sips" } else { "sip" };
        let (user, tail) = self.text.split_at_checked(self.user).unwrap_or_default();
        // writing to a String cannot fail
        let _ = write!(out, "{scheme}:{user}@{}", parsed.host);
        if let Some(port) = parsed.port {
            let _ = write!(out, ":{port}");
        }
        if let Some(Some(transport)) = parsed.param("transport") {
            let _ = write!(out, ";transport={transport}");
        }
        out.push_str(tail);
        if out.len() - before > limits::URI {
            return Err(No::new(Reason::Internal, "request uri too long"));
        }
        Ok(())
    }

    /// A copy that takes no more memory than it needs, and the text that it was worked out in.
    pub(crate) fn kept(self, buffers: &mut Buffers) -> (Self, String) {
        let mut text = buffers.text(self.text.len());
        text.push_str(&self.text);
        (Self { text, ..self }, self.text)
    }

    /// Gives its memory back.
    pub(crate) fn release(self, buffers: &mut Buffers) {
        buffers.release(self.text.into_bytes());
    }
}

fn user_part(service: Service, user: &str, addressed: bool, dnis: &str, out: &mut String) {
    let (name, number) = match service {
        _ if addressed => (user, ""),
        Service::Voicexml => ("dialog", ""),
        Service::Ccxml => ("ccxml", ""),
        Service::Msml => ("msml", ""),
        Service::Announcement => ("annc", ""),
        Service::Cpd => ("cpd", ""),
        Service::Media => ("media", ""),
        Service::Conference => ("conf=", dnis),
        Service::Recordingserver => ("record=", dnis),
        Service::Gateway | Service::Cti | Service::Recordingclient | Service::Record => (user, ""),
    };
    out.push_str(name);
    out.push_str(number);
}

/// Page and prerequisites of the profile, in their order.
fn pages<'s>(
    snapshot: &'s Snapshot,
    choice: &Choice,
    uri: &Uri<'_>,
    own_page: bool,
    addressed: bool,
) -> SmallVec<[(&'static str, &'s str); 4]> {
    let profile = snapshot.profile(choice.profile);
    let mut pages = SmallVec::new();
    let mut add = |name: &'static str, url: &'s Option<String>| {
        if let Some(url) = url {
            pages.push((name, url.as_str()));
        }
    };
    match choice.service {
        Service::Voicexml => {
            if !(own_page && uri.param("voicexml").is_some()) {
                add("voicexml", &profile.initial_page_url);
            }
            add("gvp.alternatevoicexml", &profile.alternate_page_url);
            add("gvp.defaultsvxml", &profile.default_properties_url);
        }
        Service::Ccxml => add("ccxml", &profile.initial_page_url),
        Service::Announcement => {
            let given = ["play", "record"].iter().any(|name| uri.param(name).is_some());
            if !(addressed && given) {
                add("play", &profile.play);
            }
        }
        _ => {}
    }
    pages
}

/// A page that came with the request and is not believed.
fn is_page_of(service: Service, name: &str, addressed: bool) -> bool {
    !addressed
        && match service {
            Service::Voicexml => name.eq_ignore_ascii_case("voicexml"),
            Service::Ccxml => name.eq_ignore_ascii_case("ccxml"),
            Service::Announcement => {
                name.eq_ignore_ascii_case("play") || name.eq_ignore_ascii_case("record")
            }
            _ => false,
        }
}

/// Parameters that never go on: ours, and what named the host that is replaced.
fn is_ours(name: &str, consumed: bool, trusted: bool) -> bool {
    let named = |other: &str| name.eq_ignore_ascii_case(other);
    let begins = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    if named("gvp-tenant-id") {
        return consumed;
    }
    ["transport", "maddr", "ttl", "method", "lr", "media-service"].iter().any(|one| named(one))
        || begins("gvp.rm.")
        || (!trusted && begins("gvp."))
}

/// Appends the value of a parameter, escaped, with a fact in the place of each `${name}`.
fn fill(value: &str, snapshot: &Snapshot, choice: &Choice, facts: Facts<'_>, out: &mut String) {
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        escape_param(before, out);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        let fact = match name {
            "dnis" => facts.dnis,
            "ani" => facts.ani,
            "tenant" => &snapshot.tenant(choice.tenant).name,
            "profile" => &snapshot.profile(choice.profile).name,
            "uuid" => facts.uuid,
            "session" => {
                if let Some(guid) = facts.session {
                    let _ = write!(out, "{guid}");
                }
                ""
            }
            _ => {
                escape_param("${", out);
                rest = after;
                continue;
            }
        };
        escape_param(fact, out);
        rest = tail;
    }
    escape_param(rest, out);
}

/// The edits of every forwarded request: top Via stamped, Max-Forwards decremented. A missing one
/// is for the caller to add, and routes are of `routes`.
pub(crate) fn hop(message: &Message<'_>, flow: Flow, edits: &mut Edits) {
    if let Some(via) = message.header(Name::Via) {
        edits.put(via.index, |out| sip::print::stamped_via(message, flow, out));
    }
    if let (Some(header), Some(hops)) = (message.header(Name::MaxForwards), message.max_forwards())
    {
        edits.put(header.index, |out| {
            // writing into a vector cannot fail
            let _ = write!(out, "Max-Forwards: {}\r\n", hops.saturating_sub(1));
        });
    }
}

/// Whether a header is ours and never passes (rm.md §2.3), or is internal and passes only from a
/// trusted source (§13.4). Recognised in every spelling.
pub(crate) fn is_internal(header: &Header<'_>, trusted: bool) -> bool {
    if header.name != Name::Other {
        return false;
    }
    let always: [&[u8]; 3] = [
        b"x-genesys-gvp-session-id",
        b"x-genesys-gvp-session-data",
        b"x-genesys-rm-application-dbid",
    ];
    always.iter().any(|name| header.spelled.eq_ignore_ascii_case(name))
        || (!trusted && needs_trust(header))
}

/// Whether a header passes only from a trusted source (rm.md §13.4), in a dialog too. Recognised in
/// every spelling.
pub(crate) fn needs_trust(header: &Header<'_>) -> bool {
    let internal: [&[u8]; 5] = [
        b"x-genesys-gvp-session-",
        b"x-genesys-rm-",
        b"x-genesys-gsw-",
        b"x-genesys-strict-location",
        b"x-genesys-geo-location",
    ];
    let begins = |prefix: &[u8]| {
        let head = header.spelled.get(..prefix.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
    };
    header.name == Name::Other && internal.iter().any(|prefix| begins(prefix))
}

#[cfg(test)]
mod tests;
