//! What a message holds, by its kind: only text and bytes can be records.
//!
//! A body that cannot be one is kept raw with its kind; it becomes a dead letter, never an error
//! of the protocol. Inflating is the shell's (it needs a bounded zlib): it takes
//! [`zlib_stream`], inflates, and calls [`Body::from_content`] with the result. Java objects stay
//! opaque and are never deserialised.

use crate::limits::MAX_SKIPPED;
use crate::text;
use crate::wire::{Reader, kind};

/// The kinds of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Without a body.
    Plain,
    /// Raw bytes.
    Bytes,
    /// A primitive map.
    Map,
    /// A serialised Java object.
    Object,
    /// Tagged primitives in a row.
    Stream,
    /// Text.
    Text,
    /// A reference to a file elsewhere.
    Blob,
}

impl MessageKind {
    pub(crate) const fn from_type(byte: u8) -> Option<Self> {
        Some(match byte {
            kind::MESSAGE => Self::Plain,
            kind::BYTES_MESSAGE => Self::Bytes,
            kind::MAP_MESSAGE => Self::Map,
            kind::OBJECT_MESSAGE => Self::Object,
            kind::STREAM_MESSAGE => Self::Stream,
            kind::TEXT_MESSAGE => Self::Text,
            kind::BLOB_MESSAGE => Self::Blob,
            _ => return None,
        })
    }

    pub(crate) const fn to_type(self) -> u8 {
        match self {
            Self::Plain => kind::MESSAGE,
            Self::Bytes => kind::BYTES_MESSAGE,
            Self::Map => kind::MAP_MESSAGE,
            Self::Object => kind::OBJECT_MESSAGE,
            Self::Stream => kind::STREAM_MESSAGE,
            Self::Text => kind::TEXT_MESSAGE,
            Self::Blob => kind::BLOB_MESSAGE,
        }
    }

    /// The word for it in texts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "message without body",
            Self::Bytes => "bytes message",
            Self::Map => "map message",
            Self::Object => "object message",
            Self::Stream => "stream message",
            Self::Text => "text message",
            Self::Blob => "blob message",
        }
    }
}

/// A message's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text message's text.
    Text(String),
    /// A bytes message's bytes.
    Bytes(Vec<u8>),
    /// Text or bytes, still compressed.
    Compressed {
        /// [`MessageKind::Text`] or [`MessageKind::Bytes`].
        kind: MessageKind,
        /// The content as it came.
        raw: Vec<u8>,
    },
    /// The first bytes of text or bytes that are too large.
    Cut(Vec<u8>),
    /// Nothing that could hold a record.
    Unreadable {
        /// The word for the message's kind.
        kind: &'static str,
        /// The content as it came.
        raw: Vec<u8>,
    },
}

impl Body {
    /// The body of an uncompressed (or inflated) content.
    #[must_use]
    pub fn from_content(kind: MessageKind, content: Option<&[u8]>) -> Self {
        let unreadable =
            || Self::Unreadable { kind: kind.as_str(), raw: content.unwrap_or_default().to_vec() };
        match (kind, content) {
            (MessageKind::Text, Some(content)) => {
                text_of(content).map_or_else(unreadable, Self::Text)
            }
            (MessageKind::Bytes, content) => Self::Bytes(content.unwrap_or_default().to_vec()),
            _ => unreadable(),
        }
    }

    /// The body of a message as it came.
    #[must_use]
    pub fn from_message(kind: MessageKind, compressed: bool, content: Option<&[u8]>) -> Self {
        match (kind, content) {
            (MessageKind::Text | MessageKind::Bytes, Some(content)) if compressed => {
                Self::Compressed { kind, raw: content.to_vec() }
            }
            _ => Self::from_content(kind, content),
        }
    }

    /// The body of a message that is too large, from the first bytes of its content.
    #[must_use]
    pub(crate) fn from_cut(kind: MessageKind, content: Option<&[u8]>) -> Self {
        let content = content.unwrap_or_default();
        // in front of a text stands its length, unless it is compressed: a zlib stream begins with
        // a greater number than any length that is run over
        let text = content.split_first_chunk::<4>().filter(|(length, _)| {
            let length = usize::try_from(u32::from_be_bytes(**length));
            kind == MessageKind::Text && length.is_ok_and(|length| length <= MAX_SKIPPED)
        });
        match kind {
            MessageKind::Text | MessageKind::Bytes => {
                Self::Cut(text.map_or(content, |(_, text)| text).to_vec())
            }
            _ => Self::Unreadable { kind: kind.as_str(), raw: content.to_vec() },
        }
    }

    /// Bytes that it holds in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(raw)
            | Self::Cut(raw)
            | Self::Compressed { raw, .. }
            | Self::Unreadable { raw, .. } => raw.len(),
        }
    }

    /// True when it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `int32 length` and that many bytes of text; `None` when the length does not fit.
fn text_of(content: &[u8]) -> Option<String> {
    let mut reader = Reader::new(content, 1);
    let length = reader.length().ok()?;
    let bytes = reader.take(length).ok()?;
    (reader.left() == 0).then(|| text::decode(bytes).into_owned())
}

/// The zlib stream (RFC 1950) of a compressed content: a bytes message has its inflated length in
/// front, the others have not. `None` when it is too short.
#[must_use]
pub fn zlib_stream(kind: MessageKind, raw: &[u8]) -> Option<&[u8]> {
    if kind == MessageKind::Bytes { raw.get(4..) } else { Some(raw) }
}

/// How long the inflated content of a bytes message is, as its sender says: behind it the Java
/// client compresses the unused end of its buffer as well. `None` for the other kinds.
#[must_use]
pub fn inflated_len(kind: MessageKind, raw: &[u8]) -> Option<usize> {
    let announced = raw.first_chunk::<4>().map(|length| u32::from_be_bytes(*length));
    announced.filter(|_| kind == MessageKind::Bytes).and_then(|length| length.try_into().ok())
}

/// Appends a text message's content.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    text::encode(text, out);
    let length = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_kind() {
        let text = b"\0\0\0\x09cdr-1 \xe2\x82\xac";
        assert_eq!(
            Body::from_content(MessageKind::Text, Some(text)),
            Body::Text("cdr-1 €".to_owned())
        );
        let mut written = Vec::new();
        write_text("cdr-1 €", &mut written);
        assert_eq!(written, text);
        assert_eq!(Body::from_content(MessageKind::Bytes, None), Body::Bytes(vec![]));
        for (kind, content) in [
            (MessageKind::Text, None),
            (MessageKind::Text, Some(&b"\0\0\0\x09short"[..])),
            (MessageKind::Text, Some(b"\xff\xff\xff\xffx")),
            (MessageKind::Text, Some(b"\0\0\0\x01ab")),
            (MessageKind::Plain, None),
            (MessageKind::Map, Some(b"\0\0\0\0")),
            (MessageKind::Object, Some(b"\xac\xed\0\x05")),
        ] {
            let raw = content.unwrap_or_default().to_vec();
            assert_eq!(
                Body::from_content(kind, content),
                Body::Unreadable { kind: kind.as_str(), raw }
            );
        }
    }

    #[test]
    fn compressed() {
        let body = Body::from_message(MessageKind::Bytes, true, Some(b"\0\0\0\x09zlib"));
        let Body::Compressed { kind, raw } = body else { panic!("{body:?}") };
        assert_eq!(zlib_stream(kind, &raw), Some(&b"zlib"[..]));
        assert_eq!(inflated_len(kind, &raw), Some(9));
        assert_eq!(inflated_len(MessageKind::Bytes, b"abc"), None);
        assert_eq!(inflated_len(MessageKind::Text, b"zlib"), None);
        assert_eq!(zlib_stream(MessageKind::Bytes, b"abc"), None);
        assert_eq!(zlib_stream(MessageKind::Text, b"zlib"), Some(&b"zlib"[..]));
        let map = Body::from_message(MessageKind::Map, true, Some(b"zlib"));
        assert!(matches!(map, Body::Unreadable { .. }));
    }
}
