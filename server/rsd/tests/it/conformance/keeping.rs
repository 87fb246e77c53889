//! Sixty days of data and their purge (scenario 38), in any store: what goes, what stays, what is
//! refused afterwards, and who may do it. Time is an argument, so no day has to pass.

use std::collections::BTreeMap;

use config::settings::Retention;
use model::time::Millis;
use rs::Filter;
use rs::retention::{Due, Holder, Wanted, What, Which};
use rs::rollup::{Granularity, Job, Zone};
use rsd::retention::{Ages, Annexes, Before, Kept, Leaving, Report, emergency, in_force, purge};
use rsd::store::custody::LetterFilter;
use rsd::store::keeping::{Aged, Keeping, Lease, Live, Override};
use rsd::store::{Arrival, CallName, Day, Store, StoreError, Unit};

use super::custody::{line, lines};
use super::made::{self, Made, arrivals, at, event, mcp, rm};

const DAY: u64 = 86_400;
/// Ten past three on the day after the sixtieth.
pub(super) const NIGHT: u64 = 60 * DAY + 3 * 3600 + 600;
const AGES: Ages = Ages { failures: 365 };

pub(super) fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap()
}

/// What came on each day: a call of acme, one of beta, and one of a media server with an event.
fn history() -> Vec<(u64, Vec<Made>)> {
    (0..60)
        .map(|day| {
            let start = day * DAY + 3600;
            let acme = rm(2 * day + 1, start).tenant("acme", Some(102));
            let beta = rm(2 * day + 2, start + 1).tenant("beta", Some(104));
            let session = format!("S{day}");
            let media = mcp(&session, start + 2).profile("main", Some(189));
            let all = vec![
                acme.start(),
                beta.start(),
                acme.end(start + 60),
                beta.end(start + 60),
                media.start(),
                media.end(start + 60),
                event(&session, start + 5, "incall_begin"),
            ];
            (day, all)
        })
        .collect()
}

/// Frames that were received at the end of their day.
pub(super) fn frames(day: u64, records: &[Made], received: u64) -> Vec<Arrival> {
    let mut frames = arrivals(records, day + 1, records.len());
    for frame in &mut frames {
        frame.entry.as_mut().unwrap().received = at(received).0;
    }
    frames
}

pub(crate) fn fill(store: &dyn Store) {
    for (day, records) in history() {
        let batch = frames(day, &records, (day + 1) * DAY);
        assert_eq!(store.apply(&batch, at((day + 1) * DAY)).unwrap().dead, 0);
    }
}

pub(super) fn lease(keeping: &dyn Keeping, holder: &str, now_ms: i64) -> Option<Lease> {
    keeping.take_lease("retention", holder, now_ms, now_ms + 30_000).unwrap()
}

/// All slices of what is due on a day, each of which looks at so much: the rows that went.
pub(super) fn all_of(
    keeping: &dyn Keeping,
    (held, day): (&Lease, Day),
    due: &Due,
    most: u32,
) -> u64 {
    let (mut rows, mut after) = (0, None);
    loop {
        let slice = keeping.delete(held, day, due, after, most).unwrap();
        let is_moving = slice.next != after || slice.rows > 0;
        assert!(is_moving || slice.next.is_none(), "{slice:?}");
        rows += slice.rows;
        after = slice.next;
        if after.is_none() {
            return rows;
        }
    }
}

/// A run of whose days all figures are made.
pub(crate) fn whole_run(store: &dyn Store) -> Report {
    run(store, usize::MAX, true)
}

/// A run that is cut off after so many slices.
fn run(store: &dyn Store, slices: usize, clean: bool) -> Report {
    run_by(store, &Annexes::new(), slices, clean)
}

/// The same where a configuration has days of its own for tenants and profiles.
pub(super) fn run_by(store: &dyn Store, annexes: &Annexes, slices: usize, clean: bool) -> Report {
    let settings = Retention::default();
    let terms = in_force(store, (&settings, annexes), &Zone::utc()).unwrap();
    store.keeping().judge_by(terms.clone());
    let now_ms = ms(at(NIGHT));
    let held = lease(store.keeping(), "a", now_ms).unwrap();
    let mut left = slices;
    let mut next = || {
        left = left.checked_sub(1)?;
        Some(1000)
    };
    let whole = |_: &Leaving<'_>, _: &mut dyn FnMut() -> Option<u32>| Ok(Kept::Whole);
    let is_clean = |_: Day, _: i64| Ok(clean);
    let before =
        Before { clean: &is_clean, apart: &|_| Ok(true), keep: &whole, forget: &|| Ok(Vec::new()) };
    purge(store.keeping(), &terms, &held, AGES, now_ms, before, &mut next).unwrap()
}

/// Calls by tenant, and all of them.
pub(super) fn counts(store: &dyn Store) -> (u64, u64, u64) {
    let count = |filter: &Filter| store.count(filter, Unit::Leg, at(NIGHT)).unwrap();
    let of = |tenant| Filter { tenants: vec![tenant], ..Filter::default() };
    (count(&of(102)), count(&of(104)), count(&Filter::default()))
}

fn figures(store: &dyn Store) -> BTreeMap<(String, String), u64> {
    let mut figures = super::books(store, at(0), at(NIGHT)).figures;
    figures.retain(|(name, _), _| name == "stored");
    figures
}

pub(super) fn sixty_days(store: &dyn Store) {
    fill(store);
    assert_eq!(counts(store), (60, 60, 180));
    let before = figures(store);
    let keeping = store.keeping();
    let wanted = Wanted { cdr: Some(90), ..Wanted::default() };
    let acme = Override { holder: Holder::Tenant(102), wanted, set_ms: 5 };
    let set = line("retention.set");
    keeping.set_override(&Override { wanted: Wanted::default(), ..acme.clone() }, &set).unwrap();
    keeping.set_override(&acme, &set).unwrap();
    assert_eq!(lines(store, "retention.set"), 2);
    assert_eq!(keeping.overrides().unwrap(), [acme]);

    let waiting = run(store, usize::MAX, false);
    assert_eq!(waiting.blocked.len(), 20, "figures are not made: {waiting:?}");
    assert_eq!(waiting.rows, 26, "so no call goes; of the days after them, events");
    assert!(!waiting.finished, "those days are left");

    let report = run(store, usize::MAX, true);
    assert!(report.finished && report.blocked.is_empty() && report.gone.is_empty(), "{report:?}");
    assert_eq!(counts(store), (60, 40, 140), "twenty days, but for that tenant");
    let again = run(store, usize::MAX, true);
    assert_eq!((again.rows, again.finished), (0, true), "nothing is left");
    assert_eq!(keeping.days().unwrap().len(), 60, "acme keeps its days");

    refuse(store);
    let drop = line("retention.delete");
    assert!(keeping.drop_override(Holder::Tenant(102), &drop).unwrap());
    assert!(!keeping.drop_override(Holder::Tenant(102), &drop).unwrap());
    assert_eq!(lines(store, "retention.delete"), 1, "nothing was done the second time");
    // cut off after each slice, and taken up again
    let mut gone = Vec::new();
    for round in 0..100 {
        let report = run(store, 6 + 5 * round, true);
        gone.extend(report.gone);
        if report.finished {
            break;
        }
    }
    assert!(run(store, usize::MAX, true).finished);
    assert_eq!(counts(store), (40, 40, 120), "and now all of the twenty days");
    assert!(gone.len() <= 20, "{gone:?}");
    let days = keeping.days().unwrap();
    assert_eq!((days.len(), days.first()), (42, Some(&20_261_210)), "two days of ids more");
    assert_eq!(figures(store), before, "what was counted stays counted");
    fence(store);
}

/// A replay of what has gone, and what is still remembered.
fn refuse(store: &dyn Store) {
    let history = history();
    let (_, old) = &history[0];
    let applied = store.apply(&frames(100, old, NIGHT), at(NIGHT)).unwrap();
    // beta's two records; acme's and those that name no tenant are remembered
    assert_eq!((applied.stored, applied.dead, applied.duplicates), (0, 2, 5), "{applied:?}");
    let letters = store.dead_letters().unwrap();
    assert_eq!(letters.get("expired_partition"), Some(&2), "{letters:?}");
    let custody = store.custody();
    let all = custody.letters(&LetterFilter::default(), false, None, 10).unwrap();
    assert_eq!(all[0].field, "ended_at");
    assert_eq!(all[0].producer.as_deref(), Some("rm-1"));
    let (_, young) = &history[30];
    let applied = store.apply(&frames(101, young, NIGHT), at(NIGHT)).unwrap();
    assert_eq!((applied.stored, applied.dead), (0, 0));
}

/// Whoever has lost the lease changes nothing.
fn fence(store: &dyn Store) {
    let keeping = store.keeping();
    let now_ms = ms(at(NIGHT)) + 100_000;
    let first = lease(keeping, "a", now_ms).unwrap();
    assert_eq!(lease(keeping, "b", now_ms + 29_999), None);
    assert_eq!(lease(keeping, "a", now_ms + 10_000), Some(first.clone()), "renewed");
    let second = lease(keeping, "b", now_ms + 40_000).unwrap();
    assert_eq!(second.fence, first.fence + 1);
    let day = keeping.days().unwrap()[41];
    let due = Due { what: What::Events, which: Which::All, before_ms: i64::MAX };
    let refused = keeping.delete(&first, day, &due, None, 10);
    assert!(matches!(refused, Err(StoreError::Fenced("retention"))), "{refused:?}");
    let refused = keeping.delete_facts(&first, day, i64::MAX, 10);
    assert!(matches!(refused, Err(StoreError::Fenced(_))), "{refused:?}");
    assert_eq!(all_of(keeping, (&second, day), &due, 10), 1);
    let calls = keeping.groups(day).unwrap();
    let last_ms = calls.iter().filter_map(|group| group.last_ended_ms).max().unwrap();
    // one that came after it was decided
    assert_eq!(keeping.delete_facts(&second, day, last_ms - 1, 10).unwrap(), 0);
    assert_eq!(keeping.groups(day).unwrap(), calls);
    keeping.end_lease(&second).unwrap();
    let third = lease(keeping, "c", now_ms + 40_001).unwrap();
    assert_eq!(third.fence, second.fence + 1);
}

/// The volume is nearly full: events go, the oldest first, until there is room; no call does.
pub(super) fn pressure(store: &dyn Store) {
    fill(store);
    let keeping = store.keeping();
    let held = lease(keeping, "a", ms(at(NIGHT))).unwrap();
    let events = |days: std::ops::Range<u64>| -> usize {
        let left = |day: u64| {
            let filter = Filter { session_id: Some(format!("S{day}")), ..Filter::default() };
            let key = store.page(&filter, 1, 1, at(0)).unwrap().calls[0].key;
            store.call(&CallName::Key(key), true).unwrap()[0].events.first.len()
        };
        days.map(left).sum()
    };
    assert_eq!(events(0..60), 60);
    let today_ms = ms(at(58 * DAY));
    let relieve = |slices: usize| {
        let mut left = slices;
        let mut next = || {
            left = left.checked_sub(1)?;
            Some(1000)
        };
        let whole = |_: &Leaving<'_>, _: &mut dyn FnMut() -> Option<u32>| Ok(Kept::Whole);
        emergency(keeping, &held, today_ms, &whole, &mut next).unwrap().rows
    };
    assert_eq!(relieve(10), 10);
    assert_eq!((events(0..10), events(10..60)), (0, 50), "the oldest, until there is room");
    assert_eq!(relieve(200), 48);
    assert_eq!((events(0..58), events(58..60)), (0, 2), "those of today and later stay");
    assert_eq!(counts(store), (60, 60, 180), "no call goes");
}

/// Calls in progress, with what is known of their component.
pub(super) fn orphans(store: &dyn Store) {
    let call = |n: u64, boot: u64| {
        let mut record = mcp(&format!("S{n}"), 10 * n).start().body();
        let producer = format!(r#""producer":{{"name":"mcp-1","boot":{boot},"seq":{n}}}"#);
        record = record.replace(r#""producer":{"name":"mcp-1"}"#, &producer);
        Made::text(&record)
    };
    let mut first = arrivals(&[call(1, 7), call(2, 7)], 1, 2);
    first[0].entry.as_mut().unwrap().received = at(100).0;
    store.apply(&first, at(100)).unwrap();
    // of the first call, and of the next one of the second's session
    let events = [event("S1", 70, "input"), mcp("S2", 300).end(330), event("S2", 310, "input")];
    store.apply(&arrivals(&events, 10, 3), at(330)).unwrap();
    let mut second = arrivals(&[call(3, 8), rm(9, 300).start(), rm(8, 200).end(210)], 20, 3);
    second[0].entry.as_mut().unwrap().received = at(400).0;
    store.apply(&second, at(400)).unwrap();
    // a record of the former start that has waited elsewhere
    let mut late = arrivals(&[call(4, 7)], 30, 1);
    late[0].entry.as_mut().unwrap().received = at(460).0;
    store.apply(&late, at(460)).unwrap();
    let keeping = store.keeping();
    assert_eq!(keeping.oldest_live().unwrap(), Some(20_261_122));
    let all = keeping.live(None, 10).unwrap();
    assert_eq!(all.len(), 5);
    let page = keeping.live(Some((all[1].day, all[1].call_key)), 1).unwrap();
    assert_eq!(page, all[2..3]);
    let patience = rs::orphan::Patience { since_ms: 0, timeout_ms: 86_400_000 };
    let orphans = |second: u64| {
        all.iter().filter(move |live| live.waiting.is_orphan(patience, ms(at(second))))
    };
    assert_eq!(orphans(460 + 599).count(), 2, "those that its new start has not named: {all:?}");
    let orphans: Vec<_> = orphans(460 + 600)
        .filter_map(|Live { day, call_key, .. }| {
            let state = keeping.state(*day, call_key).unwrap().unwrap();
            let last_event_ms = keeping.last_event(*day, call_key).unwrap();
            rs::orphan::end(&state, last_event_ms, "rs-1")
        })
        .collect();
    assert_eq!(orphans.len(), 3, "one came late: {all:?}");
    let ends: Vec<_> = orphans.iter().map(|end| Made::text(end)).collect();
    let applied = store.apply(&arrivals(&ends, 40, 3), at(1100)).unwrap();
    assert_eq!((applied.stored, applied.dead), (3, 0));
    let again = store.apply(&arrivals(&ends, 50, 3), at(1100)).unwrap();
    assert_eq!((again.stored, again.duplicates), (0, 3));
    assert_eq!(keeping.live(None, 10).unwrap().len(), 2);
    let ended = |session: &str| {
        let of = Filter { session_id: Some(session.to_owned()), ..Filter::default() };
        let found = store.page(&of, 1, 10, at(90_000)).unwrap().calls;
        found.into_iter().map(|call| call.ended.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ended("S1"), [at(70)], "its last event");
    assert_eq!(ended("S2"), [at(330), at(20)], "that event is of the later call");
    let late = mcp("S1", 10).end(90_000);
    store.apply(&arrivals(&[late], 60, 1), at(90_000)).unwrap();
    assert_eq!(ended("S1"), [at(90_000)], "the true end");
}

/// A session that was used twice, ids of a day with calls, and books of a former start.
pub(super) fn only_its_own(store: &dyn Store) {
    let call = |tenant, start| mcp("S1", start).tenant("one", Some(tenant));
    let of_boot = |boot: u64, seq: u64| {
        let producer =
            format!(r#""producer":{{"boot":{boot},"name":"mcp-1","seq":{seq},"stream":"event"}}"#);
        let body = event("S1", 20_000 + boot, "incall_begin").body();
        let changed = body.replace(r#""producer":{"name":"mcp-1"}"#, &producer);
        assert_ne!(changed, body);
        Made::text(&changed)
    };
    let story = [
        call(102, 1000).end(1060),
        event("S1", 1010, "incall_begin"),
        call(104, 9000).end(9060),
        event("S1", 9010, "incall_begin"),
        of_boot(7, 1),
        of_boot(8, 1),
    ];
    assert_eq!(store.apply(&arrivals(&story, 1, 10), at(30_000)).unwrap().stored, 6);
    let keeping = store.keeping();
    let now_ms = ms(at(200_000));
    let held = lease(keeping, "a", now_ms).unwrap();
    let which = Which::Of { tenant: Some(104), profile: None };
    let due = Due { what: What::Cdr, which, before_ms: now_ms };
    assert!(all_of(keeping, (&held, 20_261_122), &due, 10) > 0);
    let filter = Filter { session_id: Some("S1".to_owned()), ..Filter::default() };
    let calls = store.page(&filter, 1, 10, at(0)).unwrap().calls;
    assert_eq!(calls.len(), 1);
    let leg = store.call(&CallName::Key(calls[0].key), true).unwrap().remove(0);
    let times: Vec<_> = leg.events.first.iter().map(|event| event.time_ms).collect();
    assert_eq!(times[0], ms(at(1010)), "of the call that stays: {times:?}");
    assert!(!times.contains(&ms(at(9010))), "of the one that went: {times:?}");
    assert_eq!(keeping.delete_ledger(&held, 20_261_122, 10).unwrap(), 0, "there is a call");
    let again = store.apply(&arrivals(&story[..2], 50, 10), at(30_000)).unwrap();
    assert_eq!((again.stored, again.duplicates), (0, 2));
    let streams = |before_ms| keeping.delete_aged(&held, Aged::Streams, before_ms, 10).unwrap();
    assert_eq!(streams(ms(at(0))), 0, "too young");
    assert_eq!((streams(i64::MAX), streams(i64::MAX)), (1, 0), "the newest start stays");
}

/// Reports of voice applications and quality of a tenant go with its days.
pub(super) fn of_one_tenant(store: &dyn Store) {
    let media =
        |n: u64| mcp(&format!("S{n}"), n).tenant("acme", Some(100 + u32::try_from(n).unwrap()));
    let mut story = Vec::new();
    for n in [1, 2] {
        let session = format!("S{n}");
        story.extend([media(n).start(), made::var(&session, n + 5)]);
        story.extend([event(&session, n + 6, "incall_begin"), media(n).end(n + 60)]);
    }
    story.push(event("nobody", 20, "incall_begin"));
    // figures are made of these as long as there are calls
    story.extend([event("S1", 9, "asr_open"), event("S1", 10, "tts_close")]);
    story.push(event("nobody", 21, "asr_close"));
    store.apply(&arrivals(&story, 1, 20), at(200_000)).unwrap();
    let keeping = store.keeping();
    let now_ms = ms(at(200_000));
    let held = lease(keeping, "a", now_ms).unwrap();
    let delete = |what, which| {
        let due = Due { what, which, before_ms: now_ms };
        all_of(keeping, (&held, 20_261_122), &due, 100)
    };
    let of = |tenant| Which::Of { tenant: Some(tenant), profile: None };
    assert_eq!(delete(What::Events, of(101)), 1);
    assert_eq!(delete(What::Events, of(999)), 0);
    assert_eq!(delete(What::Events, Which::Loose), 1);
    assert_eq!(delete(What::Events, Which::All), 1, "of the other call");
    assert_eq!(delete(What::Var, of(101)), 2, "the outcome and its report");
    let legs = |session: &str| {
        let filter = Filter { session_id: Some(session.to_owned()), ..Filter::default() };
        let call = store.page(&filter, 1, 1, at(0)).unwrap().calls.remove(0);
        store.call(&CallName::Key(call.key), true).unwrap().remove(0)
    };
    let (one, two) = (legs("S1"), legs("S2"));
    assert!(one.var.call.is_none() && one.events.first.len() == 2, "those of ports: {one:?}");
    assert!(two.var.call.is_some() && two.events.first.len() == 1, "its report: {two:?}");
    let groups = keeping.groups(20_261_122).unwrap();
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert!(delete(What::Cdr, of(102)) > 3);
    let groups = keeping.groups(20_261_122).unwrap();
    assert_eq!((groups.len(), groups[0].tenant), (1, Some(101)), "{groups:?}");
}

/// A session id that is used again, for another tenant: what the calls that stay have said stays.
pub(super) fn only_of_its_own_call(store: &dyn Store) {
    let media = |start, id| mcp("S", start).tenant("acme", Some(id));
    let (one, other, late) = (media(100, 101), media(170, 102), media(9_000, 103));
    let says = |second| event("S", second, "incall_begin");
    let story = [
        one.start(),
        one.end(160),
        other.start(),
        made::var("S", 300),
        other.end(400),
        late.start(),
        late.end(9_100),
        says(50),
        says(105),
        says(150),
        says(200),
        says(390),
        says(9_050),
    ];
    store.apply(&arrivals(&story, 1, 20), at(200_000)).unwrap();
    let keeping = store.keeping();
    let now_ms = ms(at(200_000));
    let held = lease(keeping, "a", now_ms).unwrap();
    let delete = |what, tenant| {
        let which = Which::Of { tenant: Some(tenant), profile: None };
        let due = Due { what, which, before_ms: now_ms };
        all_of(keeping, (&held, 20_261_122), &due, 100)
    };
    let said = |tenant: u32| {
        let filter = Filter { tenants: vec![tenant], ..Filter::default() };
        let call = store.page(&filter, 1, 1, at(0)).unwrap().calls.remove(0);
        let told = store.call(&CallName::Key(call.key), true).unwrap().remove(0);
        told.events.first.iter().map(|event| (event.time_ms - ms(at(0))) / 1000).collect::<Vec<_>>()
    };
    assert_eq!(said(101), [50, 105, 150]);
    assert_eq!(delete(What::Events, 101), 3, "one just before the next call");
    assert_eq!((said(101), said(102)), (vec![], vec![200, 300, 390]));
    assert!(delete(What::Cdr, 101) > 0);
    assert_eq!(said(102), [200, 300, 390]);
    assert_eq!(delete(What::Events, 102), 2);
    assert_eq!((said(102), said(103)), (vec![300], vec![9_050]), "a report");
}

/// Who has which lease, and what waits for the rollup job.
pub(super) fn at_work(store: &dyn Store) {
    let keeping = store.keeping();
    let held = |holder: &str, now_ms| {
        let jobs = keeping.jobs(holder, now_ms).unwrap();
        jobs.held.into_iter().collect::<Vec<_>>().join(" ")
    };
    let rollup = keeping.take_lease("rollup", "a", 1_000, 2_000).unwrap().unwrap();
    let orphan = keeping.take_lease("orphan", "b", 1_000, 2_000).unwrap().unwrap();
    assert!(keeping.take_lease("retention", "a", 1_000, 1_500).unwrap().is_some());
    assert_eq!((held("a", 1_499), held("b", 1_499)), ("retention rollup".into(), "orphan".into()));
    assert_eq!((held("a", 1_500), held("b", 2_000)), ("rollup".into(), String::new()));
    keeping.end_lease(&orphan).unwrap();
    keeping.end_lease(&rollup).unwrap();
    assert_eq!((held("a", 1_000), held("b", 1_000)), ("retention".into(), String::new()));

    let before = keeping.jobs("a", 0).unwrap().marked;
    let five = Job::Make(Granularity::FiveMinutes);
    assert!(!before.contains_key(&five), "{before:?}");
    let call = rm(1, 100);
    store.apply(&arrivals(&[call.start(), call.end(1_000)], 1, 2), at(2_000)).unwrap();
    // the same bins again, and one more
    store.apply(&arrivals(&[rm(2, 1_000).end(1_300)], 2, 2), at(3_000)).unwrap();
    let marked = keeping.jobs("a", 0).unwrap().marked;
    // those that begin at 0, 300, 600, 900 and 1200 s, as far as something begins or ends there
    let (count, since_ms) = marked[&five];
    assert!((3..=5).contains(&count), "{marked:?}");
    assert_eq!(since_ms, ms(at(2_000)), "{marked:?}");
}
