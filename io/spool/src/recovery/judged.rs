//! What one segment says by itself. Those of a large spool are judged side by side, because a start
//! must not take a second (`spec/rs.md` §13, P7); they are put together in their order afterwards.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::read_into;
use super::scan::{Area, Follower, Scan, scan};
use crate::catalog::OnDisk;
use crate::entry::{Frame, Key, Kind};
use crate::format::{Cursors, Header};
use crate::intake::cursor_of;
use crate::limits::{SCAN_ALONE, SCANNERS};
use crate::machine::open::Place;

/// What counts of one segment.
#[derive(Default)]
pub(crate) struct Judged {
    /// Of each key the last frame: what it did, where it lies, and itself if the key is open.
    pub(crate) keyed: Vec<(Key, Kind, Place, Option<Frame>)>,
    pub(crate) cursors: Cursors,
    pub(crate) areas: Vec<Area>,
    /// Last sequence it accounts for, lost ones included.
    pub(crate) last_seq: u64,
    /// End of its frames.
    pub(crate) used: usize,
    /// Neither a frame nor damage.
    pub(crate) is_empty: bool,
}

/// Judges all segments, in the order of their numbers.
pub(crate) fn judge_all(good: &[(Header, OnDisk)]) -> Vec<Judged> {
    let bytes: u64 = good.iter().map(|(_, segment)| segment.bytes).sum();
    let side_by_side = thread::available_parallelism().map_or(1, NonZero::get).min(SCANNERS);
    let helpers = if bytes > SCAN_ALONE { side_by_side - 1 } else { 0 };
    let taken = AtomicUsize::new(0);
    let work = || {
        let (mut buffer, mut done) = (Vec::new(), Vec::new());
        loop {
            let index = taken.fetch_add(1, Ordering::Relaxed);
            let Some((header, segment)) = good.get(index) else { return done };
            let later = good.get(index + 1..).unwrap_or_default();
            read_into(&mut buffer, &*segment.file, segment.bytes);
            done.push((index, judge(header, &buffer, follower(later))));
        }
    };
    let mut all = thread::scope(|scope| {
        let spawn =
            |_| thread::Builder::new().name("spool-read".to_owned()).spawn_scoped(scope, work);
        // whoever cannot be had leaves more to the others
        let helpers: Vec<_> = (0..helpers).filter_map(|n| spawn(n).ok()).collect();
        let mut all = work();
        for helper in helpers {
            all.extend(helper.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        }
        all
    });
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, judged)| judged).collect()
}

/// The lowest first sequence of the later segments cuts; what the next one calls the sequence
/// before it is due.
fn follower(later: &[(Header, OnDisk)]) -> Option<Follower> {
    let cut = later.iter().map(|(header, _)| header.first_seq).min()?;
    let due = later.first().map_or(0, |(header, _)| header.previous);
    Some(Follower { cut, due })
}

fn judge(header: &Header, bytes: &[u8], next: Option<Follower>) -> Judged {
    let Scan { frames, areas, last_seq, used } = scan(header, bytes, next);
    let is_empty = frames.is_empty() && areas.is_empty();
    let mut cursors = header.cursors;
    let mut last = BTreeMap::new();
    for (offset, raw) in &frames {
        if raw.kind == Kind::Cursor
            && let Some((id, seq)) = cursor_of(raw.payload)
            && let Some(cursor) = cursors.get_mut(id)
        {
            *cursor = (*cursor).max(Some(seq));
        }
        let acts = matches!(raw.kind, Kind::Open | Kind::Carried | Kind::Close);
        if let Some(key) = raw.key.filter(|_| acts) {
            last.insert(key, (*offset, raw));
        }
    }
    let keyed = last.into_iter().map(|(key, (offset, raw))| {
        let (segment, offset, bytes) = (header.number, offset as u64, raw.bytes as u64);
        let place = Place { segment, offset, bytes, fresh: raw.kind == Kind::Open };
        let frame = (raw.kind != Kind::Close).then(|| raw.to_frame());
        (key, raw.kind, place, frame)
    });
    Judged { keyed: keyed.collect(), cursors, areas, last_seq, used, is_empty }
}
