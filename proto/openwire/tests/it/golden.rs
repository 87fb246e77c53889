//! Frames captured between the stock Java client and ActiveMQ Classic 5.17.2, loose, v12
//! (`spec/openwire.md` §3.6): bytes → struct → the same bytes.

use openwire::{
    Command, ConnectionId, ConnectionInfo, Destination, Exception, Header, MessageKind, ObjectId,
    ProducerId, Referral, Secret, SessionId, Step, TransactionId, decode, encode, split,
};

const ID: &str = "01 001d 'ID:vm-35689-1795333967696-1:1'";

/// Hexadecimal digits, blanks, and 'text'; `@` stands for the connection id's field.
pub(crate) fn bytes(notation: &str) -> Vec<u8> {
    let notation = notation.replace('@', ID);
    let mut bytes = Vec::new();
    for (at, part) in notation.split('\'').enumerate() {
        if at % 2 == 1 {
            bytes.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: String = part.split_whitespace().collect();
        for pair in digits.as_bytes().chunks(2) {
            bytes.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        }
    }
    bytes
}

fn connection() -> String {
    "ID:vm-35689-1795333967696-1:1".to_owned()
}

fn producer() -> ProducerId {
    ProducerId { connection: connection(), session: 1, value: 1 }
}

fn read(bytes: &[u8]) -> (Header, Command<'_>) {
    let (frame, rest) = split(bytes, 4096).unwrap().unwrap();
    assert_eq!(rest, b"", "the captured size is right");
    decode(frame, 12).unwrap().unwrap()
}

#[track_caller]
fn both_ways(notation: &str, id: i32, respond: bool, expected: &Command<'_>) {
    let captured = bytes(notation);
    assert_eq!(read(&captured), (Header { id, respond }, expected.clone()));
    let mut written = Vec::new();
    encode(Header { id, respond }, expected, 12, &mut written);
    assert_eq!(written, captured);
}

#[test]
fn login() {
    both_ways(
        "00000044 03 00000001 01 01 78 @ 01 0004 'rm-1' 01 0006 'secret' 01 0002 'rm'
         00 00 01 01 00 00 00",
        1,
        true,
        &Command::ConnectionInfo(ConnectionInfo {
            connection: ConnectionId(connection()),
            client_id: Some("rm-1".to_owned()),
            password: Some(Secret::new("secret".to_owned())),
            user: Some("rm".to_owned()),
            fault_tolerant: false,
            failover_reconnect: false,
        }),
    );
    both_ways(
        "00000030 04 00000002 00 01 79 @ 0000000000000001",
        2,
        false,
        &Command::SessionInfo(SessionId { connection: connection(), value: 1 }),
    );
    both_ways(
        "0000004c 06 00000003 01 01 7b @ 0000000000000001 0000000000000001
         01 64 01 0009 'cap.loose' 00 00 00000000",
        3,
        true,
        &Command::ProducerInfo {
            id: producer(),
            destination: Some(Destination::queue("cap.loose")),
            window: 0,
        },
    );
}

/// The captured text message, "cdr-1 €".
pub(crate) const MESSAGE: &str = "000000fc 1c 00000004 01
    01 7b @ 0000000000000001 0000000000000001 01 64 01 0009 'cap.loose' 00 00
    01 6e 00 01 7b @ 0000000000000001 0000000000000001 0000000000000001 0000000000000000
    00 00 00000000 01 0005 'rec-1' 01 0000000000000000 04 00 000001a2023e5011 00
    01 0000000d 00000009 6364722d3120e282ac 01 00000011 00000001 0006 'tenant' 05 00000007
    00 00 00 00000000 00 0000000000000000 00 00 00 00 0000000000000000 0000000000000000 00";

#[test]
fn text_message() {
    let captured = bytes(MESSAGE);
    let (header, command) = read(&captured);
    let Command::Message(message) = &command else { panic!("{command:?}") };
    assert_eq!(header, Header { id: 4, respond: true });
    assert_eq!(message.kind, MessageKind::Text);
    assert_eq!(message.producer, Some(producer()));
    assert_eq!(message.destination, Some(Destination::queue("cap.loose")));
    assert_eq!(message.id.to_string(), "ID:vm-35689-1795333967696-1:1:1:1:1");
    assert_eq!(message.correlation_id.as_deref(), Some("rec-1"));
    assert!(message.persistent && !message.compressed);
    assert_eq!((message.priority, message.timestamp), (4, 0x1a2_023e_5011));
    assert_eq!(message.content, Some(&b"\0\0\0\x09cdr-1 \xe2\x82\xac"[..]));
    let mut written = Vec::new();
    encode(header, &command, 12, &mut written);
    assert_eq!(written, captured);
}

#[test]
fn transactions() {
    for (prefix, id, respond, step, byte) in [
        ("0000000d 00", 13, false, Step::Begin, "00"),
        ("0000000f 01", 15, true, Step::Commit, "02"),
        ("00000012 01", 18, true, Step::Rollback, "04"),
    ] {
        both_ways(
            &format!("00000055 07 {prefix} 01 78 @ 01 6f 0000000000000001 01 78 @ {byte}"),
            id,
            respond,
            &Command::TransactionInfo {
                connection: ConnectionId(connection()),
                transaction: Some(TransactionId::Local { connection: connection(), value: 1 }),
                step,
            },
        );
    }
}

#[test]
fn answers() {
    both_ways("0000000a 1e 00000000 00 00000004", 0, false, &Command::Response { correlation: 4 });
    both_ways("00000006 0a 00000000 00", 0, false, &Command::KeepAliveInfo);
    both_ways("00000006 0b 00000018 00", 24, false, &Command::ShutdownInfo);
    both_ways(
        "0000003c 13 00000000 00 01 7b @ 0000000000000001 0000000000000001 000005f8",
        0,
        false,
        &Command::ProducerAck { producer: producer(), size: 0x5f8 },
    );
    both_ways(
        "00000013 12 00000000 00 00 00 00 00 00 01 0000 01 0000 00 00",
        0,
        false,
        &Command::ConnectionControl {
            close: false,
            fault_tolerant: false,
            referral: Referral::default(),
        },
    );
    both_ways(
        "00000036 1f 00000000 00 00000001 01 01 0022 'javax.jms.InvalidClientIDException'
         01 0003 'who'",
        0,
        false,
        &Command::ExceptionResponse {
            correlation: 1,
            exception: Some(Exception {
                class: "javax.jms.InvalidClientIDException".to_owned(),
                text: "who".to_owned(),
            }),
        },
    );
}

#[test]
fn what_is_only_read() {
    let broker = bytes(
        "00000056 02 00000000 00 01 7c 01 001d 'ID:vm-35689-1795333967696-0:1'
         01 0015 'tcp://localhost:61616' 00 01 0003 'ref'
         00 00 00 00 00 0000000000000000 00 00",
    );
    let expected = Command::BrokerInfo {
        id: "ID:vm-35689-1795333967696-0:1".to_owned(),
        name: "ref".to_owned(),
    };
    assert_eq!(read(&broker).1, expected);

    let consumer = bytes(
        "00000063 05 00000008 01 01 7a @ 0000000000000001 0000000000000001 00
         01 64 01 0009 'cap.loose' 000003e8 00000000 01 00 01 0004 'rm-1'
         00 00 00 00 00 00 00 00 00 00 00",
    );
    let (header, command) = read(&consumer);
    assert_eq!(header, Header { id: 8, respond: true });
    let Command::ConsumerInfo { destination, .. } = command else { panic!("{command:?}") };
    assert_eq!(destination, Some(Destination::queue("cap.loose")));

    let temporary = bytes(
        "00000056 08 00000004 01 01 78 @ 01 66 01 001f 'ID:vm-35689-1795333967696-1:1:1'
         00 0000000000000000 00",
    );
    let Command::DestinationInfo { destination } = read(&temporary).1 else { panic!() };
    assert_eq!(destination.unwrap().to_string(), "temporary queue ID:vm-35689-1795333967696-1:1:1");

    let remove =
        bytes("00000040 0c 0000000a 00 01 7a @ 0000000000000001 0000000000000001 00000000000525ce");
    assert!(matches!(read(&remove).1, Command::RemoveInfo(ObjectId::Consumer(_))));
    assert_eq!(decode(&[0], 12), Ok(None), "a null command");
}

/// 9 lacks the inserted text view of a message id and the last flag; 1 lacks more.
#[test]
fn older_versions() {
    let captured = bytes(MESSAGE);
    let (header, command) = read(&captured);
    for (version, size) in [(12, 0xfc), (11, 0xfc), (10, 0xfc), (9, 0xfa), (1, 0xfa - 18)] {
        let mut written = Vec::new();
        encode(header, &command, version, &mut written);
        let (frame, _) = split(&written, 4096).unwrap().unwrap();
        assert_eq!(frame.len(), size, "version {version}");
        assert_eq!(decode(frame, version), Ok(Some((header, command.clone()))), "{version}");
    }
}
