//! Books in a directory of their own, with a clock that the test moves.

use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::settings::Access;
use configd::books::{Books, Event, History, NewToken, Parts, Restored, Watcher};
use configd::store::Store;
use configd::store::sqlite::Sqlite;
use configd::transaction::{Name, Operation, Outcome, Target, Transaction, When};
use configd::{Refusal, Who};
use model::config::{Document, Kind};
use model::id::Revision;
use model::time::{Millis, Now};
use telemetry::log::{Captured, Log};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Opens a store in a directory.
pub(crate) type Make = Arc<dyn Fn(&Path) -> Box<dyn Store>>;

/// The store that is shipped.
pub(crate) fn sqlite() -> Make {
    Arc::new(|dir| Box::new(Sqlite::open(dir, Millis(0)).unwrap()))
}

/// A clock that stands still.
pub(crate) fn still(wall: u64) -> configd::books::Clocks {
    Arc::new(move || Now { mono: Duration::ZERO, wall: Millis(wall) })
}

/// 2026-11-22T09:30:00Z
pub(crate) const START: u64 = 1_795_339_800_000;

pub(crate) struct House {
    pub(crate) dir: TempDir,
    pub(crate) runtime: Runtime,
    lines: Captured,
    clock: Arc<Mutex<Now>>,
    log: Log,
    make: Make,
    history: History,
    books: Option<Books>,
}

impl House {
    pub(crate) fn new(make: &Make) -> Self {
        Self::keeping(make, 1_000, Duration::from_secs(90 * 86_400))
    }

    pub(crate) fn keeping(make: &Make, revisions: u64, age: Duration) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let (log, lines) = Log::capture(|| Millis(START));
        let mut house = Self {
            dir: tempfile::tempdir().unwrap(),
            runtime: runtime.worker_threads(1).enable_all().build().unwrap(),
            lines,
            clock: Arc::new(Mutex::new(Now { mono: Duration::ZERO, wall: Millis(START) })),
            log,
            make: Arc::clone(make),
            history: History { revisions, age },
            books: None,
        };
        house.reopen();
        house
    }

    /// Closes the books, as a stop does, and opens them again.
    pub(crate) fn reopen(&mut self) {
        self.books = None;
        let clock = Arc::clone(&self.clock);
        let books = Books::open(Parts {
            store: (self.make)(self.dir.path()),
            history: self.history,
            clocks: Arc::new(move || *clock.lock().unwrap()),
            log: self.log.clone(),
        });
        self.books = Some(books.unwrap());
    }

    pub(crate) fn books(&self) -> &Books {
        self.books.as_ref().unwrap()
    }

    pub(crate) fn pass(&self, time: Duration) {
        let mut clock = self.clock.lock().unwrap();
        *clock = clock.plus(time);
    }

    /// Somebody sets the wall clock: what passes does not change.
    pub(crate) fn set(&self, wall: Millis) {
        self.clock.lock().unwrap().wall = wall;
    }

    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let most = Duration::from_secs(120);
        self.runtime.block_on(async { tokio::time::timeout(most, work).await.unwrap() })
    }

    pub(crate) fn transact(&self, transaction: Transaction) -> Result<Outcome, Refusal> {
        self.transact_as(transaction, &admin())
    }

    pub(crate) fn transact_as(
        &self,
        transaction: Transaction,
        who: &Who,
    ) -> Result<Outcome, Refusal> {
        self.run(self.books().transact(transaction, who))
    }

    /// Applies documents.
    pub(crate) fn apply(&self, yaml: &str) -> Outcome {
        self.transact(puts(yaml)).unwrap_or_else(|refusal| panic!("{refusal}\n{yaml}"))
    }

    pub(crate) fn refused(&self, yaml: &str) -> Refusal {
        self.transact(puts(yaml)).unwrap_err()
    }

    pub(crate) fn rollback(&self, to: u64) -> Outcome {
        self.run(self.books().rollback(Revision(to), "back", false, &admin())).unwrap()
    }

    /// Makes a token that may do everything; its secret.
    pub(crate) fn make_admin(&self) -> String {
        let new = NewToken {
            name: "root".to_owned(),
            role: Access::Admin,
            tenants: Vec::new(),
            expires_in: None,
        };
        self.run(self.books().create_token(new, &admin())).unwrap().1
    }

    /// A whole backup.
    pub(crate) fn backup(&self) -> String {
        let mut lines = self.run(async { self.books().backup(&admin()) }).unwrap();
        let mut text = String::new();
        while let Some(line) = self.run(lines.recv()) {
            text.push_str(&line);
        }
        assert!(text.lines().last().unwrap().contains("\"end\":true"), "{text}");
        text
    }

    pub(crate) fn restore(&self, backup: &str, replace: bool) -> Result<Restored, Refusal> {
        let backup = Cursor::new(backup.to_owned());
        self.run(self.books().restore(backup, replace, &admin()))
    }

    pub(crate) fn revision(&self) -> u64 {
        self.books().now().revision.0
    }

    pub(crate) fn digest(&self) -> String {
        self.books().now().digest.to_string()
    }

    /// The number of an object.
    pub(crate) fn dbid(&self, kind: Kind, tenant: &str, name: &str) -> Option<u32> {
        let key = model::config::Key { kind, tenant: tenant.to_owned(), name: name.to_owned() };
        self.books().now().get(&key).map(|entry| entry.object.dbid.0)
    }

    /// The lines of the log so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.flush();
        self.lines.lines()
    }

    /// The numbers of all objects.
    pub(crate) fn dbids(&self) -> Vec<(String, u32)> {
        let now = self.books().now();
        now.set.objects().map(|object| (object.key.to_string(), object.dbid.0)).collect()
    }

    /// All objects as they are shown.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.books().now().entries().map(|entry| entry.text()).collect()
    }

    /// The next event of a watcher, which has to be a change.
    pub(crate) fn change(&self, watcher: &mut Watcher) -> (u64, String, String) {
        match self.run(watcher.next()) {
            Event::Change(told) => {
                let change = &told.change;
                (change.revision.0, change.digest.to_string(), told.json.clone())
            }
            other => panic!("{other:?}"),
        }
    }

    /// Whether a watcher has nothing to hear.
    pub(crate) fn is_silent(&self, watcher: &mut Watcher) -> bool {
        let wait = Duration::from_millis(50);
        self.runtime.block_on(async { tokio::time::timeout(wait, watcher.next()).await.is_err() })
    }
}

pub(crate) fn admin() -> Who {
    let source = "127.0.0.1".to_owned();
    let token = Some("adminadm".to_owned());
    Who { actor: "root".to_owned(), token, source, ..Who::server("") }
}

pub(crate) fn documents(yaml: &str) -> Vec<Document> {
    config::objects::from_text(yaml, None).unwrap()
}

/// A transaction that puts documents.
pub(crate) fn puts(yaml: &str) -> Transaction {
    let put = |document| Operation::Put { document, when: When::Always, rename_from: None };
    let operations = documents(yaml).into_iter().map(put).collect();
    Transaction { operations, message: "test".to_owned(), ..Transaction::default() }
}

pub(crate) fn put(yaml: &str, when: When) -> Transaction {
    let document = documents(yaml).remove(0);
    let operations = vec![Operation::Put { document, when, rename_from: None }];
    Transaction { operations, ..Transaction::default() }
}

pub(crate) fn target(kind: Kind, tenant: &str, name: &str) -> Target {
    Target { kind, tenant: Some(tenant.to_owned()), name: Name::parse(name) }
}

pub(crate) fn delete(kind: Kind, tenant: &str, name: &str) -> Operation {
    let target = target(kind, tenant, name);
    Operation::Delete { target, when: When::Always, cascade: false }
}

pub(crate) fn only(operation: Operation) -> Transaction {
    Transaction { operations: vec![operation], ..Transaction::default() }
}

/// A tenant with a limit.
pub(crate) fn tenant(name: &str, limit: u32) -> String {
    format!("kind: Tenant\nname: {name}\nspec: {{ policy: {{ usage_limit: {limit} }} }}\n")
}

/// A profile.
pub(crate) fn profile(tenant: &str, name: &str) -> String {
    format!(
        "kind: IvrProfile\nname: {name}\ntenant: {tenant}\n\
         spec: {{ service: voicexml, initial_page_url: 'http://a/{name}.vxml' }}\n"
    )
}

/// Numbers of a profile.
pub(crate) fn numbers(tenant: &str, name: &str, profile: &str, dids: &[&str]) -> String {
    let dids = dids.iter().map(|did| format!("'{did}'")).collect::<Vec<_>>().join(", ");
    format!(
        "kind: DidGroup\nname: {name}\ntenant: {tenant}\n\
         spec: {{ profile: {profile}, dids: [{dids}] }}\n"
    )
}

/// A group of media servers.
pub(crate) fn group(name: &str, resources: &[(&str, u32)]) -> String {
    let resource = |(name, port): &(&str, u32)| {
        format!("    - {{ name: {name}, address: 'sip:127.0.0.1:{port}', capacity: 10 }}\n")
    };
    let resources: String = resources.iter().map(resource).collect();
    format!(
        "kind: ResourceGroup\nname: {name}\n\
         spec:\n  services: [voicexml]\n  resources:\n{resources}"
    )
}

pub(crate) fn documents_of(parts: &[String]) -> String {
    parts.join("---\n")
}
