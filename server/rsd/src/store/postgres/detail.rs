//! One call with all that hangs on it, and the books: the reader's questions that are no list.

use std::collections::{BTreeMap, BTreeSet};

use model::record::{CallGuid, ComponentType};
use model::time::Millis;
use rs::integrity::{MINUTE_MS, Stored, Told};
use rs::key::{after, before};
use rs::report::Call;
use rs::{CallState, Day, Key, key};
use tokio_postgres::Row;

use super::hanging;
use super::link::Uid;
use super::load::{signed, stream, uid, unsigned};
use super::read::{Reader, as_id};
use crate::store::{Books, CallName, Event, Leg, StoreError, StreamBooks, days_of_key};

/// Events of one call and day that are given at once.
const MOST_EVENTS: i64 = 1000;

impl Reader<'_> {
    /// The legs of a call, RM's first, earliest first.
    pub(super) fn detail(&mut self, name: &CallName, events: bool) -> Result<Vec<Leg>, StoreError> {
        let keys = match name {
            CallName::Guid(guid) => self.keys_of_guid(guid)?,
            CallName::Key(key) => {
                let days: Vec<i32> = days_of_key(key).into_iter().map(signed).collect();
                let sql = "SELECT day, call_key FROM rs_call
                    WHERE day = ANY($1) AND call_key = $2 ORDER BY day";
                let rows = self.link.query(sql, &[&days, &Uid(*key)])?;
                rows.iter().map(|row| (unsigned(row.get(0)), uid(row, 1))).collect()
            }
        };
        let calls = self.calls(&keys)?;
        let mut legs = Vec::new();
        for ((day, _), call) in keys.into_iter().zip(calls) {
            legs.push(self.leg(day, call, events)?);
        }
        Ok(legs)
    }

    fn keys_of_guid(&mut self, guid: &CallGuid) -> Result<Vec<(Day, Key)>, StoreError> {
        let text = guid.to_string();
        let days: Vec<i32> = match guid.v7().and_then(|guid| guid.time()) {
            Some(time) => {
                let day = key::day(time);
                [before(day), day, after(day)].map(signed).to_vec()
            }
            None => {
                let sql = "SELECT day FROM rs_call_day WHERE guid = $1";
                self.link.query(sql, &[&text])?.iter().map(|row| row.get(0)).collect()
            }
        };
        let sql = "SELECT day, call_key FROM rs_call WHERE day = ANY($1) AND guid = $2
            ORDER BY day, component_type <> $3, started_ms, coalesce(leg, 0), call_key";
        let rm = i16::from(ComponentType::Rm.number());
        let rows = self.link.query(sql, &[&days, &text, &rm])?;
        Ok(rows.iter().map(|row| (unsigned(row.get(0)), uid(row, 1))).collect())
    }

    fn leg(&mut self, day: Day, call: Call, events: bool) -> Result<Leg, StoreError> {
        let at = (signed(day), Uid(call.key));
        let sql = "SELECT c.parent_key, c.extra::text, s.state, t.steps FROM rs_call c
            LEFT JOIN rs_call_fact_state s USING (day, call_key)
            LEFT JOIN rs_call_trace t USING (day, call_key)
            WHERE c.day = $1 AND c.call_key = $2";
        let rows = self.link.query(sql, &[&at.0, &at.1])?;
        let row = rows.first();
        let parent = row.and_then(|row| row.get::<_, Option<Uid>>(0)).map(|uid| uid.0);
        let extra = row.and_then(|row| row.get::<_, Option<String>>(1)).map(|text| plain(&text));
        let state: Option<&[u8]> = row.and_then(|row| row.get(2));
        let missing = match state {
            Some(bytes) => CallState::decode(bytes)?.missing(),
            None => Vec::new(),
        };
        let trace = match row.and_then(|row| row.get::<_, Option<&[u8]>>(3)) {
            Some(packed) => {
                let bytes = zstd::stream::decode_all(packed).map_err(StoreError::Files)?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => None,
        };
        let var = hanging::read(self.link, at)?;
        let mut leg = Leg { call, parent, extra, missing, trace, events: Vec::new(), var };
        if events {
            let end = leg.call.ended.unwrap_or(leg.call.started);
            for day in BTreeSet::from([day, key::day(leg.call.started), key::day(end)]) {
                leg.events.extend(self.events(day, &leg.call)?);
            }
            leg.events.sort_by_key(|event| (event.time_ms, event.seq));
        }
        Ok(leg)
    }

    fn events(&mut self, day: Day, call: &Call) -> Result<Vec<Event>, StoreError> {
        // events of RM that name no session hang on the GUID alone
        let sql = "SELECT time_ms, seq, level, log_id, label, text, component_id, session_id
            FROM rs_call_event WHERE day = $1 AND component_id = $2
              AND (session_id = $3 AND session_id <> '' OR guid = $4 AND session_id = '')
            ORDER BY time_ms, seq LIMIT $5";
        let component = i64::from(call.component.id);
        let (session, guid) = (&call.session_id, &call.guid);
        let values: super::link::Values<'_> =
            &[&signed(day), &component, session, guid, &MOST_EVENTS];
        let rows = self.link.query(sql, values)?;
        let event = |row: &Row| Event {
            time_ms: row.get(0),
            seq: row.get(1),
            level: u8::try_from(row.get::<_, i16>(2)).unwrap_or_default(),
            log_id: row.get(3),
            label: row.get(4),
            text: row.get(5),
            component_id: as_id(row.get(6)),
            component: Some(call.component.name.clone()),
            session_id: row.get(7),
        };
        Ok(rows.iter().map(event).collect())
    }

    pub(super) fn dead_letters(&mut self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "SELECT code, count(*) FROM rs_dead_letter WHERE state = 'open' GROUP BY code";
        let rows = self.link.query(sql, &[])?;
        let count = |row: &Row| (row.get(0), row.get::<_, i64>(1).cast_unsigned());
        Ok(rows.iter().map(count).collect())
    }

    pub(super) fn books(&mut self, from: Millis, to: Millis) -> Result<Books, StoreError> {
        let ms = |time: Millis| i64::try_from(time.0).unwrap_or(i64::MAX);
        let (from, to) = (ms(from), ms(to));
        let sql = "SELECT producer, boot, stream, received, max_seq, announced_seq, duplicates,
              first_ms, last_ms, gaps
            FROM rs_producer_stream ORDER BY producer, boot, stream";
        let streams = self.link.query(sql, &[])?;
        let sql = "SELECT producer, boot, minute_ms, calls_in, records_out, adopted_in, handed_out,
              rejected, in_progress
            FROM rs_integrity_minute WHERE minute_ms >= $1 AND minute_ms < $2
            ORDER BY minute_ms, producer, boot";
        let told = self.link.query(sql, &[&from.saturating_sub(MINUTE_MS), &to])?;
        let sql = "SELECT producer, boot, minute_ms, stored FROM rs_stored_minute
            WHERE minute_ms >= $1 AND minute_ms < $2 ORDER BY producer, boot, minute_ms";
        let stored = self.link.query(sql, &[&from, &to])?;
        let sql = "SELECT producer, boot, min(minute_ms) FROM rs_integrity_minute
            GROUP BY producer, boot";
        let first = self.link.query(sql, &[])?;
        let figures = self.link.query("SELECT name, producer, value FROM rs_figure", &[])?;
        let figure = |row: &Row| ((row.get(0), row.get(1)), row.get::<_, i64>(2).cast_unsigned());
        let sql = "SELECT count(*) FROM rs_call WHERE flags & $1 <> 0";
        let double = self.link.query(sql, &[&i64::from(rs::row::flag::DOUBLE_END)])?;
        Ok(Books {
            streams: streams.iter().map(stream_books).collect(),
            told: told.iter().map(minute).collect(),
            stored: stored.iter().map(ends).collect(),
            first: first.iter().map(begun).collect(),
            figures: figures.iter().map(figure).collect(),
            double_end: double.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()),
        })
    }
}

fn stream_books(row: &Row) -> StreamBooks {
    let books = stream(row);
    StreamBooks {
        producer: row.get(0),
        boot: row.get::<_, i64>(1).cast_unsigned(),
        stream: u8::try_from(row.get::<_, i16>(2)).unwrap_or_default(),
        received: books.received,
        max_seq: books.max_seq,
        announced_seq: books.announced_seq,
        duplicates: books.duplicates,
        seen_ms: (books.first_ms, books.last_ms),
        gaps: books.gaps,
    }
}

fn minute(row: &Row) -> Told {
    Told {
        producer: row.get(0),
        boot: row.get(1),
        minute_ms: row.get(2),
        calls_in: row.get(3),
        records_out: row.get(4),
        adopted_in: row.get(5),
        handed_out: row.get(6),
        rejected: row.get(7),
        in_progress: row.get(8),
    }
}

fn ends(row: &Row) -> Stored {
    Stored { producer: row.get(0), boot: row.get(1), minute_ms: row.get(2), stored: row.get(3) }
}

fn begun(row: &Row) -> ((String, i64), i64) {
    ((row.get(0), row.get(1)), row.get(2))
}

/// JSON as it was before `jsonb` took it apart: without blanks, members sorted.
fn plain(text: &str) -> String {
    match serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text) {
        Ok(members) => {
            let members = members.iter().map(|(key, value)| {
                let key = serde_json::Value::from(&**key);
                format!("{key}:{}", model::record::canonical(value))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Err(_) => text.to_owned(),
    }
}
