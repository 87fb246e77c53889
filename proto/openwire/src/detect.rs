//! Which protocol a fresh connection speaks, by at most eight first bytes, and the words with
//! which the ones that are not spoken here are turned away.
//!
//! The listener stays silent until it knows (`spec/rs.md` §1.5).

/// Bytes that are always enough.
pub const ENOUGH: usize = 8;

/// What the first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A greeting of OpenWire.
    OpenWire,
    /// `CONNECT` or `STOMP`, or a word of STOMP that may not be the first: its end says so.
    Stomp,
    /// A request line.
    Http,
    /// AMQP, plain or with SASL.
    Amqp,
    /// A CONNECT of MQTT.
    Mqtt,
    /// A TLS handshake.
    Tls,
    /// None of them.
    Unknown,
}

/// The protocol, or `None` while more bytes are needed (never with [`ENOUGH`]).
#[must_use]
pub fn detect(first: &[u8]) -> Option<Protocol> {
    let first = &first[..first.len().min(ENOUGH)];
    let mut undecided = false;
    for (protocol, matches) in RULES {
        match matches(first) {
            Fit::Yes => return Some(*protocol),
            Fit::Maybe => undecided = true,
            Fit::No => {}
        }
    }
    if undecided && first.len() < ENOUGH { None } else { Some(Protocol::Unknown) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Yes,
    Maybe,
    No,
}

type Rule = fn(&[u8]) -> Fit;

const RULES: &[(Protocol, Rule)] = &[
    (Protocol::OpenWire, openwire),
    (Protocol::Stomp, stomp),
    (Protocol::Http, |first| any(first, &[b"GET ", b"HEAD ", b"POST "])),
    (Protocol::Amqp, |first| any(first, &[b"AMQP\0", b"AMQP\x03"])),
    (Protocol::Mqtt, mqtt),
    (Protocol::Tls, |first| word(first, b"\x16\x03")),
];

/// Words with which peers of STOMP begin, rightly or not.
const STOMP: [&[u8]; 10] = [
    b"CONNECT",
    b"STOMP",
    b"connect",
    b"stomp",
    b"SEND",
    b"BEGIN",
    b"COMMIT",
    b"ABORT",
    b"SUBSCRIBE",
    b"DISCONNECT",
];

fn word(first: &[u8], word: &[u8]) -> Fit {
    if first.starts_with(word) {
        Fit::Yes
    } else if word.starts_with(first) {
        Fit::Maybe
    } else {
        Fit::No
    }
}

fn any(first: &[u8], words: &[&[u8]]) -> Fit {
    let fits = words.iter().map(|one| word(first, one));
    fits.fold(Fit::No, better)
}

const fn better(one: Fit, other: Fit) -> Fit {
    match (one, other) {
        (Fit::Yes, _) | (_, Fit::Yes) => Fit::Yes,
        (Fit::Maybe, _) | (_, Fit::Maybe) => Fit::Maybe,
        (Fit::No, Fit::No) => Fit::No,
    }
}

/// A size below 4096, type 1, and the magic "ActiveMQ".
fn openwire(first: &[u8]) -> Fit {
    let size_fits = match first {
        [] => true,
        [0] | [0, 0] => true,
        [0, 0, high, ..] => *high < 0x10,
        _ => false,
    };
    if size_fits { word(first.get(4..).unwrap_or_default(), b"\x01Act") } else { Fit::No }
}

/// Line ends in front are skipped, as far as eight bytes reach.
fn stomp(first: &[u8]) -> Fit {
    let start = first.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let rest = &first[start..];
    // Eight bytes may end inside the word; what is left of it is enough.
    let cut = |full: &'static [u8]| &full[..full.len().min(ENOUGH - start)];
    if start == ENOUGH {
        return Fit::No;
    }
    STOMP.iter().map(|full| word(rest, cut(full))).fold(Fit::No, better)
}

/// `10`, a remaining length of one to four bytes, a name of four or six bytes that begins "MQ".
fn mqtt(first: &[u8]) -> Fit {
    let Some((&0x10, rest)) = first.split_first() else {
        return if first.is_empty() { Fit::Maybe } else { Fit::No };
    };
    let length = rest.iter().take(3).take_while(|byte| **byte & 0x80 != 0).count() + 1;
    match rest.get(length..) {
        None => Fit::Maybe,
        Some(name) => any(name, &[b"\0\x04MQ", b"\0\x06MQ"]),
    }
}

/// What is answered before the connection is closed; empty for those that are spoken, and where
/// no answer is possible. `http` is where HTTP is answered (`host:port`).
#[must_use]
pub fn refusal(protocol: Protocol, http: &str) -> Vec<u8> {
    match protocol {
        Protocol::OpenWire | Protocol::Stomp | Protocol::Unknown => Vec::new(),
        Protocol::Http => {
            let text = format!(
                "This port takes records over OpenWire and STOMP. HTTP is answered on {http}.\n"
            );
            format!(
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            )
            .into_bytes()
        }
        // The header of the version that would be spoken, then the end: AMQP 1.0 §2.2.
        Protocol::Amqp => b"AMQP\0\x01\0\0".to_vec(),
        // CONNACK, refused: unacceptable protocol version (MQTT 3.1.1 §3.2.2.3).
        Protocol::Mqtt => b"\x20\x02\0\x01".to_vec(),
        // A fatal alert, handshake_failure (RFC 5246 §7.2): no certificate is configured.
        Protocol::Tls => b"\x15\x03\x01\0\x02\x02\x28".to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_first_bytes() {
        for (first, expected) in [
            (&b"\0\0\x01\x64\x01Act"[..], Some(Protocol::OpenWire)),
            (b"\0\0\x01\x64\x01Ac", None),
            (b"\0\0", None),
            (b"\0\0\x10\x64\x01Act", Some(Protocol::Unknown)),
            (b"\0\0\x01\x64\x02", Some(Protocol::Unknown)),
            (b"CONNECT\n", Some(Protocol::Stomp)),
            (b"STOMP", Some(Protocol::Stomp)),
            (b"connect\n", Some(Protocol::Stomp)),
            (b"SEND\ndes", Some(Protocol::Stomp)),
            (b"SUBSCRIB", Some(Protocol::Stomp)),
            (b"\r\n\nCONNE", Some(Protocol::Stomp)),
            (b"\n\n\n\n\n\n\n\n", Some(Protocol::Unknown)),
            (b"CONN", None),
            (b"CONTROL", Some(Protocol::Unknown)),
            (b"GET / HT", Some(Protocol::Http)),
            (b"HEAD ", Some(Protocol::Http)),
            (b"POST ", Some(Protocol::Http)),
            (b"PUT / HT", Some(Protocol::Unknown)),
            (b"AMQP\0\x01\0\0", Some(Protocol::Amqp)),
            (b"AMQP\x03\x01\0\0", Some(Protocol::Amqp)),
            (b"\x10\x0e\0\x04MQ", Some(Protocol::Mqtt)),
            (b"\x10\x8e\x01\0\x06MQ", Some(Protocol::Mqtt)),
            (b"\x10\x0e\0\x05MQ", Some(Protocol::Unknown)),
            (b"\x16\x03", Some(Protocol::Tls)),
            (b"\x16", None),
            (b"", None),
            (b"?", Some(Protocol::Unknown)),
        ] {
            assert_eq!(detect(first), expected, "{first:?}");
        }
    }

    #[test]
    fn eight_bytes_decide_and_more_change_nothing() {
        for seed in 0..=u8::MAX {
            for base in [&b"\0\0\x01\x64\x01Act"[..], b"CONNECT\n", b"\x10\x80\x80\x80\x80\0\x04M"]
            {
                for at in 0..8 {
                    let mut first = base.to_vec();
                    first[at] = seed;
                    let decided = detect(&first);
                    assert!(decided.is_some(), "{first:?}");
                    first.extend_from_slice(b"more bytes");
                    assert_eq!(detect(&first), decided);
                }
            }
        }
    }

    #[test]
    fn http_is_told_the_port() {
        let answer = String::from_utf8(refusal(Protocol::Http, "127.0.0.1:8080")).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 "));
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert!(body.contains("127.0.0.1:8080"));
    }
}
