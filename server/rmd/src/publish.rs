//! Stage 11, second half: records from disk to the broker, kept until acknowledged.
//!
//! One publisher is one thread, one connection and one cursor of the spool; there are two of them,
//! and [`Line`] says which queues each carries. It waits for nobody but the broker and changes no
//! byte of a record: what has no answer is sent again as it was, and record ids absorb it
//! (rm.md §9.6).

mod backoff;
mod group;
mod line;
mod link;

use crate::limits::{GROUP_BYTES, GROUP_RECORDS, GROUPS_IN_FLIGHT, LAST_PUBLISH, PUBLISH_REST};
use crate::state::State;
use backoff::Backoff;
use config::settings::{HostPort, Rm};
use group::{Group, position};
use line::PublishFigures;
pub(crate) use line::{Line, Publishing, wakers};
use link::{Link, Over};
use model::chance::Chance;
use model::time::Millis;
use net::waker::WakeReceiver;
use net::{Clock, Interest, Poller, Token};
use openwire::{Client, ClientEvent, ClientSettings, Secret, SendError};
use spool::{Reader, Spool};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// What one publisher is told at the start.
pub(crate) struct PublishSettings {
    /// Which of the two it is.
    pub(crate) line: Line,
    /// Where its cursor stands in the spool.
    pub(crate) position: u64,
    /// Where to; the name is resolved at each connect, because an address is an attribute.
    pub(crate) broker: HostPort,
    /// Login, where the broker wants one.
    pub(crate) login: Option<(String, Option<Secret>)>,
    /// `ID:…` of OpenWire, one for the run of the process.
    pub(crate) connection_id: String,
    /// Seed of the jitter.
    pub(crate) chance: Chance,
}

impl PublishSettings {
    /// Those of one line.
    pub(crate) fn of(
        line: Line,
        position: u64,
        rm: &Rm,
        login: Option<(String, Option<Secret>)>,
        seed: [u64; 4],
        started: Millis,
    ) -> Self {
        let [first, second, rest @ ..] = seed;
        let (run, number) = (started.0, line.cursor());
        Self {
            line,
            position,
            broker: rm.broker.clone(),
            login,
            connection_id: format!("ID:{}-{run}-{second:x}-{number}:1", rm.name),
            chance: Chance::new([first ^ u64::from(number), second, rest[0], rest[1]]),
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
    publishing: Arc<Publishing>,
    attempt: u32,
    /// Before this no new records are looked for.
    rest_until: Duration,
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
        publishing: Arc<Publishing>,
    ) {
        let line = settings.line;
        match Self::new(settings, spool, waker, clock, state.clone(), publishing) {
            Ok(publisher) => publisher.publish(),
            Err(error) => state.broker(clock.now().wall, line, Some(&error.to_string()), "-"),
        }
    }

    fn new(
        settings: PublishSettings,
        spool: Spool,
        waker: WakeReceiver,
        clock: Clock,
        state: State,
        publishing: Arc<Publishing>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(&waker, WAKER, Interest::Read)?;
        let reader = spool.reader(settings.position);
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
            publishing,
            attempt: 0,
            rest_until: Duration::ZERO,
            last: None,
            complained: false,
        })
    }

    fn figures(&self) -> &PublishFigures {
        self.publishing.line(self.settings.line)
    }

    fn publish(mut self) {
        let mut backoff = Backoff::new(self.settings.chance.clone());
        while !self.is_over() {
            let (peer, why) = self.connection(&mut backoff);
            self.figures().connected.store(false, Ordering::Release);
            self.attempt = self.attempt.wrapping_add(1);
            if self.is_over() {
                break;
            }
            if !self.complained {
                self.state.broker(self.clock.now().wall, self.settings.line, Some(&why), &peer);
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
            if self.figures().is_stopping() && self.finished() {
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
        let mut now = self.clock.mono();
        let rest = self.rest_until.saturating_sub(now);
        if !rest.is_zero() {
            thread::sleep(rest);
            now = self.clock.mono();
        }
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
                    self.figures().connected.store(true, Ordering::Release);
                    self.complained = false;
                    self.state.broker(self.clock.now().wall, self.settings.line, None, peer);
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
        if self.figures().is_connected() { self.fill(now, client) } else { Ok(()) }
    }

    /// Reads and sends new records while the window has room.
    fn fill(&mut self, now: Duration, client: &mut Client) -> Result<(), Over> {
        let mut sent = self.pass_over();
        while self.groups.len() < GROUPS_IN_FLIGHT {
            let frames = self
                .reader
                .read(GROUP_RECORDS, GROUP_BYTES)
                .map_err(|error| Over::Spool(error.to_string()))?;
            if frames.is_empty() {
                // Everything is on its way: more may gather.
                self.rest_until = if sent { now + PUBLISH_REST } else { self.rest_until };
                return Ok(());
            }
            sent = true;
            let Some(upto) = position(&frames) else {
                self.figures()
                    .position
                    .fetch_max(frames.last().map_or(0, |last| last.seq), Ordering::AcqRel);
                continue;
            };
            let groups = Group::of(&mut self.next_tag, upto, frames, self.settings.line);
            if groups.is_empty() {
                self.skip(upto);
            }
            for group in groups {
                let tag = group.tag;
                self.groups.push_back(group);
                self.send(now, client, tag)?;
            }
        }
        Ok(())
    }

    /// What is durable holds nothing of this line if all that was made for it is acknowledged, for
    /// it is counted as made before it is written: nobody has to read it. True if there was any.
    fn pass_over(&mut self) -> bool {
        let Some(end) = self.reader.end() else { return false };
        let of_this_run = self.reader.next() > self.publishing.floor();
        if !of_this_run || !self.groups.is_empty() || self.figures().owes() > 0 {
            return false;
        }
        let Some(upto) = self.reader.pass(end) else { return false };
        self.set_cursor(upto);
        true
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
        match group.send(client) {
            Ok(()) => Ok(()),
            Err(SendError::TooLarge) if group.len() > 1 => self.send_apart(now, client, at),
            Err(SendError::TooLarge) => {
                // This broker will never take it, and it must not stop the others.
                self.figures().too_large.fetch_add(1, Ordering::Relaxed);
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
            self.figures().acknowledged.fetch_add(group.len(), Ordering::Relaxed);
            let fresh = group.above(self.publishing.floor());
            self.figures().made_acknowledged.fetch_add(fresh, Ordering::AcqRel);
            self.figures().seconds.observe(now.saturating_sub(group.sent));
        }
        self.passed(tag);
    }

    /// A group is done with; the cursor follows the oldest unbroken row of such groups.
    fn passed(&mut self, tag: u64) {
        if let Some(group) = self.groups.iter_mut().find(|group| group.tag == tag) {
            group.passed = true;
        }
        let mut upto = 0;
        while let Some(group) = self.groups.pop_front_if(|group| group.passed) {
            upto = upto.max(group.upto);
        }
        if upto > 0 {
            self.set_cursor(upto);
        }
    }

    fn set_cursor(&mut self, upto: u64) {
        self.figures().position.fetch_max(upto, Ordering::AcqRel);
        self.spool.set_cursor(self.settings.line.cursor(), upto);
    }

    /// Waits before the next attempt; a request to end cuts it short.
    fn rest(&mut self, wait: Duration) {
        let until = self.clock.mono() + wait;
        let mut ready = Vec::new();
        loop {
            let left = until.saturating_sub(self.clock.mono());
            if left.is_zero() || self.figures().is_stopping() {
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
        if !self.figures().is_stopping() {
            return false;
        }
        let now = self.clock.mono();
        let last = *self.last.get_or_insert(now + LAST_PUBLISH);
        now >= last || !self.figures().is_connected()
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
