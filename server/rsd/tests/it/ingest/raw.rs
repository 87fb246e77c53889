//! A sender that can send what our client never would.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::write::ZlibEncoder;
use openwire::{
    Command, ConnectionId, ConnectionInfo, Destination, Greeting, Header, Message, MessageId,
    MessageKind, ProducerId, Step, TransactionId, decode, encode, split, text,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A peer that is logged in.
pub(crate) struct Raw {
    stream: TcpStream,
    connection: String,
    said: Vec<u8>,
    heard: Vec<u8>,
}

impl Raw {
    pub(crate) async fn login(address: SocketAddr, number: u32) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let connection = format!("ID:raw-{number}:1");
        let mut raw = Self { stream, connection, said: Vec::new(), heard: Vec::new() };
        Greeting::ours(8 << 20, Duration::from_secs(30)).encode(&mut raw.said);
        let login = ConnectionInfo {
            connection: ConnectionId(raw.connection.clone()),
            client_id: None,
            password: None,
            user: None,
            fault_tolerant: false,
            failover_reconnect: false,
        };
        raw.tell(1, true, &Command::ConnectionInfo(login));
        assert_eq!(raw.answers(1).await, [1]);
        raw
    }

    pub(crate) fn tell(&mut self, id: i32, respond: bool, command: &Command<'_>) {
        encode(Header { id, respond }, command, 12, &mut self.said);
    }

    pub(crate) fn message<'m>(
        &self,
        sequence: i64,
        kind: MessageKind,
        content: &'m [u8],
    ) -> Message<'m> {
        let producer = ProducerId { connection: self.connection.clone(), session: 1, value: 1 };
        Message {
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
            compressed: false,
        }
    }

    /// A transaction of messages of nearly a mebibyte each, which come in a kibibyte each. Its
    /// commit has that number.
    pub(crate) fn blanks(&mut self, commit: i32, messages: i64) {
        let connection = ConnectionId(self.connection.clone());
        let id = TransactionId::Local { connection: self.connection.clone(), value: commit.into() };
        let step = |step| Command::TransactionInfo {
            connection: connection.clone(),
            transaction: Some(id.clone()),
            step,
        };
        let mut content = 0x0f_ffff_u32.to_be_bytes().to_vec();
        content.extend(deflated(&vec![b' '; 0x0f_ffff]));
        self.tell(0, false, &step(Step::Begin));
        for sequence in 0..messages {
            let mut message = self.message(sequence, MessageKind::Bytes, &content);
            message.transaction = Some(id.clone());
            message.compressed = true;
            self.tell(0, false, &Command::Message(Box::new(message)));
        }
        self.tell(commit, true, &step(Step::Commit));
    }

    /// Begins another transaction, which is answered at once: all before it has been read.
    pub(crate) async fn is_read(&mut self, id: i32) {
        let connection = ConnectionId(self.connection.clone());
        let transaction =
            TransactionId::Local { connection: self.connection.clone(), value: id.into() };
        let (transaction, step) = (Some(transaction), Step::Begin);
        self.tell(id, true, &Command::TransactionInfo { connection, transaction, step });
        assert_eq!(self.answers(1).await, [id]);
    }

    pub(crate) async fn flush(&mut self) {
        self.stream.write_all(&std::mem::take(&mut self.said)).await.unwrap();
    }

    /// Says what is to be said, and waits for so many answers.
    pub(crate) async fn answers(&mut self, count: usize) -> Vec<i32> {
        self.flush().await;
        let mut answered = Vec::new();
        while answered.len() < count {
            let read = timeout(Duration::from_secs(60), self.stream.read_buf(&mut self.heard));
            assert_ne!(read.await.unwrap().unwrap(), 0, "closed after {answered:?}");
            while let Some((frame, _)) = split(&self.heard, 1 << 20).unwrap() {
                let used = frame.len() + 4;
                match decode(frame, 12).unwrap() {
                    Some((_, Command::Response { correlation })) => answered.push(correlation),
                    Some((_, Command::BrokerInfo { .. } | Command::KeepAliveInfo)) | None => {}
                    Some(other) => panic!("{other:?}"),
                }
                self.heard.drain(..used);
            }
        }
        answered
    }
}

/// One message of each kind; returns when all that want an answer have one.
pub(crate) async fn send_all_kinds(address: SocketAddr) {
    let mut modified = Vec::new();
    text::encode("{\"a\":\"€ \u{0} \u{1F600}\"}", &mut modified);
    let mut string = u32::try_from(modified.len()).unwrap().to_be_bytes().to_vec();
    string.extend(modified);
    let packed = deflated(b"\0\0\0\x07{\"z\":1}");
    let large = vec![b' '; (1 << 20) + 1];
    let mut raw = Raw::login(address, 1).await;
    for (id, respond, kind, compressed, content) in [
        (2, true, MessageKind::Text, false, &*string),
        (3, true, MessageKind::Bytes, false, b"{}"),
        (4, false, MessageKind::Bytes, false, b"\xff"),
        (5, true, MessageKind::Bytes, false, &large),
        (6, true, MessageKind::Text, true, &packed),
        (7, true, MessageKind::Map, false, b"\0\0\0\0"),
    ] {
        let mut message = raw.message(id.into(), kind, content);
        message.compressed = compressed;
        raw.tell(id, respond, &Command::Message(Box::new(message)));
    }
    let mut answered = raw.answers(5).await;
    answered.sort_unstable();
    assert_eq!(answered, [2, 3, 5, 6, 7]);
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
