//! `config::source::sse` and `wire`: what a Config Server tells whoever watches it.

use config::source::sse::{Message, Parser};
use config::source::wire::{Heard, heard};
use model::config::Set;

/// Bytes of a message.
const LIMIT: usize = 2_000;

pub(super) fn run(data: &[u8]) {
    let whole = read(&[data]);
    let cut = data.first().map_or(0, |first| usize::from(*first) % data.len());
    let (front, back) = data.split_at(cut);
    assert_eq!(read(&[front, back]), whole, "the pieces do not matter");
    for message in &whole.0 {
        assert!(message.event.len() + message.data.len() <= LIMIT, "a message has its limit");
        if let Ok(Heard::Change(change)) = heard(message) {
            // valid upon nothing, or a list of problems
            if let Err(problems) = Set::default().change(change.puts, &change.deletes, &[]) {
                assert!(!problems.is_empty(), "a refusal says why");
            }
        }
    }
}

/// The messages, and whether one was too large.
fn read(pieces: &[&[u8]]) -> (Vec<Message>, bool) {
    let (mut parser, mut out) = (Parser::new(LIMIT), Vec::new());
    let mut fed = pieces.iter().map(|piece| parser.feed(piece, &mut out));
    let too_large = fed.any(|one| one.is_err());
    (out, too_large)
}
