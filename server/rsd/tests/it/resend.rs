//! Messages that come twice (`spec/openwire.md` §5), on the whole daemon: all of them are answered
//! like the first, and the database has each record once. What a broker of ActiveMQ's kind drops
//! by its number alone, a record that it has never had, is kept.

use model::time::Millis;
use openwire::{ClientEvent, Outbound};
use serde_json::json;

use crate::api::house::{House, now};
use crate::ingest::house::{Sender, settings};

/// What a producer does; numbers are those of message ids, one record each.
#[derive(Clone, Copy)]
enum Step {
    /// Sends over the connection that it has.
    Same(&'static [u64]),
    /// Connects anew, as if it had never been there, under its old id.
    New(&'static [u64]),
    /// Connects anew and says that it comes back.
    Back(&'static [u64]),
    /// Waits until all is in the database.
    Applied,
    /// The server is stopped and started.
    Restart,
}

use Step::{Applied, Back, New, Restart, Same};

/// Steps, and how many records there are in the end.
const TABLE: [(&[Step], u64); 10] = [
    (&[New(&[1, 2]), Same(&[2, 1])], 2),
    (&[New(&[1, 2]), New(&[1, 2, 3])], 3),
    (&[New(&[1, 2]), Back(&[1, 2, 3])], 3),
    (&[New(&[2, 3]), Back(&[1, 4])], 4),
    (&[New(&[1, 2]), Applied, Same(&[1, 2])], 2),
    (&[New(&[1, 2]), Applied, New(&[2, 1, 3])], 3),
    (&[New(&[1, 2]), Applied, Back(&[1, 2, 3])], 3),
    (&[New(&[1, 2]), Restart, New(&[1, 2, 3])], 3),
    (&[New(&[1, 2]), Restart, Back(&[1, 2, 3])], 3),
    (&[New(&[2, 3]), Restart, Back(&[1, 2, 3])], 3),
];

#[test]
fn what_comes_again_is_answered_and_counts_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut house, began) = (House::open(), now());
    let mut expected = Vec::new();
    for (case, (steps, records)) in (1_u64..).zip(TABLE) {
        let mut sender = None;
        for step in steps {
            let (attempt, numbers) = match step {
                Applied => {
                    house.until(applied);
                    continue;
                }
                Restart => {
                    sender = None;
                    house = house.restarted();
                    continue;
                }
                Same(numbers) => (None, numbers),
                New(numbers) => (Some(0), numbers),
                Back(numbers) => (Some(1), numbers),
            };
            runtime.block_on(async {
                if let Some(attempt) = attempt {
                    let address = house.rs.addresses().broker.unwrap();
                    let mut new = Sender::over(address, settings(case, attempt)).await;
                    assert_eq!(new.next().await, ClientEvent::Ready);
                    sender = Some(new);
                }
                send(sender.as_mut().unwrap(), case, numbers, began).await;
            });
        }
        expected.extend((1..=records).map(|number| format!("{case}-{number}")));
    }
    house.until(applied);
    let calls = house.json("/api/v1/calls?legs=true&limit=1000");
    let calls = calls["items"].as_array().unwrap().iter();
    let mut found: Vec<_> = calls.map(|call| call["session_id"].as_str().unwrap()).collect();
    found.sort_unstable();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(house.sum("rs_dead_letters_total"), 0);
}

fn applied(house: &House) -> bool {
    house.metric("rsQueueSize") == "0"
}

/// Sends these, and waits for all answers.
async fn send(sender: &mut Sender, case: u64, numbers: &[u64], began: Millis) {
    for number in numbers {
        let (id, body) = record(&format!("{case}-{number}"), began);
        let record =
            Outbound { record_id: &id, kind: "cdr", schema: 1, body: &body, sequence: *number };
        sender.client.send("ringmaster.cdr", *number, &record).unwrap();
    }
    for number in numbers {
        assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag: *number });
    }
}

/// A call that has ended: the id of its record and the record.
fn record(session: &str, at: Millis) -> (String, Vec<u8>) {
    let id = format!("mcp-1:{session}/cdr.end/0");
    let at = at.to_string();
    let body = json!({
        "schema": 1, "kind": "cdr", "id": id, "time": at, "producer": { "name": "mcp-1" },
        "component": { "name": "mcp-1", "type": "MCP" }, "phase": "end", "session_id": session,
        "started_at": at, "ended_at": at, "call_type": "INBOUND", "end_state": "APP_END",
        "local_uri": "sip:a@example.com", "remote_uri": "sip:b@example.com",
    });
    (id, body.to_string().into_bytes())
}
