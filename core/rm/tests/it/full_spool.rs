//! What is kept while the spool takes nothing: testdata/spool.txt (rm.md §9.6).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rm::journal::{Change, Frame, Full, Journal, Shelf};
use rm::limits::SPOOL_RETRY;
use rm::{Event, FrameKind, Stream, frame};

/// A spool that is full until it is told otherwise.
#[derive(Clone, Default)]
struct Shelved(Rc<RefCell<Kept>>);

#[derive(Default)]
struct Kept {
    has_space: bool,
    letters: String,
    made: usize,
    lost: usize,
}

impl Shelf for Shelved {
    fn append(&mut self, frames: Vec<Frame>, _: bool) -> Result<u64, Full> {
        let mut kept = self.0.borrow_mut();
        if !kept.has_space {
            return Err(Full::Disk);
        }
        for one in frames {
            let (json, _) = frame::decode(&one.payload).unwrap();
            // what has no record has no bytes
            kept.letters.push(json.first().map_or('F', |letter| char::from(*letter)));
        }
        Ok(1)
    }

    fn made(&mut self, _: Stream) {
        self.0.borrow_mut().made += 1;
    }

    fn lost(&mut self, _: Stream) {
        self.0.borrow_mut().lost += 1;
    }
}

fn event(no: u64, letter: char) -> Event {
    let key = [7; 22];
    let (stream, frame) = match letter {
        'V' => (Stream::Event, FrameKind::Data),
        'Q' => (Stream::Sq, FrameKind::Data),
        'O' => (Stream::Or, FrameKind::Data),
        'U' | 'A' => (Stream::Cdr, FrameKind::Data),
        'S' => (Stream::Cdr, FrameKind::Open),
        'E' => (Stream::Cdr, FrameKind::Close),
        'F' => return Event::Forget { key },
        other => unreachable!("{other}"),
    };
    let end = matches!(letter, 'E' | 'A');
    Event::Record { no, stream, frame, key, json: BYTES, block: 0, urgent: false, end }
}

/// Size of a record: what a frame has besides is little.
const BYTES: usize = 10_000;

/// What is on disk in the end; `room` as the head of the table says.
fn kept(room: usize, made: &str) -> String {
    let shelf = Shelved::default();
    let most = room * BYTES + BYTES / 2;
    let mut journal = Journal::with_backlog(shelf.clone(), most);
    let mut now = Duration::ZERO;
    for (no, letter) in (1..).zip(made.chars()) {
        let bytes = vec![letter as u8; if letter == 'F' { 0 } else { BYTES }];
        assert_eq!(journal.take(event(no, letter), &bytes), None);
        let change = journal.commit(now);
        assert_eq!(change, if no == 1 { Change::Refuses(Full::Disk) } else { Change::None });
        now += SPOOL_RETRY;
    }
    shelf.0.borrow_mut().has_space = true;
    assert_eq!(journal.commit(now), Change::Takes);
    let records = |letters: &str| letters.chars().filter(|letter| *letter != 'F').count();
    let found = shelf.0.borrow();
    assert_eq!((found.made, found.lost), (records(made), records(made) - records(&found.letters)));
    found.letters.clone()
}

#[test]
fn the_table() {
    let rows = include_str!("testdata/spool.txt").lines();
    let rows = rows.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut wrong = Vec::new();
    let mut played = 0;
    for row in rows {
        let [room, made, expected] = row.split_whitespace().collect::<Vec<_>>()[..] else {
            unreachable!("{row}");
        };
        let found = kept(room.parse().unwrap(), made);
        if found != expected {
            wrong.push(format!("{row}: {found}"));
        }
        played += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(played >= 14, "{played}");
}
