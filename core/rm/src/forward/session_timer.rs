//! Session timers as a proxy asks for them and hears of them (RFC 4028 §8, rm.md §2.6).
//!
//! In a session refresh request (INVITE, UPDATE) the interval is inserted, lowered or raised; in
//! its 2xx it is read, and given to a caller that knows timers when the called side does not.
//! Must not watch the time: `session::expiry` does.

use std::fmt::Write;
use std::io::Write as _;

use model::config::Options;
use sip::header::Name;
use sip::message::Message;
use sip::method::Method;

use super::draft::Edits;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::session::{Kind, Leg, Text};

/// What a request says of timers, in seconds; nothing of any method that refreshes no session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    interval: Option<u32>,
    least: u32,
    /// Its sender supports timers.
    supported: bool,
    refreshes: bool,
}

/// What a forwarded request says of them, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timer {
    /// As it leaves.
    interval: Option<u32>,
    /// It differs from what came.
    changed: bool,
    /// Min-SE to write, where the interval had to be raised.
    least: Option<u32>,
    supported: bool,
}

impl Said {
    pub(crate) fn of(message: &Message<'_>) -> Self {
        if !refreshes(message) {
            return Self::default();
        }
        let number = |name| message.header(name).and_then(|header| header.number());
        Self {
            interval: number(Name::SessionExpires),
            least: number(Name::MinSe).unwrap_or(0),
            supported: supports(message),
            refreshes: true,
        }
    }

    /// The timer of the request as it goes on. `wish` tells what the configuration asks for; it
    /// is asked where the request says nothing.
    pub(crate) fn ask(self, options: &Options, wish: impl FnOnce() -> Option<u32>) -> Timer {
        if !self.refreshes {
            return Timer::default();
        }
        let floor = options.min_se.max(self.least);
        let short = self.interval.is_some_and(|interval| interval < options.min_se);
        let interval = match self.interval {
            None => wish().map(|wish| wish.max(floor)),
            Some(_) if short => Some(floor),
            Some(interval) => Some(interval.min(options.max_session_expires.max(floor))),
        };
        Timer {
            interval,
            changed: interval != self.interval,
            least: short.then_some(floor),
            supported: self.supported,
        }
    }
}

/// Whether a request asks for too short an interval, and can be told so.
///
/// # Errors
/// `min-se`, with the least that is accepted.
pub(crate) fn is_long_enough(message: &Message<'_>, options: &Options) -> Result<(), No> {
    let given = || message.header(Name::SessionExpires).and_then(|header| header.number());
    let short = || given().is_some_and(|given| given < options.min_se);
    if refreshes(message) && short() && supports(message) {
        return Err(No::new(Reason::MinSe, options.min_se.to_string()));
    }
    Ok(())
}

impl Timer {
    /// Appends new lines to `top` and changed ones to `edits`. The refresher stays as it came.
    pub(crate) fn write(self, message: &Message<'_>, top: &mut String, edits: &mut Edits) {
        let interval = self.interval.filter(|_| self.changed);
        for (name, number) in [(Name::SessionExpires, interval), (Name::MinSe, self.least)] {
            let Some(number) = number else { continue };
            let Some(header) = message.header(name) else {
                // writing to a String cannot fail
                let _ = write!(top, "{}: {number}\r\n", name.as_str());
                continue;
            };
            let digits = header.value.iter().take_while(|byte| byte.is_ascii_digit()).count();
            edits.put(header.index, |line| {
                // writing to a vector cannot fail
                let _ = write!(line, "{}: {number}", name.as_str());
                line.extend_from_slice(header.value.get(digits..).unwrap_or_default());
                line.extend_from_slice(b"\r\n");
            });
        }
    }

    /// What a 2xx without interval must be given on its way to the caller.
    pub(crate) fn owed(self) -> Option<u32> {
        self.interval.filter(|_| self.supported)
    }
}

/// The agreed interval of a 2xx: its own, or what is owed to the caller.
pub(crate) fn agreed(message: &Message<'_>, owed: Option<u32>) -> Option<std::time::Duration> {
    let seconds = match message.header(Name::SessionExpires) {
        Some(header) => header.number().filter(|seconds| *seconds > 0),
        None => owed,
    };
    seconds.map(|seconds| std::time::Duration::from_secs(u64::from(seconds)))
}

/// Appends to a 2xx that says nothing of timers what its receiver must do: the called side has
/// not understood the request's (RFC 4028 §8.2).
pub(crate) fn give(message: &Message<'_>, owed: Option<u32>, top: &mut String, edits: &mut Edits) {
    let Some(seconds) = owed else { return };
    let success = message.status().is_some_and(|status| (200..300).contains(&status));
    if !success || message.header(Name::SessionExpires).is_some() {
        return;
    }
    let _ = write!(top, "Session-Expires: {seconds};refresher=uac\r\n");
    match message.header(Name::Require) {
        Some(header) if !header.value.is_empty() => {
            edits.put(header.index, |line| {
                line.extend_from_slice(header.line.trim_ascii_end());
                line.extend_from_slice(b", timer\r\n");
            });
        }
        _ => top.push_str("Require: timer\r\n"),
    }
}

fn refreshes(message: &Message<'_>) -> bool {
    matches!(message.method(), Method::Invite | Method::Update)
}

fn supports(message: &Message<'_>) -> bool {
    let both = message.all(Name::Supported).chain(message.all(Name::Require));
    let mut tags = both.flat_map(|header| header.values());
    tags.any(|tag| tag.eq_ignore_ascii_case(b"timer"))
}

impl Proxy {
    /// The interval that the configuration asks for on either side of a leg: the smaller one of
    /// the calling peer's, or the calling resource's group's, and the called resource's group's.
    pub(crate) fn wished_interval(&self, leg: &Leg) -> Option<u32> {
        let caller = leg.texts.get(Text::SourceName);
        let of_group = |name: &crate::session::ResourceNames| {
            let resource = self.snapshot.resource_by_dbid(name.dbid)?;
            self.snapshot.group(self.snapshot.resource(resource).group).session_expires
        };
        let calling = match leg.kind {
            Kind::Inbound => {
                let mut peers = self.settings.peers.iter();
                peers.find(|peer| peer.name == caller).and_then(|peer| peer.session_expires)
            }
            Kind::Bridged | Kind::Outbound => {
                let mut all = self.pool.configured().map(|(_, member)| &member.names);
                all.find(|names| names.name == caller).and_then(|names| of_group(names))
            }
        };
        let called = leg.resource.as_ref().and_then(|names| of_group(names));
        calling.into_iter().chain(called).min()
    }
}
