//! Streams in pieces of any size.

use super::*;

fn message(body: &str) -> String {
    format!("INVITE sip:a@b SIP/2.0\r\nX: y\r\n z\r\ncontent-LENGTH : {}\r\n\r\n{body}", body.len())
}

/// What comes out when `bytes` come in pieces of `size`.
fn frames(bytes: &[u8], size: usize) -> (Vec<String>, Option<u16>) {
    let mut framer = Framer::new(Limits::DEFAULT);
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        framer.push(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Ping)) => out.push("ping".to_owned()),
                Ok(Some(Frame::Message(bytes))) => {
                    out.push(String::from_utf8(bytes.to_vec()).unwrap());
                }
                Ok(None) => break,
                Err(StreamError(error)) => return (out, Some(error.status)),
            }
        }
    }
    (out, None)
}

#[test]
fn borders_do_not_depend_on_pieces() {
    let (one, two, three) = (message(""), message("body\r\n\r\nmore"), message("x"));
    let stream = format!("\r\n{one}{two}\r\n\r\n\r\n\r\n\r\n{three}");
    let expected = vec![one, two, "ping".to_owned(), "ping".to_owned(), three];
    for size in 1..stream.len() + 1 {
        assert_eq!(frames(stream.as_bytes(), size), (expected.clone(), None), "{size}");
    }
}

#[test]
fn unfinished_messages_wait() {
    let whole = message("body");
    for cut in 0..whole.len() {
        let mut framer = Framer::new(Limits::DEFAULT);
        framer.push(&whole.as_bytes()[..cut]);
        assert_eq!(framer.next_frame(), Ok(None));
        assert_eq!(framer.pending(), cut);
        assert_eq!(framer.rest(), &whole.as_bytes()[..cut]);
    }
}

#[test]
fn a_stream_at_rest_has_nothing_pending() {
    let mut framer = Framer::new(Limits::DEFAULT);
    assert_eq!(framer.pending(), 0);
    framer.push(b"\r\n");
    assert_eq!(framer.next_frame(), Ok(None));
    assert_eq!(framer.pending(), 0);
    framer.push(b"\r\n");
    assert_eq!(framer.next_frame(), Ok(Some(Frame::Ping)));
    assert_eq!(framer.pending(), 0);
    framer.push(message("").as_bytes());
    assert!(matches!(framer.next_frame(), Ok(Some(Frame::Message(_)))));
    assert_eq!(framer.next_frame(), Ok(None));
    assert_eq!(framer.pending(), 0);
}

#[test]
fn broken_streams() {
    let head = |line: &str| format!("INVITE sip:a@b SIP/2.0\r\n{line}\r\n\r\n");
    let big = |bytes: usize| {
        format!("INVITE sip:a@b SIP/2.0\r\nX: {}\r\nl: 0\r\n\r\n", "x".repeat(bytes))
    };
    for (name, text, expected) in [
        ("no length", head("X: y"), 400),
        ("negative", head("l: -1"), 400),
        ("not a number", head("l: ten"), 400),
        ("eleven digits", head("l: 00000000001"), 400),
        ("two lengths", head("l: 1\r\nContent-Length: 2"), 400),
        ("body too large", head("l: 65537"), 413),
        ("body of ten digits", head("l: 4294967296"), 413),
        ("whole too large", head("l: 65536"), 513),
        ("header too large", big(33_000), 513),
        ("header without end", "x".repeat(32_769), 513),
        ("LF only", "INVITE sip:a@b SIP/2.0\nl: 0\n\n".to_owned(), 400),
        ("no colon", head("l 0"), 400),
        ("lone CR", head("X: a\rb\r\nl: 0"), 400),
        ("lone LF first", "\nINVITE".to_owned(), 400),
    ] {
        for size in [1, 7, text.len()] {
            assert_eq!(frames(text.as_bytes(), size), (vec![], Some(expected)), "{name} {size}");
        }
    }
    assert_eq!(frames(big(32_000).as_bytes(), 1_000).0.len(), 1);
}

#[test]
fn exactly_at_a_limit_is_within_it() {
    let limits = Limits::DEFAULT;
    let head = |pad: usize, length: usize| {
        format!("INVITE sip:a@b SIP/2.0\r\nX: {}\r\nl: {length:05}\r\n\r\n", "x".repeat(pad))
    };
    let least = head(0, 0).len();
    for (over, expected) in [(0, None), (1, Some(513))] {
        let header = head(limits.header_section - least + over, 0);
        assert_eq!(frames(header.as_bytes(), 4_096).1, expected, "header, {over} over");
        let body = "x".repeat(limits.message - least + over);
        let whole = head(0, body.len()) + &body;
        assert_eq!(frames(whole.as_bytes(), 4_096).1, expected, "message, {over} over");
    }
}

#[test]
fn an_error_stays_and_keeps_the_bytes() {
    let mut framer = Framer::new(Limits::DEFAULT);
    let good = message("");
    framer.push(good.as_bytes());
    framer.push(b"INVITE sip:a@b SIP/2.0\r\nFrom: x\r\n\r\n");
    assert_eq!(framer.next_frame(), Ok(Some(Frame::Message(good.as_bytes()))));
    let error = framer.next_frame().unwrap_err();
    assert_eq!(error.0.what, "no Content-Length on a stream");
    assert_eq!(framer.rest(), b"INVITE sip:a@b SIP/2.0\r\nFrom: x\r\n\r\n");
    framer.push(good.as_bytes());
    assert_eq!(framer.next_frame(), Err(error));
}

#[test]
fn memory_is_that_of_one_message() {
    let mut framer = Framer::new(Limits::DEFAULT);
    let whole = message(&"x".repeat(1_000));
    for _ in 0..1_000 {
        framer.push(whole.as_bytes());
        while framer.next_frame().unwrap().is_some() {}
    }
    assert!(framer.buffer.capacity() < 8 * whole.len());
    // what a long one took is given back when the stream rests again
    let long = message(&"x".repeat(60_000));
    framer.push(long.as_bytes());
    assert!(matches!(framer.next_frame(), Ok(Some(Frame::Message(_)))));
    assert_eq!(framer.next_frame(), Ok(None));
    assert!(framer.buffer.capacity() <= STREAM_KEPT, "{}", framer.buffer.capacity());
}
