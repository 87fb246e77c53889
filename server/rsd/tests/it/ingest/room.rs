//! What the spool has room for: each arrival counts with its own size against what its priority may
//! use, and one that finds none holds up nobody that does.

use std::net::SocketAddr;

use rsd::entry::{Body, Entry, Message, Transport};
use rsd::ingest::{NotTaken, Priority};

use super::house::{House, Options};
use super::{CDR, EVENT};

const LIMIT: u64 = 8 << 20;

fn arrival(queue: &str, records: usize, bytes: usize) -> Entry {
    let message = Message {
        queue: queue.to_owned(),
        message_id: None,
        fallback_id: None,
        properties: Vec::new(),
        body: Body::Text("x".repeat(bytes)),
    };
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let (transport, user) = (Transport::Http, None);
    Entry {
        received: 1,
        transport,
        user,
        peer,
        messages: vec![message; records],
        letters: Vec::new(),
        produces: Vec::new(),
    }
}

/// Stores once what went before is durable.
async fn store(house: &House, entry: &Entry) -> Result<u64, NotTaken> {
    let spool = &house.parts.spool;
    let stored = house.parts.store(entry);
    if let Ok(seq) = stored {
        house.parts.durable.subscribe().wait_for(|upto| *upto >= seq).await.unwrap();
        // the figures follow the answer
        while spool.status().pending > 0 || spool.status().durable < seq {
            tokio::task::yield_now().await;
        }
    }
    let status = spool.status();
    assert!(status.bytes + status.pending_bytes as u64 <= LIMIT, "above its limit: {status:?}");
    stored
}

async fn filled(percent: u64) -> House {
    let house = House::open(Options { limit: LIMIT, ..Options::default() }).await;
    while house.parts.spool.status().bytes < LIMIT / 100 * percent {
        store(&house, &arrival(EVENT, 1, 60_000)).await.unwrap();
    }
    house
}

#[tokio::test]
async fn a_large_arrival_that_does_not_fit_waits_alone() {
    let house = filled(80).await;
    let gate = &house.parts.gate;
    let large = arrival(EVENT, 3, 600_000);
    assert_eq!(store(&house, &large).await, Err(NotTaken::Later));
    assert!(!gate.held_back(Priority::First) && !gate.held_back(Priority::Third));
    for queue in [CDR, EVENT] {
        assert!(store(&house, &arrival(queue, 1, 1000)).await.is_ok(), "{queue}");
    }
    assert_eq!(store(&house, &arrival(CDR, 3, 800_000)).await, Err(NotTaken::Later));
    assert!(store(&house, &arrival(CDR, 1, 1000)).await.is_ok());
    // what waits is taken when there is space
    house.parts.spool.release(house.parts.spool.durable());
    while house.parts.spool.status().bytes > LIMIT / 2 {
        tokio::task::yield_now().await;
    }
    assert!(store(&house, &large).await.is_ok());
}

#[tokio::test]
async fn events_of_any_size_leave_the_last_tenth_to_the_cdrs() {
    for (records, bytes) in [(1, 1000), (1, 200_000), (3, 250_000)] {
        let house = House::open(Options { limit: LIMIT, ..Options::default() }).await;
        while store(&house, &arrival(EVENT, records, bytes)).await.is_ok() {}
        let used = house.parts.spool.status().bytes;
        assert!(used <= LIMIT / 10 * 9, "{records} x {bytes}: {used}");
        let mut cdrs = 0;
        while store(&house, &arrival(CDR, 1, 20_000)).await.is_ok() {
            cdrs += 1;
        }
        assert!(cdrs > 20, "{records} x {bytes}: {cdrs}");
        assert!(house.parts.gate.held_back(Priority::First));
    }
}

#[tokio::test]
async fn what_is_larger_than_the_limit_is_refused_for_good_and_shuts_nothing() {
    let house = House::open(Options { limit: LIMIT, ..Options::default() }).await;
    for (queue, records) in [(CDR, 9), (EVENT, 8)] {
        assert_eq!(store(&house, &arrival(queue, records, 1 << 20)).await, Err(NotTaken::Never));
        assert!(store(&house, &arrival(queue, 1, 1000)).await.is_ok(), "{queue}");
    }
}
