//! What was up is up again, and what was written reaches the broker, once.

use crate::broker::{Arrived, Server};
use crate::node::{Node, objects};
use crate::peer::{Caller, udp_media};

#[test]
fn calls_survive_a_restart_and_end_with_their_records() {
    let (media, _seen) = udp_media();
    let text = objects(&[(media, "udp")], 2);
    let node = Node::with(&text);
    node.until_media(1);
    let mut callers = [Caller::udp(node.udp(), "a"), Caller::udp(node.udp(), "b")];
    for caller in &mut callers {
        assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
    }
    let dir = node.stop();

    let node = Node::in_dir(dir, &text, "");
    let calls = node.get("/v1/calls").1;
    assert_eq!(calls.matches("\"session\"").count(), 2, "{calls}");
    node.until_media(1);
    let refused = Caller::udp(node.udp(), "c").invite("18005550100");
    assert!(refused.starts_with("SIP/2.0 480 "), "{refused}");
    for caller in &mut callers {
        caller.move_to(node.udp());
        let answer = caller.bye();
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    }
    assert!(!node.get("/v1/calls").1.contains("\"session\""));
    assert!((node.metric("ringmaster_rm_adopted_total") - 2.0).abs() < 0.5);
    node.stop();
}

/// Ids of CDRs in order of arrival; the same id always has the same bytes.
fn ids(arrived: &[Arrived]) -> Vec<String> {
    let arrived: Vec<_> =
        arrived.iter().filter(|(_, queue, _)| queue == "ringmaster.cdr").collect();
    for (id, _, text) in &arrived {
        assert!(text.contains(&format!("\"id\":\"{id}\"")), "{id} in {text}");
        let same = arrived.iter().filter(|(other, ..)| other == id);
        assert!(same.clone().all(|(_, _, other)| other == text), "{id} came with other bytes");
    }
    arrived.iter().map(|(id, ..)| id.clone()).collect()
}

fn call(node: &Node, name: &str) {
    let mut caller = Caller::udp(node.udp(), name);
    let answer = caller.invite("18005550100");
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert!(caller.bye().starts_with("SIP/2.0 200 "));
}

#[test]
fn records_wait_for_the_broker_and_arrive_once_and_in_order() {
    let (media, _seen) = udp_media();
    let text = objects(&[(media, "udp")], 100);
    let node = Node::with(&text);
    node.until_media(1);
    for number in 0..20 {
        call(&node, &format!("away-{number}"));
    }
    // besides those of the calls there may be those of a minute
    let pending = node.metric("ringmaster_rm_spool_pending");
    assert!((40.0..60.0).contains(&pending), "{pending}");
    let dir = node.stop();

    // A start later a broker is there: what waited arrives, then what is new.
    let broker = Server::start();
    let node = Node::in_dir(dir, &text, &broker.setting());
    node.until_media(1);
    call(&node, "here");
    node.until("all is acknowledged", || {
        node.metric("ringmaster_rm_spool_pending").abs() < 0.5
            && node.get("/v1/status").1.contains("\"connected\"")
    });
    let dir = node.stop();
    let first = ids(&broker.arrived.lock().unwrap());
    assert_eq!(first.len(), 42, "{first:?}");
    assert!(first[..40].iter().step_by(2).all(|id| id.contains("/cdr.start/")));
    let mut unique = first.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 42);

    // The cursor was kept: the next start sends nothing of this again.
    let node = Node::in_dir(dir, &text, &broker.setting());
    node.until_media(1);
    call(&node, "later");
    node.until("all is acknowledged", || node.metric("ringmaster_rm_spool_pending").abs() < 0.5);
    node.stop();
    assert_eq!(ids(&broker.arrived.lock().unwrap()).len(), 44);
}

#[test]
fn what_a_broker_did_not_answer_is_sent_again_as_the_same_bytes() {
    let (media, _seen) = udp_media();
    let broker = Server::start();
    broker.set_mute(true);
    let node = Node::in_dir(
        tempfile::tempdir().unwrap(),
        &objects(&[(media, "udp")], 100),
        &broker.setting(),
    );
    node.until_media(1);
    call(&node, "unanswered");
    node.until("it was sent twice", || {
        let ids = ids(&broker.arrived.lock().unwrap());
        ids.iter().filter(|id| **id == ids[0]).count() >= 2
    });
    broker.set_mute(false);
    node.until("all is acknowledged", || node.metric("ringmaster_rm_spool_pending").abs() < 0.5);
    let mut all = ids(&broker.arrived.lock().unwrap());
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2, "{all:?}");
    node.stop();
}

#[test]
fn a_refused_transaction_comes_apart_under_a_new_identity() {
    let (media, _seen) = udp_media();
    let text = objects(&[(media, "udp")], 100);
    let node = Node::with(&text);
    node.until_media(1);
    for number in 0..5 {
        call(&node, &format!("away-{number}"));
    }
    let dir = node.stop();
    let broker = Server::start();
    broker.set_single(true);
    let node = Node::in_dir(dir, &text, &broker.setting());
    node.until("all is acknowledged", || node.metric("ringmaster_rm_spool_pending").abs() < 0.5);
    let ids = ids(&broker.arrived.lock().unwrap());
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), unique.len()), (10, 10), "{ids:?}");
    assert!(ids.iter().step_by(2).all(|id| id.contains("/cdr.start/")), "in their order: {ids:?}");
    let logins = broker.logins.lock().unwrap().clone();
    let (first, second) = ("-0:1", "-0:2");
    assert!(logins.iter().any(|id| id.ends_with(first)), "{logins:?}");
    assert!(logins.iter().any(|id| id.ends_with(second)), "{logins:?}");
    let refused = format!(
        "ringmaster_rm_broker_connections_total{{broker=\"{}\",kind=\"cdr\",outcome=\"refused\"}}",
        broker.address
    );
    assert!((node.metric(&refused) - 1.0).abs() < 0.5);
    node.stop();
}

#[test]
fn the_next_broker_of_the_list_is_tried_at_once() {
    let (media, _seen) = udp_media();
    let broker = Server::start();
    // a name with an address at which nobody listens, and a broker that is away
    let list = format!("tcp://127.0.0.1:9,tcp://localhost:{}", broker.address.port());
    let setting = format!("  reporting: {{ broker: \"failover:({list})?randomize=false\" }}");
    let dir = tempfile::tempdir().unwrap();
    let node = Node::in_dir(dir, &objects(&[(media, "udp")], 100), &setting);
    node.until_media(1);
    call(&node, "over");
    node.until("all is acknowledged", || {
        node.metric("ringmaster_rm_records_acked_total{kind=\"cdr\"}") > 1.5
    });
    assert_eq!(ids(&broker.arrived.lock().unwrap()).len(), 2);
    node.stop();
}

#[test]
fn events_leave_on_a_connection_of_their_own() {
    let (media, _seen) = udp_media();
    let broker = Server::start();
    let dir = tempfile::tempdir().unwrap();
    let node = Node::in_dir(dir, &objects(&[(media, "udp")], 1), &broker.setting());
    node.until_media(1);
    let mut first = Caller::udp(node.udp(), "first");
    assert!(first.invite("18005550100").starts_with("SIP/2.0 200 "));
    let refused = Caller::udp(node.udp(), "over").invite("18005550100");
    assert!(refused.starts_with("SIP/2.0 480 "), "{refused}");
    assert!(first.bye().starts_with("SIP/2.0 200 "));
    node.until("all is acknowledged", || node.metric("ringmaster_rm_spool_pending").abs() < 0.5);
    let arrived = broker.arrived.lock().unwrap();
    let of = |queue: &str| arrived.iter().filter(|(_, found, _)| found == queue).count();
    assert_eq!((of("ringmaster.cdr"), of("ringmaster.event")), (3, 1), "{arrived:?}");
    let text = &arrived.iter().find(|(_, queue, _)| queue == "ringmaster.event").unwrap().2;
    assert!(text.contains("\"log_id\":\"policy-violation\""), "{text}");
    drop(arrived);
    node.stop();
}
