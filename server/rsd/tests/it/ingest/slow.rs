//! Hundreds of sockets that begin to speak and say no more (rs.md §14 no. 35), beside a producer.

use super::*;

const SLOW: usize = 300;
const SENDS: u64 = 200;

/// Beginnings of both protocols, of a size that says that very much follows, and silence.
const BEGINNINGS: [&[u8]; 4] =
    [b"", b"\0\0", b"\0\0\x0f\x00\x01ActiveMQ\0\0\0\x0c", b"CONNECT\naccept-ver"];

#[tokio::test]
async fn hundreds_of_slow_sockets_keep_no_producer_waiting() {
    let house = House::open(Options { per_address: 1000, ..Options::default() }).await;
    let mut slow = Vec::new();
    for beginning in BEGINNINGS.iter().cycle().take(SLOW) {
        let mut socket = TcpStream::connect(house.address()).await.unwrap();
        socket.write_all(beginning).await.unwrap();
        slow.push(socket);
    }
    let counters = &house.parts.counters;
    let each = SLOW as u64 / 4;
    within(|| counters.connections(Transport::Stomp) == each).await;
    within(|| counters.connections(Transport::Openwire) >= each).await;
    let mut sender = Sender::connect(house.address(), 1, 0).await;
    for tag in 1..=SENDS {
        sender.client.send(CDR, tag, &record("rn", tag)).unwrap();
        assert_eq!(sender.next().await, ClientEvent::Acknowledged { tag });
    }
    assert_eq!(counters.stored(CDR, Transport::Openwire).0, SENDS);
    drop(slow);
    within(|| counters.connections(Transport::Openwire) == 1).await;
    assert_eq!(counters.connections(Transport::Stomp), 0);
}

/// Who says that very much comes is not waited for.
#[tokio::test]
async fn a_size_above_the_limit_is_the_end_at_once() {
    let house = House::open(Options::default()).await;
    for size in [[0x7f, 0xff, 0xff, 0xff], [0xff; 4], [0x80, 0, 0, 0], [0, 0xff, 0xff, 0xff]] {
        let mut socket = TcpStream::connect(house.address()).await.unwrap();
        socket.write_all(&size).await.unwrap();
        socket.write_all(b"\x01ActiveMQ").await.unwrap();
        let mut heard = Vec::new();
        // by an end or a reset
        let _ = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut heard))
            .await
            .expect("it is over long before the time of a frame");
    }
    Sender::connect(house.address(), 1, 0).await;
}
