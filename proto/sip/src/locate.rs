//! Where a URI leads: the decision function of RFC 3263, with RFC 7984 for two address families.
//!
//! Pure: it says which questions to ask next and, once they are answered, which transports,
//! addresses and ports to try in which order. Who asks, how long answers live and who fails over
//! is decided elsewhere. A function of what is known: calling it twice gives the same step, and no
//! chain of answers makes it ask more than NAPTR, then SRV, then addresses; aliases (CNAME) are
//! followed below, by the resolver. Between stages 8 (forward) and 3 (transaction) of a call's way.

mod answers;
mod goal;
mod hosts;
mod members;
mod service;
mod targets;

pub use answers::{Answers, Kind, Naptr, Question, Records, Srv};
pub use goal::{Goal, Host, HostName, Spoken};
pub use members::{Listing, Look, Member, members};
pub use targets::{Choice, Target, Targets};

use crate::transport::Transport;
use hosts::Place;
use std::net::SocketAddr;

/// What follows from what is known so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These questions are open; all of them may be asked at once.
    Ask(Vec<Question>),
    /// There it is: at least one target.
    Found(Targets),
    /// It cannot be reached.
    Failed(Failure),
}

/// Why a goal has no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The name service says that there is nothing.
    Nothing,
    /// The name service gave no usable answer in time.
    Unanswered,
    /// It needs a transport or an address family that no listener has, or that `sips` forbids.
    Unspoken,
}

impl Failure {
    /// One word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Unanswered => "unanswered",
            Self::Unspoken => "unspoken",
        }
    }
}

/// The target of a goal whose host is an address, so that nothing is to be asked; `None` for a
/// name.
///
/// # Errors
/// [`Failure::Unspoken`].
pub fn at_once(goal: &Goal, spoken: Spoken) -> Option<Result<Target, Failure>> {
    let Host::Ip(ip) = goal.host else { return None };
    Some(stated(goal, spoken).and_then(|stated| {
        // §4.2: "If TARGET is a numeric IP address, the client uses that address. If the URI also
        // contains a port, it uses that port. If no port is specified, it uses the default port
        // for the particular transport protocol."
        let transport = stated.unwrap_or_else(|| usual(goal, spoken));
        if !spoken.reaches(transport, ip.is_ipv4()) {
            return Err(Failure::Unspoken);
        }
        let port = goal.port.unwrap_or(transport.default_port());
        Ok(Target { transport, remote: SocketAddr::new(ip, port) })
    }))
}

/// The next step towards `goal`, from what has been answered.
pub fn locate(goal: &Goal, spoken: Spoken, answers: &Answers) -> Step {
    let name = match (&goal.host, at_once(goal, spoken)) {
        (Host::Name(name), _) => name,
        (Host::Ip(_), Some(Ok(target))) => return Step::Found(Targets::one(target)),
        (Host::Ip(_), Some(Err(failure))) => return Step::Failed(failure),
        (Host::Ip(_), None) => return Step::Failed(Failure::Nothing),
    };
    let stated = match stated(goal, spoken) {
        Ok(stated) => stated,
        Err(failure) => return Step::Failed(failure),
    };
    match goal.port {
        // §4.2: "If the TARGET was not a numeric IP address, but a port is present in the URI, the
        // client performs an A or AAAA record lookup of the domain name."
        Some(port) => {
            let transport = stated.unwrap_or_else(|| usual(goal, spoken));
            hosts::addresses(&[Place::plain(transport, name, port)], spoken, answers)
        }
        // §4.2: "If the TARGET was not a numeric IP address, and no port was present in the URI,
        // the client performs an SRV query."
        None => service::locate(goal, name, stated, spoken, answers),
    }
}

/// The transport that the URI states (§4.1): "If the URI specifies a transport protocol in the
/// transport parameter, that transport protocol SHOULD be used"; over TLS for `sips`.
fn stated(goal: &Goal, spoken: Spoken) -> Result<Option<Transport>, Failure> {
    let transport = match (goal.transport, goal.secure) {
        (None, true) => return spoken.has(Transport::Tls).then_some(None).ok_or(Failure::Unspoken),
        (None, false) => return Ok(None),
        (Some(Transport::Udp), true) => return Err(Failure::Unspoken),
        (Some(Transport::Tcp | Transport::Tls), true) => Transport::Tls,
        (Some(transport), false) => transport,
    };
    if spoken.has(transport) { Ok(Some(transport)) } else { Err(Failure::Unspoken) }
}

/// The transport when nothing states one (§4.1): "Otherwise, if no transport protocol is
/// specified, but the TARGET is a numeric IP address, the client SHOULD use UDP for a SIP URI, and
/// TCP for a SIPS URI. Similarly, if no transport protocol is specified, and the TARGET is not
/// numeric, but an explicit port is provided". A node without UDP takes TCP.
fn usual(goal: &Goal, spoken: Spoken) -> Transport {
    match (goal.secure, spoken.has(Transport::Udp)) {
        (true, _) => Transport::Tls,
        (false, true) => Transport::Udp,
        (false, false) => Transport::Tcp,
    }
}

#[cfg(test)]
mod tests;
