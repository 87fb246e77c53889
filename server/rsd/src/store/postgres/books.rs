//! The books: what came, what was told, what was stored (spec rs.md §6).

use rs::integrity::{Stored, Told, beginnings};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::load::stream;
use super::read::Reader;
use crate::store::{Books, BooksAsked, StoreError, StreamBooks};

/// Of all, and of one producer: a plan for both would be good for neither.
macro_rules! both {
    ($head:literal, $own:literal, $tail:literal) => {
        [concat!($head, $tail), concat!($head, $own, $tail)]
    };
}

const STREAMS: [&str; 2] = both!(
    "SELECT producer, boot, stream, received, max_seq, announced_seq, duplicates, first_ms,
       last_ms, gaps
     FROM rs_producer_stream WHERE (last_ms >= $1 OR gaps <> '')",
    " AND producer = $2",
    " ORDER BY producer, boot, stream"
);
const TOLD: [&str; 2] = both!(
    "SELECT producer, boot, minute_ms, calls_in, records_out, adopted_in, handed_out, rejected,
       in_progress
     FROM rs_integrity_minute WHERE minute_ms >= $1 AND minute_ms < $2",
    " AND producer = $3",
    " ORDER BY minute_ms, producer, boot"
);
const STORED: [&str; 2] = both!(
    "SELECT producer, boot, minute_ms, stored
     FROM rs_stored_minute WHERE minute_ms >= $1 AND minute_ms < $2",
    " AND producer = $3",
    " ORDER BY producer, boot, minute_ms"
);
const FIGURES: [&str; 2] = both!(
    "SELECT name, producer, value FROM rs_figure WHERE name = ANY($1)",
    " AND producer = $2",
    ""
);

impl Reader<'_> {
    pub(super) fn books(&mut self, asked: &BooksAsked) -> Result<Books, StoreError> {
        let streams = match asked.heard_ms {
            None => Vec::new(),
            Some(since) => self.of(asked, STREAMS, &[&since])?,
        };
        let [before, to] = asked.told();
        let told = self.of(asked, TOLD, &[&before, &to])?;
        let told: Vec<Told> = told.iter().map(minute).collect();
        let stored = self.of(asked, STORED, &[&asked.minutes.0, &to])?;
        let (names, boots): (Vec<_>, Vec<_>) =
            beginnings(&told, asked.minutes.0).into_iter().unzip();
        let sql = "SELECT s.producer, s.boot, (SELECT m.minute_ms FROM rs_integrity_minute m
                WHERE m.producer = s.producer AND m.boot = s.boot ORDER BY m.minute_ms LIMIT 1)
            FROM unnest($1::text[], $2::bigint[]) s(producer, boot)";
        let first = self.link.query(sql, &[&names, &boots])?;
        let figures = self.of(asked, FIGURES, &[&asked.figures])?;
        let figure = |row: &Row| {
            ((row.get(0), row.get(1)), 0_u64.saturating_add_signed(row.get::<_, i64>(2)))
        };
        Ok(Books {
            streams: streams.iter().map(stream_books).collect(),
            told,
            stored: stored.iter().map(ends).collect(),
            first: first.iter().map(begun).collect(),
            figures: figures.iter().map(figure).collect(),
        })
    }

    /// Rows of one producer, or of all.
    fn of(
        &mut self,
        asked: &BooksAsked,
        [all, one]: [&str; 2],
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        match &asked.producer {
            None => self.link.query(all, values),
            Some(name) => {
                let mut values = values.to_vec();
                values.push(name);
                self.link.query(one, &values)
            }
        }
    }

    pub(super) fn sums(&mut self, (from, to): (i64, i64)) -> Result<Vec<Told>, StoreError> {
        let sql = "SELECT minute_ms, sum(calls_in)::bigint, sum(records_out)::bigint,
              sum(in_progress)::bigint
            FROM rs_integrity_minute WHERE minute_ms >= $1 AND minute_ms < $2
            GROUP BY minute_ms ORDER BY minute_ms";
        let rows = self.link.query(sql, &[&from, &to])?;
        let sum = |row: &Row| Told {
            minute_ms: row.get(0),
            calls_in: row.get(1),
            records_out: row.get(2),
            in_progress: row.get(3),
            ..Told::default()
        };
        Ok(rows.iter().map(sum).collect())
    }

    pub(super) fn producers(&mut self, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        let sql = "(SELECT DISTINCT producer FROM rs_producer_stream WHERE producer > $1
              ORDER BY producer LIMIT $2)
            UNION (SELECT producer FROM rs_figure WHERE name = 'stored' AND producer > $1
              ORDER BY producer LIMIT $2)
            ORDER BY producer LIMIT $2";
        let rows = self.link.query(sql, &[&after, &i64::from(limit)])?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
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
