//! A number is erased in any store, wherever it stands: nothing that can be asked for tells it any
//! more, no figure changes but those of the number, and what comes later of its calls does not
//! bring it back.

pub(crate) mod everywhere;
mod rolled;

use std::thread;
use std::time::Duration;

use rs::Filter;
use rs::erase::Number;
use rs::report::Call;
use rsd::store::custody::{Audit, AuditFilter, LetterFilter};
use rsd::store::erasing::forget;
use rsd::store::{CallName, Store, StoreError, Unit};

use self::rolled::rolled;
use super::custody::line;
use super::made::{Made, arrivals, at, event, mcp, rm, var};
use super::{NOW, bins};

pub(crate) const NUMBER: &str = "4930654321";
/// As somebody else writes it.
const WRITTEN: &str = "+49 (30) 654-321";
/// When it is asked for.
const ASKED: u64 = 86_400;
/// Longer than all of it takes.
const SLICES: u32 = 500;

/// A record of the caller.
fn told(made: &Made) -> Made {
    Made::text(&made.body().replace("+4930123@", &format!("+{NUMBER}@")))
}

/// A record with one field more.
fn with(made: &Made, field: &str, value: &str) -> Made {
    Made::text(&made.body().replacen('{', &format!(r#"{{"{field}":"{value}","#), 1))
}

/// More than a slice of others' calls and events, and everywhere a number may stand.
fn story() -> Vec<Made> {
    let mut all = Vec::new();
    for n in 1..=120 {
        let call = rm(n, 10 * n);
        all.extend([call.start(), call.end(10 * n + 5)]);
    }
    all.extend((0..550).map(|n| event("BUSY", 2000 + n, "log")));
    let own = rm(130, 1300).dn(NUMBER);
    let late = rm(131, 86_400 + 60);
    let called = rm(133, 1330).dn(NUMBER).end(1335).body().replace("INBOUND", "OUTBOUND");
    let reasoned = |session: &str, start: u64, reason: &str| {
        let end = told(&mcp(session, start).end(start + 5));
        with(&with(&end, "result", "SUCCESS"), "result_reason", reason)
    };
    let traced = rm(132, 1320).start().body().replace("least-used", &format!("asked {NUMBER}"));
    let report = |time, label: &str, text: &str| {
        let label = format!("com.genesyslab.var.{label}");
        with(&with(&event("E1DE", time, "log"), "label", &label), "text", text)
    };
    let failures = format!(
        r#"{{"schema":1,"kind":"sq.call","id":"mcp-1:E1DE/sq/0.9","time":{:?},
          "producer":{{"name":"mcp-1"}},"failed":true,"session_id":"E1DE",
          "component":{{"name":"mcp-1","type":"MCP"}},
          "failures":[{{"time":{:?},"type":"MRCP","text":"no {NUMBER}"}}]}}"#,
        at(1310).to_string(),
        at(1310).to_string(),
    );
    all.extend([
        with(&told(&own.start()), "x_caller", "tel:+49-30-654321"),
        told(&own.end(1370)),
        told(&mcp("E1DE", 1301).guid(130).start()),
        told(&mcp("E1DE", 1301).guid(130).end(1369)),
        with(
            &with(&event("E1DE", 1302, "log"), "text", &format!("said {NUMBER}")),
            "x_ani",
            NUMBER,
        ),
        with(&event("E1DE", 1308, "log"), "x_ani", NUMBER),
        report(1303, "CallNotes", &format!("call back {NUMBER}")),
        report(1304, "CustomVar", &format!("ani|{NUMBER}")),
        report(1305, "ActionStart", "login"),
        report(1306, "ActionEnd", &format!("login|FAILED|{NUMBER} unknown")),
        var("E1DE", 1307),
        Made::text(&failures),
        Made::text(&traced),
        Made::text(&format!(r#"{{"kind":"nonsense","id":"n","from":"sip:{NUMBER}@gw"}}"#)),
        told(&late.start()),
        Made::text(&torn("before")),
        told(&Made::text(&called)),
        reasoned("E1DF", 1340, "balance told"),
        reasoned("E1E0", 1350, &format!("balance told to {NUMBER}")),
        rolled::own("or.arrivals", NUMBER),
        rolled::own("or.peaks", NUMBER),
    ]);
    all
}

/// What cannot be read, and has the number where none could stand.
fn torn(what: &str) -> String {
    format!(r#"{{"text":"{what}","session_id":"x{NUMBER}y","torn"#)
}

/// What comes of its calls when it is erased already, and what never had to do with it.
fn more() -> Vec<Made> {
    vec![
        told(&rm(131, 86_400 + 60).end(86_400 + 90)),
        told(&rm(130, 1300).dn(NUMBER).leg(2, 1310).start()),
        with(&event("E1DE", 1340, "log"), "text", &format!("again {NUMBER}")),
        Made::text(&format!("again {NUMBER}")),
        Made::text(&torn("later")),
        rm(3, 30).leg(2, 32).end(34),
    ]
}

/// All that is asked of calls and letters.
pub(crate) fn shown(store: &dyn Store) -> String {
    let mut shown = String::new();
    for call in calls(store) {
        shown += &format!("{:?}", store.call(&CallName::Key(call.key), true).unwrap());
    }
    let letters = store.custody().letters(&LetterFilter::default(), true, None, 1000).unwrap();
    for letter in letters {
        shown += &format!("{} {}", String::from_utf8_lossy(&letter.body), letter.text);
    }
    shown
}

fn calls(store: &dyn Store) -> Vec<Call> {
    let items = store.list(&Filter::default(), Unit::Leg, None, 1000, at(7 * 86_400)).unwrap();
    items.into_iter().flat_map(|item| item.legs).collect()
}

/// What reports count of calls, and what lies by day beside them.
fn figures(store: &dyn Store) -> Vec<String> {
    let counted = |call: &Call| {
        format!("{:?} {:?} {:?} {:?}", call.key, call.started, call.ended, call.tenants)
    };
    calls(store).iter().map(counted).collect()
}

pub(crate) fn fill(store: &dyn Store) {
    let applied = store.apply(&arrivals(&story(), 1, 40), NOW).unwrap();
    assert_eq!((applied.duplicates, applied.dead), (0, 2));
    // texts of figures
    let _rolled = bins::answers(store);
}

pub(crate) fn begin(store: &dyn Store) -> i64 {
    let time_ms = i64::try_from(at(ASKED).0).unwrap();
    let line = Audit { time_ms, ..line("erasure") };
    let no = store.erasing().begin(&Number::of(WRITTEN).unwrap(), &line).unwrap();
    let told = store.custody().audit(&AuditFilter::default(), None, 1).unwrap();
    assert_eq!((&*told[0].action, &told[0].object), ("erasure", &no.to_string()));
    no
}

/// Slice by slice; gives how many.
pub(crate) fn to_its_end(store: &dyn Store) -> u32 {
    let now_ms = i64::try_from(at(ASKED + 60).0).unwrap();
    let slices = (0..SLICES).take_while(|_| further(store, now_ms)).count();
    u32::try_from(slices).unwrap()
}

/// A slice more; whoever reads what is erased is waited for: at a server that may be its own
/// upkeep, at any moment.
fn further(store: &dyn Store, now_ms: i64) -> bool {
    for _ in 0..600 {
        match store.erasing().go_on(now_ms) {
            Err(StoreError::Unavailable(_)) => thread::sleep(Duration::from_millis(100)),
            done => return done.unwrap(),
        }
    }
    panic!("somebody reads what is erased for a minute");
}

pub(super) fn a_number(store: &dyn Store) {
    fill(store);
    assert!(shown(store).contains(NUMBER));
    let (before, bins) = (figures(store), rolled(store));
    assert!(bins.of_number > 0, "{bins:?}");
    let no = begin(store);
    let slices = to_its_end(store);
    assert!((20..SLICES).contains(&slices), "{slices}");
    assert!(!shown(store).contains(NUMBER), "{}", shown(store));
    assert_eq!(figures(store), before);
    assert_eq!(rolled(store).rows, bins.rows);
    rolled::again(store);
    let again = rolled(store);
    assert_eq!((again.rows, again.of_number), (bins.rows, 0));
    let done = store.erasing().erasures(9).unwrap().remove(0);
    assert_eq!((done.no, done.calls), (no, 6), "{done:?}");
    assert!(done.ended_ms.is_some() && done.rows >= 8, "{done:?}");

    // the same again is known, what is late is erased
    let stored = store.apply(&arrivals(&story(), 1000, 40), NOW).unwrap();
    assert_eq!((stored.stored, stored.dead), (0, 0));
    let stored = store.apply(&arrivals(&more(), 2000, 40), NOW).unwrap();
    assert_eq!((stored.stored, stored.dead), (4, 2));
    let gone = format!("({} bytes erased)", torn("later").len());
    let left = letters_told(store);
    assert!(left.contains(&gone) && !left.contains("later") && !left.contains("before"), "{left}");
    assert!(!shown(store).contains(NUMBER), "{}", shown(store));
    assert_eq!(figures(store).len(), before.len() + 2);

    // a call that began later is another's matter, until it is asked for again
    let later = rm(140, 190_000);
    let stored = store.apply(&arrivals(&[told(&later.start())], 3000, 40), NOW).unwrap();
    assert_eq!((stored.stored, stored.dead), (1, 0));
    assert!(shown(store).contains(NUMBER));
    let time_ms = i64::try_from(at(195_000).0).unwrap();
    let again = Audit { time_ms, ..line("erasure") };
    let second = store.erasing().begin(&Number::of(NUMBER).unwrap(), &again).unwrap();
    to_its_end(store);
    assert!(second > no && !shown(store).contains(NUMBER));
    let all = store.erasing().erasures(9).unwrap();
    assert_eq!((all[0].no, all[0].calls, all[1].no), (second, 1, no), "{all:?}");
    assert_eq!(store.erasing().erasures(1).unwrap().len(), 1);
    assert!(!further(store, time_ms));
}

/// Dead letters of the call, as they were there before, and two of others.
fn letters(guid: &str) -> Vec<Made> {
    let by_session = |component: &str| {
        let named = format!(r#""component":{{"name":"{component}"}},"session_id":"E1DE""#);
        Made::text(&format!(r#"{{"kind":"nonsense",{named},"text":"Carter of {component}"}}"#))
    };
    vec![
        // it, or what it meets, loses the id of an event of the call
        with(&event("E1DE", 1302, "log"), "text", "Baker"),
        Made::text(&format!("torn {} Cooper", guid.to_lowercase())),
        by_session("mcp-1"),
        by_session("mcp-2"),
        Made::text("torn Fisher"),
    ]
}

/// What all letters tell, one page behind another.
fn letters_told(store: &dyn Store) -> String {
    let (mut told, mut last) = (String::new(), 0);
    loop {
        let page = store.custody().letters_behind(last, 2).unwrap();
        let Some(newest) = page.last() else { return told };
        assert!(page.is_sorted_by_key(|letter| letter.no) && page[0].no > last);
        last = newest.no;
        for letter in &page {
            told += &format!("{} {}\n", letter.code, String::from_utf8_lossy(&letter.body));
        }
    }
}

/// What comes of the call when it is erased: records are without what was said, letters that name
/// it keep their length.
fn late(store: &dyn Store, guid: &str) {
    let late = [
        told(&rm(130, 1300).dn(NUMBER).leg(2, 1310).start()),
        with(&event("E1DE", 1340, "log"), "text", "Smith again"),
        // one of both loses the id, and becomes a dead letter
        with(&event("E1DE", 1340, "log"), "text", "Miller again"),
        with(&event("OTHER", 1341, "log"), "text", "Jones again"),
        Made::text(&format!("torn {} Weaver", guid.replace('-', ""))),
        Made::text(r#"{"session_id":"E1DE","component":{"name":"mcp-1"},"text":"Weaver"#),
        Made::text(r#"{"session_id":"E1DE","component":{"name":"mcp-2"},"text":"Potter"#),
    ];
    let mut late = arrivals(&late, 2000, 40);
    for frame in &mut late {
        frame.entry.as_mut().unwrap().received = at(ASKED + 60).0;
    }
    let stored = store.apply(&late, NOW).unwrap();
    assert_eq!((stored.stored, stored.dead), (3, 4));
    let text = shown(store);
    for gone in ["Smith", "Miller", "Weaver"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    assert!(text.contains("Potter"), "of another component");
}

/// A call is erased whole, with what was said in it: no figure changes, no other call does, and
/// what comes late of it is erased before it is stored.
pub(super) fn a_call(store: &dyn Store) {
    fill(store);
    let said = |store: &dyn Store, key| {
        let legs = store.call(&CallName::Key(key), true).unwrap();
        (format!("{legs:?}"), legs[0].events.first.len(), legs[0].var.actions.len())
    };
    let all = calls(store);
    let of_session = |call: &&Call| call.session_id == "E1DE";
    let media = all.iter().find(of_session).unwrap().clone();
    let of_guid = |call: &&Call| call.guid == media.guid;
    let legs: Vec<Call> = all.iter().filter(of_guid).cloned().collect();
    assert_eq!(legs.len(), 2);
    let guid = media.guid.as_deref().unwrap();
    let letters = letters(guid);
    let stored = store.apply(&arrivals(&letters, 900, 40), NOW).unwrap();
    assert_eq!((stored.stored, stored.dead), (0, 5));
    let names = ["Cooper", "Carter of mcp-1", "Baker", "said"];
    let count = |told: &str| names.iter().filter(|name| told.contains(*name)).count();
    assert_eq!(count(&letters_told(store)), 3, "{}", letters_told(store));
    let before = (figures(store), said(store, media.key));
    let bins = rolled(store);
    assert!(before.1.0.contains("call back") && before.1.0.contains("FAILED"));
    let time_ms = i64::try_from(at(ASKED).0).unwrap();
    let line = Audit { time_ms, ..line("call-erasure") };
    // once more is as good
    for _ in 0..2 {
        forget(store, &legs, &line).unwrap();
        let told = letters_told(store);
        assert_eq!(count(&told), 0, "{told}");
        assert!(told.contains("Fisher") && told.contains("Carter of mcp-2"), "{told}");
        assert_eq!(told.lines().count(), 7, "{told}");
        for leg in &legs {
            let (text, ..) = said(store, leg.key);
            // what an inbound call dialled is the service's own
            for gone in [
                "+4930654321",
                "back 4930",
                "call back",
                "said",
                "unknown",
                "x_caller",
                "x_ani",
                "least-used",
            ] {
                assert!(!text.contains(gone), "{gone} in {text}");
            }
        }
    }
    let after = said(store, media.key);
    assert_eq!((&figures(store), after.1, after.2), (&before.0, before.1.1, before.1.2));
    assert!(after.0.contains("login|FAILED\""), "{}", after.0);
    assert_eq!(rolled(store).results, bins.results);
    rolled::again(store);
    assert_eq!(rolled(store).results, bins.results);
    assert!(shown(store).contains(NUMBER), "a call of another GUID stays");
    assert_eq!(store.erasing().erasures(9).unwrap(), [], "no number was erased");
    late(store, guid);
    let again = store.apply(&arrivals(&story(), 3000, 40), NOW).unwrap();
    assert_eq!((again.stored, again.dead), (0, 0));
    let of = |call: &Call| call.guid == media.guid;
    for leg in calls(store).iter().filter(|call| of(call)) {
        let (text, ..) = said(store, leg.key);
        assert!(!text.contains("+4930654321") && !text.contains("Smith"), "{text}");
    }
}
