//! Calls that are erased whole, in one transaction while no batch is stored.

use std::collections::BTreeSet;

use rs::Key;
use rs::erase::{NumberHash, Secret, unsaid};
use rs::quality::QualityFact;
use rs::report::Call;
use rs::share::Batch;

use super::custody;
use super::erasing::{ALONE, Eraser, erased, known, put_seal};
use super::link::{Link, Uid};
use super::load::{signed, uid, unsigned};
use super::write::Part;
use crate::store::custody::Audit;
use crate::store::erasing::{days, names};
use crate::store::{Day, StoreError};

impl Eraser {
    /// Erases calls with what was said in them.
    pub(super) fn forget(
        &mut self,
        secret: &Secret,
        legs: &[Call],
        line: &Audit,
    ) -> Result<(), StoreError> {
        let (Self { link, second, objects }, now_ms) = (self, line.time_ms);
        link.batch("BEGIN")?;
        link.query(ALONE, &[])?;
        let mut newest = known(link, secret)?;
        let days: Vec<i32> = days(legs).into_iter().map(signed).collect();
        let keys: Vec<Uid> = legs.iter().map(|leg| Uid(leg.key)).collect();
        let sql = "SELECT day, call_key, component_id, session_id, guid FROM rs_call
            WHERE day = ANY($1) AND call_key = ANY($2) ORDER BY day, call_key";
        let rows = link.query(sql, &[&days, &keys])?;
        for row in &rows {
            let component: i64 = row.get(2);
            let (session, guid): (String, Option<String>) = (row.get(3), row.get(4));
            unsay(link, &days, component, ("session_id = $3 AND session_id <> ''", &session))?;
            if let Some(guid) = guid {
                unsay(link, &days, component, ("session_id = '' AND guid = $3", &guid))?;
            }
        }
        let mut batch = Batch::default();
        batch.erase(&erased(link, secret)?);
        let at: Vec<(Day, Key)> =
            rows.iter().map(|row| (unsigned(row.get(0)), uid(row, 1))).collect();
        let mut part = Part::new(link, second, objects, &batch, now_ms);
        part.run(|share| at.iter().for_each(|at| share.erase(*at, None)))?;
        note(link, &names(legs, secret), now_ms, &mut newest)?;
        put_seal(link, secret, newest)?;
        custody::note(link, line)?;
        link.batch("COMMIT")
    }
}

/// Takes away what was said in a session.
fn unsay(
    link: &mut Link,
    days: &[i32],
    component: i64,
    (which, name): (&str, &str),
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE rs_call_event SET extra = NULL
         WHERE day = ANY($1) AND component_id = $2 AND {which} AND extra IS NOT NULL"
    );
    link.execute(&sql, &[&days, &component, &name])?;
    let sql = format!(
        "SELECT day, id_key, label, text FROM rs_call_event
         WHERE day = ANY($1) AND component_id = $2 AND {which} AND text IS NOT NULL"
    );
    for row in link.query(&sql, &[&days, &component, &name])? {
        let (day, text): (i32, &str) = (row.get(0), row.get(3));
        let left = unsaid(row.get(2), text);
        if left.as_deref() != Some(text) {
            let set = "UPDATE rs_call_event SET text = $3 WHERE day = $1 AND id_key = $2";
            link.execute(set, &[&day, &Uid(uid(&row, 1)), &left])?;
        }
    }
    let sql = format!(
        "SELECT day, id_key, fact FROM rs_sq_call
         WHERE day = ANY($1) AND component_id = $2 AND {which}"
    );
    for row in link.query(&sql, &[&days, &component, &name])? {
        let fact = QualityFact::decode(row.get(2)).and_then(QualityFact::unsaid);
        if let Some(fact) = fact {
            let day: i32 = row.get(0);
            let set = "UPDATE rs_sq_call SET fact = $3 WHERE day = $1 AND id_key = $2";
            link.execute(set, &[&day, &Uid(uid(&row, 1)), &fact.encode()])?;
        }
    }
    Ok(())
}

/// Notes by what they are known, so that what is late is erased before it is stored.
fn note(
    link: &mut Link,
    names: &BTreeSet<NumberHash>,
    now_ms: i64,
    newest: &mut i64,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO rs_erasure (digits, hash, requested_ms, ended_ms)
        VALUES ($1, $2, $3, $3) RETURNING no";
    for NumberHash { digits, hash } in names {
        let rows = link.query(insert, &[&i16::from(*digits), &Uid(*hash), &now_ms])?;
        *newest = rows.first().map_or(*newest, |row| row.get(0));
    }
    Ok(())
}
