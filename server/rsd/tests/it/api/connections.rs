//! Who is connected, and the end of one by an operator (rs.md §6, §8).

use openwire::ClientEvent;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::house::House;
use crate::ingest::frames::Frames;
use crate::ingest::house::{Sender, record};

const CDR: &str = "ringmaster.cdr";

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn items(house: &House, query: &str) -> Vec<Value> {
    house.json(&format!("/api/v1/connections{query}"))["items"].as_array().unwrap().clone()
}

fn open(house: &House, protocol: &str) -> Vec<String> {
    let is_of = |one: &&Value| one["protocol"] == protocol;
    let all = items(house, "");
    all.iter().filter(is_of).map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn end(house: &House, id: &str) -> u16 {
    house.ask("DELETE", &format!("/api/v1/connections/{id}"), &[]).status
}

#[test]
fn who_is_connected_is_shown_with_what_it_sends() {
    let house = House::open();
    let (at, runtime) = (house.rs.addresses().broker.unwrap(), runtime());
    let mut sender = runtime.block_on(Sender::connect(at, 1, 0));
    runtime.block_on(async {
        let records = [record("r1", 1), record("r2", 2)];
        sender.client.send_transaction(CDR, 1, &records).unwrap();
        assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: 1 });
    });
    let mut stranger = runtime.block_on(Frames::connect(at));
    runtime.block_on(stranger.say("STOMP\n"));
    house.until(|house| open(house, "stomp").len() == 1);
    let all = items(&house, "");
    let [second, first] = &all[..] else { panic!("the newest first: {all:?}") };
    assert_eq!([&second["logged_in"], &second["user"]], [&json!(false), &Value::Null]);
    let told = |name: &str| first[name].clone();
    assert_eq!(told("protocol"), "openwire");
    assert_eq!([told("logged_in"), told("tls"), told("paused")], [true, false, false]);
    assert_eq!((told("user"), told("client_id")), (json!("rm"), json!("rm-1")));
    assert_eq!((told("records"), told("unanswered")), (json!(2), json!(0)));
    assert!(told("bytes").as_u64() > Some(300), "{first}");
    assert!(told("peer").as_str().unwrap().starts_with("127.0.0.1:"));
    // the second in which they came is over
    house.until(|house| items(house, "")[1]["records_per_second"].as_f64() > Some(0.0));

    for (path, refused) in [
        ("?state=open", (400, "unknown-parameter")),
        ("?limit=0", (400, "bad-integer")),
        ("?limit=1001", (400, "bad-integer")),
        ("?limit=1&limit=1", (400, "duplicate-parameter")),
        ("?cursor=00", (400, "cursor-mismatch")),
    ] {
        let path = format!("/api/v1/connections{path}");
        assert_eq!(house.refusal(&path), (refused.0, refused.1.to_owned()), "{path}");
    }
    let page = house.json("/api/v1/connections?limit=1");
    assert_eq!(page["items"][0]["id"], second["id"]);
    // one that comes meanwhile shifts nothing
    let third = runtime.block_on(Sender::connect(at, 2, 0));
    let cursor = page["next"].as_str().unwrap();
    let rest = house.json(&format!("/api/v1/connections?limit=1&cursor={cursor}"));
    assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&first["id"], &Value::Null));
    drop((sender, stranger, third));
    house.until(|house| items(house, "").is_empty());
}

#[test]
fn an_operator_ends_a_connection_and_it_comes_back() {
    let house = House::open();
    house.until(|house| house.get("/api/v1/audit").status == 200);
    let (at, runtime) = (house.rs.addresses().broker.unwrap(), runtime());
    let mut sender = runtime.block_on(Sender::connect(at, 1, 0));
    let mut other = runtime.block_on(Sender::connect(at, 2, 0));
    let mut peer = runtime.block_on(Frames::login(at));
    let ([second, first], [stomp]) = (&open(&house, "openwire")[..], &open(&house, "stomp")[..])
    else {
        panic!("{:?}", items(&house, ""))
    };
    assert_eq!((end(&house, first), end(&house, stomp)), (204, 204));
    runtime.block_on(async {
        let told = sender.next().await;
        let ClientEvent::Refused { tag: None, class, text } = told else { panic!("{told:?}") };
        let expected = ("javax.jms.JMSException", "closed by an operator");
        assert_eq!((&*class, &*text), expected);
        assert!(matches!(sender.next().await, ClientEvent::Closed { .. }));
        let told = peer.next().await;
        assert!(told.starts_with("ERROR\nmessage:closed by an operator\n"), "{told}");
        assert_eq!(peer.next().await, "", "closed");
        // nobody else is, and who was may come again at once
        other.client.send(CDR, 1, &record("r1", 1)).unwrap();
        assert_eq!(other.next().await, ClientEvent::Acknowledged { tag: 1 });
        let mut again = Sender::connect(at, 1, 1).await;
        again.client.send(CDR, 1, &record("r1", 2)).unwrap();
        assert_eq!(again.next().await, ClientEvent::Acknowledged { tag: 1 });
    });
    house.until(|house| open(house, "stomp").is_empty());
    // it is another one now
    house.until(|house| !open(house, "openwire").contains(first));
    assert!(open(&house, "openwire").contains(second));
    for id in [&**first, "7", "x", "1-1"] {
        let refused = house.ask("DELETE", &format!("/api/v1/connections/{id}"), &[]);
        assert_eq!((refused.status, &*refused.code()), (404, "no-such-connection"), "{id}");
    }
    let lines = || house.json("/api/v1/audit?action=disconnect")["items"].clone();
    house.until(|_| lines().as_array().unwrap().len() == 2);
    let line = &lines()[1];
    assert_eq!((&line["object"], &line["outcome"]), (&json!(first), &json!("done")));
    let mut detail = line["detail"].clone();
    assert!(detail["peer"].take().as_str().unwrap().starts_with("127.0.0.1:"));
    let expected = json!({"peer": null, "user": "rm", "client_id": "rm-1", "protocol": "openwire"});
    assert_eq!(detail, expected);
}
