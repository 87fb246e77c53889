//! The payload of RM's frames in the spool (rs.md §1.4: each user encodes its own).
//!
//! ```text
//! u32 big-endian   length of the record
//! record           UTF-8 JSON, the bytes that the broker gets; empty in `carried` frames and in
//!                  the `close` of a leg whose record another node writes
//! block            the packed leg (rm.md §2.1) of `open` and `carried` frames, else empty
//! ```

/// Bytes before the record.
const HEAD: usize = 4;

/// One payload; a record beyond 4 GiB cannot be and would be cut.
#[must_use]
pub fn encode(json: &[u8], block: &[u8]) -> Vec<u8> {
    let len = u32::try_from(json.len()).unwrap_or(u32::MAX);
    let mut payload = Vec::with_capacity(HEAD + json.len() + block.len());
    payload.extend_from_slice(&len.to_be_bytes());
    payload.extend_from_slice(json);
    payload.extend_from_slice(block);
    payload
}

/// Record and block of a payload; `None` when it is none of ours.
#[must_use]
pub fn decode(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = payload.split_first_chunk::<HEAD>()?;
    let len = usize::try_from(u32::from_be_bytes(*head)).ok()?;
    rest.split_at_checked(len)
}

/// The payload that carries an open leg forward when its record is acknowledged.
#[must_use]
pub fn carry(payload: &[u8]) -> Vec<u8> {
    encode(&[], decode(payload).map_or(&[], |(_, block)| block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_comes_back_and_a_carried_one_keeps_the_block() {
        let payload = encode(br#"{"id":"x"}"#, b"leg");
        assert_eq!(decode(&payload), Some((&br#"{"id":"x"}"#[..], &b"leg"[..])));
        assert_eq!(decode(&carry(&payload)), Some((&b""[..], &b"leg"[..])));
        assert_eq!(carry(&carry(&payload)), carry(&payload));
    }

    #[test]
    fn foreign_bytes_are_told_apart() {
        for payload in [&b""[..], b"\0\0\0", b"\0\0\0\x05abcd", b"\xff\xff\xff\xffx"] {
            assert_eq!(decode(payload), None, "{payload:?}");
        }
    }
}
