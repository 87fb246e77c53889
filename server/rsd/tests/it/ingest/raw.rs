//! A sender that can send what our client never would.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::write::ZlibEncoder;
use openwire::{
    Command, ConnectionId, ConnectionInfo, Destination, Greeting, Header, Message, MessageId,
    MessageKind, ProducerId, decode, encode, split, text,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const ID: &str = "ID:raw-1:1";

/// One message of each kind; returns when all that want an answer have one.
pub(crate) async fn send_all_kinds(address: SocketAddr) {
    let mut modified = Vec::new();
    text::encode("{\"a\":\"€ \u{0} \u{1F600}\"}", &mut modified);
    let mut string = u32::try_from(modified.len()).unwrap().to_be_bytes().to_vec();
    string.extend(modified);
    let mut deflated = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    deflated.write_all(b"\0\0\0\x07{\"z\":1}").unwrap();
    let deflated = deflated.finish().unwrap();
    let large = vec![b' '; (1 << 20) + 1];

    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = Vec::new();
    Greeting::ours(8 << 20, Duration::from_secs(30)).encode(&mut bytes);
    let login = ConnectionInfo {
        connection: ConnectionId(ID.to_owned()),
        client_id: None,
        password: None,
        user: None,
        fault_tolerant: false,
        failover_reconnect: false,
    };
    let mut tell = |id, respond, command: &Command<'_>| {
        encode(Header { id, respond }, command, 12, &mut bytes);
    };
    tell(1, true, &Command::ConnectionInfo(login));
    tell(2, true, &send(2, MessageKind::Text, false, &string));
    tell(3, true, &send(3, MessageKind::Bytes, false, b"{}"));
    tell(4, false, &send(4, MessageKind::Bytes, false, b"\xff"));
    tell(5, true, &send(5, MessageKind::Bytes, false, &large));
    tell(6, true, &send(6, MessageKind::Text, true, &deflated));
    tell(7, true, &send(7, MessageKind::Map, false, b"\0\0\0\0"));
    stream.write_all(&bytes).await.unwrap();
    let mut answered = Vec::new();
    let mut heard = Vec::new();
    while answered.len() < 6 {
        let read = timeout(Duration::from_secs(60), stream.read_buf(&mut heard));
        assert_ne!(read.await.unwrap().unwrap(), 0, "closed after {answered:?}");
        while let Some((frame, _)) = split(&heard, 1 << 20).unwrap() {
            let used = frame.len() + 4;
            match decode(frame, 12).unwrap() {
                Some((_, Command::Response { correlation })) => answered.push(correlation),
                Some((_, Command::BrokerInfo { .. })) | None => {}
                Some(other) => panic!("{other:?}"),
            }
            heard.drain(..used);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 3, 5, 6, 7]);
}

fn send(sequence: i64, kind: MessageKind, compressed: bool, content: &[u8]) -> Command<'_> {
    let producer = ProducerId { connection: ID.to_owned(), session: 1, value: 1 };
    Command::Message(Box::new(Message {
        kind,
        producer: Some(producer.clone()),
        destination: Some(Destination::queue("ringmaster.sq")),
        transaction: None,
        id: MessageId { text_view: None, producer, sequence, broker_sequence: 0 },
        correlation_id: None,
        persistent: true,
        priority: 4,
        timestamp: 0,
        content: Some(content),
        properties: None,
        compressed,
    }))
}
