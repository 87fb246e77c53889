//! Stage 11, second half: records from disk to the broker, kept until acknowledged.
//!
//! One publisher is one thread, one connection, one queue and one cursor of the spool; the other
//! queues are a second instance of it. It waits for nobody but the broker and changes no byte of a
//! record: what has no answer is sent again as it was, and record ids absorb it (rm.md §9.6).

mod backoff;
mod group;
mod link;

use crate::limits::{GROUP_BYTES, GROUP_RECORDS, GROUPS_IN_FLIGHT, LAST_PUBLISH};
use crate::recover::CDR_CURSOR;
use crate::state::State;
use backoff::Backoff;
use config::settings::{HostPort, Rm};
use group::{Group, position};
use link::{Link, Over};
use model::chance::Chance;
use model::record::Stream;
use model::time::Millis;
use net::waker::WakeReceiver;
use net::{Clock, Interest, Poller, Token};
use openwire::{Client, ClientEvent, ClientSettings, Secret, SendError};
use spool::{Reader, Spool};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use telemetry::prometheus::{Histogram, LATENCY_SECONDS};

/// What one publisher is told at the start.
pub(crate) struct PublishSettings {
    /// The stream whose records it sends.
    pub(crate) stream: Stream,
    /// Its cursor in the spool, and where that stands.
    pub(crate) cursor: (u8, u64),
    /// Where to; the name is resolved at each connect, because an address is an attribute.
    pub(crate) broker: HostPort,
    /// Login, where the broker wants one.
    pub(crate) login: Option<(String, Option<Secret>)>,
    /// `ID:…` of OpenWire, one for the run of the process.
    pub(crate) connection_id: String,
    /// Seed of the jitter.
    pub(crate) chance: Chance,
}

/// What a publisher tells others, and is told by them, at any time.
#[derive(Debug)]
pub(crate) struct PublishFigures {
    /// A broker has let us in.
    pub(crate) connected: AtomicBool,
    /// Records acknowledged since the start.
    pub(crate) acknowledged: AtomicU64,
    /// Records that no broker frame can hold.
    pub(crate) too_large: AtomicU64,
    /// From send to acknowledgement.
    pub(crate) seconds: Histogram,
    /// Records made since the start; the journal counts them.
    pub(crate) made: AtomicU64,
    /// Of those acknowledged.
    made_acknowledged: AtomicU64,
    /// Last sequence of the run before.
    floor: u64,
    /// Everything up to here is acknowledged.
    position: AtomicU64,
    /// Time to go: what is left is published, if that is soon.
    stopping: AtomicBool,
}

impl PublishFigures {
    /// At a start: the last sequence in the spool, and how far the broker had it.
    pub(crate) fn new(floor: u64, position: u64) -> Self {
        Self {
            connected: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            too_large: AtomicU64::new(0),
            seconds: Histogram::new(LATENCY_SECONDS),
            made: AtomicU64::new(0),
            made_acknowledged: AtomicU64::new(0),
            floor,
            position: AtomicU64::new(position),
            stopping: AtomicBool::new(false),
        }
    }

    /// Records that no broker has: exact for those of this run; of an earlier run, until its rest
    /// is acknowledged, at most so many.
    pub(crate) fn pending(&self) -> u64 {
        let done = self.made_acknowledged.load(Ordering::Acquire);
        let made = self.made.load(Ordering::Acquire);
        let earlier = self.floor.saturating_sub(self.position.load(Ordering::Acquire));
        made.saturating_sub(done) + earlier
    }

    /// Asks the publisher to end; its waker must be called after this.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }
}

impl PublishSettings {
    /// Those of the one connection of this version: `ringmaster.cdr`.
    pub(crate) fn of(
        rm: &Rm,
        login: Option<(String, Option<Secret>)>,
        seed: [u64; 4],
        started: Millis,
        cursor: u64,
    ) -> Self {
        Self {
            stream: Stream::Cdr,
            cursor: (CDR_CURSOR, cursor),
            broker: rm.broker.clone(),
            login,
            connection_id: format!("ID:{}-{}-{:x}-0:1", rm.name, started.0, seed[1]),
            chance: Chance::new(seed),
        }
    }
}

/// One publisher; lives on its own thread.
pub(crate) struct Publisher {
    settings: PublishSettings,
    spool: Spool,
    reader: Reader,
    /// Sent or to be sent, oldest first.
    groups: VecDeque<Group>,
    next_tag: u64,
    poller: Poller,
    waker: WakeReceiver,
    clock: Clock,
    state: State,
    figures: Arc<PublishFigures>,
    attempt: u32,
    /// When to give up after a request to end.
    last: Option<Duration>,
    /// The outage has been logged.
    complained: bool,
}

/// The waker's name in the poller; [`link::STREAM`] is the connection's.
const WAKER: Token = Token(0);

impl Publisher {
    /// Publishes until told to end. Call it on a thread of its own.
    pub(crate) fn run(
        settings: PublishSettings,
        spool: Spool,
        waker: WakeReceiver,
        clock: Clock,
        state: State,
        figures: Arc<PublishFigures>,
    ) {
        match Self::new(settings, spool, waker, clock, state.clone(), figures) {
            Ok(publisher) => publisher.publish(),
            Err(error) => state.broker(clock.now().wall, Some(&error.to_string()), "-"),
        }
    }

    fn new(
        settings: PublishSettings,
        spool: Spool,
        waker: WakeReceiver,
        clock: Clock,
        state: State,
        figures: Arc<PublishFigures>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(&waker, WAKER, Interest::Read)?;
        let reader = spool.reader(settings.cursor.1);
        Ok(Self {
            settings,
            spool,
            reader,
            groups: VecDeque::new(),
            next_tag: 0,
            poller,
            waker,
            clock,
            state,
            figures,
            attempt: 0,
            last: None,
            complained: false,
        })
    }

    fn publish(mut self) {
        let mut backoff = Backoff::new(self.settings.chance.clone());
        while !self.is_over() {
            let (peer, why) = self.connection(&mut backoff);
            self.figures.connected.store(false, Ordering::Release);
            self.attempt = self.attempt.wrapping_add(1);
            if self.is_over() {
                break;
            }
            if !self.complained {
                self.state.broker(self.clock.now().wall, Some(&why), &peer);
                self.complained = true;
            }
            self.rest(backoff.wait());
        }
    }

    /// One connection from attempt to end; its far end, and why it ended.
    fn connection(&mut self, backoff: &mut Backoff) -> (String, String) {
        let HostPort { host, port } = &self.settings.broker;
        let peer = self.settings.broker.to_string();
        let mut link = match Link::connect(host, *port, &self.poller) {
            Ok(link) => link,
            Err(error) => return (peer, error.to_string()),
        };
        let mut client = Client::new(self.client_settings(), self.clock.mono());
        let why = loop {
            if let Err(over) = self.turn(&mut link, &mut client, &peer, backoff) {
                break over.to_string();
            }
            if self.figures.is_stopping() && self.finished() {
                client.shutdown();
                // The goodbye is a courtesy; what matters is acknowledged.
                let _ = link.write(&mut client, &self.poller);
                break "stopped".to_owned();
            }
        };
        (peer, why)
    }

    /// Waits once and does what can be done.
    fn turn(
        &mut self,
        link: &mut Link,
        client: &mut Client,
        peer: &str,
        backoff: &mut Backoff,
    ) -> Result<(), Over> {
        link.write(client, &self.poller)?;
        let now = self.clock.mono();
        let due = [client.poll_timeout(), link.deadline(now), self.last];
        let wait = due.into_iter().flatten().min().map(|due| due.saturating_sub(now));
        link.wait(&mut self.poller, wait, &mut self.waker)?;
        let now = self.clock.mono();
        link.read(now, client)?;
        if client.poll_timeout().is_some_and(|due| due <= now) {
            client.handle_timeout(now);
        }
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Ready => {
                    self.figures.connected.store(true, Ordering::Release);
                    self.complained = false;
                    self.state.broker(self.clock.now().wall, None, peer);
                    self.send_again(now, client)?;
                }
                ClientEvent::Acknowledged { tag } => {
                    // Not before: a broker that lets us in and refuses each record is no success.
                    backoff.reset();
                    self.acknowledged(now, tag);
                }
                ClientEvent::Refused { class, text, .. } => {
                    return Err(Over::Refused(format!("{class}: {text}")));
                }
                ClientEvent::Closed { why } => return Err(Over::Closed(why.to_string())),
            }
        }
        if self.is_over() {
            return Err(Over::Closed("stopped".to_owned()));
        }
        if self.figures.is_connected() { self.fill(now, client) } else { Ok(()) }
    }

    /// Reads and sends new records while the window has room.
    fn fill(&mut self, now: Duration, client: &mut Client) -> Result<(), Over> {
        while self.groups.len() < GROUPS_IN_FLIGHT {
            let frames = self
                .reader
                .read(GROUP_RECORDS, GROUP_BYTES)
                .map_err(|error| Over::Spool(error.to_string()))?;
            if frames.is_empty() {
                return Ok(());
            }
            let Some(upto) = position(&frames) else {
                self.figures
                    .position
                    .fetch_max(frames.last().map_or(0, |last| last.seq), Ordering::AcqRel);
                continue;
            };
            match Group::of(self.next_tag, upto, frames, self.settings.stream) {
                Some(group) => {
                    let tag = group.tag;
                    self.next_tag += 1;
                    self.groups.push_back(group);
                    self.send(now, client, tag)?;
                }
                None => self.skip(upto),
            }
        }
        Ok(())
    }

    /// Frames that are none of this queue's: passed with the group before them, else at once.
    fn skip(&mut self, upto: u64) {
        match self.groups.back_mut() {
            Some(group) => group.upto = upto,
            None => self.set_cursor(upto),
        }
    }

    /// After a loss: what has no answer leaves again, in its order.
    fn send_again(&mut self, now: Duration, client: &mut Client) -> Result<(), Over> {
        let tags: Vec<_> = self.groups.iter().map(|group| group.tag).collect();
        tags.into_iter().try_for_each(|tag| self.send(now, client, tag))
    }

    fn send(&mut self, now: Duration, client: &mut Client, tag: u64) -> Result<(), Over> {
        let Some(at) = self.groups.iter().position(|group| group.tag == tag) else { return Ok(()) };
        let Some(group) = self.groups.get_mut(at) else { return Ok(()) };
        group.sent = now;
        match group.send(client, self.settings.stream.queue()) {
            Ok(()) => Ok(()),
            Err(SendError::TooLarge) if group.len() > 1 => self.send_apart(now, client, at),
            Err(SendError::TooLarge) => {
                // This broker will never take it, and it must not stop the others.
                self.figures.too_large.fetch_add(1, Ordering::Relaxed);
                self.state.dropped(1, "too large for the broker");
                self.passed(tag);
                Ok(())
            }
            Err(error @ (SendError::NotReady | SendError::Full)) => {
                Err(Over::Closed(error.to_string()))
            }
        }
    }

    /// One record of a group is too large for the broker: each leaves alone.
    fn send_apart(&mut self, now: Duration, client: &mut Client, at: usize) -> Result<(), Over> {
        let Some(group) = self.groups.remove(at) else { return Ok(()) };
        let parts = group.split(&mut self.next_tag);
        let tags: Vec<_> = parts.iter().map(|part| part.tag).collect();
        for (offset, part) in parts.into_iter().enumerate() {
            self.groups.insert(at + offset, part);
        }
        tags.into_iter().try_for_each(|tag| self.send(now, client, tag))
    }

    /// The broker has a group on its disk.
    fn acknowledged(&mut self, now: Duration, tag: u64) {
        if let Some(group) = self.groups.iter().find(|group| group.tag == tag) {
            self.figures.acknowledged.fetch_add(group.len(), Ordering::Relaxed);
            let fresh = group.above(self.figures.floor);
            self.figures.made_acknowledged.fetch_add(fresh, Ordering::AcqRel);
            self.figures.seconds.observe(now.saturating_sub(group.sent));
        }
        self.passed(tag);
    }

    /// A group is done with; the cursor follows the oldest unbroken row of such groups.
    fn passed(&mut self, tag: u64) {
        if let Some(group) = self.groups.iter_mut().find(|group| group.tag == tag) {
            group.passed = true;
        }
        let mut upto = None;
        while let Some(group) = self.groups.pop_front_if(|group| group.passed) {
            upto = Some(group.upto);
        }
        if let Some(upto) = upto {
            self.set_cursor(upto);
        }
    }

    fn set_cursor(&mut self, upto: u64) {
        self.figures.position.fetch_max(upto, Ordering::AcqRel);
        self.spool.set_cursor(self.settings.cursor.0, upto);
    }

    /// Waits before the next attempt; a request to end cuts it short.
    fn rest(&mut self, wait: Duration) {
        let until = self.clock.mono() + wait;
        let mut ready = Vec::new();
        loop {
            let left = until.saturating_sub(self.clock.mono());
            if left.is_zero() || self.figures.is_stopping() {
                return;
            }
            if self.poller.wait(Some(left), &mut ready).is_err() {
                return;
            }
            self.waker.drain();
        }
    }

    /// Everything that is on disk is acknowledged.
    fn finished(&self) -> bool {
        self.groups.is_empty()
    }

    /// Asked to end, and the time for the rest is over or there is no broker to take it.
    fn is_over(&mut self) -> bool {
        if !self.figures.is_stopping() {
            return false;
        }
        let now = self.clock.mono();
        let last = *self.last.get_or_insert(now + LAST_PUBLISH);
        now >= last || !self.figures.is_connected()
    }

    fn client_settings(&self) -> ClientSettings {
        let (user, password) = self.settings.login.clone().unzip();
        ClientSettings {
            client_id: None,
            connection_id: self.settings.connection_id.clone(),
            user,
            password: password.flatten(),
            attempt: self.attempt,
            limits: openwire::Limits::default(),
        }
    }
}
