//! RFC 3263 §4.1 and §4.2 for a name without port: NAPTR records tell the transports, SRV records
//! the hosts and ports.

use super::answers::{Answers, Kind, Naptr, Question, Records};
use super::goal::{Goal, HostName, Spoken};
use super::hosts::{self, Place};
use super::{Failure, Step, usual};
use crate::limits;
use crate::transport::Transport;

/// A transport, and the name of the SRV records that belong to it.
type Service = (Transport, HostName);

pub(super) fn locate(
    goal: &Goal,
    name: &HostName,
    stated: Option<Transport>,
    spoken: Spoken,
    answers: &Answers,
) -> Step {
    let services = match services(goal, name, stated, spoken, answers) {
        Ok(services) => services,
        Err(question) => return Step::Ask(vec![question]),
    };
    let mut open = Vec::new();
    let mut places = Vec::new();
    let (mut unanswered, mut bare) = (false, None);
    for (at, (transport, service)) in (0_u32..).zip(&services) {
        match answers.get(service, Kind::Srv) {
            // two transports may name the same records
            Err(question) if open.contains(&question) => {}
            Err(question) => open.push(question),
            Ok(Records::Srv(list)) => {
                // RFC 2782: "A Target of "." means that the service is decidedly not available"
                places.extend(list.iter().filter_map(|srv| {
                    let rank = at << 16 | u32::from(srv.priority);
                    let (host, port) = (srv.target.as_ref()?, srv.port);
                    Some(Place { transport: *transport, host, port, rank, weight: srv.weight })
                }));
            }
            Ok(Records::Failed) => unanswered = true,
            Ok(Records::Naptr(_) | Records::Addresses(_) | Records::Nothing) => {
                bare = bare.or(Some(*transport));
            }
        }
    }
    if !open.is_empty() {
        return Step::Ask(open);
    }
    if !places.is_empty() {
        places.sort_by_key(|place| place.rank);
        places.truncate(limits::HOSTS);
        return hosts::addresses(&places, spoken, answers);
    }
    if unanswered {
        return Step::Failed(Failure::Unanswered);
    }
    // §4.2: "If no SRV records were found, the client performs an A or AAAA record lookup of the
    // domain name"; §4.1: "If no SRV records are found, the client SHOULD use TCP for a SIPS URI,
    // and UDP for a SIP URI." A name without room for a service label has none.
    let usual = || services.is_empty().then(|| usual(goal, spoken));
    let Some(transport) = bare.or_else(usual) else { return Step::Failed(Failure::Nothing) };
    hosts::addresses(&[Place::plain(transport, name, transport.default_port())], spoken, answers)
}

/// The services to look for, the preferred one first.
fn services(
    goal: &Goal,
    name: &HostName,
    stated: Option<Transport>,
    spoken: Spoken,
    answers: &Answers,
) -> Result<Vec<Service>, Question> {
    // §4.2: "If it was not [NAPTR processing], because a transport was specified explicitly, the
    // client performs an SRV query for that specific transport"
    if let Some(transport) = stated {
        return Ok(below(name, &[transport]));
    }
    // §4.1: "Otherwise, if no transport protocol or port is specified, and the target is not a
    // numeric IP address, the client SHOULD perform a NAPTR query for the domain in the URI."
    if let Records::Naptr(list) = answers.get(name, Kind::Naptr)? {
        let services = preferred(list, goal.secure, spoken);
        if !services.is_empty() {
            return Ok(services);
        }
    }
    // §4.1: "If no NAPTR records are found, the client constructs SRV queries for those transport
    // protocols it supports, and does a query for each." What is found is tried in this order.
    let all = [Transport::Udp, Transport::Tcp, Transport::Tls];
    let fits = |one: &Transport| spoken.has(*one) && (!goal.secure || *one == Transport::Tls);
    Ok(below(name, &all.into_iter().filter(fits).collect::<Vec<_>>()))
}

fn below(name: &HostName, transports: &[Transport]) -> Vec<Service> {
    let service = |transport: &Transport| Some((*transport, name.service(*transport)?));
    transports.iter().filter_map(service).collect()
}

/// The services of the lowest order that has any for us, by preference (§4.1, RFC 3403 §4.1).
/// The records stand in that order already.
fn preferred(list: &[Naptr], secure: bool, spoken: Spoken) -> Vec<Service> {
    let fits = |naptr: &Naptr| {
        // "an empty regular expression and a replacement value, which is the SRV record"
        if !naptr.flags.eq_ignore_ascii_case("s") || !naptr.regexp.is_empty() {
            return None;
        }
        let transport = transport_of(&naptr.services)?;
        // "a client resolving a SIPS URI MUST discard any services that do not contain "SIPS" as
        // the protocol in the service field", and those of transports that it does not support
        let kept = spoken.has(transport) && (!secure || transport == Transport::Tls);
        let replacement = naptr.replacement.clone().filter(|_| kept)?;
        Some((naptr.order, (transport, replacement)))
    };
    let mut fitting = list.iter().filter_map(fits).peekable();
    let Some(order) = fitting.peek().map(|(order, _)| *order) else { return Vec::new() };
    let same = fitting.take_while(|(own, _)| *own == order).map(|(_, service)| service);
    same.take(limits::SERVICES).collect()
}

/// The transport of a service field: "SIP+D2U", "SIP+D2T" and "SIPS+D2T" are ours.
fn transport_of(services: &str) -> Option<Transport> {
    let known =
        [("SIP+D2U", Transport::Udp), ("SIP+D2T", Transport::Tcp), ("SIPS+D2T", Transport::Tls)];
    known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(services)).map(|(_, found)| found)
}
