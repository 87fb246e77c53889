//! `config::source::wire`: a snapshot of a Config Server, as it comes and as it is kept on disk.

use config::source::wire::{Lines, Whole};
use model::config::Set;

/// Bytes of a line.
const LINE: usize = 2_000;

pub(super) fn run(data: &[u8]) {
    let whole = read(&[data]);
    let cut = data.first().map_or(0, |first| usize::from(*first) % data.len());
    let (front, back) = data.split_at(cut);
    let pieces = read(&[front, back]);
    assert_eq!(whole.is_some(), pieces.is_some(), "the pieces do not matter");
    let (Some(whole), Some(pieces)) = (whole, pieces) else { return };
    assert_eq!((whole.revision, whole.digest), (pieces.revision, pieces.digest));
    assert_eq!(whole.objects.len(), pieces.objects.len());
    let revision = whole.revision;
    match Set::default().change(whole.objects, &[], &[]) {
        Ok(changed) => assert_eq!(changed.set.snapshot(revision).revision, revision),
        Err(problems) => assert!(!problems.is_empty(), "a refusal says why"),
    }
}

fn read(pieces: &[&[u8]]) -> Option<Whole> {
    let mut lines = Lines::default();
    for piece in pieces {
        lines.feed(piece, LINE).ok()?;
    }
    lines.finish().ok()
}
