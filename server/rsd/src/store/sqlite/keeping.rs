//! Leases, overrides and what goes, in the files. The job has connections of its own, so that a
//! slice holds up nobody but a late record of the same day; only the removal of a file waits for
//! the writer.

use std::collections::{BTreeMap, BTreeSet};

use rs::orphan::{Boot, Waiting};
use rs::retention::{Due, Group, Holder, Terms, Wanted};
use rs::{CallState, Day, Key, key};
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use super::Sqlite;
use super::aside::of_main;
use super::custody::note;
use super::files::{Days, Layout};
use super::write::begin;
use super::{due, load, purge};
use crate::store::StoreError;
use crate::store::custody::Audit;
use crate::store::keeping::{
    After, Aged, Indexed, Jobs, Keeping, Lease, Live, Override, Room, Slice, fenced,
};

/// Connections of the jobs: the main file and one day at a time.
pub(super) struct Keeper {
    pub(super) main: Connection,
    pub(super) days: Days,
    now_ms: i64,
}

/// Day files that they hold open.
pub(super) const OPEN_DAYS: usize = 1;

impl Keeper {
    pub(super) fn open(layout: Layout, now_ms: i64) -> Result<Self, StoreError> {
        let main = layout.open_main(now_ms)?;
        // the directory is ours alone: whoever had a lease is gone
        main.execute("UPDATE rs_lease SET until_ms = 0", [])?;
        Ok(Self { main, days: Days::new(layout, OPEN_DAYS), now_ms })
    }

    /// The day's file, if there is one. Who finds it damaged sets it aside ([`Sqlite::keep_day`]).
    pub(super) fn day(&mut self, day: Day) -> Result<Option<&mut Connection>, StoreError> {
        self.days.find(day, self.now_ms)
    }

    /// Refuses what comes after another has taken the lease.
    fn check(&self, lease: &Lease) -> Result<(), StoreError> {
        check(&self.main, lease.name, lease.fence)
    }

    /// What is known of the component of a call in progress.
    fn live(&mut self, day: Day, call_key: Key) -> Result<Option<Live>, StoreError> {
        let Some(db) = self.day(day)? else { return Ok(None) };
        let sql = "SELECT component_id, component_type, last_fact_ms, boot FROM rs_call
            WHERE call_key = ?1 AND live = 1";
        let row = db.prepare_cached(sql)?.query_row([call_key], |row| {
            let last_fact_ms = row.get(2)?;
            let waiting = Waiting {
                component_type: row.get(1)?,
                last_fact_ms,
                boot: row.get(3)?,
                last_sent_ms: last_fact_ms,
                newest: None,
            };
            Ok((row.get::<_, i64>(0)?, waiting))
        });
        let Some((component, mut waiting)) = row.optional()? else { return Ok(None) };
        let sql = "SELECT c.last_ms, s.boot, min(s.first_ms)
            FROM rs_dim_component AS c LEFT JOIN rs_producer_stream AS s ON s.producer = c.name
              AND s.boot = (SELECT max(n.boot) FROM rs_producer_stream AS n
                WHERE n.producer = c.name)
            WHERE c.id = ?1 GROUP BY c.id";
        let mut told = self.main.prepare_cached(sql)?;
        let told = told.query_row([component], |row| {
            Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?.zip(row.get(2)?)))
        });
        if let Some((last_sent_ms, newest)) = told.optional()? {
            waiting.last_sent_ms = last_sent_ms;
            waiting.newest = newest.map(Boot::from);
        }
        Ok(Some(Live { day, call_key, waiting }))
    }

    /// The last event of a call's session before a later call of it: in its day's file, in that of
    /// the day before, to which its GUID may have led, or in a later one.
    fn last_event(&mut self, day: Day, call_key: &Key) -> Result<Option<i64>, StoreError> {
        let Some(db) = self.day(day)? else { return Ok(None) };
        let sql = "SELECT component_id, session_id, started_ms FROM rs_call
            WHERE call_key = ?1 AND session_id <> ''";
        let call = db.prepare_cached(sql)?.query_row([call_key], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        });
        let Some((component, session, started_ms)) = call.optional()? else { return Ok(None) };
        let [first, ..] = key::beside(day);
        let mut days = self.days.all()?;
        days.retain(|day| *day >= first);
        let mut ask = |sql: &'static str, values: &[&dyn ToSql]| {
            let mut times = Vec::new();
            for day in &days {
                let time = |db: &mut Connection| -> Result<Option<i64>, StoreError> {
                    Ok(db.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
                };
                times.extend(self.days.ask(*day, self.now_ms, time)?.flatten());
            }
            Ok::<_, StoreError>(times)
        };
        let next = "SELECT min(started_ms) FROM rs_call
            WHERE component_id = ?1 AND session_id = ?2 AND started_ms > ?3";
        let next_ms = ask(next, &[&component, &session, &started_ms])?.into_iter().min();
        let last = "SELECT max(time_ms) FROM rs_call_event
            WHERE component_id = ?1 AND session_id = ?2 AND time_ms >= ?3 AND time_ms < ?4";
        let until_ms = next_ms.unwrap_or(i64::MAX);
        let last = ask(last, &[&component, &session, &started_ms, &until_ms])?;
        Ok(last.into_iter().max())
    }
}

/// Refuses what comes after another has taken the lease.
pub(super) fn check(main: &Connection, name: &'static str, fence: u64) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM rs_lease WHERE name = ?1 AND fence = ?2";
    let ours = || Ok(main.prepare_cached(sql)?.exists(params![name, fence.cast_signed()])?);
    let ours = of_main(ours())?;
    if ours { Ok(()) } else { Err(fenced(name)) }
}

/// Names of the leases that a holder has.
fn held(main: &Connection, holder: &str, now_ms: i64) -> Result<BTreeSet<String>, StoreError> {
    let sql = "SELECT name FROM rs_lease WHERE holder = ?1 AND until_ms > ?2";
    let mut held = main.prepare_cached(sql)?;
    let held = held.query_map(params![holder, now_ms], |row| row.get(0))?;
    Ok(held.collect::<Result<_, _>>()?)
}

/// Takes a day out of the lists of the main file, unless a call has come that has it shown. Such a
/// call is in the day's file before it is told to the main one: whoever holds the main one sees it,
/// or it is told after this.
pub(super) fn forget_day(
    main: &mut Connection,
    db: &Connection,
    day: Day,
) -> Result<bool, StoreError> {
    let transaction = of_main(begin(main))?;
    if !purge::is_hidden(db)? && purge::has_calls(db)? {
        return Ok(false);
    }
    let forget = || {
        for table in ["rs_day_span", "rs_call_day"] {
            let sql = format!("DELETE FROM {table} WHERE day = ?1");
            transaction.prepare_cached(&sql)?.execute([day])?;
        }
        Ok(transaction.commit()?)
    };
    of_main(forget())?;
    Ok(true)
}

/// A slice of what the rollup job keeps of a day that has no calls; the same holds for it.
fn forget_figures(
    main: &mut Connection,
    db: &Connection,
    day: Day,
    most: u32,
) -> Result<u64, StoreError> {
    let transaction = of_main(begin(main))?;
    if purge::has_calls(db)? {
        return Ok(0);
    }
    let rows = of_main(purge::of_job(&transaction, day, most))?;
    of_main(transaction.commit().map_err(StoreError::from))?;
    Ok(rows)
}

/// Counts the marks of a file.
fn marked(db: &Connection, jobs: &mut Jobs) -> Result<(), StoreError> {
    let sql = "SELECT job, count(*), min(since_ms) FROM rs_dirty_bin GROUP BY job";
    let mut marks = db.prepare_cached(sql)?;
    let marks = marks.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    for row in marks {
        let (job, marks) = row?;
        jobs.mark(job, marks);
    }
    Ok(())
}

/// Column and id of an object with an override.
const fn place(holder: Holder) -> (i64, i64) {
    match holder {
        Holder::Tenant(id) => (0, id),
        Holder::Profile(id) => (1, id),
    }
}

impl Keeping for Sqlite {
    fn judge_by(&self, terms: Terms) {
        self.judge.set(terms);
    }

    fn take_lease(
        &self,
        name: &'static str,
        holder: &str,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<Option<Lease>, StoreError> {
        self.keep(|keeper| {
            keeper.main.execute(
                "INSERT INTO rs_lease VALUES (?1, ?2, 1, ?4) ON CONFLICT (name) DO UPDATE SET
                   fence = fence + (holder <> ?2), holder = ?2, until_ms = ?4
                 WHERE holder = ?2 OR until_ms <= ?3",
                params![name, holder, now_ms, until_ms],
            )?;
            let sql = "SELECT fence FROM rs_lease WHERE name = ?1 AND holder = ?2";
            let fence = keeper.main.query_row(sql, params![name, holder], |row| row.get(0));
            Ok(fence.optional()?.map(|fence: i64| Lease { name, fence: fence.cast_unsigned() }))
        })
    }

    fn end_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.keep(|keeper| {
            let sql = "UPDATE rs_lease SET until_ms = 0 WHERE name = ?1 AND fence = ?2";
            keeper.main.execute(sql, params![lease.name, lease.fence.cast_signed()])?;
            Ok(())
        })
    }

    fn jobs(&self, holder: &str, now_ms: i64) -> Result<Jobs, StoreError> {
        let days = self.marked.seen();
        self.read(|reader| {
            let held = held(&reader.main, holder, now_ms)?;
            let mut jobs = Jobs { held, ..Jobs::default() };
            marked(&reader.main, &mut jobs)?;
            for day in days {
                reader.days.ask(day, reader.now_ms, |db| marked(db, &mut jobs))?;
            }
            Ok(jobs)
        })
    }

    fn overrides(&self) -> Result<Vec<Override>, StoreError> {
        self.keep(|keeper| {
            let sql = "SELECT scope, id, cdr, events, var, set_ms FROM rs_retention_override
                ORDER BY scope, id";
            let mut statement = keeper.main.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let id = row.get(1)?;
                let profile = row.get::<_, i64>(0)? == 1;
                Ok(Override {
                    holder: if profile { Holder::Profile(id) } else { Holder::Tenant(id) },
                    wanted: Wanted { cdr: row.get(2)?, events: row.get(3)?, var: row.get(4)? },
                    set_ms: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn set_override(&self, one: &Override, line: &Audit) -> Result<(), StoreError> {
        self.keep(|keeper| {
            let (scope, id) = place(one.holder);
            let Wanted { cdr, events, var } = one.wanted;
            let transaction = begin(&mut keeper.main)?;
            transaction.execute(
                "INSERT OR REPLACE INTO rs_retention_override VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![scope, id, cdr, events, var, one.set_ms],
            )?;
            note(&transaction, line)?;
            Ok(transaction.commit()?)
        })
    }

    fn drop_override(&self, holder: Holder, line: &Audit) -> Result<bool, StoreError> {
        self.keep(|keeper| {
            let (scope, id) = place(holder);
            let sql = "DELETE FROM rs_retention_override WHERE scope = ?1 AND id = ?2";
            let transaction = begin(&mut keeper.main)?;
            let found = transaction.execute(sql, params![scope, id])? > 0;
            if found {
                note(&transaction, line)?;
            }
            transaction.commit()?;
            Ok(found)
        })
    }

    fn days(&self) -> Result<Vec<Day>, StoreError> {
        self.layout.days()
    }

    fn oldest_live(&self) -> Result<Option<Day>, StoreError> {
        self.keep(|keeper| {
            Ok(keeper.main.query_row("SELECT min(day) FROM rs_live_key", [], |row| row.get(0))?)
        })
    }

    fn groups(&self, day: Day) -> Result<Vec<Group>, StoreError> {
        self.keep_day(day, |keeper| {
            let Some(db) = keeper.day(day)? else { return Ok(Vec::new()) };
            let sql = "SELECT tenant_id, profile_id, sum(live), min(ended_ms), max(ended_ms)
                FROM rs_call GROUP BY tenant_id, profile_id";
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Group {
                    tenant: row.get(0)?,
                    profile: row.get(1)?,
                    live: row.get::<_, i64>(2)?.cast_unsigned(),
                    first_ended_ms: row.get(3)?,
                    last_ended_ms: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn delete(
        &self,
        lease: &Lease,
        day: Day,
        due: &Due,
        after: Option<After>,
        most: u32,
    ) -> Result<Slice, StoreError> {
        self.keep_day(day, |keeper| {
            keeper.check(lease)?;
            due::slice((&mut keeper.days, keeper.now_ms), day, due, after, most)
        })
    }

    fn delete_facts(
        &self,
        lease: &Lease,
        day: Day,
        last_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError> {
        self.keep_day(day, |keeper| {
            keeper.check(lease)?;
            let Keeper { main, days, now_ms } = keeper;
            let Some(db) = days.find(day, *now_ms)? else { return Ok(0) };
            if !purge::hide(db, last_ms)? || !forget_day(main, db, day)? {
                return Ok(0);
            }
            match purge::facts(db, last_ms, most)? {
                0 => forget_figures(main, db, day, most),
                rows => Ok(rows),
            }
        })
    }

    fn index_uris(&self) -> Result<Indexed, StoreError> {
        self.index()
    }

    fn give_back(&self, lease: &Lease, day: Day) -> Result<(), StoreError> {
        let _unmoved = self.unmoved();
        self.keep_day(day, |keeper| {
            keeper.check(lease)?;
            keeper.day(day)?.map_or(Ok(()), |db| purge::give_back(db))
        })
    }

    fn delete_ledger(&self, lease: &Lease, day: Day, most: u32) -> Result<u64, StoreError> {
        let kept = self.keep_day(day, |keeper| {
            keeper.check(lease)?;
            let Some(db) = keeper.day(day)? else { return Ok(Some(0)) };
            let held = purge::held(db)?;
            held.then(|| purge::ledger(db, most)).transpose()
        })?;
        match kept {
            Some(rows) => Ok(rows),
            None => Ok(u64::from(self.remove_day(day)?)),
        }
    }

    fn delete_aged(
        &self,
        lease: &Lease,
        aged: Aged,
        before_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError> {
        self.keep(|keeper| {
            keeper.check(lease)?;
            let all = keeper.days.whole()?;
            let mut rows = purge::aged_of_main(&keeper.main, aged, before_ms, most)?;
            if aged == Aged::Apart && rows == 0 {
                rows += purge::of_apart(&keeper.main, &keeper.days.all()?, before_ms, most)?;
            }
            if matches!(aged, Aged::Letters | Aged::Failures) {
                for day in all.into_iter().filter(|day| key::start_ms(*day) < before_ms) {
                    let older = |db: &mut _| purge::aged_of_day(db, aged, before_ms, most);
                    rows += keeper.days.ask(day, keeper.now_ms, older)?.unwrap_or(0);
                }
            }
            Ok(rows)
        })
    }

    fn live(&self, after: Option<(Day, Key)>, most: u32) -> Result<Vec<Live>, StoreError> {
        self.keep(|keeper| {
            let (day, key) = after.unwrap_or_default();
            let sql = format!(
                "SELECT day, call_key FROM rs_live_key
                 WHERE (day > ?1 OR (day = ?1 AND call_key > ?2)) AND day NOT IN ({})
                 ORDER BY day, call_key LIMIT ?3",
                keeper.days.aside()
            );
            let mut statement = keeper.main.prepare(&sql)?;
            let rows = statement.query_map(params![day, key, most], |row| {
                Ok((row.get::<_, Day>(0)?, row.get::<_, Key>(1)?))
            })?;
            let keys: Vec<(Day, Key)> = rows.collect::<Result<_, _>>()?;
            drop(statement);
            let mut live = Vec::with_capacity(keys.len());
            for (day, key) in keys {
                match keeper.live(day, key) {
                    // those behind it are looked at next time
                    Err(error) if keeper.days.set_aside(day, &error).is_some() => break,
                    one => live.extend(one?),
                }
            }
            Ok(live)
        })
    }

    fn state(&self, day: Day, key: &Key) -> Result<Option<CallState>, StoreError> {
        self.keep_day(day, |keeper| match keeper.day(day)? {
            Some(db) => load::state(db, key),
            None => Ok(None),
        })
    }

    fn last_event(&self, day: Day, call: &Key) -> Result<Option<i64>, StoreError> {
        self.keep_day(day, |keeper| keeper.last_event(day, call))
    }

    fn rooms(&self) -> Result<Vec<Room>, StoreError> {
        let sizes: BTreeMap<&str, u64> = self.layout.sizes()?;
        Ok(sizes.into_iter().map(|(name, bytes)| Room { name: name.to_owned(), bytes }).collect())
    }
}
