//! Facts for the rollup job: the calls that touch a bin with what hangs on them, each table in one
//! question.

use std::collections::{BTreeMap, BTreeSet};

use model::record::ComponentType;
use rs::rollup::{
    ActionFacts, CallFacts, KeptFacts, OWN_BIN_MS, Question, Stored, Which, own_kinds,
};
use rs::{Day, Key, key};
use tiberius::ToSql;

use super::failure::Failure;
use super::link::{Cells, Link};
use super::owned;
use super::row::{keys as as_keys, numbers};
use super::statement::{Statement, facts as sql};

type At = (Day, Key);
type Calls = BTreeMap<At, CallFacts>;

/// What is found of a question.
pub(super) async fn facts(link: &mut Link, question: &Question) -> Result<Stored, Failure> {
    let days = numbers(question.days.iter().map(|day| i64::from(*day)));
    let beside = question.days.iter().flat_map(|day| key::beside(*day)).collect::<BTreeSet<_>>();
    let beside = numbers(beside.into_iter().map(i64::from));
    let mut keys = touching(link, (&days, &beside), &question.which).await?;
    let rm = ComponentType::Rm.number();
    if !keys.is_empty() {
        let legs = link.ask(sql::OTHER_LEGS, &[&of(&keys), &rm], at).await?;
        keys.extend(legs);
    }
    let mut calls = Calls::new();
    if !keys.is_empty() {
        let found = link.ask(sql::CALL_FACTS, &[&of(&keys)], call).await?;
        calls.extend(found.into_iter().map(|call| ((call.day, call.call_key), call)));
        hang(link, &keys, &mut calls).await?;
    }
    let kept = kept(link, &question.which).await?;
    let mut stored = Stored { calls: calls.into_values().collect(), kept, ..Stored::default() };
    stored.ports = owned::ports(link, &stored.of_ports(question.all_ports)).await?;
    stored.failures = owned::failures(link, &stored.of_failures()).await?;
    stored.candidates = owned::candidates(link, &stored.of_candidates()).await?;
    Ok(stored)
}

fn of(keys: &BTreeSet<At>) -> String {
    as_keys(keys.iter().map(|(day, key)| (*day, key)))
}

fn at(cells: &Cells<'_>) -> Result<At, Failure> {
    Ok((cells.day(0)?, cells.key(1)?))
}

async fn touching(
    link: &mut Link,
    (days, beside): (&String, &String),
    which: &Which,
) -> Result<BTreeSet<At>, Failure> {
    let found = match which {
        Which::Touching(bin) => {
            let values: [&dyn ToSql; 4] = [days, &bin.start_ms, &bin.end_ms, beside];
            link.ask(sql::TOUCHING, &values, at).await?
        }
        Which::Covering(at_ms) => link.ask(sql::COVERING, &[days, at_ms], at).await?,
    };
    Ok(found.into_iter().collect())
}

fn call(cells: &Cells<'_>) -> Result<CallFacts, Failure> {
    let bit = |at| Ok::<_, Failure>(cells.number(at)?.map(|bit| bit != 0));
    Ok(CallFacts {
        day: cells.day(0)?,
        call_key: cells.key(1)?,
        component_type: cells.some(2, Cells::word)?,
        component_id: cells.some(3, Cells::number)?,
        guid: cells.text(4)?,
        call_type: cells.some(5, Cells::word)?,
        profile_id: cells.number(6)?,
        service: cells.word(7)?,
        dn: cells.text(8)?,
        started_ms: cells.some(9, Cells::number)?,
        answered_ms: cells.number(10)?,
        ended_ms: cells.number(11)?,
        end_state: cells.word(12)?,
        asr_used: bit(13)?,
        tts_used: bit(14)?,
        media: cells.text(15)?,
        sq_failed: bit(16)?,
        session_id: cells.some(17, Cells::text)?,
        ..CallFacts::default()
    })
}

/// Rows that hang on calls: each begins with the call's day and key.
async fn each<T>(
    link: &mut Link,
    statement: Statement,
    keys: &BTreeSet<At>,
    calls: &mut Calls,
    (read, put): (impl Fn(&Cells<'_>) -> Result<T, Failure>, impl Fn(&mut CallFacts, T)),
) -> Result<(), Failure> {
    if keys.is_empty() {
        return Ok(());
    }
    let both = |cells: &Cells<'_>| Ok((at(cells)?, read(cells)?));
    for (at, value) in link.ask(statement, &[&of(keys)], both).await? {
        if let Some(call) = calls.get_mut(&at) {
            put(call, value);
        }
    }
    Ok(())
}

/// What hangs on calls.
async fn hang(link: &mut Link, keys: &BTreeSet<At>, calls: &mut Calls) -> Result<(), Failure> {
    let number = |cells: &Cells<'_>, at| cells.some(at, Cells::number);
    let tenant =
        (|cells: &Cells<'_>| number(cells, 2), |of: &mut CallFacts, id| of.tenants.push(id));
    each(link, sql::TENANT_FACTS, keys, calls, tenant).await?;
    let owner = (
        |cells: &Cells<'_>| Ok((number(cells, 2)?, number(cells, 3)?)),
        |of: &mut CallFacts, owner| of.owners.push(owner),
    );
    each(link, sql::OWNER_FACTS, keys, calls, owner).await?;
    let rm = ComponentType::Rm.number();
    let others = calls.iter().filter(|(_, call)| call.component_type != rm);
    let others: BTreeSet<At> = others.map(|(at, _)| *at).collect();
    let told = (
        |cells: &Cells<'_>| Ok((cells.word(2)?, cells.text(3)?)),
        |of: &mut CallFacts, told| (of.result, of.reason) = told,
    );
    each(link, sql::OUTCOME_FACTS, &others, calls, told).await?;
    let action = (
        |cells: &Cells<'_>| {
            Ok(ActionFacts {
                action: cells.some(2, Cells::text)?,
                started_ms: number(cells, 3)?,
                ended_ms: cells.number(4)?,
                result: cells.word(5)?,
                is_last: number(cells, 6)? != 0,
            })
        },
        |of: &mut CallFacts, action| of.actions.push(action),
    );
    each(link, sql::ACTION_FACTS, &others, calls, action).await
}

/// Producers' own figures.
async fn kept(link: &mut Link, which: &Which) -> Result<Vec<KeptFacts>, Failure> {
    let (from_ms, to_ms) = match which {
        Which::Touching(bin) => (bin.start_ms - OWN_BIN_MS, bin.end_ms),
        Which::Covering(at_ms) => (at_ms - OWN_BIN_MS, *at_ms),
    };
    let kinds = numbers(own_kinds().map(i64::from));
    link.ask(sql::KEPT_FACTS, &[&from_ms, &to_ms, &kinds], kept_row).await
}

/// Component, time of arrival, id and body.
pub(super) fn kept_row(cells: &Cells<'_>) -> Result<KeptFacts, Failure> {
    Ok(KeptFacts {
        component_id: cells.some(0, Cells::number)?,
        received_ms: cells.some(1, Cells::number)?,
        id: cells.some(2, Cells::text)?,
        body: cells.some(3, Cells::text)?,
    })
}
