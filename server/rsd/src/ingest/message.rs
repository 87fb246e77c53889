//! From a message of the protocol to a message of the spool: bodies inflated and bounded,
//! properties as text. What cannot be a record is kept for the dead letters, cut.

use std::io::Read;

use flate2::read::ZlibDecoder;
use openwire::{Inbound, MessageKind, Value, inflated_len, text, zlib_stream};

use super::limits::{BODY_BYTES, DEAD_BYTES, ID_BYTES, PROPERTY_BYTES};
use crate::entry::{Body, Message, Raw};

/// The spool's form of it.
pub(super) fn message(inbound: Inbound) -> Message {
    let fallback_id = inbound.record_id.or(inbound.correlation_id);
    Message {
        queue: inbound.queue,
        message_id: Some(cut(&inbound.message_id)),
        fallback_id: fallback_id.as_deref().map(cut),
        properties: properties(&inbound.properties),
        body: body(inbound.body),
    }
}

fn cut(id: &str) -> String {
    text::prefix(id, ID_BYTES).to_owned()
}

fn body(body: openwire::Body) -> Body {
    match body {
        openwire::Body::Text(text) if text.len() > BODY_BYTES => {
            Body::TooLarge(head(text.into_bytes()))
        }
        openwire::Body::Text(text) => Body::Text(text),
        openwire::Body::Bytes(bytes) if bytes.len() > BODY_BYTES => Body::TooLarge(head(bytes)),
        openwire::Body::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Body::Text(text),
            Err(error) => Body::NotUtf8(head(error.into_bytes())),
        },
        openwire::Body::Compressed { kind, raw } => inflated(kind, raw),
        openwire::Body::Unreadable { kind, raw } => {
            Body::Unreadable { kind: kind.to_owned(), raw: head(raw) }
        }
    }
}

/// Inflates at most what a record may have: a bomb costs no more than that.
fn inflated(kind: MessageKind, raw: Vec<u8>) -> Body {
    // a text has four bytes of length in front, and its characters up to half as many again
    let limit = BODY_BYTES + BODY_BYTES / 2 + 4;
    let mut content = Vec::new();
    let stream = zlib_stream(kind, &raw).unwrap_or_default();
    let room = u64::try_from(limit + 1).unwrap_or(u64::MAX);
    match ZlibDecoder::new(stream).take(room).read_to_end(&mut content) {
        Ok(_) if content.len() > limit => Body::TooLarge(head(content)),
        Ok(_) => {
            content.truncate(inflated_len(kind, &raw).unwrap_or(limit));
            body(openwire::Body::from_content(kind, Some(&content)))
        }
        Err(_) => {
            Body::Unreadable { kind: format!("compressed {}", kind.as_str()), raw: head(raw) }
        }
    }
}

fn head(mut bytes: Vec<u8>) -> Raw {
    bytes.truncate(DEAD_BYTES);
    bytes.shrink_to_fit();
    Raw(bytes)
}

fn properties(properties: &openwire::Map) -> Vec<(String, String)> {
    let mut room = PROPERTY_BYTES;
    let mut kept = Vec::new();
    for (name, value) in properties {
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
mod tests {
    use std::io::Write;

    use super::*;

    fn deflated(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn compressed(kind: MessageKind, raw: Vec<u8>) -> Body {
        body(openwire::Body::Compressed { kind, raw })
    }

    #[test]
    fn bodies() {
        let large = vec![b' '; BODY_BYTES + 1];
        let cut = Body::TooLarge(Raw(vec![b' '; DEAD_BYTES]));
        assert_eq!(body(openwire::Body::Bytes(b"{}".to_vec())), Body::Text("{}".to_owned()));
        assert_eq!(body(openwire::Body::Bytes(vec![0xff])), Body::NotUtf8(Raw(vec![0xff])));
        assert_eq!(body(openwire::Body::Bytes(large.clone())), cut);
        assert_eq!(body(openwire::Body::Text(String::from_utf8(large).unwrap())), cut);
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
        let map = vec![("n".to_owned(), Value::Int(7)), ("l".to_owned(), Value::List(vec![]))];
        let expected = [("n", "7"), ("l", "(list of 0)")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(properties(&map), expected);
    }
}
