//! Everybody behind one name: SRV records with the addresses of their hosts, or the addresses of a
//! host. No choice is made among them, unlike where a URI leads.

use super::Failure;
use super::answers::{Answers, Kind, Question, Records, Srv};
use super::goal::{HostName, Spoken};
use crate::transport::Transport;
use std::net::IpAddr;

/// Whose members are wanted. Equal ones have equal answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Listing {
    /// The name of SRV records, if its first label begins with `_`; else a host.
    pub name: HostName,
    /// The port of a host's addresses.
    pub port: u16,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its host, where SRV records name one; else its address is all there is.
    pub host: Option<HostName>,
    /// Where the service listens.
    pub port: u16,
    /// Its addresses in the families that we speak; none when nobody could tell.
    pub addresses: Vec<IpAddr>,
}

/// What follows from what is known so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// These questions are open; all of them may be asked at once.
    Ask(Vec<Question>),
    /// At least one.
    Found(Vec<Member>),
    /// Nobody is known.
    Failed(Failure),
}

impl Listing {
    /// The transport that the name of SRV records states (RFC 2782: `_service._proto.name`).
    pub fn transport(&self) -> Option<Transport> {
        match self.name.as_str().split('.').nth(1) {
            Some("_udp") if self.is_service() => Some(Transport::Udp),
            Some("_tcp") if self.is_service() => Some(Transport::Tcp),
            _ => None,
        }
    }

    fn is_service(&self) -> bool {
        self.name.as_str().starts_with('_')
    }
}

/// The next step towards the members of a listing. Of several SRV records for one host the one
/// with the lowest priority counts, then the one with the lowest port.
pub fn members(listing: &Listing, spoken: Spoken, answers: &Answers) -> Look {
    if !listing.is_service() {
        return host(listing, spoken, answers);
    }
    let mut records = match answers.get(&listing.name, Kind::Srv) {
        Err(question) => return Look::Ask(vec![question]),
        Ok(Records::Srv(records)) => records.clone(),
        Ok(Records::Failed) => return Look::Failed(Failure::Unanswered),
        Ok(Records::Naptr(_) | Records::Addresses(_) | Records::Nothing) => Vec::new(),
    };
    records.sort_by(|a, b| {
        let key = |one: &Srv| (one.target.clone(), one.priority, one.port);
        key(a).cmp(&key(b))
    });
    records.dedup_by(|a, b| a.target == b.target);
    let mut open = Vec::new();
    let mut found = Vec::new();
    for Srv { target, port, .. } in records {
        // the root: "the service is decidedly not available at this domain"
        let Some(target) = target else { continue };
        let (addresses, _) = addresses(&target, spoken, answers, &mut open);
        found.push(Member { host: Some(target), port, addresses });
    }
    done(open, found, Failure::Nothing)
}

fn host(listing: &Listing, spoken: Spoken, answers: &Answers) -> Look {
    let mut open = Vec::new();
    let (addresses, failed) = addresses(&listing.name, spoken, answers, &mut open);
    let member = |ip| Member { host: None, port: listing.port, addresses: vec![ip] };
    let found = addresses.into_iter().map(member).collect();
    // one family that fails hides members as well as both do
    let failure = if failed { Failure::Unanswered } else { Failure::Nothing };
    if failed && open.is_empty() {
        return Look::Failed(failure);
    }
    done(open, found, failure)
}

fn done(mut open: Vec<Question>, found: Vec<Member>, failure: Failure) -> Look {
    open.sort();
    open.dedup();
    match (open.is_empty(), found.is_empty()) {
        (false, _) => Look::Ask(open),
        (true, true) => Look::Failed(failure),
        (true, false) => Look::Found(found),
    }
}

/// The addresses of a host, IPv4 first; true when somebody has not answered.
fn addresses(
    name: &HostName,
    spoken: Spoken,
    answers: &Answers,
    open: &mut Vec<Question>,
) -> (Vec<IpAddr>, bool) {
    let (mut all, mut failed) = (Vec::new(), false);
    let families = [(Kind::A, true), (Kind::Aaaa, false)];
    let any = [Transport::Udp, Transport::Tcp, Transport::Tls];
    let spoken = |is_ipv4: bool| any.iter().any(|one| spoken.reaches(*one, is_ipv4));
    for (kind, is_ipv4) in families.into_iter().filter(|(_, is_ipv4)| spoken(*is_ipv4)) {
        match answers.get(name, kind) {
            Err(question) => open.push(question),
            Ok(Records::Addresses(list)) => {
                all.extend(list.iter().filter(|ip| ip.is_ipv4() == is_ipv4));
            }
            Ok(Records::Failed) => failed = true,
            Ok(Records::Naptr(_) | Records::Srv(_) | Records::Nothing) => {}
        }
    }
    (all, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HostName {
        HostName::parse(text).unwrap()
    }

    fn spoken(v6: bool) -> Spoken {
        let mut spoken = Spoken::default();
        spoken.add(Transport::Udp, true);
        if v6 {
            spoken.add(Transport::Udp, false);
        }
        spoken
    }

    fn srv(priority: u16, port: u16, target: &str) -> Srv {
        Srv { priority, weight: 0, port, target: HostName::parse(target) }
    }

    fn told(answers: &mut Answers, text: &str, kind: Kind, records: Records) {
        answers.insert(Question { name: name(text), kind }, records);
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn srv_records_and_the_addresses_of_their_hosts() {
        let listing = Listing { name: name("_sip._tcp.mcp.test"), port: 5060 };
        assert_eq!(listing.transport(), Some(Transport::Tcp));
        let mut answers = Answers::wide();
        let question = |text: &str, kind| Question { name: name(text), kind };
        let first = vec![question("_sip._tcp.mcp.test", Kind::Srv)];
        assert_eq!(members(&listing, spoken(true), &answers), Look::Ask(first));
        let records =
            vec![srv(20, 5070, "b.test"), srv(10, 5080, "a.test"), srv(10, 5071, "b.test")];
        told(&mut answers, "_sip._tcp.mcp.test", Kind::Srv, Records::Srv(records));
        let open = [("a.test", Kind::A), ("a.test", Kind::Aaaa)];
        let open = open.into_iter().chain([("b.test", Kind::A), ("b.test", Kind::Aaaa)]);
        let open = open.map(|(name, kind)| question(name, kind)).collect();
        assert_eq!(members(&listing, spoken(true), &answers), Look::Ask(open));
        let both = vec![ip("10.0.0.1"), ip("10.0.0.2")];
        told(&mut answers, "a.test", Kind::A, Records::Addresses(both.clone()));
        told(&mut answers, "b.test", Kind::A, Records::Failed);
        let member =
            |host: &str, port, addresses| Member { host: Some(name(host)), port, addresses };
        assert_eq!(
            members(&listing, spoken(false), &answers),
            Look::Found(vec![member("a.test", 5080, both), member("b.test", 5071, vec![])])
        );
    }

    #[test]
    fn the_addresses_of_a_host() {
        let listing = Listing { name: name("mcp.test"), port: 5070 };
        assert_eq!(listing.transport(), None);
        let mut answers = Answers::wide();
        let two = vec![ip("10.0.0.1"), ip("10.0.0.2")];
        told(&mut answers, "mcp.test", Kind::A, Records::Addresses(two.clone()));
        let found =
            two.into_iter().map(|ip| Member { host: None, port: 5070, addresses: vec![ip] });
        assert_eq!(members(&listing, spoken(false), &answers), Look::Found(found.collect()));
        told(&mut answers, "mcp.test", Kind::Aaaa, Records::Failed);
        let failed = Look::Failed(Failure::Unanswered);
        assert_eq!(members(&listing, spoken(true), &answers), failed);
    }

    #[test]
    fn nobody_is_a_failure() {
        let listing = Listing { name: name("_sip._udp.mcp.test"), port: 5060 };
        for (records, failure) in [
            (Records::Nothing, Failure::Nothing),
            (Records::Failed, Failure::Unanswered),
            (Records::Srv(vec![]), Failure::Nothing),
            (Records::Srv(vec![Srv { target: None, ..srv(0, 0, "") }]), Failure::Nothing),
        ] {
            let mut answers = Answers::wide();
            told(&mut answers, "_sip._udp.mcp.test", Kind::Srv, records);
            assert_eq!(members(&listing, spoken(true), &answers), Look::Failed(failure));
        }
    }

    #[test]
    fn a_wide_answer_keeps_more_than_a_call_looks_at() {
        let many: Vec<IpAddr> = (0..=255).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        let listing = Listing { name: name("mcp.test"), port: 5060 };
        let mut answers = Answers::wide();
        told(&mut answers, "mcp.test", Kind::A, Records::Addresses([many.clone(), many].concat()));
        let Look::Found(found) = members(&listing, spoken(false), &answers) else { panic!() };
        assert_eq!(found.len(), crate::limits::MEMBERS);
    }
}
