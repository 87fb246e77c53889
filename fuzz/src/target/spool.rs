//! `spool`: whatever a disk did to a segment, a start reads only what was written, in order.
//!
//! The input says what is appended and which bytes are then changed behind the spool's back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use spool::fs::FileSystem;
use spool::fs::faulty::FaultyFs;
use spool::{Entry, Hooks, Key, Kind, OpenError, Recovered, Settings, Spool};

const DIR: &str = "/spool";
/// Entries of one input, at most.
const ENTRIES: usize = 40;

pub(super) fn run(data: &[u8]) {
    let (entries, damage) = read(data);
    let fs = FaultyFs::new(1);
    let Ok((spool, _)) = open(&fs) else { return };
    let mut taken = Vec::new();
    for chunk in entries.chunks(3) {
        if spool.append(chunk.to_vec(), true).is_ok() {
            taken.extend_from_slice(chunk);
        }
    }
    spool.close();
    harm(&fs, damage);
    // what cannot be trusted may be refused, but with an error
    let Ok((spool, recovered)) = open(&fs) else { return };
    check(&spool, &recovered, &taken);
    spool.close();
}

fn open(fs: &FaultyFs) -> Result<(Spool, Recovered), OpenError> {
    let hooks = Hooks {
        clock: Box::new(|| Duration::ZERO),
        on_durable: Box::new(|_| {}),
        on_sync: Box::new(|_| {}),
        carry: Box::new(<[u8]>::to_vec),
    };
    let settings = Settings { segment_bytes: 64 << 10, ..Settings::new(DIR.into(), 16 << 20, 5) };
    Spool::open(settings, Arc::new(fs.clone()), hooks)
}

/// `kind length bytes…` per entry up to a kind of 255; the rest is damage.
fn read(mut data: &[u8]) -> (Vec<Entry>, &[u8]) {
    let mut entries = Vec::new();
    while let [kind, length, rest @ ..] = data {
        if *kind == u8::MAX || entries.len() >= ENTRIES {
            return (entries, rest);
        }
        let (payload, after) = rest.split_at(rest.len().min(usize::from(*length)));
        data = after;
        let kind = [Kind::Data, Kind::Open, Kind::Close][usize::from(*kind % 3)];
        let key = (kind != Kind::Data).then(|| Key::new(&payload[..payload.len().min(2)]));
        // long enough to fill more than one segment
        let payload = payload.repeat(1 + usize::from(*length % 64));
        entries.push(Entry { kind, key: key.flatten(), payload, records: 1 });
    }
    (entries, &[])
}

/// `file offset offset byte`: that byte of that file is another one, or the file ends there.
fn harm(fs: &FaultyFs, damage: &[u8]) {
    let mut names = fs.list(Path::new(DIR)).unwrap_or_default();
    names.sort();
    for piece in damage.chunks_exact(4).filter(|_| !names.is_empty()) {
        let name = &names[usize::from(piece[0]) % names.len()];
        let at = usize::from(u16::from_be_bytes([piece[1], piece[2]]));
        fs.damage(&PathBuf::from(DIR).join(name), |bytes| match bytes.get_mut(at) {
            Some(_) if piece[3] == 0 => bytes.truncate(at),
            Some(byte) => *byte ^= piece[3],
            None => bytes.push(piece[3]),
        });
    }
}

fn check(spool: &Spool, recovered: &Recovered, taken: &[Entry]) {
    let known = |kind: Kind, payload: &[u8]| {
        kind == Kind::Carried || taken.iter().any(|entry| entry.payload == payload)
    };
    assert!(recovered.last_seq <= taken.len() as u64, "no sequence that nobody gave");
    for frame in &recovered.open {
        assert!(known(frame.kind, &frame.payload), "an open frame that nobody wrote");
    }
    let mut reader = spool.reader(0);
    let mut last = 0;
    while let Ok(frames) = reader.read(16, 1 << 20) {
        if frames.is_empty() {
            break;
        }
        for frame in frames {
            assert!(frame.seq > last, "sequences grow");
            assert!(known(frame.kind, &frame.payload), "a frame that nobody wrote");
            last = frame.seq;
        }
    }
}
