//! What the stock Java client 5.17.2 sends when it is told to speak an older version: a connection,
//! a session, a producer, and a text with a property, sent in a transaction. Captured, the
//! connection's id made the same in all (`testdata/versions.txt`: version and frame, a line each).

use openwire::{Command, Destination, Header, MessageKind, decode, split};

use crate::golden;

const CAPTURED: &str = include_str!("testdata/versions.txt");

/// The frames that a version has, sizes taken off.
fn frames(version: i32) -> Vec<Vec<u8>> {
    let lines = CAPTURED.lines().map(|line| line.split_once(' ').unwrap());
    let own = lines.filter(|(of, _)| *of == version.to_string());
    let frame = |(_, digits)| {
        let bytes = golden::bytes(digits);
        let (frame, rest) = split(&bytes, 4096).unwrap().unwrap();
        assert_eq!(rest, b"");
        frame.to_vec()
    };
    own.map(frame).collect()
}

/// What they are when that version is read; moments, in which the captures differ, taken out.
fn read(frame: &[u8], version: i32) -> Option<(Header, Command<'_>)> {
    let (header, mut command) = decode(frame, version).ok()??;
    if let Command::Message(message) = &mut command {
        message.timestamp = 0;
    }
    Some((header, command))
}

#[test]
fn commands_of_a_java_client_are_the_same_in_every_version() {
    let usual = frames(12);
    let expected: Vec<_> = usual.iter().map(|frame| read(frame, 12).unwrap()).collect();
    assert_eq!(expected.len(), 10);
    let message = expected.iter().find_map(|(_, command)| match command {
        Command::Message(message) => Some(message),
        _ => None,
    });
    let message = message.unwrap();
    assert_eq!(message.kind, MessageKind::Text);
    assert_eq!(message.destination, Some(Destination::queue("ringmaster.cdr")));
    assert_eq!(message.correlation_id.as_deref(), Some("x"));
    assert_eq!(message.content, Some(&b"\0\0\0\x02{}"[..]));
    assert!(message.transaction.is_some() && message.persistent);
    assert!(message.properties.is_some_and(|map| map.ends_with(b"\x08recordId\x09\0\x02r1")));
    for version in [11, 10, 9, 1] {
        let frames = frames(version);
        let found: Vec<_> = frames.iter().map(|frame| read(frame, version).unwrap()).collect();
        assert_eq!(found, expected, "version {version}");
        // and which of them it is matters: from 9 down a message has less in it
        let as_usual: Vec<_> = frames.iter().map(|frame| read(frame, 12)).collect();
        let same = as_usual.iter().flatten().eq(&expected);
        assert_eq!(same, version > 9, "version {version}");
    }
}
