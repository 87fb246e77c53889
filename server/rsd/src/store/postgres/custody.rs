//! Dead letters and the audit log. They are few beside calls: each question is one statement for
//! all filters, planned for its values; null is no condition.

use tokio_postgres::Row;

use super::Postgres;
use super::link::{Link, Values};
use super::load::signed;
use crate::store::StoreError;
use crate::store::custody::{
    Audit, AuditFilter, Custody, Letter, LetterFilter, LetterState, Place, audit_day, proof_of,
};

const WHOLE: &str = "SELECT no, received_ms, queue, transport, user_name, peer, message_id,
    properties, body, code, field, text, producer, retries, state, octet_length(body)
    FROM rs_dead_letter";

impl Custody for Postgres {
    fn letters(
        &self,
        filter: &LetterFilter,
        bodies: bool,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        self.read(|reader| letters(reader.link, filter, bodies, after, limit))
    }

    fn letter(&self, no: i64) -> Result<Option<Letter>, StoreError> {
        let sql = format!("{WHOLE} WHERE no = $1");
        let rows = self.read(|reader| reader.link.query(&sql, &[&no]))?;
        Ok(rows.first().map(letter))
    }

    fn letters_behind(&self, no: i64, limit: usize) -> Result<Vec<Letter>, StoreError> {
        let sql = format!("{WHOLE} WHERE no > $1 ORDER BY no LIMIT $2");
        let rows = self.read(|reader| reader.link.query(&sql, &[&no, &most(limit)]))?;
        Ok(rows.iter().map(letter).collect())
    }

    fn unsay(&self, no: i64, properties: &str) -> Result<(), StoreError> {
        let sql = "UPDATE rs_dead_letter SET properties = $2, body = '', text = '' WHERE no = $1";
        self.read(|reader| reader.link.execute(sql, &[&no, &properties]))?;
        Ok(())
    }

    fn delete(&self, no: i64, line: &Audit) -> Result<bool, StoreError> {
        let sql = "UPDATE rs_dead_letter SET state = 'deleted' WHERE no = $1";
        self.read(|reader| with_line(reader.link, sql, &[&no], line))
    }

    fn note(&self, line: &Audit) -> Result<(), StoreError> {
        self.read(|reader| note(reader.link, line))
    }

    fn proof(&self, day: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM rs_meta WHERE key = $1";
        let rows = self.read(|reader| reader.link.query(sql, &[&proof_of(day)]))?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    fn keep_proof(&self, day: &str, statement: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO rs_meta VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.read(|reader| reader.link.execute(sql, &[&proof_of(day), &statement]))?;
        Ok(())
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Audit>, StoreError> {
        let AuditFilter { user, action, from_ms, to_ms } = filter;
        let (user, action) = (plain(user.as_deref()), plain(action.as_deref()));
        let (time_ms, no) = (after.map(|place| place.time_ms), after.map(|place| place.no));
        let sql = "SELECT no, time_ms, user_name, address, action, object, detail, outcome
            FROM rs_audit_log
            WHERE ($1::text IS NULL OR user_name = $1) AND ($2::text IS NULL OR action = $2)
              AND ($3::bigint IS NULL OR time_ms >= $3) AND ($4::bigint IS NULL OR time_ms < $4)
              AND ($5::bigint IS NULL OR (time_ms, no) < ($5, $6::bigint))
            ORDER BY time_ms DESC, no DESC LIMIT $7";
        let values: Values<'_> = &[&user, &action, from_ms, to_ms, &time_ms, &no, &most(limit)];
        let rows = self.read(|reader| reader.link.once(sql, values))?;
        Ok(rows.iter().map(line).collect())
    }
}

/// Adds a line to the audit log.
pub(super) fn note(link: &mut Link, line: &Audit) -> Result<(), StoreError> {
    let Audit { time_ms, user, address, action, object, detail, outcome, .. } = line;
    let sql = "INSERT INTO rs_audit_log
          (day, time_ms, user_name, address, action, object, detail, outcome)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let day = signed(audit_day(*time_ms));
    link.execute(sql, &[&day, time_ms, user, address, action, object, detail, outcome])?;
    Ok(())
}

/// A change of one statement with its line, in one transaction; false: it changes nothing, and
/// there is no line.
pub(super) fn with_line(
    link: &mut Link,
    change: &str,
    values: Values<'_>,
    line: &Audit,
) -> Result<bool, StoreError> {
    link.batch("BEGIN")?;
    let found = link.execute(change, values)? > 0;
    if found {
        note(link, line)?;
    }
    link.batch("COMMIT")?;
    Ok(found)
}

fn letters(
    link: &mut Link,
    filter: &LetterFilter,
    bodies: bool,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<Letter>, StoreError> {
    let LetterFilter { code, producer, state, from_ms, to_ms } = filter;
    let (code, producer) = (plain(code.as_deref()), plain(producer.as_deref()));
    let state = state.map(LetterState::as_str);
    let (time_ms, no) = (after.map(|place| place.time_ms), after.map(|place| place.no));
    let sql = "SELECT no, received_ms, queue, transport, user_name, peer, message_id, properties,
          CASE WHEN $1 THEN body ELSE '' END, code, field, text, producer, retries, state,
          octet_length(body)
        FROM rs_dead_letter
        WHERE ($2::text IS NULL OR code = $2) AND ($3::text IS NULL OR producer = $3)
          AND ($4::text IS NULL OR state = $4)
          AND ($5::bigint IS NULL OR received_ms >= $5)
          AND ($6::bigint IS NULL OR received_ms < $6)
          AND ($7::bigint IS NULL OR (received_ms, no) < ($7, $8::bigint))
        ORDER BY received_ms DESC, no DESC LIMIT $9";
    let values: Values<'_> =
        &[&bodies, &code, &producer, &state, from_ms, to_ms, &time_ms, &no, &most(limit)];
    Ok(link.once(sql, values)?.iter().map(letter).collect())
}

fn letter(row: &Row) -> Letter {
    let word: String = row.get(14);
    Letter {
        no: row.get(0),
        received_ms: row.get(1),
        queue: row.get(2),
        transport: row.get(3),
        user: row.get(4),
        peer: row.get(5),
        message_id: row.get(6),
        properties: row.get(7),
        body: row.get(8),
        code: row.get(9),
        field: row.get(10),
        text: row.get(11),
        producer: row.get(12),
        retries: row.get::<_, i32>(13).cast_unsigned(),
        state: LetterState::parse(&word).unwrap_or(LetterState::Open),
        bytes: i64::from(row.get::<_, i32>(15)).cast_unsigned(),
    }
}

fn line(row: &Row) -> Audit {
    Audit {
        no: row.get(0),
        time_ms: row.get(1),
        user: row.get(2),
        address: row.get(3),
        action: row.get(4),
        object: row.get(5),
        detail: row.get(6),
        outcome: row.get(7),
    }
}

/// A text to look for: no text of PostgreSQL's has U+0000, so that nothing is found.
fn plain(text: Option<&str>) -> Option<String> {
    text.map(|text| text.replace('\0', "\u{FFFD}"))
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
