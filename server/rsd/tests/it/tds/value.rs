//! Types and values on the wire (MS-TDS 2.2.5.4 and 2.2.5.5), as far as the store uses them.

use super::reader::{Reader, to_utf16, utf16};

const MAX: u16 = 0xFFFF;
const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];

/// A type with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// An integer of 1, 2, 4 or 8 bytes that may be null.
    Int(u8),
    /// One that may not: another type on the wire.
    Whole(u8),
    /// A null of which no more is said.
    Null,
    /// `bit`.
    Bit,
    /// `nvarchar` of so many bytes; 0xFFFF: `max`.
    Text(u16),
    /// `varbinary`, the same.
    Bytes(u16),
    /// `binary`.
    Binary(u16),
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Type,
}

impl Column {
    pub(crate) fn new(name: &str, kind: Type) -> Self {
        Self { name: name.to_owned(), kind }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Type {
    /// `nvarchar(max)`.
    pub(crate) const TEXT: Self = Self::Text(MAX);
    /// `varbinary(max)`.
    pub(crate) const BYTES: Self = Self::Bytes(MAX);

    /// `TYPE_INFO`.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Int(size) => out.extend([0x26, size]),
            Self::Whole(1) => out.push(0x30),
            Self::Whole(2) => out.push(0x34),
            Self::Whole(4) => out.push(0x38),
            Self::Whole(_) => out.push(0x7F),
            Self::Null => out.push(0x1F),
            Self::Bit => out.extend([0x68, 1]),
            Self::Text(size) => {
                out.push(0xE7);
                out.extend(size.to_le_bytes());
                out.extend(COLLATION);
            }
            Self::Bytes(size) => {
                out.push(0xA5);
                out.extend(size.to_le_bytes());
            }
            Self::Binary(size) => {
                out.push(0xAD);
                out.extend(size.to_le_bytes());
            }
        }
    }

    pub(super) fn decode(from: &mut Reader<'_>) -> Self {
        let size = |from: &mut Reader<'_>| u16::try_from(from.number(2)).expect("16 bits");
        match from.number(1) {
            0x1F => Self::Null,
            0x26 => Self::Int(from.take(1)[0]),
            0x30 => Self::Whole(1),
            0x34 => Self::Whole(2),
            0x38 => Self::Whole(4),
            0x7F => Self::Whole(8),
            0x68 => {
                from.take(1);
                Self::Bit
            }
            0xE7 => {
                let text = Self::Text(size(from));
                from.take(COLLATION.len());
                text
            }
            0xA5 => Self::Bytes(size(from)),
            0xAD => Self::Binary(size(from)),
            other => panic!("a type that the endpoint does not know: {other:#04X}"),
        }
    }

    /// `TYPE_VARBYTE`.
    pub(super) fn put(self, value: &Value, out: &mut Vec<u8>) {
        match (self, value) {
            (Self::Null, Value::Null) => {}
            (Self::Int(_) | Self::Bit, Value::Null) => out.push(0),
            (Self::Int(size), Value::Int(number)) => {
                out.push(size);
                out.extend(&number.to_le_bytes()[..usize::from(size)]);
            }
            (Self::Whole(size), Value::Int(number)) => {
                out.extend(&number.to_le_bytes()[..usize::from(size)]);
            }
            (Self::Bit, Value::Int(number)) => out.extend([1, u8::from(*number != 0)]),
            (Self::Text(size), Value::Text(text)) => put_long(size, Some(&to_utf16(text)), out),
            (Self::Bytes(size) | Self::Binary(size), Value::Bytes(bytes)) => {
                put_long(size, Some(bytes), out);
            }
            (Self::Text(size) | Self::Bytes(size) | Self::Binary(size), Value::Null) => {
                put_long(size, None, out);
            }
            (kind, value) => panic!("{value:?} is no {kind:?}"),
        }
    }

    pub(super) fn get(self, from: &mut Reader<'_>) -> Value {
        match self {
            Self::Int(_) | Self::Bit => match from.size(1) {
                0 => Value::Null,
                size => whole(from, size),
            },
            Self::Null => Value::Null,
            Self::Whole(size) => whole(from, usize::from(size)),
            Self::Text(size) => {
                get_long(size, from).map_or(Value::Null, |bytes| Value::Text(utf16(&bytes)))
            }
            Self::Bytes(size) | Self::Binary(size) => {
                get_long(size, from).map_or(Value::Null, Value::Bytes)
            }
        }
    }
}

/// An integer; one of a single byte has no sign.
fn whole(from: &mut Reader<'_>, size: usize) -> Value {
    let number = from.number(size).cast_signed();
    let unused = if size == 1 { 0 } else { 64 - 8 * size };
    Value::Int(number << unused >> unused)
}

/// Bytes with their length: 16 bits, or in parts where the type is `max`.
fn put_long(size: u16, bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    match (size, bytes) {
        (MAX, None) => out.extend(u64::MAX.to_le_bytes()),
        (MAX, Some(bytes)) => {
            out.extend((bytes.len() as u64).to_le_bytes());
            // two parts, so that a reader has to join them
            for part in bytes.chunks(bytes.len().div_ceil(2).max(1)) {
                out.extend(u32::try_from(part.len()).expect("32 bits").to_le_bytes());
                out.extend(part);
            }
            out.extend([0; 4]);
        }
        (_, None) => out.extend(MAX.to_le_bytes()),
        (_, Some(bytes)) => {
            out.extend(u16::try_from(bytes.len()).expect("16 bits").to_le_bytes());
            out.extend(bytes);
        }
    }
}

fn get_long(size: u16, from: &mut Reader<'_>) -> Option<Vec<u8>> {
    if size != MAX {
        let length = from.size(2);
        return (length != usize::from(MAX)).then(|| from.take(length).to_vec());
    }
    if from.number(8) == u64::MAX {
        return None;
    }
    let mut bytes = Vec::new();
    loop {
        let part = from.size(4);
        if part == 0 {
            return Some(bytes);
        }
        bytes.extend(from.take(part));
    }
}
