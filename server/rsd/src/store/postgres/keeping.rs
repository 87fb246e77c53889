//! Leases, overrides and what goes, on PostgreSQL: each change is one transaction that holds the
//! row of its lease, so that no other can take it in between.

use rs::orphan::{Boot, Waiting};
use rs::retention::{Due, Group, Holder, Terms, Wanted};
use rs::{CallState, Day, Key, key};

use super::custody::with_line;
use super::link::{Link, Uid};
use super::load::{signed, uid, unsigned};
use super::{Postgres, WRITE, lock};
use super::{due, purge};
use crate::store::StoreError;
use crate::store::custody::Audit;
use crate::store::keeping::{
    After, Aged, Indexed, Jobs, Keeping, Lease, Live, Override, Room, Slice, fenced,
};

impl Postgres {
    /// Lends the jobs' connection; one that met an error is made anew next time.
    pub(super) fn job<T>(
        &self,
        work: impl FnOnce(&mut Link) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut place = lock(&self.jobs);
        let mut link = match place.take() {
            Some(link) if link.is_open() => link,
            _ => {
                // the schema is made by the writer
                self.write(|_| Ok(()))?;
                self.connect(WRITE)?
            }
        };
        let done = work(&mut link)?;
        *place = Some(link);
        Ok(done)
    }

    /// A change of a job, which is undone where another holds its lease.
    pub(super) fn change<T>(
        &self,
        lease: &Lease,
        work: impl FnOnce(&mut Link) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.job(|link| {
            link.batch("BEGIN")?;
            if !holds(link, lease)? {
                link.batch("ROLLBACK")?;
                return Err(fenced(lease.name));
            }
            let done = work(link)?;
            link.batch("COMMIT")?;
            Ok(done)
        })
    }
}

/// Whether a lease is still this one's; then it is until the transaction ends.
pub(super) fn holds(link: &mut Link, lease: &Lease) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM rs_lease WHERE name = $1 AND fence = $2 FOR SHARE";
    Ok(!link.query(sql, &[&lease.name, &lease.fence.cast_signed()])?.is_empty())
}

/// The next day that has facts or their ledger.
pub(super) fn next_day(link: &mut Link, after: i32) -> Result<Option<i32>, StoreError> {
    let sql = "SELECT least((SELECT min(day) FROM rs_fact_ledger WHERE day > $1),
          (SELECT min(day) FROM rs_call WHERE day > $1),
          (SELECT min(day) FROM rs_sq_failure WHERE day > $1))";
    Ok(link.query(sql, &[&after])?.first().and_then(|row| row.get(0)))
}

const fn place(holder: Holder) -> (i16, i64) {
    match holder {
        Holder::Tenant(id) => (0, id),
        Holder::Profile(id) => (1, id),
    }
}

fn days(column: Option<i32>) -> Option<u32> {
    column.and_then(|days| u32::try_from(days).ok())
}

fn column(days: Option<u32>) -> Option<i32> {
    days.and_then(|days| i32::try_from(days).ok())
}

impl Keeping for Postgres {
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
        self.job(|link| {
            let sql = "INSERT INTO rs_lease AS l VALUES ($1, $2, 1, $4)
                ON CONFLICT (name) DO UPDATE SET
                  fence = l.fence + CASE WHEN l.holder = $2 THEN 0 ELSE 1 END,
                  holder = $2, until_ms = $4
                WHERE l.holder = $2 OR l.until_ms <= $3 RETURNING fence";
            let rows = link.query(sql, &[&name, &holder, &now_ms, &until_ms])?;
            let fence = rows.first().map(|row| row.get::<_, i64>(0).cast_unsigned());
            Ok(fence.map(|fence| Lease { name, fence }))
        })
    }

    fn end_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.job(|link| {
            let sql = "UPDATE rs_lease SET until_ms = 0 WHERE name = $1 AND fence = $2";
            link.execute(sql, &[&lease.name, &lease.fence.cast_signed()])?;
            Ok(())
        })
    }

    fn jobs(&self, holder: &str, now_ms: i64) -> Result<Jobs, StoreError> {
        self.read(|reader| {
            let sql = "SELECT name FROM rs_lease WHERE holder = $1 AND until_ms > $2";
            let held = reader.link.query(sql, &[&holder, &now_ms])?;
            let held = held.iter().map(|row| row.get(0)).collect();
            let sql = "SELECT job, count(*), min(since_ms) FROM rs_dirty_bin GROUP BY job";
            let mut jobs = Jobs { held, ..Jobs::default() };
            for row in reader.link.query(sql, &[])? {
                let job = u8::try_from(row.get::<_, i16>(0)).unwrap_or(u8::MAX);
                jobs.mark(job, (row.get(1), row.get(2)));
            }
            Ok(jobs)
        })
    }

    fn overrides(&self) -> Result<Vec<Override>, StoreError> {
        self.job(|link| {
            let sql = "SELECT scope, id, cdr, events, var, set_ms FROM rs_retention_override
                ORDER BY scope, id";
            let rows = link.query(sql, &[])?;
            let read = |row: &tokio_postgres::Row| {
                let id = row.get(1);
                let profile = row.get::<_, i16>(0) == 1;
                Override {
                    holder: if profile { Holder::Profile(id) } else { Holder::Tenant(id) },
                    wanted: Wanted {
                        cdr: days(row.get(2)),
                        events: days(row.get(3)),
                        var: days(row.get(4)),
                    },
                    set_ms: row.get(5),
                }
            };
            Ok(rows.iter().map(read).collect())
        })
    }

    fn set_override(&self, one: &Override, line: &Audit) -> Result<(), StoreError> {
        self.job(|link| {
            let (scope, id) = place(one.holder);
            let Wanted { cdr, events, var } = one.wanted;
            let sql = "INSERT INTO rs_retention_override VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (scope, id) DO UPDATE SET cdr = excluded.cdr,
                  events = excluded.events, var = excluded.var, set_ms = excluded.set_ms";
            let (cdr, events, var) = (column(cdr), column(events), column(var));
            with_line(link, sql, &[&scope, &id, &cdr, &events, &var, &one.set_ms], line)?;
            Ok(())
        })
    }

    fn drop_override(&self, holder: Holder, line: &Audit) -> Result<bool, StoreError> {
        self.job(|link| {
            let (scope, id) = place(holder);
            let sql = "DELETE FROM rs_retention_override WHERE scope = $1 AND id = $2";
            with_line(link, sql, &[&scope, &id], line)
        })
    }

    fn days(&self) -> Result<Vec<Day>, StoreError> {
        self.job(|link| {
            let mut days = Vec::new();
            let mut after = 0_i32;
            while let Some(day) = next_day(link, after)? {
                days.push(unsigned(day));
                after = day;
            }
            Ok(days)
        })
    }

    fn oldest_live(&self) -> Result<Option<Day>, StoreError> {
        self.job(|link| {
            let rows = link.query("SELECT min(day) FROM rs_call WHERE live", &[])?;
            Ok(rows.first().and_then(|row| row.get::<_, Option<i32>>(0)).map(unsigned))
        })
    }

    fn groups(&self, day: Day) -> Result<Vec<Group>, StoreError> {
        self.job(|link| {
            let sql = "SELECT tenant_id, profile_id, count(*) FILTER (WHERE live),
                  min(ended_ms), max(ended_ms)
                FROM rs_call WHERE day = $1 GROUP BY tenant_id, profile_id";
            let rows = link.query(sql, &[&signed(day)])?;
            let read = |row: &tokio_postgres::Row| Group {
                tenant: row.get(0),
                profile: row.get(1),
                live: row.get::<_, i64>(2).cast_unsigned(),
                first_ended_ms: row.get(3),
                last_ended_ms: row.get(4),
            };
            Ok(rows.iter().map(read).collect())
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
        self.change(lease, |link| due::slice(link, day, due, after, most))
    }

    fn delete_facts(
        &self,
        lease: &Lease,
        day: Day,
        last_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError> {
        self.change(lease, |link| purge::facts(link, day, last_ms, most))
    }

    fn index_uris(&self) -> Result<Indexed, StoreError> {
        self.index()
    }

    /// A server gives room back by itself.
    fn give_back(&self, _: &Lease, _: Day) -> Result<(), StoreError> {
        Ok(())
    }

    fn delete_ledger(&self, lease: &Lease, day: Day, most: u32) -> Result<u64, StoreError> {
        self.change(lease, |link| purge::ledger(link, day, most))
    }

    fn delete_aged(
        &self,
        lease: &Lease,
        aged: Aged,
        before_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError> {
        self.change(lease, |link| purge::aged(link, aged, before_ms, most))
    }

    fn live(&self, after: Option<(Day, Key)>, most: u32) -> Result<Vec<Live>, StoreError> {
        self.job(|link| {
            let (day, key) = after.unwrap_or_default();
            let sql = "SELECT c.day, c.call_key, c.component_type, c.last_fact_ms,
                  c.boot, coalesce(d.last_ms, c.last_fact_ms), b.boot, b.first_ms
                FROM rs_call c LEFT JOIN rs_dim_component d ON d.id = c.component_id
                LEFT JOIN LATERAL (SELECT s.boot, min(s.first_ms) AS first_ms
                  FROM rs_producer_stream s WHERE s.producer = d.name
                  GROUP BY s.boot ORDER BY s.boot DESC LIMIT 1) b ON true
                WHERE c.live AND (c.day, c.call_key) > ($1, $2)
                ORDER BY c.day, c.call_key LIMIT $3";
            let rows = link.query(sql, &[&signed(day), &Uid(key), &i64::from(most)])?;
            let read = |row: &tokio_postgres::Row| Live {
                day: unsigned(row.get(0)),
                call_key: uid(row, 1),
                waiting: Waiting {
                    component_type: u8::try_from(row.get::<_, i16>(2)).unwrap_or_default(),
                    last_fact_ms: row.get(3),
                    boot: row.get(4),
                    last_sent_ms: row.get(5),
                    newest: row.get::<_, Option<i64>>(6).zip(row.get(7)).map(Boot::from),
                },
            };
            Ok(rows.iter().map(read).collect())
        })
    }

    fn state(&self, day: Day, key: &Key) -> Result<Option<CallState>, StoreError> {
        self.job(|link| {
            let sql = "SELECT state FROM rs_call_fact_state WHERE day = $1 AND call_key = $2";
            let rows = link.query(sql, &[&signed(day), &Uid(*key)])?;
            let state = rows.first().map(|row| CallState::decode(row.get(0)));
            Ok(state.transpose()?)
        })
    }

    fn last_event(&self, day: Day, call: &Key) -> Result<Option<i64>, StoreError> {
        self.job(|link| {
            let sql = "SELECT max(e.time_ms) FROM rs_call c
                JOIN rs_call_event e ON e.component_id = c.component_id
                  AND e.session_id = c.session_id AND e.time_ms >= c.started_ms
                WHERE c.day = $1 AND c.call_key = $2 AND c.session_id <> '' AND e.day >= $3
                  AND NOT EXISTS (SELECT 1 FROM rs_call n WHERE n.component_id = c.component_id
                    AND n.session_id = c.session_id AND n.day >= $3
                    AND n.started_ms > c.started_ms AND n.started_ms <= e.time_ms)";
            let [first, ..] = key::beside(day);
            let rows = link.query(sql, &[&signed(day), &Uid(*call), &signed(first)])?;
            Ok(rows.first().and_then(|row| row.get(0)))
        })
    }

    fn rooms(&self) -> Result<Vec<Room>, StoreError> {
        self.job(|link| {
            let sql = "SELECT coalesce(p.relname, c.relname)::text AS name,
                  sum(pg_total_relation_size(c.oid))::bigint
                FROM pg_class c
                LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
                LEFT JOIN pg_class p ON p.oid = i.inhparent
                WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
                  AND c.relname LIKE 'rs\\_%' GROUP BY 1 ORDER BY 1";
            let rows = link.query(sql, &[])?;
            let read = |row: &tokio_postgres::Row| Room {
                name: row.get(0),
                bytes: row.get::<_, i64>(1).cast_unsigned(),
            };
            Ok(rows.iter().map(read).collect())
        })
    }
}
