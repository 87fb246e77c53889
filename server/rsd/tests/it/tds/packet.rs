//! Packets: a header of 8 bytes, and messages of one or more of them (MS-TDS 2.2.3).

use std::io::{self, Read, Write};

pub(super) const BATCH: u8 = 1;
pub(super) const RPC: u8 = 3;
pub(super) const REPLY: u8 = 4;
pub(super) const ATTENTION: u8 = 6;
pub(super) const BULK: u8 = 7;
pub(super) const TRANSACTION: u8 = 14;
pub(super) const LOGIN: u8 = 16;
pub(super) const PRELOGIN: u8 = 18;

const HEADER: usize = 8;
const END_OF_MESSAGE: u8 = 1;

/// A message, put together from its packets.
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) bytes: Vec<u8>,
}

/// Reads a whole message; `None`: the far end has closed between two.
pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<Message>> {
    let mut bytes = Vec::new();
    loop {
        let mut header = [0; HEADER];
        let first = stream.read(&mut header)?;
        if first == 0 {
            let torn = || io::Error::new(io::ErrorKind::UnexpectedEof, "a torn message");
            return if bytes.is_empty() { Ok(None) } else { Err(torn()) };
        }
        stream.read_exact(&mut header[first..])?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let body = length.checked_sub(HEADER).expect("a packet is as long as its header");
        let start = bytes.len();
        bytes.resize(start + body, 0);
        stream.read_exact(&mut bytes[start..])?;
        if header[1] & END_OF_MESSAGE != 0 {
            return Ok(Some(Message { kind: header[0], bytes }));
        }
    }
}

/// Writes a message in packets of at most `size` bytes behind the header; an empty message is one.
pub(super) fn write(
    stream: &mut impl Write,
    kind: u8,
    bytes: &[u8],
    size: usize,
) -> io::Result<()> {
    let mut chunks = bytes.chunks(size).peekable();
    let mut id = 0_u8;
    loop {
        let chunk = chunks.next().unwrap_or_default();
        let last = chunks.peek().is_none();
        id = id.wrapping_add(1);
        stream.write_all(&packet(kind, u8::from(last), id, chunk))?;
        stream.flush()?;
        if last {
            return Ok(());
        }
    }
}

/// Writes packets of a reply whose last is still to come.
pub(super) fn begin(stream: &mut impl Write, bytes: &[u8], size: usize) -> io::Result<()> {
    for chunk in bytes.chunks(size) {
        stream.write_all(&packet(REPLY, 0, 1, chunk))?;
    }
    stream.flush()
}

fn packet(kind: u8, status: u8, id: u8, chunk: &[u8]) -> Vec<u8> {
    let length = u16::try_from(chunk.len() + HEADER).expect("a packet's length has 16 bits");
    let [high, low] = length.to_be_bytes();
    [&[kind, status, high, low, 0, 51, id, 0], chunk].concat()
}
