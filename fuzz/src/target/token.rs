//! `rm::token`: bytes of strangers open nothing, and what was sealed opens.

use rm::token::{Keys, Token};

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (user, call_id) = text.split_once('\n').unwrap_or((&text, "c"));
    let _ = Keys::parse(&text);
    let Some(keys) = Keys::new(&[(1, [7; 32]), (2, [9; 32])]) else { return };
    if let Ok(token) = Token::open(user, &keys, call_id) {
        let sealed = token.seal(&keys, call_id);
        assert_eq!(Token::open(sealed.as_str(), &keys, call_id).ok(), Some(token));
        assert!(Token::open(sealed.as_str(), &keys, "of another call").is_err());
    }
}
