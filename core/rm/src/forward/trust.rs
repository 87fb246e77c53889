//! Internal headers between those who may say or see them and those who may not (rm.md §13.4).
//!
//! Every message that is passed on, request or answer, has somebody from whom it comes and somebody
//! to whom it goes. Must not judge who that is but by what `admit` knows of addresses.

use model::config::{GroupIx, Service};
use sip::header::{Header, Name};
use sip::locate::Target;
use sip::message::Message;
use sip::transport::Flow;

use super::draft::Edits;
use super::rewrite::{is_internal, needs_trust};
use crate::proxy::Proxy;
use crate::session::Side;

/// Whether the two ends of one message are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trust {
    /// What it says is believed.
    pub(crate) from: bool,
    /// It may see everything.
    pub(crate) to: bool,
}

impl Trust {
    /// That of the answer.
    pub(crate) const fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }

    /// The edits that leave out what may not pass, of an answer or of a request inside a dialog.
    pub(crate) fn strip(self, message: &Message<'_>, edits: &mut Edits) {
        if self.from && self.to {
            return;
        }
        let kept = |header: &Header<'_>| {
            (self.from || !needs_trust(header)) && (self.to || !is_genesys(header))
        };
        for header in message.headers().filter(|header| !kept(header)) {
            edits.drop(header.index);
        }
    }

    /// The same of a request outside dialogs, in which the headers of a session are ours
    /// (rm.md §2.3).
    pub(crate) fn strip_first(self, message: &Message<'_>, edits: &mut Edits) {
        let gone = |header: &Header<'_>| {
            is_internal(header, self.from) || (!self.to && is_genesys(header))
        };
        for header in message.headers().filter(gone) {
            edits.drop(header.index);
        }
    }
}

/// Whether only those who are trusted may see a header. Recognised in every spelling.
fn is_genesys(header: &Header<'_>) -> bool {
    let prefix = b"x-genesys-";
    let head = header.spelled.get(..prefix.len());
    header.name == Name::Other && head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

impl Proxy {
    /// Whether a resource of this group, at this target, is trusted: a gateway is not, and neither
    /// is a host outside (no group), unless it is a peer with `headers: trusted`.
    pub(crate) fn trusts_resource(&self, group: Option<GroupIx>, target: Target) -> bool {
        let is_gateway = |ix| self.snapshot.group(ix).services.contains(&Service::Gateway);
        let gateway = group.is_none_or(is_gateway);
        let Target { transport, remote } = target;
        let flow = Flow { transport, listener: 0, remote, conn: None };
        !gateway || self.sources.of(&self.settings, flow).trusted
    }

    /// Whether the party at this side of a leg, reached by this flow, is trusted. A declared
    /// address says it itself; any other is as good as who has begun or taken the call there, if
    /// that is known: after a restart only the address is left of a caller.
    pub(crate) fn trusts_party(&self, flow: Flow, leg: Option<usize>, side: Side) -> bool {
        let source = self.sources.of(&self.settings, flow);
        if !source.is_stranger() {
            return source.trusted;
        }
        let Some(leg) = leg.and_then(|key| self.table.leg(key)) else { return false };
        let resource = || self.snapshot.resource_by_dbid(leg.resource.as_ref()?.dbid);
        match side {
            Side::Caller => leg.caller_trusted,
            Side::Callee => resource().is_some_and(|resource| {
                let group = self.snapshot.resource(resource).group;
                self.trusts_resource(Some(group), Target::of(flow))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Trust;
    use crate::forward::draft::Draft;

    /// The letters of the lines that are left.
    fn left(from: bool, to: bool, first: bool) -> String {
        let text = "MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
            From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n\
            x-genesys-gvp-session-data \t: !S\r\nX-Genesys-gsw-ivr-profile-name:\r\n !G\r\n\
            X-GENESYS-strict-location:!L\r\nX-Genesys-CallUUID: !U\r\nX-Genesy: !O\r\n\
            Content-Length: 0\r\n\r\n";
        let message = sip::parse::parse(text.as_bytes(), &sip::limits::Limits::DEFAULT).unwrap();
        let mut draft = Draft::default();
        let trust = Trust { from, to };
        if first {
            trust.strip_first(&message, &mut draft.edits);
        } else {
            trust.strip(&message, &mut draft.edits);
        }
        draft.write(&message);
        let out = String::from_utf8(draft.bytes).unwrap();
        out.split('!').skip(1).filter_map(|rest| rest.chars().next()).collect()
    }

    #[test]
    fn who_may_say_and_who_may_see() {
        // from, to: inside a dialog and in answers, outside
        for (from, to, inside, outside) in [
            (true, true, "SGLUO", "GLUO"),
            (true, false, "O", "O"),
            (false, true, "UO", "UO"),
            (false, false, "O", "O"),
        ] {
            assert_eq!(left(from, to, false), inside, "{from} {to}");
            assert_eq!(left(from, to, true), outside, "{from} {to}");
        }
    }
}
