//! The test vector of rm.md §1.4, and what must not open.

use super::{Keys, Token, TokenError, tag_hash};
use model::config::Service;
use model::id::{Dbid, Epoch, Guid, LegId, NodeId};
use model::time::Millis;

const CALL_ID: &str = "a84b4c76e66710@10.1.1.5";
const USER: &str = concat!(
    "rm-AQEBk_KgfFt9PppEEdLDtKWWAEEAAQABAAEAAABmAAAAzQAAATYBm3baqAAAAAAqAQ",
    "DX08fR18frGV9XrsG8DOVihDsoJA"
);

fn secret() -> [u8; 32] {
    core::array::from_fn(|i| u8::try_from(i).unwrap())
}

fn vector() -> Token {
    Token {
        guid: Guid::parse("0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596").unwrap(),
        leg: LegId(0x0041_0001),
        node: NodeId(1),
        epoch: Epoch(1),
        tenant: Dbid(102),
        profile: Dbid(205),
        resource: Dbid(310),
        start: Millis(1_767_225_600_000),
        revision: 42,
        service: Service::Voicexml,
        flags: 0,
        from_hash: tag_hash("1928301774"),
    }
}

#[test]
fn the_vector_of_the_specification() {
    let keys = Keys::new(&[(1, secret())]).unwrap();
    assert_eq!(vector().seal(&keys, CALL_ID).as_str(), USER);
    assert_eq!(Token::open(USER, &keys, CALL_ID), Ok(vector()));
    assert!(vector().from_caller("1928301774"));
    assert!(!vector().from_caller("9f1c"));
}

#[test]
fn every_changed_bit_is_noticed() {
    let keys = Keys::new(&[(1, secret())]).unwrap();
    let mut bytes: [u8; 70] = super::base64url::decode(&USER[3..]).unwrap();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut text = [0; 94];
        super::base64url::encode(&bytes, &mut text);
        let user = format!("rm-{}", std::str::from_utf8(&text).unwrap());
        assert!(Token::open(&user, &keys, CALL_ID).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_token_belongs_to_its_call_id() {
    let keys = Keys::new(&[(1, secret())]).unwrap();
    assert_eq!(Token::open(USER, &keys, "other@10.1.1.5"), Err(TokenError::Mac));
}

#[test]
fn keys_rotate_without_a_failure() {
    let new = [7_u8; 32];
    let appended = Keys::new(&[(1, secret()), (2, new)]).unwrap();
    let moved = Keys::new(&[(2, new), (1, secret())]).unwrap();
    let removed = Keys::new(&[(2, new)]).unwrap();
    let old = vector().seal(&appended, CALL_ID);
    assert_eq!(old.as_str(), USER);
    assert!(Token::open(old.as_str(), &moved, CALL_ID).is_ok());
    assert_eq!(Token::open(old.as_str(), &removed, CALL_ID), Err(TokenError::Unknown));
    let new = vector().seal(&moved, CALL_ID);
    assert!(Token::open(new.as_str(), &removed, CALL_ID).is_ok());
}

#[test]
fn key_files() {
    let digits = "00".repeat(32);
    assert!(Keys::parse(&format!("# ring\n\n1 {digits}\n2 {digits} # old\n")).is_some());
    for wrong in [
        String::new(),
        format!("0 {digits}"),
        format!("1 {digits}\n1 {digits}"),
        "1 00".to_owned(),
        format!("x {digits}"),
    ] {
        assert!(Keys::parse(&wrong).is_none(), "{wrong}");
    }
}

#[test]
fn garbage_never_opens() {
    let keys = Keys::new(&[(1, secret())]).unwrap();
    for user in ["", "rm-", "rm-0", "rm-AAAA", "bob", &USER[..96], "rm-\u{e4}"] {
        assert_eq!(Token::open(user, &keys, CALL_ID), Err(TokenError::Shape), "{user}");
    }
}
