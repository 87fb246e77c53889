//! `sip::stream`: the same bytes in other pieces are the same messages. The first byte says in which
//! pieces; 0: byte by byte.

use model::chance::Chance;

use super::sound::frames;

pub(super) fn run(data: &[u8]) {
    let Some((cuts, mut stream)) = data.split_first() else { return };
    let whole = frames([stream]);
    let mut chance = Chance::new([u64::from(*cuts), 1, 2, 3]);
    let mut piece = || {
        let longest = if *cuts == 0 { 1 } else { 1 << chance.below(10) };
        usize::try_from(1 + chance.below(longest)).unwrap_or(1)
    };
    let pieces = std::iter::from_fn(|| {
        let (first, rest) = stream.split_at(piece().min(stream.len()));
        stream = rest;
        (!first.is_empty()).then_some(first)
    });
    assert_eq!(frames(pieces), whole, "pieces of {cuts}");
}
