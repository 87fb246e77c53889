//! The thread of a client: does what the machine decides, one thing after the other.
//!
//! It asks over HTTP, has every revision validated here again, hands what is valid to the daemon
//! and keeps it on disk. It must not decide what comes next.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use model::config::{Changed, Digest, Set};
use model::id::Revision;
use model::schema::Problem;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use reqwest::{RequestBuilder, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::cache::{Cache, Head};
use super::connect::{Connector, chain};
use super::keep::Keep;
use super::limits::{EVENT, LINE, SILENCE, SNAPSHOT};
use super::look;
use super::machine::{Action, Event, Input, Machine};
use super::report::{self, Rejected, Report};
use super::sse::{Message, Parser};
use super::wire::{Change, Heard, Lines, Whole, heard};
use super::{Applied, Daemon, News, Setup, emptied, is_empty, other_books};

/// Errors of a rejected revision that the server is told.
const TOLD_ERRORS: usize = 10;

/// One client at work.
pub(super) struct Driver {
    setup: Setup,
    connector: Connector,
    machine: Machine,
    held: Set,
    /// What is held; `None`: nothing was ever valid.
    revision: Option<Revision>,
    /// Which books that is from; `None`: no server has told.
    books: Option<String>,
    keep: Keep,
    daemon: Box<dyn Daemon>,
    report: watch::Sender<Report>,
    /// The server asked last, and why it did not help.
    server: usize,
    error: String,
}

impl Driver {
    pub(super) fn new(
        setup: Setup,
        cache: Cache,
        (held, revision, books): (Set, Option<Revision>, Option<String>),
        daemon: Box<dyn Daemon>,
    ) -> Self {
        let connector = Connector::new(setup.server.clone(), setup.clock);
        let machine = Machine::new(connector.count(), revision, setup.clock.mono(), setup.seed);
        let report = watch::Sender::new(Report {
            component: setup.component,
            version: env!("CARGO_PKG_VERSION"),
            applied: revision.map(|revision| revision.0),
            rejected: None,
            restart_required: Vec::new(),
            server: None,
        });
        Self {
            setup,
            connector,
            machine,
            held,
            revision,
            books,
            keep: Keep::new(cache),
            daemon,
            report,
            server: 0,
            error: String::new(),
        }
    }

    /// Works until told to stop; what is in force is on disk then.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let reports = self.report.subscribe();
        let reports = report::run(self.connector.clone(), self.setup.name.clone(), reports);
        tokio::select! {
            // a sender that is gone means the same
            _ = stop.wait_for(|stop| *stop) => {}
            () = reports => {}
            () = async { loop { self.step().await } } => {}
        }
        if self.keep.due().is_some() {
            self.write();
        }
    }

    async fn step(&mut self) {
        let now = self.now();
        self.machine.handle_timeout(now);
        self.tell();
        self.write_if_due(now);
        match self.machine.poll_action(now) {
            Some(Action::Load { server, unless, least }) => {
                self.server = server;
                let input = self.load(server, unless, least).await;
                self.hand(input);
            }
            Some(Action::Watch { server, since }) => {
                self.server = server;
                self.listen(server, since).await;
            }
            None => sleep(self.wait(now)).await,
        }
    }

    fn now(&self) -> Duration {
        self.setup.clock.mono()
    }

    fn wait(&self, now: Duration) -> Duration {
        let due = self.machine.poll_timeout().into_iter().chain(self.keep.due()).min();
        due.map_or(SILENCE, |due| due.saturating_sub(now))
    }

    fn hand(&mut self, input: Input) {
        let now = self.now();
        self.machine.handle_input(now, input);
        self.tell();
    }

    /// What the machine wants the daemon to know.
    fn tell(&mut self) {
        while let Some(event) = self.machine.poll_event() {
            match event {
                Event::Connected { server } => {
                    self.error.clear();
                    let shown = self.connector.shown(server);
                    self.report.send_modify(|report| report.server = Some(server));
                    self.daemon.hear(News::Connected { server: &shown });
                }
                Event::Away => {
                    self.report.send_modify(|report| report.server = None);
                    self.daemon.hear(News::Away);
                }
                Event::Lost { age } => {
                    let (server, error) = (self.connector.shown(self.server), &self.error);
                    self.daemon.hear(News::Lost { server: &server, age, error });
                }
            }
        }
    }

    /// A server that did not help.
    fn failed(&mut self, why: impl Into<String>) -> Input {
        self.error = why.into();
        Input::Failed
    }

    /// Sends, and waits for the head of the answer.
    async fn ask(&mut self, request: RequestBuilder) -> Result<Response, Input> {
        match timeout(SILENCE, request.send()).await {
            Ok(Ok(response)) => {
                self.daemon.hear(News::Contact);
                Ok(response)
            }
            Ok(Err(error)) => Err(self.failed(chain(&error))),
            Err(_) => Err(self.failed("no answer")),
        }
    }

    async fn load(
        &mut self,
        server: usize,
        unless: Option<Revision>,
        least: Option<Revision>,
    ) -> Input {
        let server = match self.connector.server(server) {
            Ok(server) => server,
            Err(why) => return self.failed(why),
        };
        let mut request = server.client.get(server.url(&["v1", "snapshot"]));
        if let Some(revision) = unless {
            request = request.header(IF_NONE_MATCH, format!("\"{}\"", revision.0));
        }
        let response = match self.ask(request).await {
            Ok(response) => response,
            Err(input) => return input,
        };
        match response.status() {
            StatusCode::OK => match self.read(response, least).await {
                Ok(whole) => self.take(whole),
                Err(input) => input,
            },
            StatusCode::NOT_MODIFIED => Input::Same,
            status => self.failed(status.to_string()),
        }
    }

    /// The body of a snapshot; the rest of one that is behind is not read.
    async fn read(
        &mut self,
        mut response: Response,
        least: Option<Revision>,
    ) -> Result<Whole, Input> {
        let (mut lines, mut size) = (Lines::default(), 0);
        loop {
            let chunk = match timeout(SILENCE, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => return Err(self.failed(chain(&error))),
                Err(_) => return Err(self.failed("no answer")),
            };
            size += chunk.len();
            if size > SNAPSHOT {
                return Err(self.failed("the snapshot is too large"));
            }
            lines.feed(&chunk, LINE).map_err(|garbled| self.failed(garbled.0))?;
            let behind =
                lines.head().zip(least).is_some_and(|(head, least)| head.revision < least.0);
            if behind {
                "the server's revision is older than ours".clone_into(&mut self.error);
                return Err(Input::Behind);
            }
        }
        lines.finish().map_err(|garbled| self.failed(garbled.0))
    }

    /// A snapshot: in force, or refused as a whole.
    fn take(&mut self, whole: Whole) -> Input {
        let begun = self.now();
        let Whole { revision, books, objects, digest } = whole;
        match Set::default().change(objects, &[], &self.setup.own) {
            Ok(changed) if changed.set.digest() == digest => {
                if let Some(why) = self.unwanted(revision, books.as_deref(), &changed.set) {
                    self.reject(revision, &[why]);
                    return Input::Refused(revision);
                }
                let same = digest == self.held.digest();
                if let Some(held) = self.revision
                    && (revision < held || revision == held && !same)
                {
                    self.set_back(held, revision);
                }
                self.books = books.or(self.books.take());
                self.apply(begun, revision, changed);
                Input::Loaded(revision)
            }
            Ok(_) => {
                self.daemon.hear(News::Mismatch { revision });
                self.failed("the digest of the snapshot is another")
            }
            Err(faults) => {
                self.reject(revision, &faults);
                Input::Refused(revision)
            }
        }
    }

    /// Why a valid set does not take the place of what is in force (ADR 26); one without objects of
    /// its own is free to go.
    fn unwanted(&self, revision: Revision, books: Option<&str>, set: &Set) -> Option<Problem> {
        if is_empty(&self.held) || set.digest() == self.held.digest() {
            return None;
        }
        if let (Some(ours), Some(theirs)) = (self.books.as_deref(), books)
            && ours != theirs
        {
            return Some(other_books(ours, theirs));
        }
        let back = self.revision.is_some_and(|held| revision <= held);
        (back && is_empty(set)).then(emptied)
    }

    /// What was in force stays on disk, whatever comes after the older one.
    fn set_back(&mut self, from: Revision, to: Revision) {
        let head = Head { revision: from, books: self.books.as_deref() };
        if !is_empty(&self.held)
            && let Err(error) = self.keep.put_aside(head, &self.held)
        {
            self.daemon.hear(News::NotKept { error: &error.to_string() });
        }
        self.daemon.hear(News::SetBack { from, to });
    }

    /// Listens until the machine wants something else.
    async fn listen(&mut self, server: usize, since: Revision) {
        let opened = self.open(server, since).await;
        let mut response = match opened {
            Ok(response) => response,
            Err(input) => return self.hand(input),
        };
        self.hand(Input::Open);
        let mut look = pin!(self.look(server));
        let (mut parser, mut messages) = (Parser::new(EVENT), Vec::new());
        while self.machine.listens() {
            let wait = self.wait(self.now());
            let told = tokio::select! {
                told = timeout(wait, response.chunk()) => told,
                found = &mut look => {
                    if let Some((server, revision)) = found {
                        self.hand(Input::Earlier { server, revision });
                    }
                    look.set(self.look(server));
                    continue;
                }
            };
            match told {
                Ok(Ok(Some(chunk))) => {
                    self.daemon.hear(News::Contact);
                    let fed = parser.feed(&chunk, &mut messages);
                    for message in messages.drain(..) {
                        if self.machine.listens() {
                            self.hear(&message);
                        }
                    }
                    if fed.is_err() && self.machine.listens() {
                        self.hand(Input::Unfit);
                    }
                }
                Ok(Ok(None)) => {
                    let input = self.failed("the server has closed the connection");
                    self.hand(input);
                }
                Ok(Err(error)) => {
                    let input = self.failed(chain(&error));
                    self.hand(input);
                }
                Err(_) => {
                    let now = self.now();
                    "nothing was heard for 30 s".clone_into(&mut self.error);
                    self.machine.handle_timeout(now);
                    self.tell();
                }
            }
            self.write_if_due(self.now());
        }
    }

    /// Looks at the servers before the one that is listened to.
    fn look(&self, server: usize) -> impl Future<Output = Option<(usize, Revision)>> + use<> {
        look::earlier(self.connector.clone(), server, self.machine.newest())
    }

    async fn open(&mut self, server: usize, since: Revision) -> Result<Response, Input> {
        let server = self.connector.server(server).map_err(|why| self.failed(why))?;
        let mut url = server.url(&["v1", "watch"]);
        url.query_pairs_mut().append_pair("since", &since.0.to_string());
        let stream = HeaderValue::from_static("text/event-stream");
        let response = self.ask(server.client.get(url).header(ACCEPT, stream)).await?;
        match response.status() {
            StatusCode::OK if is_stream(&response) => Ok(response),
            StatusCode::OK => Err(self.failed("the answer is no text/event-stream")),
            StatusCode::GONE => Err(Input::Gone),
            StatusCode::PRECONDITION_FAILED => {
                "the server's revision is older than ours".clone_into(&mut self.error);
                Err(Input::Behind)
            }
            status => Err(self.failed(status.to_string())),
        }
    }

    fn hear(&mut self, message: &Message) {
        let input = match heard(message) {
            Ok(Heard::Change(change)) if self.machine.knows(change.revision) => return,
            Ok(Heard::Change(change)) if self.machine.follows(change.revision) => {
                self.change(change)
            }
            Ok(Heard::Change(_) | Heard::Resync) | Err(_) => Input::Unfit,
            Ok(Heard::Heartbeat { revision, digest, books }) => self.beat(revision, digest, books),
            Ok(Heard::Overflow) => Input::Overflow,
            Ok(Heard::Bye) => Input::Bye,
            Ok(Heard::Unknown) => return,
        };
        self.hand(input);
    }

    /// A sign of life: whether what is held is still what the server has.
    fn beat(&mut self, revision: Revision, digest: Option<Digest>, books: Option<String>) -> Input {
        let Some(digest) = digest.filter(|_| self.revision == Some(revision)) else {
            return Input::Beat(revision);
        };
        let (same, refused) = (digest == self.held.digest(), self.machine.refuses(revision));
        if same && books.is_some() && books != self.books {
            // other books with the same in them take nothing away
            self.books = books;
            self.keep.changed(self.now());
        }
        match (same, refused) {
            (true, false) | (false, true) => Input::Beat(revision),
            (true, true) => Input::Unfit,
            (false, false) => {
                self.daemon.hear(News::Mismatch { revision });
                Input::Unfit
            }
        }
    }

    /// A change upon what is held. One that does not fit is looked at as a whole.
    fn change(&mut self, change: Change) -> Input {
        let begun = self.now();
        let Change { revision, digest, puts, deletes } = change;
        match self.held.change(puts, &deletes, &self.setup.own) {
            Ok(changed) if changed.set.digest() == digest => {
                self.apply(begun, revision, changed);
                Input::Changed(revision)
            }
            Ok(_) => {
                self.daemon.hear(News::Mismatch { revision });
                Input::Unfit
            }
            Err(_) => Input::Unfit,
        }
    }

    fn apply(&mut self, begun: Duration, revision: Revision, changed: Changed) {
        let Changed { set, warnings, .. } = changed;
        let snapshot = set.snapshot(revision);
        (self.held, self.revision) = (set, Some(revision));
        let now = self.now();
        self.keep.changed(now);
        let took = now.saturating_sub(begun);
        let restart_required =
            self.daemon.apply(Applied { snapshot: Arc::new(snapshot), warnings, took });
        self.report.send_modify(|report| {
            report.applied = Some(revision.0);
            report.rejected = None;
            report.restart_required = restart_required;
        });
    }

    fn reject(&mut self, revision: Revision, faults: &[Problem]) {
        self.daemon.reject(revision, faults);
        let errors: Vec<_> = faults.iter().take(TOLD_ERRORS).map(ToString::to_string).collect();
        let rejected = Rejected { revision: revision.0, reason: errors.join("; ") };
        self.report.send_modify(|report| report.rejected = Some(rejected));
    }

    fn write_if_due(&mut self, now: Duration) {
        if self.keep.due().is_some_and(|due| due <= now) {
            self.write();
        }
    }

    /// Keeps what is in force on disk.
    fn write(&mut self) {
        let (now, Some(revision)) = (self.now(), self.revision) else { return };
        let head = Head { revision, books: self.books.as_deref() };
        if let Err(error) = self.keep.write(now, head, &self.held) {
            self.daemon.hear(News::NotKept { error: &error.to_string() });
        }
    }
}

/// Whether an answer is a stream of events, and not a page of something else.
fn is_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("text/event-stream")
}
