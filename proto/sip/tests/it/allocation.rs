//! Parsing a call's message takes no heap memory.

use sip::header::Name;
use sip::limits::Limits;
use sip::parse::parse;

use crate::counting::heap;

/// How often `work` asks for memory.
pub(crate) fn allocations(work: impl FnOnce()) -> usize {
    let (before, _) = heap();
    work();
    heap().0 - before
}

#[test]
fn an_invite_of_1_kib_takes_none() {
    let bytes = include_bytes!("testdata/invite_1k.sip");
    assert_eq!(bytes.len(), 1024);
    assert_eq!(allocations(|| drop(vec![0u8; 1])), 1, "the counter counts");
    let count = allocations(|| {
        let message = parse(bytes, &Limits::DEFAULT).unwrap();
        assert_eq!(message.vias().count(), 2);
        assert_eq!(message.routes().count(), 1);
        assert!(message.header(Name::ContentType).is_some());
        assert!(message.contacts().all(|contact| contact.parsed_uri().is_some()));
    });
    assert_eq!(count, 0);
}

#[test]
fn more_than_64_lines_take_one() {
    let bytes = include_bytes!("testdata/invite_1k.sip");
    let text = std::str::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let long = format!("{head}{}\r\n\r\n{body}", "\r\nX: y".repeat(60));
    assert_eq!(allocations(|| assert!(parse(long.as_bytes(), &Limits::DEFAULT).is_ok())), 1);
}
