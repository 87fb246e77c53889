//! Calls that are erased whole, in one transaction while no batch is stored.

use rs::erase::{NumberHash, Secret, unsaid};
use rs::quality::QualityFact;
use rs::report::Call;
use rs::share::Objects;
use rs::{Day, Key};
use tiberius::ToSql;

use super::custody;
use super::erasing::{erased, known, put, put_seal};
use super::failure::Failure;
use super::link::{Cells, Link};
use super::row::{int, keys};
use super::statement::{Statement, erasing as sql};
use crate::store::custody::Audit;
use crate::store::erasing::{days, names};

/// A call, its component, its session there and its GUID.
type Leg = ((Day, Key), i64, String, Option<String>);

/// Erases calls with what was said in them.
pub(super) async fn forget(
    link: &mut Link,
    secret: &Secret,
    legs: &[Call],
    line: &Audit,
) -> Result<(), Failure> {
    let (days, now_ms) = (days(legs), line.time_ms);
    let candidates = days.iter().flat_map(|day| legs.iter().map(|leg| (*day, &leg.key)));
    let candidates = keys(candidates);
    let read = |cells: &Cells<'_>| {
        let (component, session) = (cells.some(2, Cells::number)?, cells.some(3, Cells::text)?);
        Ok(((cells.day(0)?, cells.key(1)?), component, session, cells.text(4)?))
    };
    let mut objects = Objects::default();
    loop {
        link.begin().await?;
        known(link, sql::SEAL_ALONE, secret).await?;
        let found: Vec<Leg> = link.ask(sql::FORGET_CALLS, &[&candidates], read).await?;
        for (_, component, session, guid) in &found {
            for day in &days {
                let by_session = [sql::FORGET_EVENTS, sql::FORGET_QUALITY];
                unsay(link, by_session, (*day, *component, session)).await?;
                if let Some(guid) = guid {
                    let by_guid = [sql::FORGET_EVENTS_BY_GUID, sql::FORGET_QUALITY_BY_GUID];
                    unsay(link, by_guid, (*day, *component, guid)).await?;
                }
            }
        }
        let at: Vec<(Day, Key)> = found.iter().map(|(at, ..)| *at).collect();
        let erased = erased(link, secret).await?;
        if put(link, &at, (&erased, None), &mut objects, now_ms).await? {
            break;
        }
    }
    for NumberHash { digits, hash } in names(legs, secret) {
        let values: [&dyn ToSql; 4] = [&digits, &&hash[..], &now_ms, &&[][..]];
        link.run(sql::ERASURE_CALL, &values).await?;
    }
    put_seal(link, secret).await?;
    custody::note(link, line).await?;
    link.commit().await
}

/// Takes away what was said in a session.
async fn unsay(
    link: &mut Link,
    [events, quality]: [Statement; 2],
    (day, component, name): (Day, i64, &str),
) -> Result<(), Failure> {
    let day = int(day);
    let values: [&dyn ToSql; 3] = [&day, &component, &name];
    let read =
        |cells: &Cells<'_>| Ok((cells.key(0)?, cells.text(1)?, cells.text(2)?, cells.text(3)?));
    for (key, label, text, extra) in link.ask(events, &values, read).await? {
        let left = text.as_ref().and_then(|text| unsaid(label.as_deref(), text));
        if left != text || extra.is_some() {
            let values: [&dyn ToSql; 5] = [&day, &&key[..], &label, &left, &None::<String>];
            link.run(sql::EVENT_MASK, &values).await?;
        }
    }
    let read = |cells: &Cells<'_>| Ok((cells.key(0)?, cells.some(1, Cells::bytes)?));
    for (key, fact) in link.ask(quality, &values, read).await? {
        let left = QualityFact::decode(&fact).and_then(QualityFact::unsaid);
        if let Some(fact) = left {
            let values: [&dyn ToSql; 3] = [&day, &&key[..], &fact.encode()];
            link.run(sql::QUALITY_MASK, &values).await?;
        }
    }
    Ok(())
}
