//! Byte rules of a forwarded message (rm.md §5.1–5.3): the Request-URI towards a resource, and
//! edits that every hop makes.
//!
//! What is not named here leaves as it came. Must not send anything.

use std::fmt::Write;

use model::config::{ResourceAddress, Service};
use model::snapshot::Snapshot;
use sip::header::{Header, Name};
use sip::message::Message;
use sip::transport::Flow;
use sip::uri::{Scheme, Uri, escape_param};

use crate::limits;
use crate::reject::{No, Reason};
use crate::select::Choice;

/// The Request-URI towards any resource of a call: everything but host, port and transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    secure: bool,
    user: String,
    tail: String,
}

/// What stands for `${…}` in parameter values, besides names of the snapshot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) dnis: &'a str,
    pub(crate) ani: &'a str,
    pub(crate) session: &'a str,
    pub(crate) uuid: &'a str,
}

/// Works out user part and parameters.
pub(crate) fn target(
    snapshot: &Snapshot,
    choice: &Choice,
    uri: &Uri<'_>,
    trusted: bool,
    facts: Facts<'_>,
) -> Target {
    let user = uri.user.unwrap_or_default();
    let addressed = crate::select::service::of_user(user) == Some(choice.service);
    let pages = pages(snapshot, choice, uri, trusted && addressed, addressed);
    let parameters = snapshot.parameters(choice.tenant, choice.profile, choice.service);
    let mut tail = String::new();
    let mut kept: Vec<&str> = Vec::new();
    for (name, value) in uri.params() {
        let named = |other: &str| name.eq_ignore_ascii_case(other);
        let replaced = pages.iter().any(|(page, _)| named(page))
            || parameters.iter().any(|one| one.fixed && named(&one.name));
        if replaced
            || is_ours(name, choice.consumed, trusted)
            || is_page_of(choice.service, name, addressed)
        {
            continue;
        }
        kept.push(name);
        tail.push(';');
        tail.push_str(name);
        if let Some(value) = value {
            tail.push('=');
            tail.push_str(value);
        }
    }
    let mut add = |name: &str, value: &str| {
        let _ = write!(tail, ";{name}=");
        escape_param(value, &mut tail);
    };
    for (name, value) in &pages {
        add(name, value);
    }
    for one in parameters {
        if one.fixed || !kept.iter().any(|name| name.eq_ignore_ascii_case(&one.name)) {
            add(&one.name, &filled(&one.value, snapshot, choice, facts));
        }
    }
    let user = user_part(choice.service, user, addressed, facts.dnis);
    Target { secure: uri.scheme == Scheme::Sips, user, tail }
}

impl Target {
    /// The whole Request-URI for one address.
    ///
    /// # Errors
    /// `internal`, when it would be too long.
    pub(crate) fn uri(&self, address: &ResourceAddress) -> Result<String, No> {
        let parsed = Uri::parse(&address.uri).map_err(|_| No::from(Reason::Internal))?;
        let scheme = if self.secure || address.secure { "sips" } else { "sip" };
        let mut out = String::with_capacity(self.user.len() + self.tail.len() + 64);
        let _ = write!(out, "{scheme}:{}@{}", self.user, parsed.host);
        if let Some(port) = parsed.port {
            let _ = write!(out, ":{port}");
        }
        if let Some(Some(transport)) = parsed.param("transport") {
            let _ = write!(out, ";transport={transport}");
        }
        out.push_str(&self.tail);
        if out.len() > limits::URI {
            return Err(No::new(Reason::Internal, "request uri too long"));
        }
        Ok(out)
    }
}

fn user_part(service: Service, user: &str, addressed: bool, dnis: &str) -> String {
    if addressed {
        return user.to_owned();
    }
    match service {
        Service::Voicexml => "dialog".to_owned(),
        Service::Ccxml => "ccxml".to_owned(),
        Service::Msml => "msml".to_owned(),
        Service::Announcement => "annc".to_owned(),
        Service::Cpd => "cpd".to_owned(),
        Service::Media => "media".to_owned(),
        Service::Conference => format!("conf={dnis}"),
        Service::Recordingserver => format!("record={dnis}"),
        Service::Gateway | Service::Cti | Service::Recordingclient | Service::Record => {
            user.to_owned()
        }
    }
}

/// Page and prerequisites of the profile, in their order.
fn pages<'s>(
    snapshot: &'s Snapshot,
    choice: &Choice,
    uri: &Uri<'_>,
    own_page: bool,
    addressed: bool,
) -> Vec<(&'static str, &'s str)> {
    let profile = snapshot.profile(choice.profile);
    let mut pages = Vec::new();
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
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "transport" | "maddr" | "ttl" | "method" | "lr" | "media-service" => true,
        "gvp-tenant-id" => consumed,
        _ => lower.starts_with("gvp.rm.") || (!trusted && lower.starts_with("gvp.")),
    }
}

fn filled(value: &str, snapshot: &Snapshot, choice: &Choice, facts: Facts<'_>) -> String {
    if !value.contains("${") {
        return value.to_owned();
    }
    [
        ("${dnis}", facts.dnis),
        ("${ani}", facts.ani),
        ("${tenant}", &snapshot.tenant(choice.tenant).name),
        ("${profile}", &snapshot.profile(choice.profile).name),
        ("${session}", facts.session),
        ("${uuid}", facts.uuid),
    ]
    .iter()
    .fold(value.to_owned(), |text, (name, fact)| text.replace(name, fact))
}

/// Header lines by number with what stands in their place; empty leaves them out.
pub(crate) type Edits = Vec<(usize, Vec<u8>)>;

/// The edits of every forwarded request: top Via stamped, Max-Forwards decremented, the first
/// `routes` Route values gone. A missing Max-Forwards is for the caller to add.
pub(crate) fn hop(message: &Message<'_>, flow: Flow, routes: usize) -> Edits {
    let mut edits = without_first(message, Name::Route, routes);
    if let Some(via) = message.header(Name::Via) {
        let mut line = Vec::new();
        sip::print::stamped_via(message, flow, &mut line);
        edits.push((via.index, line));
    }
    if let (Some(header), Some(hops)) = (message.header(Name::MaxForwards), message.max_forwards())
    {
        let line = format!("Max-Forwards: {}\r\n", hops.saturating_sub(1));
        edits.push((header.index, line.into_bytes()));
    }
    edits
}

/// The edits that take the first `count` values of a list header away.
pub(crate) fn without_first(message: &Message<'_>, name: Name, count: usize) -> Edits {
    let mut left = count;
    let mut edits = Edits::new();
    for header in message.all(name) {
        if left == 0 {
            break;
        }
        let values: Vec<&[u8]> = header.values().collect();
        let gone = values.len().min(left);
        left -= gone;
        let rest = values.get(gone..).unwrap_or_default();
        let mut line = Vec::new();
        if !rest.is_empty() {
            line.extend_from_slice(header.spelled);
            line.extend_from_slice(b": ");
            line.extend_from_slice(&rest.join(&b", "[..]));
            line.extend_from_slice(b"\r\n");
        }
        edits.push((header.index, line));
    }
    edits
}

/// Whether a header is ours and never passes (rm.md §2.3), or is internal and passes only from a
/// trusted source (§13.4). Recognised in every spelling.
pub(crate) fn is_internal(header: &Header<'_>, trusted: bool) -> bool {
    if header.name != Name::Other {
        return false;
    }
    let lower = header.spelled.to_ascii_lowercase();
    let always: [&[u8]; 3] = [
        b"x-genesys-gvp-session-id",
        b"x-genesys-gvp-session-data",
        b"x-genesys-rm-application-dbid",
    ];
    let untrusted: [&[u8]; 5] = [
        b"x-genesys-gvp-session-",
        b"x-genesys-rm-",
        b"x-genesys-gsw-",
        b"x-genesys-strict-location",
        b"x-genesys-geo-location",
    ];
    always.contains(&lower.as_slice())
        || (!trusted && untrusted.iter().any(|prefix| lower.starts_with(prefix)))
}

/// Appends the message with its edits.
pub(crate) fn write(
    message: &Message<'_>,
    start_line: Option<&str>,
    top: &str,
    edits: &Edits,
    out: &mut Vec<u8>,
) {
    let mut copy = sip::print::Rewrite::new(message);
    if let Some(line) = start_line {
        copy.start_line(line);
    }
    copy.top(top.as_bytes());
    for (index, line) in edits {
        copy.replace(*index, line);
    }
    copy.write(out);
}

#[cfg(test)]
mod tests;
