//! Leases, overrides and what goes, on SQL Server: each change is one transaction that holds the
//! row of its lease, so that no other can take it in between.

use std::collections::BTreeMap;

use rs::orphan::{Boot, Waiting};
use rs::retention::{Due, Group, Holder, Terms, Wanted};
use rs::{CallState, Day, Key, key as keys};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::row::{int, key};
use super::statement::keeping as sql;
use super::{SqlServer, custody, due, purge, save};
use crate::store::StoreError;
use crate::store::custody::Audit;
use crate::store::keeping::{
    After, Aged, Indexed, Jobs, Keeping, Lease, Live, Override, Room, Slice, fenced,
};

impl SqlServer {
    /// A change of a job, which is undone where another holds its lease.
    pub(super) fn change<T>(
        &self,
        lease: &Lease,
        work: impl AsyncFnOnce(&mut Link) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let done = self.write(async |link| {
            link.begin().await?;
            if !holds(link, lease.name, lease.fence).await? {
                link.rollback().await?;
                return Ok(None);
            }
            let rows = work(link).await?;
            link.commit().await?;
            Ok(Some(rows))
        });
        done?.ok_or_else(|| fenced(lease.name))
    }
}

/// Whether a lease is still this one's; then it is until the transaction ends.
pub(super) async fn holds(link: &mut Link, name: &str, fence: u64) -> Result<bool, Failure> {
    let fence = fence.cast_signed();
    let held = link.ask(sql::LEASE_CHECK, &[&name, &fence], |_| Ok(())).await?;
    Ok(!held.is_empty())
}

/// The next day that has facts or their ledger.
pub(super) async fn next_day(link: &mut Link, after: i32) -> Result<Option<Day>, Failure> {
    let mut next = None;
    for statement in [sql::DAY_LEDGER, sql::DAY_CALL, sql::DAY_FAILURE] {
        let found = link.ask(statement, &[&after], |cells| cells.id(0)).await?;
        next = next.into_iter().chain(found.into_iter().flatten()).min();
    }
    Ok(next)
}

const fn place(holder: Holder) -> (u8, i64) {
    match holder {
        Holder::Tenant(id) => (0, id),
        Holder::Profile(id) => (1, id),
    }
}

impl Keeping for SqlServer {
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
        let held = self.write(async |link| {
            let values: [&dyn ToSql; 4] = [&name, &holder, &now_ms, &until_ms];
            if link.run(sql::LEASE_TAKE, &values).await? == 0 {
                link.run(sql::LEASE_FIRST, &[&name, &holder, &until_ms]).await?;
            }
            let read = |cells: &Cells<'_>| cells.some(0, Cells::number);
            link.ask(sql::LEASE_HELD, &[&name, &holder], read).await
        });
        Ok(held?.first().map(|fence| Lease { name, fence: fence.cast_unsigned() }))
    }

    fn end_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let fence = lease.fence.cast_signed();
        let values: [&dyn ToSql; 2] = [&lease.name, &fence];
        self.write(async |link| link.run(sql::LEASE_END, &values).await)?;
        Ok(())
    }

    fn jobs(&self, holder: &str, now_ms: i64) -> Result<Jobs, StoreError> {
        let mark = |cells: &Cells<'_>| {
            let marks = (cells.some(1, Cells::number)?, cells.some(2, Cells::number)?);
            Ok((cells.some(0, Cells::word)?, marks))
        };
        let values: [&dyn ToSql; 2] = [&holder, &now_ms];
        let (held, marks) = self.read(async |link| {
            let name = |cells: &Cells<'_>| cells.some(0, Cells::text);
            Ok((
                link.ask(sql::LEASES, &values, name).await?,
                link.ask(sql::MARKED, &[], mark).await?,
            ))
        })?;
        let mut jobs = Jobs { held: held.into_iter().collect(), ..Jobs::default() };
        marks.into_iter().for_each(|(job, marks)| jobs.mark(job, marks));
        Ok(jobs)
    }

    fn overrides(&self) -> Result<Vec<Override>, StoreError> {
        let read = |cells: &Cells<'_>| {
            let id = cells.some(1, Cells::number)?;
            let profile = cells.some(0, Cells::number)? == 1;
            let (cdr, events, var) = (cells.id(2)?, cells.id(3)?, cells.id(4)?);
            Ok(Override {
                holder: if profile { Holder::Profile(id) } else { Holder::Tenant(id) },
                wanted: Wanted { cdr, events, var },
                set_ms: cells.some(5, Cells::number)?,
            })
        };
        Ok(self.read(async |link| link.ask(sql::OVERRIDES, &[], read).await)?)
    }

    fn set_override(&self, one: &Override, line: &Audit) -> Result<(), StoreError> {
        let (scope, id) = place(one.holder);
        let days = |days: Option<u32>| days.map(int);
        let Wanted { cdr, events, var } = one.wanted;
        let (cdr, events, var) = (days(cdr), days(events), days(var));
        let values: [&dyn ToSql; 6] = [&scope, &id, &cdr, &events, &var, &one.set_ms];
        let both = [sql::OVERRIDE_UPDATE, sql::OVERRIDE_INSERT];
        Ok(self.write(async |link| {
            link.begin().await?;
            save::one(link, both, &values).await?;
            custody::note(link, line).await?;
            link.commit().await
        })?)
    }

    fn drop_override(&self, holder: Holder, line: &Audit) -> Result<bool, StoreError> {
        let (scope, id) = place(holder);
        let values: [&dyn ToSql; 2] = [&scope, &id];
        let gone = sql::OVERRIDE_DELETE;
        Ok(self.write(async |link| custody::with_line(link, gone, &values, line).await)?)
    }

    fn days(&self) -> Result<Vec<Day>, StoreError> {
        let days = self.read(async |link| {
            let (mut days, mut after) = (Vec::new(), 0_i32);
            while let Some(day) = next_day(link, after).await? {
                days.push(day);
                after = int(day);
            }
            Ok(days)
        });
        Ok(days?)
    }

    fn oldest_live(&self) -> Result<Option<Day>, StoreError> {
        let found = self
            .read(async |link| link.ask(sql::DAY_LIVE, &[], |cells: &Cells<'_>| cells.id(0)).await);
        Ok(found?.into_iter().flatten().next())
    }

    fn groups(&self, day: Day) -> Result<Vec<Group>, StoreError> {
        let read = |cells: &Cells<'_>| {
            Ok(Group {
                tenant: cells.number(0)?,
                profile: cells.number(1)?,
                live: cells.some(2, Cells::number)?.cast_unsigned(),
                first_ended_ms: cells.number(3)?,
                last_ended_ms: cells.number(4)?,
            })
        };
        let day = int(day);
        Ok(self.read(async |link| link.ask(sql::GROUPS, &[&day], read).await)?)
    }

    fn delete(
        &self,
        lease: &Lease,
        day: Day,
        due: &Due,
        after: Option<After>,
        most: u32,
    ) -> Result<Slice, StoreError> {
        self.change(lease, async |link| due::slice(link, day, due, after, most).await)
    }

    fn delete_facts(
        &self,
        lease: &Lease,
        day: Day,
        last_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError> {
        self.change(lease, async |link| purge::facts(link, day, last_ms, most).await)
    }

    /// The settings refuse them here.
    fn index_uris(&self) -> Result<Indexed, StoreError> {
        Ok(Indexed::All)
    }

    /// A server gives room back by itself.
    fn give_back(&self, _: &Lease, _: Day) -> Result<(), StoreError> {
        Ok(())
    }

    fn delete_ledger(&self, lease: &Lease, day: Day, most: u32) -> Result<u64, StoreError> {
        self.change(lease, async |link| {
            link.run(sql::LEDGER_SLICE, &[&int(day), &i64::from(most)]).await
        })
    }

    fn delete_aged(
        &self,
        lease: &Lease,
        aged: Aged,
        before_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError> {
        self.change(lease, async |link| purge::aged(link, aged, before_ms, most).await)
    }

    fn live(&self, after: Option<(Day, Key)>, most: u32) -> Result<Vec<Live>, StoreError> {
        let (day, last) = after.unwrap_or_default();
        let (day, last, most) = (int(day), key(Some(&last)), i64::from(most));
        let values: [&dyn ToSql; 3] = [&day, &last, &most];
        let read = |cells: &Cells<'_>| {
            let last_fact_ms = cells.some(3, Cells::number)?;
            let component_type = cells.some(2, Cells::word)?;
            let waiting = Waiting {
                component_type,
                last_fact_ms,
                boot: cells.number(5)?,
                last_sent_ms: last_fact_ms,
                newest: None,
            };
            let live = Live { day: cells.day(0)?, call_key: cells.key(1)?, waiting };
            Ok((live, cells.some(4, Cells::number)?))
        };
        let found = self.read(async |link| {
            let mut found = link.ask(sql::LIVE, &values, read).await?;
            let mut known: BTreeMap<i64, Heard> = BTreeMap::new();
            for (live, component) in &mut found {
                let heard = match known.get(component) {
                    Some(heard) => heard,
                    None => {
                        let heard = heard(link, *component).await?;
                        known.entry(*component).or_insert(heard)
                    }
                };
                let last = heard.last_sent_ms.unwrap_or(live.waiting.last_fact_ms);
                live.waiting.last_sent_ms = last;
                live.waiting.newest = heard.newest;
            }
            Ok(found)
        });
        Ok(found?.into_iter().map(|(live, _)| live).collect())
    }

    fn state(&self, day: Day, call: &Key) -> Result<Option<CallState>, StoreError> {
        let (day, call) = (int(day), key(Some(call)));
        let values: [&dyn ToSql; 2] = [&day, &call];
        let read = |cells: &Cells<'_>| cells.some(0, Cells::bytes);
        let found = self.read(async |link| link.ask(sql::STATE, &values, read).await)?;
        let state = found.first().map(|bytes| CallState::decode(bytes));
        Ok(state.transpose()?)
    }

    fn last_event(&self, day: Day, call: &Key) -> Result<Option<i64>, StoreError> {
        let [first, ..] = keys::beside(day);
        let (day, call, first) = (int(day), key(Some(call)), int(first));
        let values: [&dyn ToSql; 3] = [&day, &call, &first];
        let last = |cells: &Cells<'_>| cells.number(0);
        let found = self.read(async |link| link.ask(sql::LAST_EVENT, &values, last).await)?;
        Ok(found.into_iter().flatten().next())
    }

    fn rooms(&self) -> Result<Vec<Room>, StoreError> {
        let read = |cells: &Cells<'_>| {
            let bytes = cells.some(1, Cells::number)?.cast_unsigned();
            Ok(Room { name: cells.some(0, Cells::text)?, bytes })
        };
        Ok(self.read(async |link| link.ask(sql::ROOMS, &[], read).await)?)
    }
}

/// What is known of a component.
struct Heard {
    last_sent_ms: Option<i64>,
    newest: Option<Boot>,
}

async fn heard(link: &mut Link, component: i64) -> Result<Heard, Failure> {
    let read = |cells: &Cells<'_>| Ok((cells.some(0, Cells::number)?, cells.some(1, Cells::text)?));
    let known = link.ask(sql::COMPONENT_LAST_SENT, &[&component], read).await?;
    let Some((last_sent_ms, name)) = known.into_iter().next() else {
        return Ok(Heard { last_sent_ms: None, newest: None });
    };
    let read = |cells: &Cells<'_>| Ok(cells.number(0)?.zip(cells.number(1)?));
    let newest = link.ask(sql::COMPONENT_BOOT, &[&name], read).await?;
    let newest = newest.into_iter().flatten().next().map(Boot::from);
    Ok(Heard { last_sent_ms: Some(last_sent_ms), newest })
}
