//! The Request-URI towards a resource (rm.md §5.1–5.3): user part by service, pages, parameters.
//!
//! Worked out once for a call; host, port and transport are those of each resource that it tries.
//! What came with the request and is not named here stays as it came.

use std::borrow::Cow;
use std::fmt::Write;

use model::config::{Parameter, Service};
use model::id::Guid;
use model::snapshot::Snapshot;
use sip::buffers::Buffers;
use sip::uri::{Scheme, Uri, escape_param, unescape};
use smallvec::SmallVec;

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
    /// Bytes of all this that the request has brought.
    theirs: usize,
}

/// What a call tells of itself besides the names of the snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) dnis: &'a str,
    pub(crate) ani: &'a str,
    pub(crate) session: Option<Guid>,
    pub(crate) uuid: &'a str,
    /// The number towards the outside, when dialling rules have changed it.
    pub(crate) number: Option<&'a str>,
    /// A page instead of that of the profile.
    pub(crate) page: Option<&'a str>,
    /// Where the call of a phone is recorded (rm.md §3.4), or empty.
    pub(crate) record: &'a str,
    /// `gvp.rm.…` and other internal parameters of the request are believed.
    pub(crate) trusted: bool,
}

/// Works out user part and parameters, appended to `text`.
pub(crate) fn target(
    snapshot: &Snapshot,
    choice: &Choice,
    uri: &Uri<'_>,
    facts: &Facts<'_>,
    mut text: String,
) -> Target {
    let user = uri.user.unwrap_or_default();
    let addressed = Service::of_user(user) == Some(choice.service);
    let ours = user_part(snapshot, choice, user, facts, &mut text);
    let user = text.len();
    let mut theirs = if ours { 0 } else { user };
    let pages = pages(snapshot, choice, uri, facts, addressed);
    let parameters: SmallVec<[&Parameter; 16]> = match choice.profile {
        Some(profile) => snapshot.parameters(choice.tenant, profile, choice.service),
        None => SmallVec::new(),
    };
    let passed = match choice.service {
        Service::Voicexml | Service::Ccxml => snapshot.passed(choice.tenant, choice.profile),
        _ => SmallVec::new(),
    };
    let keeps_tenant = choice.service == Service::Voicexml
        && choice.profile.is_some_and(|profile| snapshot.profile(profile).keep_tenant_id);
    let consumed = choice.consumed && !keeps_tenant;
    let mut kept: SmallVec<[Cow<'_, str>; 16]> = SmallVec::new();
    for (spelled, value) in uri.params() {
        let name = unescape(spelled);
        let named = |other: &str| name.eq_ignore_ascii_case(other);
        let replaced = pages.iter().any(|(page, _)| named(page))
            || parameters.iter().any(|one| one.fixed && named(&one.name))
            || passed.iter().any(|(key, _)| is_policy(&name, key));
        if replaced
            || is_ours(&name, consumed || value.is_none_or(str::is_empty), facts.trusted)
            || is_page_of(choice.service, &name, addressed)
        {
            continue;
        }
        let before = text.len();
        text.push(';');
        text.push_str(spelled);
        if let Some(value) = value {
            text.push('=');
            text.push_str(value);
        }
        theirs += text.len() - before;
        kept.push(name);
    }
    for (name, value) in &pages {
        let before = text.len();
        named(name, &mut text);
        escape_param(value, &mut text);
        if *value == facts.record {
            theirs += text.len() - before;
        }
    }
    for one in parameters {
        if one.fixed || !kept.iter().any(|name| name.eq_ignore_ascii_case(&one.name)) {
            named(&one.name, &mut text);
            theirs += fill(&one.value, snapshot, choice, facts, &mut text);
        }
    }
    for (key, value) in passed {
        text.push(';');
        text.push_str(POLICY);
        text.push_str(key);
        text.push('=');
        escape_param(value, &mut text);
    }
    Target { secure: uri.scheme == Scheme::Sips, text, user, theirs }
}

/// What a policy passes begins so.
const POLICY: &str = "gvp.policy.";

/// The name is that of a key which a policy passes.
fn is_policy(name: &str, key: &str) -> bool {
    let (head, tail) = name.split_at_checked(POLICY.len()).unwrap_or_default();
    head.eq_ignore_ascii_case(POLICY) && tail.eq_ignore_ascii_case(key)
}

fn named(name: &str, out: &mut String) {
    out.push(';');
    out.push_str(name);
    out.push('=');
}

impl Target {
    /// Appends the whole Request-URI for one address; `secure`: it is a `sips:` one.
    ///
    /// # Errors
    /// When it would be too long: 414 for what the request has brought, `internal` when the
    /// configuration alone is.
    pub(crate) fn write(&self, address: &str, secure: bool, out: &mut String) -> Result<(), No> {
        let parsed = Uri::parse(address).map_err(|_| No::from(Reason::Internal))?;
        let before = out.len();
        let scheme = if self.secure || secure { "sips" } else { "sip" };
        let (user, tail) = self.text.split_at_checked(self.user).unwrap_or_default();
        // writing to a String cannot fail
        let at = if user.is_empty() { "" } else { "@" };
        let _ = write!(out, "{scheme}:{user}{at}{}", parsed.host);
        if let Some(port) = parsed.port {
            let _ = write!(out, ":{port}");
        }
        if let Some(Some(transport)) = parsed.param("transport") {
            let _ = write!(out, ";transport={transport}");
        }
        out.push_str(tail);
        let bytes = out.len() - before;
        match bytes.saturating_sub(self.theirs) {
            ours if ours > limits::URI => {
                Err(No::new(Reason::Internal, "request uri of the configuration is too long"))
            }
            _ if bytes > limits::URI => Err(No::from(Reason::Malformed).with_status(Some(414))),
            _ => Ok(()),
        }
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

/// The user part by service (rm.md §5.3); one that names the service stays as it came. True: the
/// configuration says it, whatever the request.
fn user_part(
    snapshot: &Snapshot,
    choice: &Choice,
    user: &str,
    facts: &Facts<'_>,
    out: &mut String,
) -> bool {
    let named = Service::of_user(user);
    let profile = choice.profile.map(|profile| snapshot.profile(profile));
    let conference = profile.and_then(|profile| profile.conference_id.as_deref());
    let fixed = match choice.service {
        service if named == Some(service) => user,
        Service::Voicexml => "dialog",
        Service::Ccxml => "ccxml",
        Service::Msml => "msml",
        Service::Announcement => "annc",
        Service::Cpd => "cpd",
        Service::Media => "media",
        Service::Conference => {
            with_id("conf=", conference.unwrap_or(facts.dnis), out);
            return conference.is_some();
        }
        Service::Recordingserver => {
            with_id("record=", facts.dnis, out);
            return false;
        }
        Service::Recordingclient | Service::Record => match named {
            Some(Service::Voicexml | Service::Announcement | Service::Msml) => user,
            Some(Service::Recordingserver) => user,
            _ => {
                with_id("record=", facts.dnis, out);
                return false;
            }
        },
        Service::Gateway => match facts.number {
            Some(number) => {
                with_id("", number, out);
                return false;
            }
            None => user,
        },
        Service::Cti => user,
    };
    out.push_str(fixed);
    false
}

/// A word and an id, in which only what a user part may hold stands bare.
fn with_id(word: &str, id: &str, out: &mut String) {
    out.push_str(word);
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,?/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Page and prerequisites of the profile, in their order; `addressed`: the user part has named the
/// service.
fn pages<'s>(
    snapshot: &'s Snapshot,
    choice: &Choice,
    uri: &Uri<'_>,
    facts: &Facts<'s>,
    addressed: bool,
) -> SmallVec<[(&'static str, &'s str); 4]> {
    let mut pages = SmallVec::new();
    if let Some(page) = facts.page {
        pages.push((
            if choice.service == Service::Announcement { "play" } else { choice.service.as_str() },
            page,
        ));
        return pages;
    }
    let Some(profile) = choice.profile.map(|profile| snapshot.profile(profile)) else {
        return pages;
    };
    let mut add = |name: &'static str, url: &'s Option<String>| {
        if let Some(url) = url {
            pages.push((name, url.as_str()));
        }
    };
    match choice.service {
        Service::Voicexml => {
            if !(facts.trusted && addressed && uri.param("voicexml").is_some()) {
                add("voicexml", &profile.initial_page_url);
            }
            add("gvp.alternatevoicexml", &profile.alternate_page_url);
            add("gvp.defaultsvxml", &profile.default_properties_url);
        }
        Service::Ccxml => add("ccxml", &profile.initial_page_url),
        Service::Announcement if !facts.record.is_empty() => pages.push(("record", facts.record)),
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

/// Parameters that never go on: ours, and what named the host that is replaced. `consumed`: what
/// stands in one that names a tenant was understood, or is nothing.
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

/// Appends the value of a parameter, escaped, with a fact in the place of each `${name}`; gives
/// back how many bytes of that the request has brought.
fn fill(
    value: &str,
    snapshot: &Snapshot,
    choice: &Choice,
    facts: &Facts<'_>,
    out: &mut String,
) -> usize {
    let (mut rest, mut theirs) = (value, 0);
    while let Some((before, after)) = rest.split_once("${") {
        escape_param(before, out);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        let fact = match name {
            "dnis" => facts.dnis,
            "ani" => facts.ani,
            "tenant" => &snapshot.tenant(choice.tenant).name,
            "profile" => choice.profile.map_or("", |profile| &snapshot.profile(profile).name),
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
        let before = out.len();
        escape_param(fact, out);
        if matches!(name, "dnis" | "ani" | "uuid") {
            theirs += out.len() - before;
        }
        rest = tail;
    }
    escape_param(rest, out);
    theirs
}
