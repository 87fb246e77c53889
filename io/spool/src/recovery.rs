//! What a start does: reads every segment, keeps what counts, copies damage to `quarantine/`, and
//! begins a new segment whose header pins down where the older ones end. Runs before any thread;
//! the judgement itself is in `scan`, without files.

pub(crate) mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use self::scan::{Area, Follower, Scan, scan};
use crate::catalog::OnDisk;
use crate::entry::{Frame, Key, Kind};
use crate::format::{Cursors, FRAMES_AT, Header, HeaderError};
use crate::fs::{File, FileSystem};
use crate::intake::cursor_of;
use crate::limits::QUARANTINE_FILES;
use crate::machine::Start;
use crate::machine::open::{OpenTable, Place};
use crate::machine::segments::{Segment, Segments};
use crate::spool::{Damage, OpenError, Recovered};

/// A file of the spool directory that holds no records.
pub(crate) struct Blank {
    pub(crate) name: String,
    pub(crate) file: Arc<dyn File>,
    pub(crate) bytes: u64,
}

/// All that a start found.
pub(crate) struct Found {
    pub(crate) start: Start,
    pub(crate) recovered: Recovered,
    pub(crate) cursors: Cursors,
    pub(crate) on_disk: Vec<OnDisk>,
    pub(crate) blanks: Vec<Blank>,
    /// File names go on above this.
    pub(crate) last_serial: u64,
}

/// The name of a segment's file. Names only tell files apart; the order is in the headers.
pub(crate) fn file_name(serial: u64) -> String {
    format!("{serial:016x}.seg")
}

fn serial_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(".seg")?, 16).ok()
}

/// Reads the directory.
pub(crate) fn recover(fs: &dyn FileSystem, dir: &Path, floor: u64) -> Result<Found, OpenError> {
    let mut names = fs.list(dir).map_err(OpenError::Io)?;
    names.retain(|name| serial_of(name).is_some());
    names.sort();
    let last_serial = names.iter().filter_map(|name| serial_of(name)).max().unwrap_or(0);
    let mut good = Vec::new();
    let mut blanks = Vec::new();
    let mut rotten = Vec::new();
    for name in names {
        let file = fs.open(&dir.join(&name)).map_err(OpenError::Io)?;
        let bytes = file.len().map_err(OpenError::Io)?;
        let head = read_whole(&*file, bytes.min(FRAMES_AT));
        match Header::read(&head) {
            Ok(header) => good.push((header, OnDisk::new(name, file, &header, bytes))),
            Err(HeaderError::Newer(version)) => {
                return Err(OpenError::Newer(format!("{name}: format version {version}")));
            }
            Err(HeaderError::Invalid) if bytes >= FRAMES_AT => {
                rotten.push(Blank { name, file, bytes });
            }
            // made ahead, or being made when the power went
            Err(HeaderError::Blank | HeaderError::Invalid) => {
                blanks.push(Blank { name, file, bytes });
            }
        }
    }
    good.sort_by_key(|(header, _)| header.number);
    let mut reading = Reading::new(fs, dir);
    let mut holding = Vec::new();
    for (index, (header, on_disk)) in good.iter().enumerate() {
        let later = good.get(index + 1..).unwrap_or_default();
        holding.push(reading.segment(header, on_disk, follower(later)));
    }
    // a header is one sector, so a crash leaves it whole or zero: anything else is damage
    for blank in rotten {
        if reading.damage(&blank.name, &*blank.file, blank.bytes, whole(blank.bytes)) {
            blanks.push(blank);
        }
    }
    let mut on_disk = Vec::new();
    for ((_, segment), holds) in good.into_iter().zip(holding) {
        if holds {
            on_disk.push(segment);
        } else {
            let OnDisk { name, file, bytes, .. } = segment;
            blanks.push(Blank { name, file, bytes });
        }
    }
    Ok(reading.finish(on_disk, blanks, last_serial, floor))
}

/// The lowest first sequence of the later segments cuts; what the next one calls the sequence
/// before it is due.
fn follower(later: &[(Header, OnDisk)]) -> Option<Follower> {
    let cut = later.iter().map(|(header, _)| header.first_seq).min()?;
    let due = later.first().map_or(0, |(header, _)| header.previous);
    Some(Follower { cut, due })
}

fn whole(bytes: u64) -> Area {
    Area { offset: 0, bytes: usize::try_from(bytes).unwrap_or(usize::MAX), lost: (0, 0) }
}

struct Reading<'a> {
    fs: &'a dyn FileSystem,
    dir: &'a Path,
    newest: BTreeMap<Key, Frame>,
    table: OpenTable,
    segments: Vec<Segment>,
    cursors: Cursors,
    damage: Vec<Damage>,
    copies: usize,
    last_seq: Option<u64>,
    last_number: u64,
}

impl<'a> Reading<'a> {
    fn new(fs: &'a dyn FileSystem, dir: &'a Path) -> Self {
        Self {
            fs,
            dir,
            newest: BTreeMap::new(),
            table: OpenTable::default(),
            segments: Vec::new(),
            cursors: Cursors::default(),
            damage: Vec::new(),
            copies: 0,
            last_seq: None,
            last_number: 0,
        }
    }

    /// False: nothing in it counts, so it may go as soon as the new segment stands.
    fn segment(&mut self, header: &Header, on_disk: &OnDisk, next: Option<Follower>) -> bool {
        let bytes = read_whole(&*on_disk.file, on_disk.bytes);
        if let Some(known) = self.last_seq.filter(|known| *known < header.previous) {
            let lost = (known + 1, header.previous);
            let area = Area { offset: 0, bytes: 0, lost };
            self.damage(&on_disk.name, &*on_disk.file, 0, area);
        }
        for (id, cursor) in header.cursors.iter().enumerate() {
            self.cursor(id, *cursor);
        }
        let Scan { frames, areas, last_seq, used } = scan(header, &bytes, next);
        self.last_seq = self.last_seq.max(Some(last_seq));
        self.last_number = self.last_number.max(header.number);
        if frames.is_empty() && areas.is_empty() {
            return false;
        }
        for (offset, raw) in frames {
            if raw.kind == Kind::Cursor
                && let Some((id, seq)) = cursor_of(raw.payload)
            {
                self.cursor(id, Some(seq));
            }
            let Some(key) = raw.key else { continue };
            let place = Place {
                segment: header.number,
                offset: offset as u64,
                bytes: raw.bytes as u64,
                fresh: raw.kind == Kind::Open,
            };
            self.table.apply(raw.kind, key, place);
            match raw.kind {
                Kind::Open | Kind::Carried => drop(self.newest.insert(key, raw.to_frame())),
                Kind::Close => drop(self.newest.remove(&key)),
                Kind::Data | Kind::Cursor => {}
            }
        }
        for area in areas {
            self.damage(&on_disk.name, &*on_disk.file, on_disk.bytes, area);
        }
        self.segments.push(Segment {
            number: header.number,
            seed: header.seed,
            first_seq: header.first_seq,
            last_seq,
            used: used as u64,
            bytes: on_disk.bytes.max(used as u64),
            open_bytes: 0,
            fresh_bytes: 0,
            unwritten: false,
        });
        true
    }

    fn cursor(&mut self, id: usize, seq: Option<u64>) {
        if let Some(cursor) = self.cursors.get_mut(id) {
            *cursor = (*cursor).max(seq);
        }
    }

    /// Copies the area and remembers it; true: copied. A copy that fails costs only the copy.
    fn damage(&mut self, name: &str, file: &dyn File, bytes: u64, area: Area) -> bool {
        let offset = area.offset as u64;
        let length = (area.bytes as u64).min(bytes.saturating_sub(offset));
        let copy = format!("{}-{offset:08x}.bin", name.trim_end_matches(".seg"));
        let copied = length > 0
            && self.copies < QUARANTINE_FILES
            && quarantine(self.fs, self.dir, &copy, file, offset, length).is_ok();
        self.copies += usize::from(copied);
        self.damage.push(Damage {
            file: name.to_owned(),
            offset,
            bytes: length,
            lost: area.lost,
            copy: copied.then_some(copy),
        });
        copied
    }

    fn finish(
        self,
        on_disk: Vec<OnDisk>,
        blanks: Vec<Blank>,
        last_serial: u64,
        floor: u64,
    ) -> Found {
        let mut segments = Segments::default();
        for segment in self.segments {
            segments.push(segment);
        }
        for place in self.table.places() {
            segments.opened(place);
        }
        segments.abandon();
        let mut open: Vec<Frame> = self.newest.into_values().collect();
        open.sort_by_key(|frame| frame.seq);
        let cursors = self.cursors.iter().zip(0_u8..);
        // with no segment at all nothing is missing below the floor
        let found_seq = self.last_seq.unwrap_or(floor);
        let recovered = Recovered {
            open,
            cursors: cursors.filter_map(|(seq, id)| Some((id, (*seq)?))).collect(),
            damage: self.damage,
            last_seq: self.last_seq.unwrap_or(0),
        };
        let start = Start {
            segments,
            open: self.table,
            last_number: self.last_number,
            found_seq,
            last_seq: found_seq.max(floor),
        };
        Found { start, recovered, cursors: self.cursors, on_disk, blanks, last_serial }
    }
}

/// Reads a file as far as the disk gives it; what it does not give is zeros, and so damage.
pub(crate) fn read_whole(file: &dyn File, bytes: u64) -> Vec<u8> {
    const PIECE: usize = 1 << 20;
    let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(0)];
    let mut at = 0;
    while at < buffer.len() {
        let end = buffer.len().min(at + PIECE);
        match file.read_at(&mut buffer[at..end], at as u64) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => at = end,
        }
    }
    buffer
}

fn quarantine(
    fs: &dyn FileSystem,
    dir: &Path,
    copy: &str,
    file: &dyn File,
    offset: u64,
    length: u64,
) -> io::Result<()> {
    let dir = dir.join("quarantine");
    fs.create_dir(&dir)?;
    if fs.list(&dir)?.iter().any(|name| name == copy) {
        return Ok(());
    }
    let to = fs.create(&dir.join(copy))?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    while at < length {
        let piece = usize::try_from(length - at).unwrap_or(usize::MAX).min(buffer.len());
        let read = file.read_at(&mut buffer[..piece], offset + at)?;
        if read == 0 {
            break;
        }
        to.write_all_at(&buffer[..read], at)?;
        at += read as u64;
    }
    to.sync_data()?;
    fs.sync_dir(&dir)
}
