//! Primitive maps: the properties of a message and of a greeting.
//!
//! Bounded in depth ([`MAX_NESTING`]) and in number ([`MAX_VALUES`]); order is kept, keys may
//! repeat. Knows nothing of what the keys mean.

use crate::limits::{MAX_NESTING, MAX_VALUES};
use crate::text;
use crate::wire::{Malformed, Reader, Writer};

/// Java switches to the tag with a 32-bit length from this many characters on.
const BIG_STRING: usize = 8191;

/// One value of a primitive map.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Java `null`.
    Null,
    /// Tag 1.
    Bool(bool),
    /// Tag 2.
    Byte(i8),
    /// Tag 3, a UTF-16 unit.
    Char(u16),
    /// Tag 4.
    Short(i16),
    /// Tag 5.
    Int(i32),
    /// Tag 6.
    Long(i64),
    /// Tag 7.
    Double(f64),
    /// Tag 8.
    Float(f32),
    /// Tags 9 and 13.
    Text(String),
    /// Tag 10.
    Bytes(Vec<u8>),
    /// Tag 11.
    Map(Map),
    /// Tag 12.
    List(Vec<Self>),
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is an integer of any width.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Byte(value) => Some(i64::from(*value)),
            Self::Short(value) => Some(i64::from(*value)),
            Self::Int(value) => Some(i64::from(*value)),
            Self::Long(value) => Some(*value),
            _ => None,
        }
    }
}

/// Entries in the order of the wire.
pub type Map = Vec<(String, Value)>;

/// Bytes of memory that it takes: an entry of three bytes on the wire takes some twenty times that.
pub(crate) fn weight(map: &Map) -> usize {
    let entry = |(key, value): &(String, Value)| {
        size_of::<(String, Value)>() + heap(key.len()) + value_weight(value)
    };
    map.iter().map(entry).sum()
}

/// What a value has beside its place in the map or list.
fn value_weight(value: &Value) -> usize {
    match value {
        Value::Text(text) => heap(text.len()),
        Value::Bytes(bytes) => heap(bytes.len()),
        Value::Map(map) => weight(map),
        Value::List(list) => {
            list.iter().map(|value| size_of::<Value>() + value_weight(value)).sum()
        }
        Value::Null
        | Value::Bool(_)
        | Value::Byte(_)
        | Value::Char(_)
        | Value::Short(_)
        | Value::Int(_)
        | Value::Long(_)
        | Value::Double(_)
        | Value::Float(_) => 0,
    }
}

/// Bytes of an allocation, with the allocator's own.
const fn heap(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + 16 }
}

/// Reads a whole map; a null map (count −1) is an empty one.
///
/// # Errors
/// Unknown tag, nesting or number beyond the limits, or a length beyond the end.
pub fn read(reader: &mut Reader<'_>) -> Result<Map, Malformed> {
    let mut budget = MAX_VALUES;
    read_map(reader, 0, &mut budget)
}

fn read_map(reader: &mut Reader<'_>, depth: usize, budget: &mut usize) -> Result<Map, Malformed> {
    let count = reader.int()?;
    if count == -1 {
        return Ok(Map::new());
    }
    let count = spend(reader, count, budget, 3)?;
    let mut map = Map::with_capacity(count);
    for _ in 0..count {
        let key = reader.short_text()?;
        map.push((key, read_value(reader, depth, budget)?));
    }
    Ok(map)
}

/// Takes `count` values of at least `least` bytes each from the budget.
fn spend(
    reader: &Reader<'_>,
    count: i32,
    budget: &mut usize,
    least: usize,
) -> Result<usize, Malformed> {
    let count = usize::try_from(count).map_err(|_| reader.malformed("a negative count"))?;
    if count > reader.left() / least {
        return Err(reader.malformed("a count beyond the end"));
    }
    *budget =
        budget.checked_sub(count).ok_or_else(|| reader.malformed("too many values in a map"))?;
    Ok(count)
}

fn read_value(
    reader: &mut Reader<'_>,
    depth: usize,
    budget: &mut usize,
) -> Result<Value, Malformed> {
    Ok(match reader.byte()? {
        0 => Value::Null,
        1 => Value::Bool(reader.boolean()?),
        2 => Value::Byte(i8::from_be_bytes([reader.byte()?])),
        3 => Value::Char(reader.unsigned_short()?),
        4 => Value::Short(reader.short()?),
        5 => Value::Int(reader.int()?),
        6 => Value::Long(reader.long()?),
        7 => Value::Double(f64::from_bits(reader.long()?.cast_unsigned())),
        8 => Value::Float(f32::from_bits(reader.int()?.cast_unsigned())),
        9 => Value::Text(reader.short_text()?),
        10 => {
            let length = reader.length()?;
            Value::Bytes(reader.take(length)?.to_vec())
        }
        11 | 12 if depth >= MAX_NESTING => return Err(reader.malformed("nesting too deep")),
        11 => Value::Map(read_map(reader, depth + 1, budget)?),
        12 => {
            let count = reader.int()?;
            let count = spend(reader, count, budget, 1)?;
            let mut list = Vec::with_capacity(count);
            for _ in 0..count {
                list.push(read_value(reader, depth + 1, budget)?);
            }
            Value::List(list)
        }
        13 => {
            let length = reader.length()?;
            Value::Text(text::decode(reader.take(length)?).into_owned())
        }
        _ => return Err(reader.malformed("an unknown tag in a map")),
    })
}

/// Appends a map.
pub fn write<K: AsRef<str>>(entries: &[(K, Value)], writer: &mut Writer<'_>) {
    writer.length(entries.len());
    for (key, value) in entries {
        writer.short_text(key.as_ref());
        write_value(value, writer);
    }
}

fn write_value(value: &Value, writer: &mut Writer<'_>) {
    match value {
        Value::Null => writer.byte(0),
        Value::Bool(value) => writer.raw(&[1, u8::from(*value)]),
        Value::Byte(value) => writer.raw(&[2, value.cast_unsigned()]),
        Value::Char(value) => tagged(writer, 3, &value.to_be_bytes()),
        Value::Short(value) => tagged(writer, 4, &value.to_be_bytes()),
        Value::Int(value) => tagged(writer, 5, &value.to_be_bytes()),
        Value::Long(value) => tagged(writer, 6, &value.to_be_bytes()),
        Value::Double(value) => tagged(writer, 7, &value.to_be_bytes()),
        Value::Float(value) => tagged(writer, 8, &value.to_be_bytes()),
        Value::Text(value) if value.encode_utf16().count() < BIG_STRING => {
            writer.byte(9);
            writer.short_text(value);
        }
        Value::Text(value) => {
            let mut bytes = Vec::with_capacity(value.len());
            text::encode(value, &mut bytes);
            writer.byte(13);
            writer.length(bytes.len());
            writer.raw(&bytes);
        }
        Value::Bytes(value) => {
            writer.byte(10);
            writer.length(value.len());
            writer.raw(value);
        }
        Value::Map(value) => {
            writer.byte(11);
            write(value, writer);
        }
        Value::List(values) => {
            writer.byte(12);
            writer.length(values.len());
            for value in values {
                write_value(value, writer);
            }
        }
    }
}

fn tagged(writer: &mut Writer<'_>, tag: u8, bytes: &[u8]) {
    writer.byte(tag);
    writer.raw(bytes);
}

/// The first value of that key.
#[must_use]
pub fn get<'m>(map: &'m Map, key: &str) -> Option<&'m Value> {
    map.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(map: &Map) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(map, &mut Writer::new(&mut bytes, 12));
        bytes
    }

    #[test]
    fn every_tag_both_ways() {
        let map: Map = vec![
            ("null".into(), Value::Null),
            ("bool".into(), Value::Bool(true)),
            ("byte".into(), Value::Byte(-1)),
            ("char".into(), Value::Char(0x20AC)),
            ("short".into(), Value::Short(-2)),
            ("int".into(), Value::Int(77)),
            ("long".into(), Value::Long(i64::MIN)),
            ("double".into(), Value::Double(1.5)),
            ("float".into(), Value::Float(-0.25)),
            ("text".into(), Value::Text("+1555".into())),
            ("big".into(), Value::Text("x".repeat(70_000))),
            ("bytes".into(), Value::Bytes(vec![1, 2, 3])),
            ("list".into(), Value::List(vec![Value::Int(1), Value::List(vec![])])),
            ("map".into(), Value::Map(vec![("a".into(), Value::Null)])),
        ];
        let bytes = bytes_of(&map);
        let mut reader = Reader::new(&bytes, 12);
        assert_eq!(read(&mut reader), Ok(map));
        assert_eq!(reader.left(), 0);
    }

    #[test]
    fn the_captured_map() {
        let map: Map =
            vec![("secs".into(), Value::Int(77)), ("to".into(), Value::Text("+1555".into()))];
        let captured = b"\0\0\0\x02\0\x04secs\x05\0\0\0\x4d\0\x02to\x09\0\x05+1555";
        assert_eq!(bytes_of(&map), captured);
        assert_eq!(captured.len(), 0x1b);
    }

    #[test]
    fn limits_hold() {
        let mut deep = vec![];
        for _ in 0..=MAX_NESTING + 1 {
            deep.extend_from_slice(b"\0\0\0\x01\0\x01a\x0b");
        }
        deep.extend_from_slice(&[0; 4]);
        let error = read(&mut Reader::new(&deep, 12)).unwrap_err();
        assert_eq!(error.what, "nesting too deep");

        let mut many = b"\0\0\0\x01\0\x01a\x0c".to_vec();
        many.extend_from_slice(&100_000_i32.to_be_bytes());
        many.resize(many.len() + 100_000, 0);
        let error = read(&mut Reader::new(&many, 12)).unwrap_err();
        assert_eq!(error.what, "too many values in a map");

        for count in [i32::MAX, -2, i32::MIN] {
            assert!(read(&mut Reader::new(&count.to_be_bytes(), 12)).is_err(), "{count}");
        }
        assert_eq!(read(&mut Reader::new(&(-1_i32).to_be_bytes(), 12)), Ok(vec![]));
    }
}
