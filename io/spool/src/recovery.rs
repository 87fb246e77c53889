//! What a start does: reads every segment, keeps what counts, copies damage to `quarantine/`, and
//! begins a new segment whose header pins down where the older ones end. Runs before the spool has
//! threads; the judgement itself is in `scan`, without files.

mod judged;
pub(crate) mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use self::judged::{Judged, judge_all};
use crate::catalog::OnDisk;
use crate::damage::{Unreadable, Ward};
use crate::entry::{Frame, Key};
use crate::format::{Cursors, FRAMES_AT, HEADER_BYTES, Header, HeaderError};
use crate::fs::{File, FileSystem};
use crate::machine::Start;
use crate::machine::open::OpenTable;
use crate::machine::segments::{Segment, Segments};
use crate::spool::{OpenError, Recovered};

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
pub(crate) fn recover(
    fs: &dyn FileSystem,
    dir: &Path,
    floor: u64,
    ward: &Ward,
) -> Result<Found, OpenError> {
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
            Ok(header) => {
                let segment = OnDisk::new(name, file, &header, bytes);
                heal(ward, &segment, &header, &head);
                good.push((header, segment));
            }
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
    let mut reading = Reading::new(ward);
    let judged = judge_all(&good).into_iter();
    let each = good.iter().zip(judged);
    let holding: Vec<Option<u64>> =
        each.map(|((header, on_disk), judged)| reading.segment(header, on_disk, judged)).collect();
    // a header is one sector, so a crash leaves it whole or zero: anything else is damage
    for blank in rotten {
        let Blank { name, file, bytes } = &blank;
        if reading.damage(&Unreadable::whole(name, &**file, *bytes)) {
            blanks.push(blank);
        }
    }
    let mut on_disk = Vec::new();
    for ((_, mut segment), holds) in good.into_iter().zip(holding) {
        if let Some(last_seq) = holds {
            segment.last_seq = last_seq;
            on_disk.push(segment);
        } else {
            let OnDisk { name, file, bytes, .. } = segment;
            blanks.push(Blank { name, file, bytes });
        }
    }
    Ok(reading.finish(on_disk, blanks, last_serial, floor))
}

/// Has a damaged copy of a header told, and writes it again from the good one.
fn heal(ward: &Ward, segment: &OnDisk, header: &Header, head: &[u8]) {
    let Some(at) = Header::bad_copy(head) else { return };
    let OnDisk { name, file, number, .. } = segment;
    let (offset, bytes, lost) = (at as u64, HEADER_BYTES as u64, (0, 0));
    ward.admit(&Unreadable { name, number: *number, file: &**file, offset, bytes, lost });
    let mut copies = Vec::new();
    header.write(&mut copies);
    // if it fails, the next start tries again, and tells it again
    let again = file.write_all_at(&copies[..HEADER_BYTES], offset);
    let _healed = again.and_then(|()| file.sync_data());
}

impl<'a> Unreadable<'a> {
    /// A file whose header is gone.
    fn whole(name: &'a str, file: &'a dyn File, bytes: u64) -> Self {
        Self { name, number: 0, file, offset: 0, bytes, lost: (0, 0) }
    }
}

struct Reading<'a> {
    ward: &'a Ward,
    newest: BTreeMap<Key, Frame>,
    table: OpenTable,
    segments: Vec<Segment>,
    cursors: Cursors,
    last_seq: Option<u64>,
    last_number: u64,
}

impl<'a> Reading<'a> {
    fn new(ward: &'a Ward) -> Self {
        Self {
            ward,
            newest: BTreeMap::new(),
            table: OpenTable::default(),
            segments: Vec::new(),
            cursors: Cursors::default(),
            last_seq: None,
            last_number: 0,
        }
    }

    /// The last sequence of the segment. `None`: nothing in it counts, so it may go as soon as the
    /// new segment stands.
    fn segment(&mut self, header: &Header, on_disk: &OnDisk, judged: Judged) -> Option<u64> {
        let area = |offset: usize, bytes: usize, lost| Unreadable {
            name: &on_disk.name,
            number: header.number,
            file: &*on_disk.file,
            offset: offset as u64,
            bytes: bytes as u64,
            lost,
        };
        if let Some(known) = self.last_seq.filter(|known| *known < header.previous) {
            self.damage(&area(0, 0, (known + 1, header.previous)));
        }
        let Judged { keyed, cursors, areas, last_seq, used, is_empty } = judged;
        for (id, cursor) in cursors.iter().enumerate() {
            self.cursor(id, *cursor);
        }
        self.last_seq = self.last_seq.max(Some(last_seq));
        self.last_number = self.last_number.max(header.number);
        if is_empty {
            return None;
        }
        for (key, kind, place, frame) in keyed {
            self.table.apply(kind, key, place);
            match frame {
                Some(frame) => drop(self.newest.insert(key, frame)),
                None => drop(self.newest.remove(&key)),
            }
        }
        for found in areas {
            self.damage(&area(found.offset, found.bytes, found.lost));
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
        Some(last_seq)
    }

    fn cursor(&mut self, id: usize, seq: Option<u64>) {
        if let Some(cursor) = self.cursors.get_mut(id) {
            *cursor = (*cursor).max(seq);
        }
    }

    /// Has the area copied and told; true: copied.
    fn damage(&self, area: &Unreadable<'_>) -> bool {
        self.ward.admit(area)
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
            damage: self.ward.take(),
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
    let mut buffer = Vec::new();
    read_into(&mut buffer, file, bytes);
    buffer
}

/// The same into a buffer that is used again. Where a large read fails, small ones show which part
/// of it is bad.
fn read_into(buffer: &mut Vec<u8>, file: &dyn File, bytes: u64) {
    const PIECE: usize = 1 << 20;
    const SECTOR: usize = 4 << 10;
    buffer.resize(usize::try_from(bytes).unwrap_or(0), 0);
    let (mut at, mut small_until) = (0, 0);
    while at < buffer.len() {
        let piece = if at < small_until { SECTOR - at % SECTOR } else { PIECE };
        let end = buffer.len().min(at + piece);
        match file.read_at(&mut buffer[at..end], at as u64) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if at >= small_until && end - at > SECTOR => small_until = end,
            Err(_) => {
                buffer[at..end].fill(0);
                at = end;
            }
        }
    }
    buffer[at..].fill(0);
}
