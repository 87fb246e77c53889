//! PostgreSQL away while producers of all kinds send (rs.md §14, 9): none of them sees an error or
//! the end of its connection, everything is then stored once, and the figures are those of what was
//! sent, the same again when they are made anew of the facts.
//!
//! `cargo xtask conformance --outage SECONDS` tells how long it is away; in CI until every producer
//! has sent some more.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use model::time::Millis;
use serde_json::json;

use crate::book::{Book, CALL_MS, Calls};
use crate::calls::{healthy, objects};
use crate::platform::{Site, eventually, now, say, told, wall};
use crate::postgres::Server;
use crate::senders::{self, Order, Over};
use crate::sipp::{Media, Plan};
use crate::stored::Database;
use crate::{http, report};

/// Producers by the beginnings of their names.
const KINDS: [&str; 5] = ["wire", "http", "stomp", "java", "python"];
/// Sends of each kind while the database is away, at least.
const SENDS: usize = 20;
/// Calls of RM beside them, in a second.
const RATE: u32 = 8;
/// Everything that is made of facts.
const BINS: [&str; 6] =
    ["rs_or_bin", "rs_conc_bin", "rs_var_bin", "rs_var_action_bin", "rs_sq_bin", "rs_latency_bin"];
const DAY_MS: u64 = 86_400_000;

#[test]
fn no_producer_sees_that_the_database_is_away_and_all_sums_are_right() {
    let away = Duration::from_secs(
        told("RINGMASTER_OUTAGE_SECONDS").map_or(0, |seconds| seconds.parse().unwrap()),
    );
    let mut server = Server::start();
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let more = format!("  database: \"{}\"\n  rollup: {{ delay: 100ms }}\n", server.url());
    site.write("settings.yaml", &(settings + &more));
    let rs = site.start_rs();
    let rm = site.start_rm();
    healthy(&site, 1);
    let metric = |name: &str| http::metric(site.rs_http(), name);
    let calls = RATE * (5 + u32::try_from(away.as_secs()).unwrap());
    let numbers = ["18005550100"];
    let callers = Plan { rate: RATE, ..Plan::new(site.sip(), &numbers, calls) }.start();

    let order = Order {
        book: Arc::new(Book::default()),
        broker: site.broker(),
        http: site.rs_http(),
        seed: wall().0,
        over: Arc::new(AtomicBool::new(false)),
        steady: true,
    };
    let over = Over(Arc::clone(&order.over));
    let producers = producers(&order);
    grows(&order.book, 0);
    eventually("some is stored", || metric("rs_apply_records_total"), |count| *count > 0.0);
    let connected = "ringmaster_rm_broker_connections_total";
    let connections = http::summed(site.rm_http(), connected);
    server.stop();
    let began = now();
    eventually("it is away", || metric("rs_database_up"), |up| *up == 0.0);
    grows(&order.book, SENDS);
    std::thread::sleep(away.saturating_sub(began.elapsed()));
    assert_eq!(http::get(site.rs_http(), "/ready").unwrap().status, 200);
    assert_eq!(metric("rs_database_up"), 0.0);
    let waiting = metric("rsQueueSize");
    let took = began.elapsed();
    server.run();
    eventually("it is back", || metric("rs_database_up"), |up| *up == 1.0);
    grows(&order.book, SENDS);
    callers.finish();
    drop(over);
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    assert_eq!(http::summed(site.rm_http(), connected), connections, "RM has those that it had");

    let calls = usize::try_from(calls).unwrap();
    report::exactly(site.rm_http(), site.rs_http(), calls);
    let sent = order.book.calls();
    let told = order.book.check(site.rs_http(), &Database::Server(server.url()));
    assert_eq!(told, (sent.records, 0));
    assert_eq!(server.sql("SELECT count(*) FROM rs_dead_letter"), "0");
    assert_eq!(http::summed(site.rs_http(), "rs_apply_duplicates_total"), 0.0);
    // RM tells of each minute, so records may come between the two questions
    let ledger = || server.sql("SELECT count(*) FROM rs_fact_ledger");
    let both = || (ledger(), metric("rs_apply_records_total").to_string());
    eventually("each record is in the ledger", both, |(ledger, applied)| ledger == applied);
    figures(&site, &server, &sent, calls);
    say(format_args!(
        "away for {took:?}: {} calls of {} records and {calls} of RM, {waiting} records waited",
        sent.calls, sent.records,
    ));
    let by_kind = KINDS.map(|kind| format!("{kind} {}", order.book.count_of(kind)));
    say(format_args!("by kind: {}", by_kind.join(", ")));
    let output = rs.output();
    let lines = output.lines().filter(|line| line.contains(" 33101 ")).count();
    let minutes = usize::try_from(took.as_secs() / 60).unwrap();
    assert!((1..=minutes + 2).contains(&lines), "told once, and once a minute: {output}");
    drop((rm, rs));
}

/// Two of each kind; more in Java, half of which do not wait for answers.
fn producers(order: &Order) -> Vec<JoinHandle<()>> {
    let pairs = (1..=2).flat_map(|n| {
        [
            senders::openwire(order.clone(), n),
            senders::http(order.clone(), n + 2),
            senders::stomp(order.clone(), n + 4),
            senders::python(order.clone(), n + 6, 4),
        ]
    });
    pairs.chain([senders::java(order.clone(), 9, 6)]).collect()
}

/// Waits until each kind has so many more acknowledgements, at least one.
fn grows(book: &Book, sends: usize) {
    let before = KINDS.map(|kind| book.count_of(kind));
    for (kind, before) in KINDS.into_iter().zip(before) {
        eventually(kind, || book.count_of(kind), |count| *count >= before + sends.max(1));
    }
}

/// The sums of all bins of each length are those of what was sent, and bins that are made again of
/// the facts are the same.
fn figures(site: &Site, server: &Server, sent: &Calls, of_rm: usize) {
    let marks = || server.sql("SELECT count(*) FROM rs_dirty_bin");
    eventually("bins are made", marks, |marks| marks == "0");
    let Calls { calls, outcomes, .. } = *sent;
    let time = CALL_MS * calls as u64;
    let each = |expected: &str| (1..=6).map(|of| format!("{of}|{expected}\n")).collect::<String>();
    let sums = |what: &str, from: &str| {
        server.sql(&format!("SELECT gran, {what} FROM {from} GROUP BY gran ORDER BY gran")) + "\n"
    };
    let media = "rs_or_bin WHERE measure = 1 AND dim = 1 AND dim_id = 2";
    assert_eq!(
        sums("sum(count), sum(ended), sum(duration_ms), max(max_duration_ms)", media),
        each(&format!("{calls}|{calls}|{time}|{CALL_MS}"))
    );
    let all = "rs_or_bin WHERE measure = 2 AND dim = 0";
    assert_eq!(sums("sum(count), sum(ended)", all), each(&format!("{of_rm}|{of_rm}")));
    let levels = "rs_conc_bin WHERE measure = 1 AND dim = 1 AND dim_id = 2";
    assert_eq!(sums("sum(net), min(peak) > 0", levels), each("0|t"));
    let results = "rs_var_bin WHERE dim = 0 AND result = 1";
    assert_eq!(sums("sum(count)", results), each(&outcomes.to_string()));
    let actions = "rs_var_action_bin WHERE dim = 0";
    assert_eq!(sums("sum(count)", actions), each(&outcomes.to_string()));

    let rows = || {
        BINS.map(|table| {
            let sql = format!("SELECT b::text FROM {table} b ORDER BY b::text COLLATE \"C\"");
            server.sql(&sql)
        })
    };
    let made = rows();
    for table in BINS {
        server.sql(&format!("DELETE FROM {table}"));
    }
    let (from, to) = (Millis(wall().0 - DAY_MS), Millis(wall().0 + DAY_MS));
    let span = json!({"from": from.to_string(), "to": to.to_string()});
    let path = "/api/v1/rollups/rebuild";
    let asked = http::ask(site.rs_http(), "POST", path, http::JSON, &span.to_string()).unwrap();
    assert_eq!(asked.status, 202, "{}", asked.body);
    eventually("bins are made again", marks, |marks| marks == "0");
    for (table, (made, again)) in BINS.iter().zip(made.into_iter().zip(rows())) {
        let first = made.lines().zip(again.lines()).find(|(made, again)| made != again);
        assert!(made == again, "{table}: {first:?}");
    }
}
