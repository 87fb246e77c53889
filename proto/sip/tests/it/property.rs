//! Properties over damaged messages: nothing panics, nothing changes that nobody named.

use crate::sound::{frames, message};
use crate::torture;
use proptest::prelude::*;
use proptest::sample::Index;

/// One way to damage a message.
#[derive(Clone, Debug)]
enum Damage {
    Replace(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
}

/// What breaks messages at the joints of the grammar.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\"",
    b"<",
    b">",
    b";;",
    b"Via: ",
    b"l: 99999\r\n",
    b"To: <",
    b"%4",
    b"[::",
];

fn damage() -> impl Strategy<Value = Damage> {
    let telling = prop::sample::select(&b"\r\n \t:;,<>\"\\@?=%[]*\0\x7f\xff09aZ"[..]);
    let piece = prop::sample::select(PIECES);
    prop_oneof![
        4 => (any::<Index>(), telling).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        3 => (any::<Index>(), piece)
            .prop_map(|(at, piece)| Damage::Insert(at, piece.to_vec())),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 0..8))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        2 => (any::<Index>(), 1usize..40).prop_map(|(at, count)| Damage::Remove(at, count)),
        1 => any::<Index>().prop_map(Damage::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    match damage {
        Damage::Replace(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Damage::Insert(at, piece) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, piece.iter().copied());
        }
        Damage::Remove(at, count) => {
            let at = at.index(bytes.len());
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
    }
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(torture::corpus()), prop::collection::vec(damage(), 0..4)).prop_map(
        |(mut bytes, all)| {
            all.iter().for_each(|damage| apply(&mut bytes, damage));
            bytes
        },
    )
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn damaged_messages(bytes in damaged()) {
        message(&bytes);
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        message(&bytes);
    }

    #[test]
    fn streams_do_not_depend_on_pieces(bytes in damaged(), more in damaged(), size in 1usize..64) {
        let stream = [bytes, more].concat();
        prop_assert_eq!(frames(stream.chunks(size)), frames([&*stream]));
    }
}

#[test]
fn the_corpus_itself_is_mostly_good() {
    let good = torture::corpus().iter().filter(|bytes| message(bytes)).count();
    assert!(good > 35, "{good}");
}
