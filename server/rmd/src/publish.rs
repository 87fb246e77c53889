//! Stage 11, second half: records from disk to the broker, kept until acknowledged.
//!
//! One publisher is one thread, one connection and one cursor of the spool; there are two of them,
//! and [`Line`] says which queues each carries. It waits for nobody but the broker and changes no
//! byte of a record: what has no answer is sent again as it was, and record ids absorb it
//! (rm.md §9.6). Which broker that is, [`Route`] says.

mod group;
mod line;
mod link;
mod refused;
mod route;

use crate::limits::{GROUP_BYTES, GROUP_RECORDS, GROUPS_IN_FLIGHT, LAST_PUBLISH, PUBLISH_REST};
use crate::state::State;
use config::settings::Rm;
use group::{Group, position};
pub(crate) use line::{Line, Publishing, wakers};
use line::{Outcome, PublishFigures};
use link::{Link, Over};
use model::chance::Chance;
use model::time::Millis;
use net::waker::WakeReceiver;
use net::{Clock, Interest, Poller, Token};
use openwire::{BrokerUri, Brokers, Client, ClientEvent, ClientSettings, Secret, SendError};
use refused::Refused;
use route::Route;
pub use route::check_reporting;
pub(crate) use route::tell_strange;
use spool::{Reader, Spool};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
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
    /// Where to.
    pub(crate) brokers: Brokers,
    /// Whom to trust under TLS.
    pub(crate) ca_file: Option<PathBuf>,
    /// Login, where the broker wants one.
    pub(crate) login: Option<(String, Option<Secret>)>,
    /// `ID:…` of OpenWire, one for the run of the process; a number follows.
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
            brokers: rm.brokers.clone(),
            ca_file: rm.broker_ca_file.clone(),
            login,
            connection_id: format!("ID:{}-{run}-{second:x}-{number}", rm.name),
            chance: Chance::new([first ^ u64::from(number), second, rest[0], rest[1]]),
        }
    }
}

/// One publisher; lives on its own thread.
pub(crate) struct Publisher {
    settings: PublishSettings,
    route: Route,
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
    refused: Refused,
    /// Before this no new records are looked for.
    rest_until: Duration,
    /// When to give up after a request to end.
    last: Option<Duration>,
    /// Brokers of which the log tells that they are lost, until one takes something.
    lost: Vec<String>,
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
        let route =
            Route::new(settings.brokers.clone(), settings.ca_file.clone(), settings.chance.clone());
        Ok(Self {
            settings,
            route,
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
            refused: Refused::default(),
            lost: Vec::new(),
        })
    }

    fn figures(&self) -> &PublishFigures {
        self.publishing.line(self.settings.line)
    }

    fn publish(mut self) {
        while !self.is_over() {
            let (wait, broker) = self.route.next();
            self.rest(wait);
            if self.is_over() {
                break;
            }
            let over = self.visit(&broker);
            if self.is_over() {
                break;
            }
            self.is_lost(&broker, &over);
        }
    }

    /// One broker, by its addresses in turn until one lets us in; why it ended.
    fn visit(&mut self, broker: &BrokerUri) -> Over {
        let addresses = match Route::addresses(broker) {
            Ok(addresses) => addresses,
            Err(error) => return error.into(),
        };
        let mut over = Over::Elsewhere;
        for address in addresses {
            over = match self.connection(broker, address) {
                Ok(()) => Over::Closed("stopped".to_owned()),
                Err(over) => over,
            };
            let was_in = self.figures().connected.swap(false, Ordering::AcqRel);
            self.attempt = self.attempt.wrapping_add(1);
            if self.refused.forget(&mut self.groups, &mut self.next_tag) {
                // Nothing under the old id may be taken for what was refused.
                self.attempt = 0;
            }
            self.figures().count(broker, Outcome::of(was_in, &over));
            if was_in || matches!(over, Over::Refused(_)) || self.is_over() {
                break;
            }
        }
        over
    }

    /// One connection from attempt to end.
    fn connection(&mut self, broker: &BrokerUri, address: SocketAddr) -> Result<(), Over> {
        let (trust, patience) = (self.route.trust(broker)?, Route::patience(broker));
        let (host, poller) = (&broker.host, &self.poller);
        let mut link = Link::connect(address, host, trust.as_ref(), patience, poller)?;
        let mut client = Client::new(self.client_settings(broker), self.clock.mono());
        loop {
            self.turn(&mut link, &mut client, broker)?;
            if self.figures().is_stopping() && self.finished() {
                client.shutdown();
                // The goodbye is a courtesy; what matters is acknowledged.
                let _ = link.write(&mut client, &self.poller);
                return Ok(());
            }
        }
    }

    /// Tells of it, once in an outage.
    fn is_lost(&mut self, broker: &BrokerUri, over: &Over) {
        let peer = broker.host_port();
        if !self.lost.contains(&peer) {
            let why = over.to_string();
            self.state.broker(self.clock.now().wall, self.settings.line, Some(&why), &peer);
            self.lost.push(peer);
        }
    }

    /// Tells that the outage is over.
    fn is_back(&mut self, broker: &BrokerUri) {
        self.lost.clear();
        let (now, peer) = (self.clock.now().wall, broker.host_port());
        self.state.broker(now, self.settings.line, None, &peer);
    }

    /// Waits once and does what can be done.
    fn turn(
        &mut self,
        link: &mut Link,
        client: &mut Client,
        broker: &BrokerUri,
    ) -> Result<(), Over> {
        link.write(client, &self.poller)?;
        let mut now = self.clock.mono();
        let rest = self.rest_until.saturating_sub(now);
        if !rest.is_zero() {
            thread::sleep(rest);
            now = self.clock.mono();
        }
        let due = [client.poll_timeout(), link.deadline(now), self.route.look(), self.last];
        let wait = due.into_iter().flatten().min().map(|due| due.saturating_sub(now));
        link.wait(&mut self.poller, wait, &mut self.waker)?;
        let now = self.clock.mono();
        link.read(now, client)?;
        if client.poll_timeout().is_some_and(|due| due <= now) {
            client.handle_timeout(now);
        }
        while let Some(event) = client.poll_event() {
            self.heard(now, client, broker, event)?;
        }
        if self.is_over() {
            return Err(Over::Closed("stopped".to_owned()));
        }
        if let Some(text) = self.refused.text() {
            // What was sent behind it is answered first, so that nothing is in doubt.
            let answered = client.in_flight() == 0;
            return if answered { Err(Over::Refused(text.to_owned())) } else { Ok(()) };
        }
        if !self.figures().is_connected() {
            return Ok(());
        }
        if self.groups.is_empty() && self.route.returns(now) {
            return Err(Over::Elsewhere);
        }
        self.fill(now, client)
    }

    fn heard(
        &mut self,
        now: Duration,
        client: &mut Client,
        broker: &BrokerUri,
        event: ClientEvent,
    ) -> Result<(), Over> {
        match event {
            ClientEvent::Ready => {
                self.figures().connected.store(true, Ordering::Release);
                self.figures().count(broker, Outcome::Up);
                self.route.entered(now);
                // One that refuses records is not back because it lets us in.
                if !self.refused.lately() {
                    self.is_back(broker);
                }
                self.send_again(now, client)
            }
            ClientEvent::Acknowledged { tag } => {
                // Not before: a broker that lets us in and refuses each record is no success.
                self.route.settled();
                if self.refused.is_over() {
                    self.is_back(broker);
                }
                self.acknowledged(now, tag);
                Ok(())
            }
            ClientEvent::Refused { tag, class, text } => {
                match tag {
                    Some(tag) => self.refused.note(tag, &class, &text),
                    None => return Err(Over::Refused(format!("{class}: {text}"))),
                }
                Ok(())
            }
            ClientEvent::Referred(referral) => {
                if self.route.referred(&referral) {
                    Err(Over::Elsewhere)
                } else {
                    Ok(())
                }
            }
            ClientEvent::Closed { why } => Err(Over::Closed(why.to_string())),
        }
    }

    /// Reads and sends new records while the window has room.
    fn fill(&mut self, now: Duration, client: &mut Client) -> Result<(), Over> {
        let mut sent = self.pass_over();
        while self.groups.len() < GROUPS_IN_FLIGHT {
            let frames = self
                .reader
                .read(GROUP_RECORDS, GROUP_BYTES)
                .map_err(|error| Over::Spool(error.to_string()))?;
            self.state.damaged(&self.spool.take_damage());
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
        let tags = group::split_at(&mut self.groups, at, &mut self.next_tag);
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

    fn client_settings(&self, broker: &BrokerUri) -> ClientSettings {
        let (user, password) = self.settings.login.clone().unzip();
        let mut limits = openwire::Limits::default();
        limits.inactivity = broker.inactivity.unwrap_or(limits.inactivity);
        ClientSettings {
            client_id: None,
            connection_id: format!("{}:{}", self.settings.connection_id, self.refused.count() + 1),
            user,
            password: password.flatten(),
            attempt: self.attempt,
            limits,
        }
    }
}
