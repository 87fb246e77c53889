//! The port with its bounds in hand: places that are all taken, and others who take their time.

use std::time::Duration;

use axum::http::StatusCode;
use model::time::Millis;
use telemetry::log::Captured;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::books::{self, History};
use crate::store::AuditQuery;
use crate::store::sqlite::Sqlite;
use crate::transaction::{Operation, Transaction, When};
use crate::who::Who;

/// For what has to come, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// For what must not take long.
const SHORT: Duration = Duration::from_millis(200);

struct Port {
    address: SocketAddr,
    shared: Arc<Shared>,
    lines: Captured,
    _closing: changing::Sender<bool>,
    _dir: TempDir,
}

/// A port of its own whose visitors have this time.
async fn open(times: limits::Times) -> Port {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::start());
    let (log, lines) = Log::capture(|| Millis(0));
    let store = Box::new(Sqlite::open(dir.path(), Millis(0)).unwrap());
    let history = History { revisions: 1_000, age: Duration::from_secs(3_600) };
    let clocks = Arc::new(move || clock.now());
    let books = Books::open(books::Parts { store, history, clocks, log: log.clone() }).unwrap();
    let (closing, closed) = changing::channel(false);
    let parts = Parts {
        books,
        health: Health::new("test", clock.now().wall, &[]),
        log,
        clock,
        settings: Settings {
            anonymous: Access::Admin,
            client_roles: Vec::new(),
            http_metrics_auth: false,
            require_if_match: false,
            certificate_required: false,
        },
        certificates: None,
        home: dir.path().to_owned(),
        closed,
    };
    let shared = Arc::new(Shared::of(parts, times));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = door::service(router(Arc::clone(&shared)));
    tokio::spawn(async move { axum::serve(Door::new(listener, limits::DOOR), service).await });
    Port { address, shared, lines, _closing: closing, _dir: dir }
}

impl Port {
    /// A connection on which this was sent.
    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// The whole answer to a request that says `Connection: close`.
    async fn ask(&self, line: &str, more: &str) -> String {
        let head = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n");
        let mut stream = self.send(&head).await;
        whole(&mut stream).await
    }

    async fn metric(&self, line: &str) -> bool {
        self.ask("GET /metrics", "").await.contains(line)
    }
}

/// All that comes until the other side closes.
async fn whole(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // a reset is an end as well
    let _end = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_because_all_places_are_taken_is_counted_and_written_down() {
    let port = open(limits::TIMES).await;
    let all = u32::try_from(limits::IN_FLIGHT).unwrap();
    let places = Arc::clone(&port.shared.in_flight).try_acquire_many_owned(all).unwrap();
    let put = "Content-Type: application/json\r\nContent-Length: 0\r\n";
    for (line, more) in [("GET /v1/objects", ""), ("PUT /v1/objects/Tenant/acme", put)] {
        let answer = port.ask(line, more).await;
        let status = StatusCode::SERVICE_UNAVAILABLE;
        assert!(answer.starts_with(&format!("HTTP/1.1 {}", status.as_u16())), "{answer}");
        assert!(answer.contains("urn:ringmaster:problem:busy"), "{answer}");
    }
    assert!(port.ask("GET /live", "").await.starts_with("HTTP/1.1 200"), "probes need no place");
    assert!(port.metric("ringmaster_config_refusals_total{reason=\"busy\"} 2\n").await);
    drop(places);
    let query = AuditQuery { limit: 9, ..AuditQuery::default() };
    let lines = port.shared.books.audit(query, &Who::server("test")).await.unwrap();
    let told = |line: &crate::store::AuditRow| (line.action.clone(), line.outcome.clone());
    assert_eq!(lines.iter().map(told).collect::<Vec<_>>(), [("transaction".into(), "busy".into())]);
    assert_eq!(lines[0].objects, ["Tenant \"acme\""]);
    assert!(port.ask("GET /v1/objects", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let port = open(limits::Times { body: SHORT, backup: SHORT, ..limits::TIMES }).await;
    for (line, kind) in [
        ("POST /v1/transactions", "application/yaml"),
        ("PUT /v1/objects/Tenant/a", "application/json"),
        ("PUT /v1/clients/rm-1", "application/json"),
        ("POST /v1/tokens", "application/json"),
        ("PUT /v1/log", "application/json"),
        ("POST /v1/restore", "application/x-ndjson"),
    ] {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: 100\r\n\r\n{{"
        );
        let mut stream = port.send(&head).await;
        let answer = whole(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{line}: {answer}");
        assert!(answer.contains("did not come"), "{line}: {answer}");
    }
    let free = port.shared.in_flight.available_permits();
    assert_eq!(free, limits::IN_FLIGHT, "nobody keeps a place");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_takes_nothing_is_let_go() {
    let port = open(limits::Times { stalled: SHORT, ..limits::TIMES }).await;
    let mut lazy =
        port.send("GET /v1/watch HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    while port.shared.watchers.available_permits() == limits::WATCHERS {
        tokio::task::yield_now().await;
    }
    // more than the kernel takes for the two of them, and less than the books hold
    let label = "x".repeat(4_000);
    let labels: String = (0..200).map(|n| format!("l{n}: {label}, ")).collect();
    let mut revision = 0;
    while port.shared.counters.overflows.load(std::sync::atomic::Ordering::Relaxed) == 0 {
        revision += 1;
        assert!(revision < 1_000, "nothing is too much for it");
        let yaml = format!("kind: Tenant\nname: big\nlabels: {{ {labels} n: '{revision}' }}\n");
        let document = config::objects::from_text(&yaml, None).unwrap().remove(0);
        let put = Operation::Put { document, when: When::Always, rename_from: None };
        let transaction = Transaction { operations: vec![put], ..Transaction::default() };
        port.shared.books.transact(transaction, &Who::server("test")).await.unwrap();
        // it may have the time that it has
        tokio::time::sleep(SHORT / 10).await;
    }
    let text = whole(&mut lazy).await;
    assert!(text.contains("event: change"), "it heard what it took: {} bytes", text.len());
    while port.shared.watchers.available_permits() < limits::WATCHERS {
        tokio::task::yield_now().await;
    }
    port.shared.log.flush();
    assert!(port.lines.lines().iter().any(|line| line.contains(" 40103 ")), "it is told");
}
