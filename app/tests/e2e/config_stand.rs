//! A Config Server of this test: it says what the test wants, right or wrong, and can be away.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use config::objects::from_text;
use model::config::{Digest, Key, Kind, Set};
use serde_json::{Value, json};

use crate::platform::{Site, free_port};

/// What it says.
#[derive(Default)]
struct Books {
    revision: u64,
    set: Set,
    /// An object of a later version, which is in no set.
    odd: Option<Value>,
    /// Texts of the watch, each by the revision after which it comes.
    events: Vec<(u64, String)>,
    /// The history does not reach back: the next watch is answered with 410.
    gone: bool,
    asked: Vec<String>,
    reports: Vec<Value>,
    open: Vec<TcpStream>,
    closed: bool,
}

impl Books {
    fn objects(&self) -> Vec<Value> {
        let objects = self.set.objects().map(|object| object.json.clone());
        objects.chain(self.odd.clone()).collect()
    }

    fn digest(&self) -> Digest {
        match self.odd {
            Some(_) => Digest::of([]),
            None => self.set.digest(),
        }
    }
}

/// It runs, or is away until [`Stand::start`].
pub(crate) struct Stand {
    address: SocketAddr,
    books: Arc<Mutex<Books>>,
}

impl Stand {
    /// Objects at revision 1, at an address that nobody serves yet.
    pub(crate) fn of(objects: &str) -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let address = SocketAddr::new(local, free_port(local));
        let stand = Self { address, books: Arc::default() };
        stand.change(objects);
        stand
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Settings of a site whose objects come from here.
    pub(crate) fn settles(&self, site: &Site) {
        let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
        let server = format!("config: {{ server: \"{}\" }}", self.url());
        let settings = settings.replace("config: { file: platform.yaml }", &server);
        assert!(settings.contains(&server), "{settings}");
        site.write("settings.yaml", &settings);
    }

    pub(crate) fn start(&self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.books.lock().unwrap().closed = false;
        let books = Arc::clone(&self.books);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if books.lock().unwrap().closed {
                    return;
                }
                let books = Arc::clone(&books);
                thread::spawn(move || serve(&books, stream));
            }
        });
    }

    /// A revision with these documents put; the watch tells it.
    pub(crate) fn change(&self, objects: &str) {
        let mut books = self.books.lock().unwrap();
        let documents = from_text(objects, None).unwrap();
        let changed = books.set.change(documents, &[], &[]).unwrap();
        let put = |(_, object): &(_, Arc<model::config::Object>)| put(&object.json);
        let puts: Vec<Value> = changed.puts.iter().map(put).collect();
        books.set = changed.set;
        books.odd = None;
        books.tell(&puts);
    }

    /// A revision without an object of Environment; the watch tells it.
    pub(crate) fn delete(&self, kind: &str, name: &str) {
        let mut books = self.books.lock().unwrap();
        let (kind, tenant) = (Kind::parse(kind).unwrap(), "Environment".to_owned());
        let key = Key { kind, tenant, name: name.to_owned() };
        let changed = books.set.change(Vec::new(), &[key], &[]).unwrap();
        books.set = changed.set;
        books.odd = None;
        books.tell(&[json!({ "op": "delete", "kind": kind.as_str(), "name": name })]);
    }

    /// A revision with an object as only a later version has it.
    pub(crate) fn put_odd(&self, object: Value) {
        let mut books = self.books.lock().unwrap();
        let put = put(&object);
        books.odd = Some(object);
        books.tell(&[put]);
    }

    /// The history is cut: who watches has to ask for the snapshot.
    pub(crate) fn compact(&self) {
        let mut books = self.books.lock().unwrap();
        books.gone = true;
        books.close();
    }

    pub(crate) fn reports(&self) -> Vec<Value> {
        self.books.lock().unwrap().reports.clone()
    }

    /// How many requests began so.
    pub(crate) fn asked(&self, begin: &str) -> usize {
        let books = self.books.lock().unwrap();
        books.asked.iter().filter(|line| line.starts_with(begin)).count()
    }

    /// Away, with all connections.
    pub(crate) fn stop(&self) {
        let mut books = self.books.lock().unwrap();
        books.closed = true;
        books.close();
        drop(books);
        // wakes the listener, which sees it
        let _ = TcpStream::connect(self.address);
    }
}

fn put(object: &Value) -> Value {
    json!({ "op": "put", "object": object })
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Books {
    fn tell(&mut self, changes: &[Value]) {
        let before = self.revision;
        self.revision += 1;
        let change = json!({ "revision": self.revision, "time": "2026-11-22T09:30:00.123Z",
            "actor": "test", "message": null, "digest": self.digest(), "changes": changes });
        let text = format!("id: {}\nevent: change\ndata: {change}\n\n", self.revision);
        self.events.push((before, text));
    }

    fn close(&mut self) {
        for stream in self.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(books: &Mutex<Books>, mut stream: TcpStream) {
    books.lock().unwrap().open.push(stream.try_clone().unwrap());
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let (mut head, mut size) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let before = head.len();
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
            let line = head[before..].to_lowercase();
            if let Some(length) = line.strip_prefix("content-length:") {
                size = length.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; size];
        if reader.read_exact(&mut body).is_err() || !answer(books, &mut stream, &head, &body) {
            return;
        }
    }
}

/// False: the connection is over.
fn answer(books: &Mutex<Books>, stream: &mut TcpStream, head: &str, body: &[u8]) -> bool {
    let say = |stream: &mut TcpStream, status: &str, body: &str| {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).is_ok()
    };
    let path = head.split(' ').nth(1).unwrap();
    let mut own = books.lock().unwrap();
    own.asked.push(head.lines().next().unwrap().to_owned());
    if path.starts_with("/v1/clients/") {
        own.reports.push(serde_json::from_slice(body).unwrap());
        return say(stream, "204 No Content", "");
    }
    if path == "/v1/snapshot" {
        if head.to_lowercase().contains(&format!("if-none-match: \"{}\"", own.revision)) {
            return say(stream, "304 Not Modified", "");
        }
        let objects = own.objects();
        let (format, count) = ("ringmaster-snapshot/1", objects.len());
        let first = json!({ "format": format, "revision": own.revision, "objects": count });
        let mut text = format!("{first}\n");
        for object in objects {
            writeln!(text, "{object}").unwrap();
        }
        writeln!(text, "{}", json!({ "end": true, "digest": own.digest() })).unwrap();
        return say(stream, "200 OK", &text);
    }
    let Some(since) = path.strip_prefix("/v1/watch?since=") else {
        return say(stream, "404 Not Found", "");
    };
    if std::mem::take(&mut own.gone) {
        return say(stream, "410 Gone", r#"{"oldest":1}"#);
    }
    drop(own);
    watch(books, stream, since.parse().unwrap());
    false
}

fn watch(books: &Mutex<Books>, stream: &mut TcpStream, mut sent: u64) {
    stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let mut text = Some(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 1000\n\n".to_owned(),
    );
    loop {
        if let Some(text) = text.take() {
            if stream.write_all(text.as_bytes()).is_err() {
                return;
            }
        } else if stream.peek(&mut [0]).is_ok_and(|read| read == 0) {
            return;
        }
        let own = books.lock().unwrap();
        let next = own.events.iter().find(|(after, _)| *after == sent);
        if let Some((_, event)) = next {
            text = Some(event.clone());
            sent += 1;
        }
    }
}
