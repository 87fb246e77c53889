//! Calls that are erased whole: noted first, so that what is late is erased before it is stored,
//! then file by file. After a crash the same request again does what is left.

use std::collections::BTreeSet;

use rs::Key;
use rs::erase::{NumberHash, SEAL, seal, unsaid};
use rs::quality::QualityFact;
use rs::report::Call;
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use super::custody;
use super::erasing::erased;
use super::part::Beside;
use super::write::{Writer, begin};
use crate::store::custody::Audit;
use crate::store::erasing::{days, names};
use crate::store::{Day, StoreError};

/// A session by its component, and its name there or its GUID.
type Session = (i64, String, Option<String>);

impl Writer {
    /// Erases calls with what was said in them.
    pub(super) fn forget(&mut self, legs: &[Call], line: &Audit) -> Result<(), StoreError> {
        let now_ms = line.time_ms;
        self.note_names(&names(legs, &self.secret), line)?;
        let (mut sessions, mut homes) = (BTreeSet::new(), Vec::new());
        let mut beside = Beside::new();
        let days = days(legs);
        for day in &days {
            let Some(db) = self.days.find(*day, now_ms)? else { continue };
            let mut here = Vec::new();
            for leg in legs {
                sessions.extend(session(db, &leg.key)?.inspect(|_| here.push(leg.key)));
            }
            homes.push((*day, here));
        }
        for day in &days {
            let Some(db) = self.days.find(*day, now_ms)? else { continue };
            let transaction = begin(db)?;
            for session in &sessions {
                unsay(&transaction, session)?;
            }
            transaction.commit()?;
        }
        for (day, keys) in homes.into_iter().filter(|(_, keys): &(Day, Vec<Key>)| !keys.is_empty())
        {
            for (day, sessions) in self.erase_calls(day, &keys, None, now_ms)?.1 {
                beside.entry(day).or_default().extend(sessions);
            }
        }
        for (day, sessions) in beside {
            self.erase_beside(day, &sessions, now_ms)?;
        }
        Ok(())
    }

    fn note_names(&mut self, names: &BTreeSet<NumberHash>, line: &Audit) -> Result<(), StoreError> {
        let transaction = begin(&mut self.main)?;
        let insert = "INSERT INTO rs_erasure (digits, hash, requested_ms, ended_ms)
            VALUES (?1, ?2, ?3, ?3)";
        for NumberHash { digits, hash } in names {
            transaction.execute(insert, params![digits, hash, line.time_ms])?;
        }
        let newest = transaction.last_insert_rowid();
        let note = "INSERT OR REPLACE INTO rs_meta VALUES (?1, ?2)";
        transaction.execute(note, params![SEAL, seal(&self.secret, newest)])?;
        custody::note(&transaction, line)?;
        transaction.commit()?;
        self.erased = erased(&self.main, &self.secret)?;
        Ok(())
    }
}

fn session(db: &Connection, key: &Key) -> Result<Option<Session>, StoreError> {
    let sql = "SELECT component_id, session_id, guid FROM rs_call WHERE call_key = ?1";
    let row = db.query_row(sql, [key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    Ok(row.optional()?)
}

/// Takes away what was said in a session.
fn unsay(db: &Connection, (component, session, guid): &Session) -> Result<(), StoreError> {
    let named: [(&str, &dyn ToSql); 2] = [
        ("session_id = ?2 AND session_id <> ''", session),
        ("session_id = '' AND guid = ?2", guid),
    ];
    for (which, name) in named {
        let sql = format!(
            "UPDATE rs_call_event SET extra = NULL
             WHERE component_id = ?1 AND {which} AND extra IS NOT NULL"
        );
        db.execute(&sql, params![component, name])?;
        let sql = format!(
            "SELECT no, label, text FROM rs_call_event
             WHERE component_id = ?1 AND {which} AND text IS NOT NULL"
        );
        let mut events = db.prepare(&sql)?;
        let events = events.query_map(params![component, name], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)?))
        })?;
        for (no, label, text) in events.collect::<Result<Vec<_>, _>>()? {
            let left = unsaid(label.as_deref(), &text);
            if left.as_ref() != Some(&text) {
                let set = "UPDATE rs_call_event SET text = ?2 WHERE no = ?1";
                db.execute(set, params![no, left])?;
            }
        }
        let sql =
            format!("SELECT id_key, fact FROM rs_sq_call WHERE component_id = ?1 AND {which}");
        let mut facts = db.prepare(&sql)?;
        let facts = facts.query_map(params![component, name], |row| {
            Ok((row.get::<_, Key>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        for (key, fact) in facts.collect::<Result<Vec<_>, _>>()? {
            let left = QualityFact::decode(&fact).and_then(QualityFact::unsaid);
            if let Some(fact) = left {
                let set = "UPDATE rs_sq_call SET fact = ?2 WHERE id_key = ?1";
                db.execute(set, params![key, fact.encode()])?;
            }
        }
    }
    Ok(())
}
