//! The records of each whole minute (rm.md §9.4): arrivals and peaks of what moved, and the books.
//!
//! Many objects are many records, a slice of them in a turn; the books come last. What RM counts
//! here RS only compares with its own figures.

use std::fmt;
use std::time::Duration;

use model::id::Dbid;
use model::record::{Basis, CallType, EndState, Kind, Measure, Object};
use model::time::{Millis, Now};

use super::Head;
use super::tally::{Counted, Figures, Key, MINUTE, Span, Tally, Whose};
use crate::limits;
use crate::output::FrameKind;
use crate::proxy::Proxy;
use crate::session::Kind as LegKind;
use crate::session::end::End;
use crate::settings::Settings;
use crate::timer::Timer;

/// Between two slices of a minute.
const PAUSE: Duration = Duration::from_millis(1);

/// What moves, and what is still to be told of it.
#[derive(Debug)]
pub(crate) struct Minutes {
    tally: Tally,
    closed: Option<Closed>,
    /// The ledger at the end of the latest minute.
    books: Books,
    /// One slice.
    rows: Vec<Row>,
}

impl Minutes {
    pub(crate) fn new(seed: u64, now: Millis) -> Self {
        let tally = Tally::new(seed, now);
        Self { tally, closed: None, books: Books::default(), rows: Vec::new() }
    }

    /// Legs that are counted.
    pub(crate) fn legs(&self) -> usize {
        self.tally.legs()
    }
}

/// A minute that is over and being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Closed {
    start: Millis,
    books: Books,
    /// Legs not ended at its end.
    in_progress: u64,
    rejected: u64,
    /// Number of the next slice.
    slice: u64,
}

/// What the ledger said at some moment, or between two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Books {
    ins: u64,
    outs: u64,
    adopted: u64,
}

type Row = (Key, Whose, Figures);

impl Proxy {
    /// Inbound legs of tenants, of at most [`limits::USED_ASKED`] of them.
    #[must_use]
    pub fn inbound(&self, tenants: &[Dbid]) -> Vec<u64> {
        let asked = tenants.iter().take(limits::USED_ASKED);
        asked.map(|tenant| self.minutes.tally.inbound(tenant.0)).collect()
    }

    /// The first minute begins.
    pub(crate) fn begin_minutes(&mut self, now: Now) {
        self.timers.set(end_of_minute(now), Timer::Minute);
    }

    /// A leg is there; `arrived`: it has begun just now.
    pub(crate) fn count_in(&mut self, now: Now, key: usize, arrived: bool) {
        let Some((session, leg)) = self.table.both(key) else { return };
        let (tenant, profile) = (session.tenant.as_ref(), session.profile.as_ref());
        let counted = Counted {
            tenant: tenant.map(|one| one.dbid.0),
            profile: profile.map(|one| one.dbid.0),
            service: profile.map(|_| leg.service),
            call_type: match leg.kind {
                LegKind::Inbound => CallType::Inbound,
                LegKind::Bridged => CallType::Bridged,
                LegKind::Outbound => CallType::Outbound,
            },
        };
        let keys = (key, leg.session);
        self.minutes.tally.enter(now.wall, keys, counted, (tenant, profile), arrived);
    }

    /// A leg is about to leave the table.
    pub(crate) fn count_out(&mut self, key: usize, end: End) {
        let Some((session, leg)) = self.table.both(key) else { return };
        let rejected = end.state == EndState::Rejected;
        let duration = leg.answered.map(|answered| end.ended.since(answered)).unwrap_or_default();
        let duration = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let last = session.legs.len() == 1;
        self.minutes.tally.leave((key, leg.session), last, rejected, duration);
    }

    /// A minute is over, or there is more to tell of it.
    pub(crate) fn on_minute(&mut self, now: Now) {
        if self.minutes.closed.is_none() {
            self.close_minute(now);
        }
        let next = if self.tell_minute(now) { now.mono + PAUSE } else { end_of_minute(now) };
        self.timers.set(next, Timer::Minute);
    }

    fn close_minute(&mut self, now: Now) {
        let Some((start, rejected)) = self.minutes.tally.close(now.wall) else { return };
        let counters = &self.counters;
        let (ins, outs) = (counters.ledger_in, counters.ledger_out);
        let books = Books { ins, outs, adopted: counters.adopted };
        let before = std::mem::replace(&mut self.minutes.books, books);
        let books = Books {
            ins: books.ins - before.ins,
            outs: books.outs - before.outs,
            adopted: books.adopted - before.adopted,
        };
        let in_progress = ins.saturating_sub(outs);
        self.minutes.closed = Some(Closed { start, books, in_progress, rejected, slice: 0 });
    }

    /// One slice; true when there is more.
    fn tell_minute(&mut self, now: Now) -> bool {
        let Some(mut closed) = self.minutes.closed else { return false };
        let mut rows = std::mem::take(&mut self.minutes.rows);
        self.minutes.tally.told(limits::MINUTE_VALUES, &mut rows);
        if !rows.is_empty() {
            self.tell_arrivals(now, closed, &rows);
            self.tell_peaks(now, closed, Measure::Calls, &rows);
            self.tell_peaks(now, closed, Measure::Sessions, &rows);
        }
        rows.clear();
        self.minutes.rows = rows;
        closed.slice += 1;
        let more = self.minutes.tally.is_telling();
        if !more {
            self.tell_books(now, closed);
        }
        self.minutes.closed = more.then_some(closed);
        more
    }

    fn tell_arrivals(&mut self, now: Now, closed: Closed, rows: &[Row]) {
        let moved = |one: &Figures| one.count > 0 || one.rejected > 0 || one.duration_ms > 0;
        let rows = || rows.iter().filter(|(.., figures)| moved(figures));
        if rows().next().is_none() {
            return;
        }
        self.minute_record(now, closed, Kind::Arrivals, closed.slice, |out, name, own| {
            bin(out, closed.start);
            out.list("values", rows(), |out, (key, whose, figures)| {
                object(out, *key, whose, (name, own));
                out.number("count", figures.count);
                out.number("rejected", figures.rejected);
                out.number("duration_ms", figures.duration_ms);
            });
        });
    }

    fn tell_peaks(&mut self, now: Now, closed: Closed, measure: Measure, rows: &[Row]) {
        let span = |one: &Figures| -> Span {
            if measure == Measure::Calls { one.calls } else { one.sessions }
        };
        let rows = || rows.iter().filter(|(.., figures)| span(figures).moved);
        if rows().next().is_none() {
            return;
        }
        let number = closed.slice * 2 + u64::from(measure != Measure::Calls);
        self.minute_record(now, closed, Kind::Peaks, number, |out, name, own| {
            bin(out, closed.start);
            out.text("measure", measure.as_str());
            out.list("values", rows(), |out, (key, whose, figures)| {
                let Span { start, peak, peak_at, .. } = span(figures);
                object(out, *key, whose, (name, own));
                out.number("level_start", start);
                out.number("peak", peak);
                if let Some(at) = peak_at {
                    out.shown("peak_time", at);
                }
            });
        });
    }

    fn tell_books(&mut self, now: Now, closed: Closed) {
        let Closed { start, books, in_progress, rejected, .. } = closed;
        let (cdr, event, or) = self.recorder.latest();
        self.minute_record(now, closed, Kind::Integrity, 0, |out, _, _| {
            out.shown("minute", Seconds(start));
            out.number("calls_in", books.ins - books.adopted);
            out.number("records_out", books.outs);
            out.number("adopted_in", books.adopted);
            out.number("handed_out", 0_u64);
            out.number("in_progress", in_progress);
            out.number("rejected", rejected);
            out.object("streams", |out| {
                let streams = [("cdr", cdr), ("event", event), ("or", or + 1)];
                for (name, seq) in streams.into_iter().filter(|(_, seq)| *seq > 0) {
                    out.number(name, seq);
                }
            });
        });
    }

    /// One record of a minute; `body` is told the node's own name and dbid.
    fn minute_record(
        &mut self,
        now: Now,
        closed: Closed,
        kind: Kind,
        number: u64,
        body: impl FnOnce(&mut Object<'_>, &str, Option<Dbid>),
    ) {
        let revision = self.snapshot.revision.0;
        let (desk, _) = self.desk(now);
        let Settings { name, boot, application_dbid, .. } = desk.settings;
        let head = Head {
            kind,
            id: format_args!("{}/{boot}/{kind}/{}/{number}", Plain(name), Bin(closed.start)),
            revision,
            frame: FrameKind::Data,
            key: [0; 22],
            urgent: false,
            end: false,
        };
        desk.emit(&head, |out| body(out, name, *application_dbid), |_| {});
        *self.counters.records.entry((kind.as_str(), "")).or_default() += 1;
    }
}

/// What every bin begins with.
fn bin(out: &mut Object<'_>, start: Millis) {
    out.shown("bin_start", Seconds(start));
    out.number("bin_seconds", MINUTE / 1000);
    out.text("basis", Basis::Cdr.as_str());
}

/// Which object the figures are of.
fn object(out: &mut Object<'_>, key: Key, whose: &Whose, (name, own): (&str, Option<Dbid>)) {
    out.text("dim", key.dim.as_str());
    let (name, dbid) = match whose {
        Whose::Node => (name, own),
        Whose::Service(service) => (service.as_str(), None),
        Whose::Tenant(names) => (names.name.as_str(), Some(names.dbid)),
        Whose::Profile(names) => (names.name.as_str(), Some(names.dbid)),
    };
    if let Some(dbid) = dbid {
        out.number("dbid", dbid.0);
    }
    out.text("name", name);
    out.text("call_type", key.call_type.as_str());
}

/// The end of the minute in hand, on the monotonic clock.
fn end_of_minute(now: Now) -> Duration {
    now.mono + Duration::from_millis(MINUTE - now.wall.0 % MINUTE)
}

/// A whole minute: `2026-01-05T10:01:00Z`.
struct Seconds(Millis);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.date();
        let (hour, minute) = clock(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:00Z")
    }
}

/// A minute in an id: `20260105T1001`.
struct Bin(Millis);

impl fmt::Display for Bin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.date();
        let (hour, minute) = clock(self.0);
        write!(f, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}")
    }
}

/// Hour and minute of the day.
fn clock(at: Millis) -> (u64, u64) {
    let minutes = at.0 / MINUTE % (24 * 60);
    (minutes / 60, minutes % 60)
}

/// A name in an id: what no id may hold as `%XX` (rs.md §2.1).
struct Plain<'n>(&'n str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'@' | b'-' => {
                write!(f, "{}", char::from(byte))
            }
            other => write!(f, "%{other:02X}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Bin, Plain, Seconds, end_of_minute};
    use model::time::{Millis, Now};
    use std::time::Duration;

    #[test]
    fn texts_of_ids_and_bins() {
        let at = Millis::parse("2026-01-05T10:01:00Z").unwrap();
        assert_eq!(Bin(at).to_string(), "20260105T1001");
        assert_eq!(Seconds(at).to_string(), "2026-01-05T10:01:00Z");
        assert_eq!(Plain("rm-1/ä b").to_string(), "rm-1%2F%C3%A4%20b");
    }

    #[test]
    fn a_minute_ends_with_the_minute_of_the_wall() {
        let now = |ms| Now { mono: Duration::from_secs(7), wall: Millis(ms) };
        assert_eq!(end_of_minute(now(0)), Duration::from_secs(67));
        assert_eq!(end_of_minute(now(59_999)), Duration::from_millis(7001));
    }
}
