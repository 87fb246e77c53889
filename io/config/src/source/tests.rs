//! The client against a server of sockets and texts.

use super::{Applied, Client, Daemon, News, Setup, Watching};
use crate::settings::{ConfigClient, ServerUrl};
use model::config::{Digest, Document, Set};
use model::id::Revision;
use model::schema::Problem;
use model::snapshot::Snapshot;
use model::tree::from_json;
use net::Clock;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server says.
#[derive(Default)]
struct Books {
    revision: u64,
    /// Which they are; `None`: a server of an earlier version.
    books: Option<&'static str>,
    objects: Vec<Value>,
    /// Texts of the watch, by the revision after which each comes.
    events: Vec<(u64, String)>,
    /// Answers to all requests instead.
    status: Option<&'static str>,
    /// The watch answers with a page of something else.
    page: bool,
    /// Reports have to show this.
    valid: Option<&'static str>,
    asked: Vec<String>,
    reports: Vec<Value>,
    open: Vec<TcpStream>,
}

mod books;

/// A Config Server of this test.
#[derive(Clone)]
struct Server {
    address: SocketAddr,
    books: Arc<Mutex<Books>>,
}

/// As a server of the same version has it; one of what is not valid here is of another version.
fn digest(objects: &[Value]) -> String {
    let document = |json| Document { file: None, number: 1, size: 0, root: from_json(json) };
    let made = Set::default().change(objects.iter().map(document).collect(), &[], &[]);
    made.map_or_else(|_| Digest::of([]), |made| made.set.digest()).to_string()
}

impl Server {
    fn start(objects: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let books = Books { revision: 1, objects, ..Books::default() };
        let server = Self { address, books: Arc::new(Mutex::new(books)) };
        let own = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                thread::spawn(move || own.serve(stream));
            }
        });
        server
    }

    /// A revision that puts these objects, and what the watch says of it.
    fn put(&self, object: Value, digest_of_event: Option<&str>) {
        let mut books = self.books.lock().unwrap();
        books.objects.retain(|one| one["name"] != object["name"]);
        books.objects.push(object.clone());
        books.revision += 1;
        let all = digest_of_event.map_or_else(|| digest(&books.objects), str::to_owned);
        let change = json!({ "revision": books.revision, "time": "", "actor": "t", "message": null,
            "digest": all, "changes": [{ "op": "put", "object": object }] });
        let text = format!("id: {}\nevent: change\ndata: {change}\n\n", books.revision);
        let before = books.revision - 1;
        books.events.push((before, text));
    }

    /// Closes all connections.
    fn drop_all(&self) {
        for stream in self.books.lock().unwrap().open.drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    fn serve(&self, mut stream: TcpStream) {
        self.books.lock().unwrap().open.push(stream.try_clone().unwrap());
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let (mut head, mut size) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if let Some(length) = line.to_lowercase().strip_prefix("content-length:") {
                    size = length.trim().parse().unwrap();
                }
                head.push_str(&line);
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; size];
            reader.read_exact(&mut body).unwrap();
            if !self.answer(&mut stream, &head, &body) {
                return;
            }
        }
    }

    /// False: the connection is over.
    fn answer(&self, stream: &mut TcpStream, head: &str, body: &[u8]) -> bool {
        let path = head.split(' ').nth(1).unwrap();
        let mut books = self.books.lock().unwrap();
        books.asked.push(head.to_owned());
        let say = |stream: &mut TcpStream, status: &str, body: &str| {
            let length = body.len();
            let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).is_ok()
        };
        if let Some(status) = books.status {
            return say(stream, status, "");
        }
        if path.starts_with("/v1/clients/") {
            if books.valid.is_some_and(|token| !head.contains(token)) {
                return say(stream, "401 Unauthorized", "");
            }
            books.reports.push(serde_json::from_slice(body).unwrap());
            return say(stream, "204 No Content", "");
        }
        if path == "/v1/snapshot" {
            if head.contains(&format!("if-none-match: \"{}\"", books.revision)) {
                return say(stream, "304 Not Modified", "");
            }
            let (revision, count) = (books.revision, books.objects.len());
            let format = "ringmaster-snapshot/1";
            let head = json!({ "format": format, "revision": revision, "objects": count,
                "books": books.books });
            let mut text = format!("{head}\n");
            books.objects.iter().for_each(|object| {
                let _ = writeln!(text, "{object}");
            });
            let _ = writeln!(text, "{}", json!({ "end": true, "digest": digest(&books.objects) }));
            return say(stream, "200 OK", &text);
        }
        let since: u64 = path.strip_prefix("/v1/watch?since=").unwrap().parse().unwrap();
        if books.page {
            return say(stream, "200 OK", "<html></html>");
        }
        drop(books);
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1000\n\n";
        stream.write_all(head).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let mut sent = since;
        loop {
            let next = {
                let books = self.books.lock().unwrap();
                let next = books.events.iter().find(|(after, _)| *after == sent).cloned();
                sent += u64::from(next.is_some());
                next
            };
            let Some((_, text)) = next else {
                // waits a little, and sees whether somebody is there
                if stream.peek(&mut [0]).is_ok_and(|n| n == 0) {
                    return false;
                }
                continue;
            };
            if stream.write_all(text.as_bytes()).is_err() {
                return false;
            }
        }
    }
}

/// What the daemon has been told.
#[derive(Default)]
pub(super) struct Seen {
    applied: Vec<Arc<Snapshot>>,
    pub(super) rejected: Vec<(u64, String)>,
    news: Vec<String>,
}

#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Seen>>);

impl Daemon for Told {
    fn apply(&mut self, applied: Applied) -> Vec<String> {
        self.0.lock().unwrap().applied.push(applied.snapshot);
        vec!["proxy/sip.timer.t1".to_owned()]
    }

    fn reject(&mut self, revision: Revision, faults: &[Problem]) {
        self.0.lock().unwrap().rejected.push((revision.0, faults[0].to_string()));
    }

    fn hear(&mut self, news: News<'_>) {
        let text = format!("{news:?}");
        self.0.lock().unwrap().news.push(text);
    }
}

impl Told {
    pub(super) fn until<T>(&self, what: &str, look: impl Fn(&Seen) -> Option<T>) -> T {
        for _ in 0..6_000 {
            if let Some(found) = look(&self.0.lock().unwrap()) {
                return found;
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("{what}: {:?}", self.0.lock().unwrap().news)
    }

    /// What was told last of a server.
    fn is_connected(&self) -> bool {
        let seen = self.0.lock().unwrap();
        let mut news = seen.news.iter().rev();
        news.find(|news| news.starts_with("Connected") || *news == "Away")
            .is_some_and(|news| news.starts_with("Connected"))
    }

    pub(super) fn at(&self, revision: u64) -> Arc<Snapshot> {
        self.until("revision", |seen| {
            seen.applied.iter().find(|one| one.revision.0 == revision).cloned()
        })
    }
}

fn tenant(name: &str, dbid: u32) -> Value {
    json!({ "kind": "Tenant", "name": name, "dbid": dbid, "enabled": true, "labels": {},
        "revision": 9, "created_at": "2026-11-22T09:30:00.123Z", "spec": {} })
}

fn setup(dir: &Path, servers: &[&Server]) -> Setup {
    let url = |server: &&Server| ServerUrl::parse(&format!("http://{}", server.address)).unwrap();
    let server =
        ConfigClient { servers: servers.iter().map(url).collect(), ..ConfigClient::default() };
    Setup {
        server,
        name: "rm 1".to_owned(),
        component: "rm",
        dir: dir.to_owned(),
        own: Vec::new(),
        clock: Clock::start(),
        seed: [1; 4],
    }
}

fn start(setup: Setup) -> (Told, Watching) {
    let told = Told::default();
    let watching = Client::open(setup).start(Box::new(told.clone())).unwrap();
    (told, watching)
}

#[test]
fn it_loads_watches_keeps_and_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    let (told, watching) = start(setup(dir.path(), &[&server]));
    assert!(told.at(1).tenant_by_name("acme").is_some());
    server.put(tenant("beta", 102), None);
    assert!(told.at(2).tenant_by_name("beta").is_some());
    server.drop_all();
    server.put(tenant("gamma", 103), None);
    assert!(told.at(3).tenant_by_name("gamma").is_some());
    assert!(watching.end());
    {
        let books = server.books.lock().unwrap();
        let asked = |path: &str| books.asked.iter().filter(|head| head.contains(path)).count();
        assert_eq!(asked("/v1/snapshot"), 1, "it resumes by revision");
        assert!(asked("/v1/watch?since=2") >= 1);
        let report = books.reports.last().unwrap();
        assert_eq!(report["component"], "rm");
        assert!(books.asked.iter().any(|head| head.starts_with("PUT /v1/clients/rm%201 ")));
    }

    // the next start has it before anybody answers, and asks only for what is newer
    let client = Client::open(setup(dir.path(), &[&server]));
    assert_eq!(client.snapshot().unwrap().revision, Revision(3));
    let told = Told::default();
    let _watching = client.start(Box::new(told.clone())).unwrap();
    told.until("connected", |seen| seen.news.iter().find(|n| n.contains("Connected")).cloned());
    assert!(told.0.lock().unwrap().applied.is_empty(), "304: what is in force stays");
    server.put(tenant("delta", 104), None);
    assert!(told.at(4).tenant_by_name("delta").is_some());
}

#[test]
fn another_digest_is_healed_by_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    let (told, _watching) = start(setup(dir.path(), &[&server]));
    told.at(1);
    server.put(tenant("beta", 102), Some(&Digest::of([]).to_string()));
    assert!(told.at(2).tenant_by_name("beta").is_some());
    told.until("mismatch", |seen| seen.news.iter().find(|n| n.contains("Mismatch")).cloned());
    server.put(tenant("gamma", 103), None);
    told.at(3);
    assert!(told.is_connected(), "it was there all the time");
}

#[test]
fn a_spare_server_with_an_older_set_is_taken_only_until_the_first_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (first, spare) = (Server::start(Vec::new()), Server::start(vec![tenant("old", 101)]));
    first.put(tenant("acme", 101), None);
    first.books.lock().unwrap().status = Some("503 Service Unavailable");
    let (told, _watching) = start(setup(dir.path(), &[&first, &spare]));
    told.at(1);
    first.books.lock().unwrap().status = None;
    assert!(told.at(2).tenant_by_name("acme").is_some());
}

#[test]
fn a_server_that_was_set_back_is_told_and_what_was_in_force_is_kept_aside() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    server.put(tenant("beta", 102), None);
    let (told, watching) = start(setup(dir.path(), &[&server]));
    told.at(2);
    assert!(watching.end());
    // wiped: nothing does not take the place of something
    (server.books.lock().unwrap().revision, server.books.lock().unwrap().objects) = (1, Vec::new());
    let (told, watching) = start(setup(dir.path(), &[&server]));
    let (revision, why) = told.until("rejected", |seen| seen.rejected.first().cloned());
    assert!(revision == 1 && why.contains("W403"), "{why}");
    assert!(watching.end() && told.0.lock().unwrap().applied.is_empty());
    // restored
    server.books.lock().unwrap().objects = vec![tenant("old", 101)];
    let (told, watching) = start(setup(dir.path(), &[&server]));
    assert!(told.at(1).tenant_by_name("old").is_some());
    let said = |seen: &Seen| seen.news.iter().find(|news| news.starts_with("SetBack")).cloned();
    told.until("told", said);
    server.put(tenant("gamma", 103), None);
    told.at(2);
    server.put(tenant("delta", 104), None);
    told.at(3);
    assert!(watching.end());
    let aside = std::fs::read_to_string(dir.path().join("snapshot/aside")).unwrap();
    assert!(aside.contains("beta") && !aside.contains("old"), "{aside}");
}

#[test]
fn what_was_kept_and_is_damaged_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    let (told, watching) = start(setup(dir.path(), &[&server]));
    told.at(1);
    assert!(watching.end());
    std::fs::write(dir.path().join("snapshot/current"), "").unwrap();
    let (told, _watching) = start(setup(dir.path(), &[&server]));
    let said = told.until("told", |seen| {
        seen.news.iter().find(|news| news.starts_with("PassedOver")).cloned()
    });
    assert!(said.contains("current") && said.contains("nothing"), "{said}");
}

#[test]
fn a_report_that_is_refused_is_told_again_with_the_token_of_then() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    let path = dir.path().join("token");
    std::fs::write(&path, "one").unwrap();
    let mut setup = setup(dir.path(), &[&server]);
    setup.server.token_file = Some(path.clone());
    server.books.lock().unwrap().valid = Some("Bearer two");
    let (told, _watching) = start(setup);
    told.at(1);
    // more often than a report that is taken is made again, which no test waits for
    let refused =
        |books: &Books| books.asked.iter().filter(|head| head.contains("/v1/clients")).count() >= 4;
    told.until("refused", |_| refused(&server.books.lock().unwrap()).then_some(()));
    std::fs::write(&path, "two").unwrap();
    told.until("report", |_| server.books.lock().unwrap().reports.first().map(|_| ()));
}

#[test]
fn an_answer_that_is_no_stream_of_events_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    server.books.lock().unwrap().page = true;
    let (told, _watching) = start(setup(dir.path(), &[&server]));
    told.at(1);
    told.until("asked again", |_| {
        let books = server.books.lock().unwrap();
        let watched = books.asked.iter().filter(|head| head.contains("/v1/watch")).count();
        (watched >= 3).then_some(())
    });
    assert!(!told.is_connected());
}

/// A server that was made anew may have come to the same number with other objects.
#[test]
fn another_set_of_the_same_number_shows_in_a_heartbeat() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    let (told, _watching) = start(setup(dir.path(), &[&server]));
    told.at(1);
    {
        let mut books = server.books.lock().unwrap();
        books.objects = vec![tenant("beta", 101)];
        let beat = json!({ "revision": 1, "digest": digest(&books.objects) });
        books.events.push((1, format!("event: heartbeat\ndata: {beat}\n\n")));
    }
    let named = |seen: &Seen| {
        let mut all = seen.applied.iter();
        all.find(|one| one.tenant_by_name("beta").is_some()).map(|one| one.revision)
    };
    assert_eq!(told.until("the other set", named), Revision(1));
    let said = |seen: &Seen| seen.news.iter().find(|news| news.starts_with("SetBack")).cloned();
    told.until("told", said);
    let aside = std::fs::read_to_string(dir.path().join("snapshot/aside")).unwrap();
    assert!(aside.contains("acme") && !aside.contains("beta"), "{aside}");
}

#[test]
fn what_is_not_valid_here_is_refused_as_a_whole_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    let (told, _watching) = start(setup(dir.path(), &[&server]));
    told.at(1);
    let mut newer = tenant("beta", 102);
    newer["spec"]["colour"] = json!("blue");
    server.put(newer, None);
    let (revision, why) = told.until("rejected", |seen| seen.rejected.first().cloned());
    assert_eq!(revision, 2);
    assert!(why.contains("E101") && why.contains("colour"), "{why}");
    told.until("report", |_| {
        let books = server.books.lock().unwrap();
        let report = books.reports.iter().find(|report| report["rejected"]["revision"] == 2)?;
        assert_eq!(report["applied"], 1);
        assert!(report["rejected"]["reason"].as_str().unwrap().contains("colour"));
        Some(())
    });
    assert_eq!(told.0.lock().unwrap().applied.len(), 1, "what was in force stays");
    // the next good one is taken, as a whole
    server.put(tenant("beta", 102), None);
    assert!(told.at(3).tenant_by_name("beta").is_some());
    told.until("report", |_| {
        let books = server.books.lock().unwrap();
        let report = books.reports.iter().find(|report| report["applied"] == 3)?;
        assert_eq!(report["rejected"], Value::Null);
        assert_eq!(report["restart_required"], json!(["proxy/sip.timer.t1"]));
        Some(())
    });
}

#[test]
fn a_token_comes_from_its_file_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(vec![tenant("acme", 101)]);
    let path = dir.path().join("token");
    std::fs::write(&path, "one\n").unwrap();
    let mut setup = setup(dir.path(), &[&server]);
    setup.server.token_file = Some(path.clone());
    let (told, _watching) = start(setup);
    told.at(1);
    std::fs::write(&path, "two\n").unwrap();
    server.drop_all();
    told.until("the new token", |_| {
        let books = server.books.lock().unwrap();
        let watch = |head: &&String| head.contains("/watch") && head.contains("Bearer two");
        books.asked.iter().find(watch).map(|_| ())
    });
    let books = server.books.lock().unwrap();
    assert!(books.asked[0].contains("authorization: Bearer one"), "{}", books.asked[0]);
    assert!(books.asked.iter().all(|head| !head.lines().next().unwrap().contains("one")));
}

#[test]
fn a_server_that_refuses_gives_way_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let (bad, good) = (Server::start(Vec::new()), Server::start(vec![tenant("acme", 101)]));
    bad.books.lock().unwrap().status = Some("503 Service Unavailable");
    let (told, _watching) = start(setup(dir.path(), &[&bad, &good]));
    assert!(told.at(1).tenant_by_name("acme").is_some());
    // history gone: the snapshot heals
    good.put(tenant("beta", 102), None);
    told.at(2);
}
