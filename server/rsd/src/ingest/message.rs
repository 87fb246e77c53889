//! From a message of the protocol to a message of the spool: bodies bounded, properties as text.
//! What cannot be a record is kept for the dead letters, cut. A compressed body is not touched: it
//! is inflated when its turn comes (`arrival.rs`).

use std::io::Read;

use flate2::read::ZlibDecoder;
use openwire::{Inbound, MessageKind, Value, inflated_len, text, zlib_stream};

use super::limits::{DEAD_BYTES, ID_BYTES, PROPERTY_BYTES};
use crate::entry::{Body, Message, Raw};

/// The spool's form of it, with a record of so many bytes at most; a body that came compressed is
/// beside it.
pub(super) fn message(inbound: Inbound, most: usize) -> (Message, Option<(MessageKind, Vec<u8>)>) {
    let fallback_id = inbound.record_id.or(inbound.correlation_id);
    let (body, packed) = match inbound.body {
        openwire::Body::Compressed { kind, raw } => (Body::Text(String::new()), Some((kind, raw))),
        openwire::Body::Text(text) => (of_text(text, most), None),
        openwire::Body::Bytes(bytes) => (of_bytes(bytes, most), None),
        openwire::Body::Cut(head) => (Body::TooLarge(self::head(&head)), None),
        openwire::Body::Unreadable { kind, raw } => (unreadable(kind.to_owned(), &raw), None),
    };
    let message = Message {
        queue: inbound.queue,
        message_id: Some(cut(&inbound.message_id)),
        fallback_id: fallback_id.as_deref().map(cut),
        properties: properties(&inbound.properties),
        body,
    };
    (message, packed)
}

fn cut(id: &str) -> String {
    text::prefix(id, ID_BYTES).to_owned()
}

fn of_text(text: String, most: usize) -> Body {
    if text.len() > most { Body::TooLarge(head(text.as_bytes())) } else { Body::Text(text) }
}

/// Bytes that are no UTF-8 are kept as they are: the reader of records mends them.
fn of_bytes(bytes: Vec<u8>, most: usize) -> Body {
    if bytes.len() > most {
        return Body::TooLarge(head(&bytes));
    }
    String::from_utf8(bytes).map_or_else(|raw| Body::NotUtf8(Raw(raw.into_bytes())), Body::Text)
}

fn unreadable(kind: String, raw: &[u8]) -> Body {
    Body::Unreadable { kind, raw: head(raw) }
}

/// Inflates at most what a record may have: a bomb costs no more than that. Also gives how many
/// bytes came out, of which a false length or a broken end leaves fewer.
pub(super) fn inflated(kind: MessageKind, raw: &[u8], most: usize) -> (Body, usize) {
    // a text has four bytes of length in front, and its characters up to half as many again
    let limit = most + most / 2 + 4;
    let mut content = Vec::new();
    let room = u64::try_from(limit + 1).unwrap_or(u64::MAX);
    let mut decoder = ZlibDecoder::new(zlib_stream(kind, raw).unwrap_or_default());
    let read = decoder.by_ref().take(room).read_to_end(&mut content);
    let out = usize::try_from(decoder.total_out()).unwrap_or(usize::MAX);
    let body = match read {
        Ok(_) if content.len() > limit => Body::TooLarge(head(&content)),
        Ok(_) => {
            content.truncate(inflated_len(kind, raw).unwrap_or(limit));
            match openwire::Body::from_content(kind, Some(&content)) {
                openwire::Body::Text(text) => of_text(text, most),
                openwire::Body::Bytes(bytes) => of_bytes(bytes, most),
                _ => unreadable(kind.as_str().to_owned(), &content),
            }
        }
        Err(_) => unreadable(format!("compressed {}", kind.as_str()), raw),
    };
    (body, out)
}

fn head(bytes: &[u8]) -> Raw {
    Raw(bytes.get(..DEAD_BYTES).unwrap_or(bytes).to_vec())
}

fn properties(properties: &openwire::Map) -> Vec<(String, String)> {
    let mut room = PROPERTY_BYTES;
    let mut kept = Vec::new();
    // what gives a record its id is not what finds no room
    let (ids, others): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(name, _)| name == "recordId");
    for (name, value) in ids.into_iter().chain(others) {
        let value = shown(value);
        let Some(left) = room.checked_sub(name.len() + value.len()) else { break };
        room = left;
        kept.push((name.clone(), value));
    }
    kept
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Byte(value) => value.to_string(),
        Value::Char(value) => String::from_utf16_lossy(&[*value]),
        Value::Short(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Bytes(value) => format!("({} bytes)", value.len()),
        Value::Map(value) => format!("(map of {})", value.len()),
        Value::List(value) => format!("(list of {})", value.len()),
    }
}

#[cfg(test)]
pub(super) fn deflated(content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[cfg(test)]
mod tests {
    use super::super::limits::BODY_BYTES;
    use super::*;

    fn compressed(kind: MessageKind, raw: Vec<u8>) -> Body {
        inflated(kind, &raw, BODY_BYTES).0
    }

    #[test]
    fn bodies() {
        let large = vec![b' '; BODY_BYTES + 1];
        let cut = Body::TooLarge(Raw(vec![b' '; DEAD_BYTES]));
        let of_bytes = |bytes| of_bytes(bytes, BODY_BYTES);
        assert_eq!(of_bytes(b"{}".to_vec()), Body::Text("{}".to_owned()));
        let odd = [b"{}\xff", &vec![b' '; DEAD_BYTES][..]].concat();
        assert_eq!(of_bytes(odd.clone()), Body::NotUtf8(Raw(odd)), "whole: it is to be mended");
        assert_eq!(of_bytes(large.clone()), cut);
        let large = String::from_utf8(large).unwrap();
        assert_eq!(of_text(large.clone(), BODY_BYTES + 1), Body::Text(large.clone()));
        assert_eq!(of_text(large, BODY_BYTES), cut);
    }

    #[test]
    fn compressed_bodies_are_inflated_within_bounds() {
        let text = deflated(b"\0\0\0\x02{}");
        assert_eq!(compressed(MessageKind::Text, text.clone()), Body::Text("{}".to_owned()));
        let mut bytes = vec![0, 0, 0, 2];
        bytes.extend(deflated(b"{}"));
        assert_eq!(compressed(MessageKind::Bytes, bytes), Body::Text("{}".to_owned()));

        let mut padded = vec![0, 0, 0, 2];
        padded.extend(deflated(b"{}\0\0\0"));
        assert_eq!(compressed(MessageKind::Bytes, padded), Body::Text("{}".to_owned()));

        let mut bomb = vec![0, 0, 0, 2];
        bomb.extend(deflated(&vec![b' '; 64 << 20]));
        assert!(bomb.len() < 1 << 20);
        let Body::TooLarge(Raw(kept)) = compressed(MessageKind::Bytes, bomb) else { panic!() };
        assert_eq!(kept.len(), DEAD_BYTES);

        for rubbish in [vec![], text[..text.len() - 5].to_vec(), vec![1, 2, 3, 4, 5, 6]] {
            for kind in [MessageKind::Text, MessageKind::Bytes] {
                let body = compressed(kind, rubbish.clone());
                let Body::Unreadable { kind, raw } = body else { panic!("{body:?}") };
                assert!(kind.starts_with("compressed "));
                assert_eq!(raw.0, rubbish);
            }
        }
    }

    #[test]
    fn properties_are_text_and_bounded() {
        let many = vec![("name".to_owned(), Value::Text("x".repeat(1000))); 100];
        let kept = properties(&many);
        assert_eq!(kept.len(), PROPERTY_BYTES / 1004);
        let id = ("recordId".to_owned(), Value::Text("r".to_owned()));
        let kept = properties(&[&many[..], &[id]].concat());
        assert_eq!(kept[0], ("recordId".to_owned(), "r".to_owned()), "whatever else there is");
        let map = vec![("n".to_owned(), Value::Int(7)), ("l".to_owned(), Value::List(vec![]))];
        let expected = [("n", "7"), ("l", "(list of 0)")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(properties(&map), expected);
    }
}
