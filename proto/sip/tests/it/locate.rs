//! RFC 3263 against any answer of the name service: it ends, it is bounded, and the lot is fair.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use sip::limits;
use sip::locate::{
    Answers, Choice, Failure, Goal, HostName, Kind, Naptr, Question, Records, Spoken, Srv, Step,
    Targets, locate,
};
use sip::transport::Transport;
use sip::uri::Uri;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Few names, so that answers lead to each other, and in circles.
const NAMES: &[&str] =
    &["a.test", "b.test", "_sip._udp.a.test", "_sip._tcp.a.test", "_sips._tcp.a.test"];

fn name() -> impl Strategy<Value = HostName> {
    prop::sample::select(NAMES).prop_map(|text| HostName::parse(text).unwrap())
}

fn naptr() -> impl Strategy<Value = Naptr> {
    let services = prop::sample::select(&["SIP+D2U", "SIP+D2T", "SIPS+D2T", "SIP+D2S", "x"][..]);
    let flags = prop::sample::select(&["s", "s", "s", "a", ""][..]);
    let fields = (0_u16..3, 0_u16..3, flags, services, "|!x!y!", prop::option::of(name()));
    fields.prop_map(|(order, preference, flags, services, regexp, replacement)| Naptr {
        order,
        preference,
        flags: flags.to_owned(),
        services: services.to_owned(),
        regexp,
        replacement,
    })
}

fn srv() -> impl Strategy<Value = Srv> {
    (any::<u16>(), any::<u16>(), any::<u16>(), prop::option::of(name()))
        .prop_map(|(priority, weight, port, target)| Srv { priority, weight, port, target })
}

/// An answer to a question, of any kind whatever was asked.
fn records() -> impl Strategy<Value = Records> {
    prop_oneof![
        prop::collection::vec(naptr(), 0..40).prop_map(Records::Naptr),
        prop::collection::vec(srv(), 0..40).prop_map(Records::Srv),
        prop::collection::vec(any::<IpAddr>(), 0..40).prop_map(Records::Addresses),
        Just(Records::Nothing),
        Just(Records::Failed),
    ]
}

fn all_spoken() -> Spoken {
    let mut spoken = Spoken::default();
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        spoken.add(transport, true);
        spoken.add(transport, false);
    }
    spoken
}

proptest! {
    /// At most three rounds, each question once, no more questions and targets than the bounds say.
    #[test]
    fn any_answers_end(
        uri in prop::sample::select(&[
            "sip:a.test", "sips:a.test", "sip:a.test:5070", "sip:a.test;transport=tcp",
        ][..]),
        told in prop::collection::vec(records(), 128),
    ) {
        let goal = Goal::of_uri(&Uri::parse(uri).unwrap()).unwrap();
        let mut answers = Answers::default();
        let mut asked = BTreeSet::new();
        let mut told = told.into_iter();
        let mut rounds = 0;
        let end = loop {
            match locate(&goal, all_spoken(), &answers) {
                Step::Ask(questions) => {
                    rounds += 1;
                    prop_assert!(!questions.is_empty());
                    for question in questions {
                        prop_assert!(asked.insert(question.clone()), "twice: {question:?}");
                        answers.insert(question, told.next().unwrap_or(Records::Nothing));
                    }
                }
                end => break end,
            }
        };
        prop_assert!(rounds <= 3, "{rounds} rounds");
        prop_assert!(asked.len() <= 1 + limits::SERVICES + 2 * limits::HOSTS);
        match end {
            Step::Found(targets) => {
                let found: Vec<_> = targets.iter().collect();
                prop_assert!((1..=limits::TARGETS).contains(&found.len()));
                let distinct: BTreeSet<_> = found.iter().copied().collect();
                let ordered = targets.order(|below| below / 2);
                prop_assert_eq!(ordered.len(), distinct.len());
                prop_assert_eq!(ordered.into_iter().collect::<BTreeSet<_>>(), distinct);
            }
            Step::Failed(failure) => prop_assert!(failure != Failure::Unspoken),
            Step::Ask(_) => unreachable!(),
        }
    }

    /// RFC 2782: over all lots each choice comes first as often as its weight says; the first of
    /// the list has the lot 0 besides. Lower ranks stand first, whatever the lot.
    #[test]
    fn the_lot_is_the_weight(
        weights in prop::collection::vec(0_u16..50, 1..6),
        rank in 0_u32..3,
    ) {
        let choice = |at: usize, rank: u32, weight: u16| Choice {
            transport: Transport::Udp,
            rank,
            weight,
            addresses: vec![SocketAddr::from(([192, 0, 2, u8::try_from(at).unwrap()], 5060))],
        };
        let mut choices: Vec<Choice> =
            weights.iter().enumerate().map(|(at, weight)| choice(at, rank, *weight)).collect();
        choices.push(choice(200, rank + 1, u16::MAX));
        let targets = Targets::of(choices).unwrap();
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut first = vec![0_u64; weights.len()];
        for lot in 0..=sum {
            let mut drawn = false;
            let order = targets.order(|below| {
                if std::mem::replace(&mut drawn, true) { 0 } else { lot.min(below - 1) }
            });
            prop_assert_eq!(order.len(), weights.len() + 1);
            let IpAddr::V4(ip) = order[0].remote.ip() else { unreachable!() };
            first[usize::from(ip.octets()[3])] += 1;
            let last = order.last().map(|one| one.remote.ip().to_string());
            prop_assert_eq!(last.as_deref(), Some("192.0.2.200"));
        }
        let zero = weights.iter().position(|weight| *weight == 0).unwrap_or(0);
        for (at, weight) in weights.iter().enumerate() {
            prop_assert_eq!(first[at], u64::from(*weight) + u64::from(at == zero), "{}", at);
        }
    }
}

#[test]
fn a_flood_of_records_is_cut_to_the_best() {
    let name = |text: &str| HostName::parse(text).unwrap();
    let goal = Goal::of_uri(&Uri::parse("sip:a.test;transport=udp").unwrap()).unwrap();
    let mut answers = Answers::default();
    let srv = |at: u16| Srv {
        priority: 1000 - at,
        weight: 0,
        port: at,
        target: Some(name(&format!("h{at}.test"))),
    };
    let question = Question { name: name("_sip._udp.a.test"), kind: Kind::Srv };
    answers.insert(question, Records::Srv((1..1000).map(srv).collect()));
    let Step::Ask(hosts) = locate(&goal, all_spoken(), &answers) else { panic!() };
    assert_eq!(hosts.len(), 2 * limits::SRV_RECORDS);
    for (at, question) in (0_u8..).zip(hosts) {
        let flood = (0..200).map(|low| IpAddr::from([192, 0, at, low])).collect();
        answers.insert(question, Records::Addresses(flood));
    }
    let Step::Found(targets) = locate(&goal, all_spoken(), &answers) else { panic!() };
    let order = targets.order(|_| 0);
    assert_eq!(order.len(), limits::TARGETS);
    assert_eq!(order[0].remote.port(), 999, "the lowest priority stays");
}
