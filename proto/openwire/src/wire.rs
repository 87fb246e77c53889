//! The loose encoding's primitives: bounded reading and plain writing, big-endian.
//!
//! Sits below every command. A length is checked against what is left of the frame before
//! anything is allocated; a read beyond the end is [`Malformed`], never a panic. Knows no command.

use crate::limits::MAX_ARRAY;
use crate::text;

/// The frame does not hold what its type says. The connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} of the frame")]
pub struct Malformed {
    /// What was expected or is wrong.
    pub what: &'static str,
    /// Offset in the frame, counted from its type byte.
    pub at: usize,
}

/// Reads one frame.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    version: i32,
}

impl<'a> Reader<'a> {
    /// A reader over one frame in the agreed wire version.
    #[must_use]
    pub fn new(bytes: &'a [u8], version: i32) -> Self {
        Self { bytes, at: 0, version }
    }

    /// True when the agreed version has the fields that came with `version`.
    #[must_use]
    pub fn since(&self, version: i32) -> bool {
        self.version >= version
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The error for what is wrong here.
    #[must_use]
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            return Err(self.malformed("a length beyond the end"));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let at = self.at;
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| Malformed { what: "a short field", at })
    }

    /// One byte.
    ///
    /// # Errors
    /// The frame ends before (so for every read below).
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A boolean: any byte but zero is true.
    ///
    /// # Errors
    /// The frame ends before.
    pub fn boolean(&mut self) -> Result<bool, Malformed> {
        Ok(self.byte()? != 0)
    }

    /// A 16-bit integer.
    ///
    /// # Errors
    /// The frame ends before.
    pub fn short(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    /// An unsigned 16-bit integer (lengths of strings, chars).
    ///
    /// # Errors
    /// The frame ends before.
    pub fn unsigned_short(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// A 32-bit integer.
    ///
    /// # Errors
    /// The frame ends before.
    pub fn int(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    /// A 64-bit integer.
    ///
    /// # Errors
    /// The frame ends before.
    pub fn long(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    /// A 32-bit length that is not negative and within what is left.
    ///
    /// # Errors
    /// It is negative or too large.
    pub fn length(&mut self) -> Result<usize, Malformed> {
        let at = self.at;
        let length = self.int()?;
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.left())
            .ok_or(Malformed { what: "a length out of range", at })
    }

    /// `uint16 length` and modified UTF-8, without presence flag.
    ///
    /// # Errors
    /// The frame ends before.
    pub fn short_text(&mut self) -> Result<String, Malformed> {
        let length = self.unsigned_short()?;
        Ok(text::decode(self.take(usize::from(length))?).into_owned())
    }

    /// A string field: presence flag, then text.
    ///
    /// # Errors
    /// The frame ends before.
    pub fn string(&mut self) -> Result<Option<String>, Malformed> {
        if self.boolean()? { self.short_text().map(Some) } else { Ok(None) }
    }

    /// A byte-array field: presence flag, `int32 length`, bytes.
    ///
    /// # Errors
    /// The length is negative or beyond the end.
    pub fn bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        if !self.boolean()? {
            return Ok(None);
        }
        let length = self.length()?;
        self.take(length).map(Some)
    }

    /// A nested object's type byte, or `None` when the object is absent.
    ///
    /// # Errors
    /// The frame ends before.
    pub fn nested(&mut self) -> Result<Option<u8>, Malformed> {
        if self.boolean()? { self.byte().map(Some) } else { Ok(None) }
    }

    /// Runs over an array of broker ids (`brokerPath` and its like), which say nothing here.
    ///
    /// # Errors
    /// It is too long or holds another type.
    pub fn skip_broker_ids(&mut self) -> Result<(), Malformed> {
        if !self.boolean()? {
            return Ok(());
        }
        let count = self.unsigned_short()?;
        if usize::from(count) > MAX_ARRAY {
            return Err(self.malformed("a broker path that is too long"));
        }
        for _ in 0..count {
            match self.nested()? {
                None => {}
                Some(kind::BROKER_ID) => drop(self.string()?),
                Some(_) => return Err(self.malformed("no broker id")),
            }
        }
        Ok(())
    }
}

/// Appends one frame's fields to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    version: i32,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out` in the agreed wire version.
    pub fn new(out: &'a mut Vec<u8>, version: i32) -> Self {
        Self { out, version }
    }

    /// True when the agreed version has the fields that came with `version`.
    #[must_use]
    pub fn since(&self, version: i32) -> bool {
        self.version >= version
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) {
        self.out.push(value);
    }

    /// A boolean as one byte.
    pub fn boolean(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    /// Booleans in a row.
    pub fn booleans(&mut self, values: &[bool]) {
        self.out.extend(values.iter().map(|value| u8::from(*value)));
    }

    /// A 16-bit integer.
    pub fn short(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// An unsigned 16-bit integer.
    pub fn unsigned_short(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// A 32-bit integer.
    pub fn int(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// A 64-bit integer.
    pub fn long(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// A length of something in memory; frames are bounded far below 2 GiB.
    pub fn length(&mut self, length: usize) {
        self.int(i32::try_from(length).unwrap_or(i32::MAX));
    }

    /// `uint16 length` and modified UTF-8; cut at 65,535 bytes, the most that the field can hold.
    pub fn short_text(&mut self, value: &str) {
        let value = text::prefix(value, usize::from(u16::MAX));
        let length = text::encoded_len(value);
        self.unsigned_short(u16::try_from(length).unwrap_or(u16::MAX));
        text::encode(value, self.out);
    }

    /// A string field.
    pub fn string(&mut self, value: Option<&str>) {
        self.boolean(value.is_some());
        if let Some(value) = value {
            self.short_text(value);
        }
    }

    /// A byte-array field.
    pub fn bytes(&mut self, value: Option<&[u8]>) {
        self.boolean(value.is_some());
        if let Some(value) = value {
            self.length(value.len());
            self.raw(value);
        }
    }

    /// An absent nested object, array or string.
    pub fn absent(&mut self) {
        self.byte(0);
    }

    /// A present nested object's flag and type.
    pub fn nested(&mut self, kind: u8) {
        self.raw(&[1, kind]);
    }
}

/// Type bytes of the wire (`spec/openwire.md` §3.4).
pub mod kind {
    #![expect(missing_docs, reason = "the names are those of the protocol's commands")]
    pub const NULL: u8 = 0;
    pub const WIRE_FORMAT_INFO: u8 = 1;
    pub const BROKER_INFO: u8 = 2;
    pub const CONNECTION_INFO: u8 = 3;
    pub const SESSION_INFO: u8 = 4;
    pub const CONSUMER_INFO: u8 = 5;
    pub const PRODUCER_INFO: u8 = 6;
    pub const TRANSACTION_INFO: u8 = 7;
    pub const DESTINATION_INFO: u8 = 8;
    pub const REMOVE_SUBSCRIPTION_INFO: u8 = 9;
    pub const KEEP_ALIVE_INFO: u8 = 10;
    pub const SHUTDOWN_INFO: u8 = 11;
    pub const REMOVE_INFO: u8 = 12;
    pub const CONTROL_COMMAND: u8 = 14;
    pub const FLUSH_COMMAND: u8 = 15;
    pub const CONNECTION_ERROR: u8 = 16;
    pub const CONSUMER_CONTROL: u8 = 17;
    pub const CONNECTION_CONTROL: u8 = 18;
    pub const PRODUCER_ACK: u8 = 19;
    pub const MESSAGE_PULL: u8 = 20;
    pub const MESSAGE_DISPATCH: u8 = 21;
    pub const MESSAGE_ACK: u8 = 22;
    pub const MESSAGE: u8 = 23;
    pub const BYTES_MESSAGE: u8 = 24;
    pub const MAP_MESSAGE: u8 = 25;
    pub const OBJECT_MESSAGE: u8 = 26;
    pub const STREAM_MESSAGE: u8 = 27;
    pub const TEXT_MESSAGE: u8 = 28;
    pub const BLOB_MESSAGE: u8 = 29;
    pub const RESPONSE: u8 = 30;
    pub const EXCEPTION_RESPONSE: u8 = 31;
    pub const DATA_RESPONSE: u8 = 32;
    pub const DATA_ARRAY_RESPONSE: u8 = 33;
    pub const INTEGER_RESPONSE: u8 = 34;
    pub const QUEUE: u8 = 100;
    pub const TOPIC: u8 = 101;
    pub const TEMP_QUEUE: u8 = 102;
    pub const TEMP_TOPIC: u8 = 103;
    pub const MESSAGE_ID: u8 = 110;
    pub const LOCAL_TRANSACTION_ID: u8 = 111;
    pub const XA_TRANSACTION_ID: u8 = 112;
    pub const CONNECTION_ID: u8 = 120;
    pub const SESSION_ID: u8 = 121;
    pub const CONSUMER_ID: u8 = 122;
    pub const PRODUCER_ID: u8 = 123;
    pub const BROKER_ID: u8 = 124;
}
