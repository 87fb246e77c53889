//! Dead letters and the audit log in the files. Letters of the main file begin with number 1,
//! those of a day with the day.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params, params_from_iter};

use super::Sqlite;
use super::read::Reader;
use super::save::day_of;
use super::write::{Writer, begin};
use crate::store::StoreError;
use crate::store::custody::{
    Audit, AuditFilter, Custody, Letter, LetterFilter, LetterState, Place, audit_day, proof_of,
};

impl Custody for Sqlite {
    fn letters(
        &self,
        filter: &LetterFilter,
        bodies: bool,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        self.read(|reader| reader.letters(filter, bodies, after, limit))
    }

    fn letter(&self, no: i64) -> Result<Option<Letter>, StoreError> {
        self.read(|reader| reader.letter(no))
    }

    fn letters_behind(&self, no: i64, limit: usize) -> Result<Vec<Letter>, StoreError> {
        self.read(|reader| reader.letters_behind(no, limit))
    }

    fn unsay(&self, no: i64, properties: &str) -> Result<(), StoreError> {
        let set = "properties = ?2, body = x'', text = ''";
        let values = params![no, properties];
        self.write(|writer| writer.set(no, set, values, self.opened_ms))?;
        Ok(())
    }

    fn delete(&self, no: i64, line: &Audit) -> Result<bool, StoreError> {
        self.write(|writer| writer.throw_away(no, line, self.opened_ms))
    }

    fn note(&self, line: &Audit) -> Result<(), StoreError> {
        self.write(|writer| note(&writer.main, line))
    }

    fn proof(&self, day: &str) -> Result<Option<String>, StoreError> {
        self.read(|reader| {
            let sql = "SELECT value FROM rs_meta WHERE key = ?1";
            Ok(reader.main.query_row(sql, [proof_of(day)], |row| row.get(0)).optional()?)
        })
    }

    fn keep_proof(&self, day: &str, statement: &str) -> Result<(), StoreError> {
        self.write(|writer| writer.keep_proof(day, statement))
    }

    fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Audit>, StoreError> {
        self.read(|reader| {
            let AuditFilter { user, action, from_ms, to_ms } = filter;
            let mut question = Question::new(LINES);
            question.equal("user", user.as_deref());
            question.equal("action", action.as_deref());
            question.between("time_ms", *from_ms, *to_ms);
            question.page("time_ms", after, limit);
            question.ask(&reader.main, line)
        })
    }
}

impl Reader {
    fn letters(
        &mut self,
        filter: &LetterFilter,
        bodies: bool,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let LetterFilter { code, producer, state, from_ms, to_ms } = filter;
        let mut question = Question::new(if bodies { LETTERS } else { HEADS });
        question.equal("code", code.as_deref());
        question.equal("producer", producer.as_deref());
        question.equal("state", state.map(LetterState::as_str));
        question.between("received_ms", *from_ms, *to_ms);
        question.page("received_ms", after, limit);
        let mut all = question.ask(&self.main, letter)?;
        for day in self.all_days()? {
            let of_day = self.days.ask(day, self.now_ms, |db| question.ask(db, letter))?;
            all.extend(of_day.into_iter().flatten());
        }
        all.sort_by_key(|letter| std::cmp::Reverse((letter.received_ms, letter.no)));
        all.truncate(limit);
        Ok(all)
    }

    /// Numbers go up from file to file.
    fn letters_behind(&mut self, no: i64, limit: usize) -> Result<Vec<Letter>, StoreError> {
        let mut question = Question::new(LETTERS);
        question.add("no > ?", Value::from(no));
        question.sql.push_str(" ORDER BY no LIMIT ?");
        question.values.push(Value::from(i64::try_from(limit).unwrap_or(i64::MAX)));
        let mut all = question.ask(&self.main, letter)?;
        let first = day_of(no).unwrap_or_default();
        for day in self.all_days()?.into_iter().filter(|day| *day >= first) {
            if all.len() >= limit {
                break;
            }
            let of_day = self.days.ask(day, self.now_ms, |db| question.ask(db, letter))?;
            all.extend(of_day.into_iter().flatten());
        }
        all.truncate(limit);
        Ok(all)
    }

    fn letter(&mut self, no: i64) -> Result<Option<Letter>, StoreError> {
        let mut question = Question::new(LETTERS);
        question.add("no = ?", Value::from(no));
        let found = match day_of(no) {
            None => question.ask(&self.main, letter)?,
            Some(day) => match self.find(day)? {
                Some(db) => question.ask(db, letter)?,
                None => Vec::new(),
            },
        };
        Ok(found.into_iter().next())
    }
}

impl Writer {
    /// Changes a letter, whose number is the first of the values; false: there is none.
    fn set(
        &mut self,
        no: i64,
        what: &str,
        values: &[&dyn ToSql],
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let sql = format!("UPDATE rs_dead_letter SET {what} WHERE no = ?1");
        let changed = match day_of(no) {
            None => self.main.execute(&sql, values)?,
            Some(day) => match self.days.find(day, now_ms)? {
                Some(db) => db.execute(&sql, values)?,
                None => 0,
            },
        };
        Ok(changed > 0)
    }

    /// Of a letter that lies in a day's file the line is written first: nothing changes without.
    fn throw_away(&mut self, no: i64, line: &Audit, now_ms: i64) -> Result<bool, StoreError> {
        let (known, gone) = (
            "SELECT 1 FROM rs_dead_letter WHERE no = ?1",
            "UPDATE rs_dead_letter SET state = 'deleted' WHERE no = ?1",
        );
        let Self { main, days, .. } = self;
        let main = begin(main)?;
        let Some(day) = day_of(no) else {
            let found = main.execute(gone, [no])? > 0;
            if found {
                note(&main, line)?;
                main.commit()?;
            }
            return Ok(found);
        };
        let Some(db) = days.find(day, now_ms)? else { return Ok(false) };
        let found = db.prepare_cached(known)?.exists([no])?;
        if found {
            note(&main, line)?;
            main.commit()?;
            db.execute(gone, [no])?;
        }
        Ok(found)
    }

    pub(super) fn keep_proof(&self, day: &str, statement: &str) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO rs_meta VALUES (?1, ?2)";
        self.main.execute(sql, params![proof_of(day), statement])?;
        Ok(())
    }
}

/// Adds a line to the audit log, in the main file.
pub(super) fn note(main: &Connection, line: &Audit) -> Result<(), StoreError> {
    let Audit { time_ms, user, address, action, object, detail, outcome, .. } = line;
    let insert = "INSERT INTO rs_audit_log
          (day, time_ms, user, address, action, object, detail, outcome)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let day = audit_day(*time_ms);
    let values = params![day, time_ms, user, address, action, object, detail, outcome];
    main.execute(insert, values)?;
    Ok(())
}

const LETTERS: &str = "SELECT no, received_ms, queue, transport, user, peer, message_id,
    properties, body, code, field, text, producer, retries, state, length(body)
    FROM rs_dead_letter WHERE 1";
const HEADS: &str = "SELECT no, received_ms, queue, transport, user, peer, message_id,
    properties, x'', code, field, text, producer, retries, state, length(body)
    FROM rs_dead_letter WHERE 1";

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    Ok(Letter {
        no: row.get(0)?,
        received_ms: row.get(1)?,
        queue: row.get(2)?,
        transport: row.get(3)?,
        user: row.get(4)?,
        peer: row.get(5)?,
        message_id: row.get(6)?,
        properties: row.get(7)?,
        body: row.get(8)?,
        code: row.get(9)?,
        field: row.get(10)?,
        text: row.get(11)?,
        producer: row.get(12)?,
        retries: row.get(13)?,
        state: LetterState::parse(&row.get::<_, String>(14)?).unwrap_or(LetterState::Open),
        bytes: row.get::<_, i64>(15)?.cast_unsigned(),
    })
}

const LINES: &str = "SELECT no, time_ms, user, address, action, object, detail, outcome
    FROM rs_audit_log WHERE 1";

fn line(row: &Row<'_>) -> rusqlite::Result<Audit> {
    Ok(Audit {
        no: row.get(0)?,
        time_ms: row.get(1)?,
        user: row.get(2)?,
        address: row.get(3)?,
        action: row.get(4)?,
        object: row.get(5)?,
        detail: row.get(6)?,
        outcome: row.get(7)?,
    })
}

/// Constants of the program with the values that go with them.
struct Question {
    sql: String,
    values: Vec<Value>,
}

impl Question {
    fn new(select: &str) -> Self {
        Self { sql: select.to_owned(), values: Vec::new() }
    }

    fn add(&mut self, condition: &str, value: Value) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.push(value);
    }

    fn equal(&mut self, column: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(&format!("{column} = ?"), Value::from(value.to_owned()));
        }
    }

    fn between(&mut self, column: &'static str, from_ms: Option<i64>, to_ms: Option<i64>) {
        if let Some(from_ms) = from_ms {
            self.add(&format!("{column} >= ?"), Value::from(from_ms));
        }
        if let Some(to_ms) = to_ms {
            self.add(&format!("{column} < ?"), Value::from(to_ms));
        }
    }

    /// Newest first, so many.
    fn page(&mut self, time: &'static str, after: Option<Place>, limit: usize) {
        if let Some(Place { time_ms, no }) = after {
            self.add(&format!("({time} < ? OR"), Value::from(time_ms));
            self.sql.push_str(&format!(" {time} = ? AND no < ?)"));
            self.values.extend([Value::from(time_ms), Value::from(no)]);
        }
        self.sql.push_str(&format!(" ORDER BY {time} DESC, no DESC LIMIT ?"));
        self.values.push(Value::from(i64::try_from(limit).unwrap_or(i64::MAX)));
    }

    fn ask<T>(
        &self,
        db: &Connection,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = db.prepare_cached(&self.sql)?;
        let rows = statement.query_map(params_from_iter(&self.values), |row| read(row))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
