//! What a call wants of the place it gets, and what was tried for it (rm.md §7.3, §7.5, §7.7).

use std::sync::Arc;

use model::config::{ProfileIx, ResourceTransport, Service, TenantIx};
use model::id::Dbid;
use sip::message::Message;
use sip::uri::unescape;
use smallvec::SmallVec;

use super::Member;
use super::conference::{Key, Wish};
use super::scheme::Keys;
use crate::limits;

/// What is wanted, and what has been tried for it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) tenant: Dbid,
    pub(crate) profile: Dbid,
    /// The same two as the snapshot in force has them, for the choice that follows at once.
    pub(crate) chosen: Option<(TenantIx, Option<ProfileIx>)>,
    pub(crate) service: Service,
    /// Resources tried, with the group in which they were found.
    pub(crate) tried: SmallVec<[(Dbid, Dbid); 2]>,
    /// How many of them the trace was told of.
    pub(crate) told: usize,
    /// Resources for which the request is too large: no tries, but not asked again.
    pub(crate) passed_over: Vec<Dbid>,
    pub(crate) pin: Option<Pin>,
    /// Only over TLS: its Request-URI is `sips:` (rm.md §13.2).
    pub(crate) secure: bool,
    /// What the request says of the place.
    pub(crate) asks: Option<Arc<Asks>>,
    /// The conference that it creates or joins.
    pub(crate) conference: Option<Arc<Wish>>,
    pub(crate) keys: Keys,
    /// It leaves for the host in its Request-URI: none of the pool is asked.
    pub(crate) outside: bool,
    /// The call is only explained: no turn moves, nothing is counted.
    pub(crate) explained: bool,
}

/// The resource that a call belongs to (rm.md §7.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) resource: Dbid,
    pub(crate) hold: Hold,
}

/// How firmly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It holds the dialog that the call names: whatever its load, also while it drains.
    Dialog,
    /// It holds the conference: also while it drains; places of the conference first.
    Conference,
    /// It, or nobody: connector and gateway of a CTI session, the gateway of `use_same_gateway`.
    Hard,
    /// It as long as it lives, also while it drains, else anyone: recordings.
    WhileAlive,
    /// It if it can, else anyone.
    Soft,
}

/// What a request says of the place that it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asks {
    /// `gvp.rm.resource-req`: names, each with the value that is asked for; all must hold.
    pub(crate) requires: Vec<(String, Option<String>)>,
    /// `X-Genesys-geo-location`.
    pub(crate) location: Option<String>,
    /// `X-Genesys-strict-location: enforce`.
    pub(crate) strict: bool,
}

impl Pin {
    /// It holds the dialog that the call names.
    pub(crate) const fn dialog(resource: Dbid) -> Self {
        Self { resource, hold: Hold::Dialog }
    }
}

impl Plan {
    pub(crate) fn of(tenant: Dbid, profile: Dbid, service: Service) -> Self {
        Self {
            tenant,
            profile,
            chosen: None,
            service,
            tried: SmallVec::new(),
            told: 0,
            passed_over: Vec::new(),
            pin: None,
            secure: false,
            asks: None,
            conference: None,
            keys: Keys::default(),
            outside: false,
            explained: false,
        }
    }

    /// Whether a resource may be reached as this call must be.
    pub(crate) fn reaches(&self, member: &Member) -> bool {
        let tls = Some(ResourceTransport::Tls);
        !self.secure || member.address.as_ref().is_some_and(|address| address.transport == tls)
    }

    /// What names its conference, if it creates or joins one.
    pub(crate) fn conference_key(&self) -> Option<Key> {
        let wish = self.conference.as_ref()?;
        Some((self.tenant, self.service, wish.id.clone()))
    }

    pub(crate) fn has_tried(&self, resource: Dbid) -> bool {
        self.tried.iter().any(|(tried, _)| *tried == resource)
            || self.passed_over.contains(&resource)
    }

    /// The resource that was chosen last is passed over: that was no try (rm.md §1.2). False: it
    /// has been enough.
    pub(crate) fn pass_over(&mut self) -> bool {
        if self.passed_over.len() >= limits::PASSED_OVER {
            return false;
        }
        self.passed_over.extend(self.tried.pop().map(|(resource, _)| resource));
        true
    }

    /// Nobody was tried, for all were passed over.
    pub(crate) fn suits_nobody(&self) -> bool {
        self.tried.is_empty() && !self.passed_over.is_empty()
    }
}

impl Asks {
    /// Reads a request; headers and parameter are believed from trusted sources only.
    pub(crate) fn of(message: &Message<'_>, trusted: bool) -> Option<Self> {
        if !trusted {
            return None;
        }
        let header = |name| {
            let text = message.named(name)?.text_lossy().trim().to_owned();
            Some(text).filter(|text| !text.is_empty())
        };
        let line = message.request();
        let wanted = line.and_then(|line| line.target.param("gvp.rm.resource-req").flatten());
        let location = header("X-Genesys-geo-location");
        if wanted.is_none() && location.is_none() {
            return None;
        }
        let strict = header("X-Genesys-strict-location");
        Some(Self {
            requires: wanted.map(|text| required(&unescape(text))).unwrap_or_default(),
            strict: strict.is_some_and(|text| text.eq_ignore_ascii_case("enforce")),
            location,
        })
    }
}

/// `name=value` pairs joined by commas; a bare name asks for presence.
fn required(text: &str) -> Vec<(String, Option<String>)> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
        None => (pair.to_owned(), None),
    };
    pairs.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::Asks;

    fn check(uri: &str, lines: &str, trusted: bool, expected: &str) {
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
             {lines}Content-Length: 0\r\n\r\n"
        );
        let message = sip::parse::parse(text.as_bytes(), &sip::limits::Limits::DEFAULT).unwrap();
        let found = match Asks::of(&message, trusted) {
            None => "nothing".to_owned(),
            Some(Asks { requires, location, strict }) => {
                let pair = |(name, value): &(String, Option<String>)| match value {
                    Some(value) => format!("{name}={value}"),
                    None => name.clone(),
                };
                let requires: Vec<String> = requires.iter().map(pair).collect();
                format!("{};{};{strict}", requires.join(","), location.unwrap_or_default())
            }
        };
        assert_eq!(found, expected, "{uri} {lines}");
    }

    #[test]
    fn the_table() {
        let geo = "X-Genesys-geo-location: Berlin\r\n";
        let strict = "X-Genesys-geo-location: Berlin\r\nx-genesys-STRICT-location: Enforce\r\n";
        check("sip:1@h", "", true, "nothing");
        check("sip:1@h", geo, true, ";Berlin;false");
        check("sip:1@h", strict, true, ";Berlin;true");
        check("sip:1@h", strict, false, "nothing");
        check("sip:1@h;gvp.rm.resource-req=codec%3Dopus", "", true, "codec=opus;;false");
        check("sip:1@h;gvp.rm.resource-req=codec%3Dopus", "", false, "nothing");
        let two = "sip:1@h;gvp.rm.resource-req=video%2C%20ASR%3Den-US";
        check(two, geo, true, "video,ASR=en-US;Berlin;false");
        check("sip:1@h", "X-Genesys-geo-location: \r\n", true, "nothing");
    }
}
