//! What is stored: each story a few batches, with restarts and replays.

use model::chance::Chance;
use rs::share::LetterNo;
use rsd::store::Arrival;
use serde_json::json;

use super::made::{Made, arrivals, at, books, event, mcp, rm, split, var};

/// One thing that happens to a store.
pub(super) enum Step {
    Apply(Vec<Arrival>),
    Restart,
}

const GOLDEN: &str = include_str!("../../../../../core/model/tests/it/testdata/records.ndjson");

pub(super) fn stories() -> Vec<(&'static str, Vec<Step>)> {
    let whole = |story: &[Made]| vec![Step::Apply(arrivals(story, 1, 2))];
    let mut all = vec![
        ("day", whole(&platform())),
        ("days", whole(&three_days())),
        ("conflicts", whole(&conflicts())),
        ("ids", one_by_one(&ids())),
        ("hostile", whole(&hostile())),
        ("numbers", whole(&numbers())),
        ("golden", whole(&golden())),
        ("retries", retries()),
        ("sessions", one_by_one(&sessions())),
        ("nothing", vec![Step::Apply(Vec::new()), Step::Restart]),
    ];
    for (name, story) in
        [("shuffled", platform()), ("shuffled_golden", golden()), ("shuffled_days", three_days())]
    {
        all.push((name, shuffled(story)));
    }
    all
}

/// Each record a batch of its own.
fn one_by_one(story: &[Made]) -> Vec<Step> {
    split(arrivals(story, 1, 1), 1).into_iter().map(Step::Apply).collect()
}

/// Legs that come when all others of their session have ended; objects that get other names, and
/// ids instead of names alone.
fn sessions() -> Vec<Made> {
    let first = rm(1, 10).tenant("beta", None);
    let media = mcp("E1DE", 11).guid(1).profile("acme-main", None);
    vec![
        first.start(),
        media.start(),
        first.end(20),
        media.end(21),
        rm(1, 10).leg(2, 30).tenant("beta", Some(103)).start(),
        mcp("E2DE", 31).guid(1).tenant("acme", Some(102)).start(),
        rm(2, 40).tenant("gamma", Some(103)).profile("acme-main", Some(189)).start(),
        rm(1, 10).leg(2, 30).tenant("beta", Some(103)).end(50),
        mcp("LATE", 60).start(),
        mcp("LATE", 60).guid(2).start(),
        rm(2, 40).leg(3, 39).tenant("acme", Some(102)).start(),
    ]
}

/// Any order, with repetitions, restarts, and frames that come again below and above the place.
fn shuffled(story: Vec<Made>) -> Vec<Step> {
    let mut chance = Chance::new([7, 3, 5, 9]);
    let mut story: Vec<Made> = story.iter().chain(&story[..story.len() / 2]).cloned().collect();
    for at in (1..story.len()).rev() {
        let other = usize::try_from(chance.below(at as u64 + 1)).unwrap();
        story.swap(at, other);
    }
    let mut steps = Vec::new();
    for batch in split(arrivals(&story, 1, 2), 3) {
        steps.push(Step::Apply(batch.clone()));
        if chance.below(3) == 0 {
            steps.push(Step::Restart);
            steps.push(Step::Apply(batch));
        }
    }
    steps
}

/// Two messages that are none, tried again: one is stored in the end, the other is refused for
/// another reason; each frame comes twice. Conflicts and bad messages come again as well.
fn retries() -> Vec<Step> {
    let bad = |n: u64| Made::text(&format!("no json {n}"));
    let first = arrivals(&[bad(1), bad(2)], 1, 2);
    let mut again = arrivals(&[bad(1), Made::text("{}"), rm(5, 5).start()], 2, 1);
    for (at, arrival) in again.iter_mut().enumerate() {
        let entry = arrival.entry.as_mut().unwrap();
        let (no, retries) = [(1, 1), (2, 1), (1, 2)][at];
        entry.letters = vec![LetterNo { no, retries }];
    }
    let conflicts = arrivals(&conflicts(), 5, 3);
    let mut resent = arrivals(&conflicts_and(bad(1)), 40, 3);
    for entry in resent.iter_mut().filter_map(|arrival| arrival.entry.as_mut()) {
        entry.messages.iter_mut().for_each(|message| message.message_id = None);
    }
    let mut steps = vec![Step::Apply(first.clone()), Step::Restart, Step::Apply(first)];
    for batch in [again, conflicts, resent] {
        steps.extend([Step::Apply(batch.clone()), Step::Restart, Step::Apply(batch)]);
    }
    steps
}

fn conflicts_and(one: Made) -> Vec<Made> {
    conflicts().into_iter().chain([one]).collect()
}

fn platform() -> Vec<Made> {
    let first = rm(1, 10).tenant("acme", Some(102)).profile("acme-main", Some(189));
    let second = rm(2, 20).tenant("beta", None);
    vec![
        first.start(),
        mcp("E1DE", 10).guid(1).profile("acme-main", None).start(),
        Made::text(&event("E1DE", 11, "incall_begin").body().replacen(
            '{',
            r#"{"x_more":{"b":[1]},"#,
            1,
        )),
        event("E1DE", 12, "asr_open"),
        second.start(),
        // a session of two tenants
        rm(2, 20).leg(2, 25).tenant("acme", Some(102)).end(39),
        first.end(70),
        second.end(40),
        mcp("E1DE", 10).guid(1).end(69),
        var("E1DE", 15),
        books(0),
        Made::text("no json"),
        rm(3, 86_390).end(86_400 + 30),
        mcp("E2DE", 86_395).end(86_400 + 20),
        event("E2DE", 86_400 + 5, "incall_begin"),
        rm(4, 50).tenant("beta", Some(103)).start(),
    ]
}

fn three_days() -> Vec<Made> {
    let day = 86_400;
    let mut story: Vec<_> = (1..31).map(|n| rm(n, 1000 + n * day / 10).start()).collect();
    story.push(rm(8, 1000 + 8 * day / 10).leg(2, day + 2000).start());
    // a media server that learns the GUID of the day before
    story.push(mcp("LATE", day + 5).start());
    story.push(mcp("LATE", day + 5).guid(8).end(day + 50));
    story
}

fn conflicts() -> Vec<Made> {
    let mut story: Vec<_> =
        ["1111", "2222", "3333"].iter().map(|dn| rm(1, 10).dn(dn).start()).collect();
    story.extend(["a", "b", "c", "a"].iter().map(|log_id| event("E", 11, log_id)));
    // what is no text of any kind of record
    story.push(Made::text(&var("E", 12).body().replace("SUCCESS", "WRONG")));
    story.push(mcp("E", 10).tenant("x", None).end(20));
    story.push(mcp("E", 10).tenant("y", None).end(20));
    story
}

/// One id of two calls, of quality of two sessions in both orders, of an event and a figure of one
/// second; each record a batch, so that the loser is stored.
fn ids() -> Vec<Made> {
    let quality = |session: &str, id: u64| {
        Made::of(&json!({
            "schema": 1, "kind": "sq.call", "id": format!("x/{id}"), "time": at(12), "failed": true,
            "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
            "session_id": session, "failures": [{"time": at(12), "type": "FETCH", "text": session}],
        }))
    };
    let same_id = |made: Made| Made::text(&made.body().replace("mcp-1:E/cdr", "mcp-1:D/cdr"));
    let snmp = json!({
        "schema": 1, "kind": "or.snmp", "id": "mcp-1:D/ev/0.12", "time": at(12),
        "values": [{"name": "a", "value": "1"}],
        "producer": {"name": "mcp-1"}, "component": {"name": "mcp-1", "type": "MCP"},
    });
    vec![
        rm(1, 10).tenant("acme", Some(102)).end(40),
        mcp("D", 10).guid(1).end(20),
        same_id(mcp("E", 11).guid(1).end(30)),
        quality("D", 1),
        quality("E", 1),
        quality("E", 2),
        quality("D", 2),
        event("D", 12, "asr_open"),
        Made::of(&snmp),
    ]
}

fn hostile() -> Vec<Made> {
    let words = [
        "'; DROP TABLE rs_call; --",
        "<script>alert(1)</script>&amp;]]>",
        "=cmd|' /C calc'!A0",
        "\u{0}\u{1}\u{7f}\u{85}\u{2028}",
        "{\"$1\": \"?\"}",
        "\\\\x00 %s $1 ? NULL",
        "😀 ÄÖÜ \u{10FFFF}",
        "",
    ];
    let mut story = Vec::new();
    for (n, word) in (1..).zip(words) {
        let call = rm(n, 10 * n).tenant(word, None).profile(word, None).dn(word);
        story.push(call.start());
        story.push(call.end(10 * n + 5));
        story.push(event("H", n, word));
        story.push(Made::text(word));
        story.push(mcp(word, n).tenant(word, Some(7)).end(n + 1));
    }
    story
}

fn numbers() -> Vec<Made> {
    vec![
        rm(1, 10).tenant("acme", Some(102)).profile("main", Some(189)).dn("18005550100").end(15),
        rm(2, 20).tenant("beta", None).dn("18005550150").start(),
        rm(3, 30).dn("1900a").end(100),
        mcp("S1", 40).end(50),
        rm(4, 50).tenant("beta", Some(103)).start(),
    ]
}

/// Every kind, two epochs, an adopted leg, a refused attempt, unknown fields.
fn golden() -> Vec<Made> {
    GOLDEN.lines().map(Made::text).collect()
}
