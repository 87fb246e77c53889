//! `net::dns` and `sip::locate`: any URI and any answers of a name service lead somewhere or
//! nowhere, soon and within the bounds.
//!
//! The first line is the URI. Behind it stand the answers, in the order of the questions, as a name
//! server sends them on a stream: two bytes of length, then the message (RFC 1035 §4.2.2).

use std::collections::BTreeSet;

use hickory_resolver::proto::op::Message;
use net::dns::records;
use sip::limits;
use sip::locate::{Answers, Goal, Question, Records, Spoken, Step, Targets, at_once, locate};
use sip::transport::Transport;
use sip::uri::Uri;

/// NAPTR, then SRV, then addresses.
const ROUNDS: usize = 3;

pub(super) fn run(data: &[u8]) {
    let (line, mut told) = data.split_at(data.iter().position(|b| *b == b'\n').unwrap_or(0));
    told = told.get(1..).unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return };
    let Ok(uri) = Uri::parse(line) else { return };
    let Some(goal) = Goal::of_uri(&uri) else { return };
    let spoken = spoken();
    let mut answers = Answers::default();
    let mut asked = BTreeSet::new();
    for round in 0.. {
        let step = locate(&goal, spoken, &answers);
        assert_eq!(step, locate(&goal, spoken, &answers), "what is known decides");
        match step {
            Step::Found(targets) => return found(&targets),
            Step::Failed(_) => return,
            Step::Ask(questions) => {
                assert!(round < ROUNDS && !questions.is_empty(), "{round}: {questions:?}");
                assert!(at_once(&goal, spoken).is_none(), "an address asks nobody");
                for question in questions {
                    assert!(asked.insert(question.clone()), "twice: {question:?}");
                    let records = answer(&question, &mut told);
                    answers.insert(question, records);
                }
            }
        }
        assert!(asked.len() <= 1 + limits::SERVICES + 2 * limits::HOSTS, "{} asked", asked.len());
    }
}

/// The next message, read as an answer to that question.
fn answer(question: &Question, told: &mut &[u8]) -> Records {
    let Some((length, rest)) = told.split_first_chunk::<2>() else { return Records::Nothing };
    let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
    let (message, rest) = rest.split_at(length);
    *told = rest;
    match Message::from_vec(message) {
        Ok(message) => records(question.kind, &message.answers).0,
        Err(_) => Records::Failed,
    }
}

fn found(targets: &Targets) {
    let all: Vec<_> = targets.iter().collect();
    assert!((1..=limits::TARGETS).contains(&all.len()), "{} targets", all.len());
    let distinct: BTreeSet<_> = all.iter().copied().collect();
    for lot in [0, 1, u64::MAX] {
        let order = targets.order(|below| lot.min(below - 1));
        assert_eq!(order.len(), distinct.len(), "each target once, whatever the lot");
        assert_eq!(order.into_iter().collect::<BTreeSet<_>>(), distinct);
    }
}

/// A node that speaks everything but TLS over IPv6.
fn spoken() -> Spoken {
    let mut spoken = Spoken::default();
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        spoken.add(transport, true);
    }
    spoken.add(Transport::Udp, false);
    spoken.add(Transport::Tcp, false);
    spoken
}
