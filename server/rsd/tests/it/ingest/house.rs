//! A listener over a spool in a directory of its own, and a sender that uses our own client.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::time::Millis;
use net::clock::Clock;
use openwire::{Client, ClientEvent, ClientSettings, Limits, Outbound, Secret};
use rsd::Crew;
use rsd::entry::Entry;
use rsd::ingest::{Counters, Durable, Gate, Ingest, Parts, Settings};
use spool::fs::real::RealFs;
use spool::{Hooks, Spool};
use telemetry::Log;
use telemetry::log::Captured;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Longer than anything takes; a test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Options {
    pub(crate) dir: Option<TempDir>,
    pub(crate) limit: u64,
    pub(crate) segment: u64,
    pub(crate) per_address: usize,
    pub(crate) anonymous: bool,
    pub(crate) memory: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: None,
            limit: 1 << 30,
            segment: 1 << 20,
            per_address: 100,
            anonymous: true,
            memory: 256 << 20,
        }
    }
}

pub(crate) struct House {
    dir: TempDir,
    pub(crate) parts: Parts,
    ingest: Ingest,
    lines: Captured,
}

fn noon() -> Millis {
    Millis(1_767_225_600_000)
}

impl House {
    pub(crate) async fn open(options: Options) -> Self {
        let dir = options.dir.unwrap_or_else(|| tempfile::tempdir().unwrap());
        let clock = Clock::start();
        let durable = Durable::default();
        let mut settings = spool::Settings::new(dir.path().join("spool"), options.limit, 1);
        settings.segment_bytes = options.segment;
        let hooks = Hooks {
            clock: Box::new(move || clock.mono()),
            on_durable: durable.hook(),
            on_sync: Box::new(|_| {}),
            carry: Box::new(<[u8]>::to_vec),
        };
        let (spool, _) = Spool::open(settings, Arc::new(RealFs), hooks).unwrap();
        let (log, lines) = Log::capture(noon);
        let parts = Parts {
            gate: Arc::new(Gate::new(spool.clone(), log.clone())),
            spool,
            durable,
            counters: Arc::default(),
            roster: Arc::default(),
            backlog: Arc::default(),
            crew: Arc::new(Crew::new(log.clone(), clock)),
            log,
            clock,
        };
        let Options { per_address, memory, .. } = options;
        let limits = rsd::ingest::Limits { per_address, memory, ..rsd::ingest::Limits::default() };
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            name: "rs-1".to_owned(),
            http: "127.0.0.1:8080".to_owned(),
            tls: None,
            anonymous: options.anonymous,
            users: None,
            limits: limits.into(),
        };
        let ingest = Ingest::start(settings, parts.clone()).await.unwrap();
        Self { dir, parts, ingest, lines }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.ingest.local_addr()
    }

    /// Everything durable, in order.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut reader = self.parts.spool.reader(0);
        let mut entries = Vec::new();
        loop {
            let frames = reader.read(1000, 64 << 20).unwrap();
            if frames.is_empty() {
                return entries;
            }
            entries.extend(frames.iter().map(|frame| Entry::decode(&frame.payload).unwrap()));
        }
    }

    /// What is logged, also after the end.
    pub(crate) fn lines(&self) -> Captured {
        self.lines.clone()
    }

    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.parts.log.flush();
        self.lines.lines()
    }

    /// Stops as the daemon does, and waits until nothing that it began goes on.
    pub(crate) async fn stop(self) -> (TempDir, Parts) {
        let Self { dir, parts, ingest, .. } = self;
        ingest.stop().await;
        within(|| Arc::strong_count(&parts.counters) == 1).await;
        (dir, parts)
    }

    /// Stops as the daemon does; gives the directory and what it holds.
    pub(crate) async fn close(self) -> (TempDir, Vec<Entry>) {
        let Self { dir, parts, ingest, lines } = self;
        ingest.stop().await;
        let counters: Arc<Counters> = Arc::clone(&parts.counters);
        assert_eq!(counters.connections(rsd::entry::Transport::Openwire), 0);
        let mut reader = parts.spool.reader(0);
        let mut entries = Vec::new();
        loop {
            let frames = reader.read(1000, 64 << 20).unwrap();
            if frames.is_empty() {
                break;
            }
            entries.extend(frames.iter().map(|frame| Entry::decode(&frame.payload).unwrap()));
        }
        drop((reader, lines));
        let Parts { spool, gate, .. } = parts;
        drop(gate);
        spool.close();
        (dir, entries)
    }
}

pub(crate) fn record(id: &str, sequence: u64) -> Outbound<'_> {
    let body: &[u8] = if id == "r1" { b"{\"id\":\"r1\"}" } else { b"{\"id\":\"rn\"}" };
    Outbound { record_id: id, kind: "cdr", schema: 1, body, sequence }
}

pub(crate) fn settings(number: u64, attempt: u32) -> ClientSettings {
    ClientSettings {
        client_id: Some(format!("rm-{number}")),
        connection_id: format!("ID:test-{number}:1"),
        user: Some("rm".to_owned()),
        password: Some(Secret::new("secret".to_owned())),
        attempt,
        limits: Limits::default(),
    }
}

/// Our own sending end over TCP.
pub(crate) struct Sender {
    stream: TcpStream,
    pub(crate) client: Client,
    clock: Clock,
    events: VecDeque<ClientEvent>,
}

impl Sender {
    pub(crate) async fn connect(address: SocketAddr, number: u64, attempt: u32) -> Self {
        let mut sender = Self::over(address, settings(number, attempt)).await;
        assert_eq!(sender.next().await, ClientEvent::Ready);
        sender
    }

    /// Gives the listener up after four seconds of silence.
    pub(crate) async fn connect_impatient(address: SocketAddr, number: u64) -> Self {
        let mut settings = settings(number, 0);
        settings.limits.inactivity = Duration::from_secs(4);
        let mut sender = Self::over(address, settings).await;
        assert_eq!(sender.next().await, ClientEvent::Ready);
        sender
    }

    pub(crate) async fn over(address: SocketAddr, settings: ClientSettings) -> Self {
        let clock = Clock::start();
        let client = Client::new(settings, clock.mono());
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, client, clock, events: VecDeque::new() }
    }

    pub(crate) async fn flush(&mut self) {
        let mut bytes = Vec::new();
        if self.client.poll_transmit(&mut bytes) {
            // a listener that is gone shows when reading
            let _ = self.stream.write_all(&bytes).await;
        }
    }

    pub(crate) async fn next(&mut self) -> ClientEvent {
        timeout(PATIENCE, self.event()).await.unwrap()
    }

    /// What happens in that time.
    pub(crate) async fn quiet(&mut self, time: Duration) -> Vec<ClientEvent> {
        let mut events = Vec::new();
        let until = self.clock.mono() + time;
        while let Some(left) = until.checked_sub(self.clock.mono()) {
            if let Ok(event) = timeout(left, self.event()).await {
                events.push(event);
            }
        }
        events
    }

    async fn event(&mut self) -> ClientEvent {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            self.events.extend(std::iter::from_fn(|| self.client.poll_event()));
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            self.flush().await;
            let now = self.clock.mono();
            let due = self.client.poll_timeout().map_or(PATIENCE, |due| due.saturating_sub(now));
            tokio::select! {
                read = self.stream.read(&mut bytes) => match read {
                    Ok(0) | Err(_) => {
                        let why = openwire::CloseReason::Goodbye;
                        return ClientEvent::Closed { why };
                    }
                    Ok(count) => self.client.handle_input(self.clock.mono(), &bytes[..count]),
                },
                () = sleep(due) => self.client.handle_timeout(self.clock.mono()),
            }
        }
    }
}

/// Waits until it is so.
pub(crate) async fn within(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}
