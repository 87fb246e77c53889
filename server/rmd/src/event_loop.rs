//! The engine thread: wait, receive a batch, run, send a batch, hand records over; again.
//!
//! The one loop of the daemon. It moves bytes and never decides; each kind of work has a budget per
//! turn, so that none can starve the others. What fails in a turn is logged, not `?`-ed out of it.

use crate::drain::{Left, Phase, Stop};
use crate::engine::Engine;
use crate::figures::{Figures, Pulse};
use crate::inbox::{Input, Inputs};
use crate::limits::{INPUTS_PER_TURN, LONGEST_TURN_WAIT, LOOK, OTHER_DESCRIPTORS};
use crate::pace::Pace;
use crate::state::State;
use crate::transport::Transport;
use model::snapshot::Snapshot;
use model::time::Now;
use net::Clock;
use rm::NodeState;
use rm::journal::Change;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The log line of a decision.
const DECISION: u16 = 20210;

/// Everything that lives on the engine thread.
pub(crate) struct EventLoop {
    transport: Transport,
    engine: Engine,
    inputs: Inputs,
    state: State,
    pulse: Arc<Pulse>,
    clock: Clock,
    phase: Phase,
    /// An operator has drained the node; it does not leave.
    drained: bool,
    pace: Pace,
    /// Newest durable sequence that the engine has been told.
    durable: u64,
    /// Records that were lost, as far as logged.
    dropped: u64,
    /// `proxy.sip.maxtcpconnections`, as far as it has been looked at.
    asked_streams: usize,
    /// Configurations that are in force no longer, until no call reads them.
    former: Vec<Arc<Snapshot>>,
    /// The next look at what changes slowly, for `/ready`.
    next_look: Duration,
    /// The log prints decisions, as far as the engine was told.
    tells_decisions: bool,
}

impl EventLoop {
    /// Runs until told to stop: the number of legs that are left up. `None`: it could not go on.
    pub(crate) fn run(
        transport: io::Result<Transport>,
        engine: Engine,
        inputs: Inputs,
        state: State,
        pulse: Arc<Pulse>,
        clock: Clock,
    ) -> Option<usize> {
        let run = transport.and_then(|transport| {
            let fresh = Self {
                transport,
                engine,
                inputs,
                state: state.clone(),
                pulse,
                clock,
                phase: Phase::Running,
                drained: state.is_marked(),
                pace: Pace::default(),
                durable: 0,
                dropped: 0,
                asked_streams: 0,
                former: Vec::new(),
                next_look: Duration::ZERO,
                tells_decisions: false,
            };
            fresh.turns()
        });
        run.map_err(|error| state.broken(clock.now().wall, &error)).ok()
    }

    /// Turn after turn. Only a broken poller ends it early; without one nothing can be served.
    fn turns(mut self) -> io::Result<usize> {
        let (mut more, mut behind) = (false, false);
        let now = self.clock.now();
        self.configured();
        self.know_resources();
        self.engine.begin(now, true);
        self.engine.input(rm::Input::State(self.serving()));
        self.state.turning(now.wall);
        if self.drained {
            self.state.draining(now.wall);
        }
        while self.phase != Phase::Over {
            // what is left of much that was due goes on at once
            let rest = if behind { Duration::ZERO } else { self.pace.rest(self.clock.mono()) };
            if !rest.is_zero() {
                thread::sleep(rest);
            }
            let wait = if more { Duration::ZERO } else { self.wait_time() };
            let idle = self.transport.wait(wait)? || !rest.is_zero();
            let now = self.clock.now();
            more = self.turn(now, idle);
            behind = self.engine.is_behind();
            self.pace.turned(now.mono, self.engine.arrived());
            let took = self.clock.mono().saturating_sub(now.mono);
            self.pulse.turned(now.mono, took, self.engine.queue_age());
        }
        self.engine.finish();
        Ok(self.engine.proxy().status().legs)
    }

    /// One turn; true when inputs of other threads still wait.
    fn turn(&mut self, now: Now, idle: bool) -> bool {
        self.engine.begin(now, idle);
        self.follow_log();
        self.transport.receive(now.mono, &mut self.engine);
        for (listener, news) in self.transport.news() {
            self.state.listener(now.wall, &listener, news);
        }
        let more = self.take_inputs(now);
        let durable = self.inputs.durable();
        if durable > self.durable {
            self.durable = durable;
            self.engine.durable(durable);
        }
        self.engine.timers();
        self.transport.send_all(now.mono, &mut self.engine);
        match self.engine.commit() {
            Change::None => {}
            Change::Refuses(why) => self.state.spool_refuses(now.wall, why),
            Change::Takes => self.state.spool_takes(now.wall),
        }
        let dropped = self.engine.journal().counters().total();
        if dropped > self.dropped {
            self.state.dropped(dropped - self.dropped, "no room for them");
            self.dropped = dropped;
        }
        self.transport.flush();
        self.engine.mirror();
        self.housekeeping(now);
        more
    }

    /// Up to a budget of inputs of other threads; true when there may be more.
    fn take_inputs(&mut self, now: Now) -> bool {
        let names = (0..INPUTS_PER_TURN).take_while(|_| self.engine.resolved()).count();
        let members = (0..INPUTS_PER_TURN).take_while(|_| self.engine.discovered()).count();
        if names + members > 0 {
            self.know_resources();
        }
        for _ in 0..INPUTS_PER_TURN {
            match self.inputs.next() {
                Some(Input::Query(query)) => {
                    let Self { engine, transport, phase, clock, drained, .. } = self;
                    engine.answer(query, clock, |engine| Figures {
                        counters: engine.proxy().counters().clone(),
                        transactions: engine.proxy().transaction_counters(),
                        status: engine.proxy().status(),
                        resources: engine.proxy().resources(),
                        transport: transport.counters(),
                        journal: engine.journal().counters(),
                        mirrored: engine.mirrored(),
                        draining: *drained || phase.draining(),
                        overload: engine.proxy().overload_state(),
                        alarms: engine.proxy().alarm_states(now),
                        names: engine.proxy().names_known(),
                    });
                    // one in a turn: a long answer is many short turns
                    return true;
                }
                Some(Input::Snapshot { snapshot, applied }) => {
                    self.apply(now, snapshot);
                    if let Some(applied) = applied {
                        // whoever waits for it may have gone
                        let _ = applied.try_send(());
                    }
                }
                Some(Input::Keys(keys)) => self.engine.input(rm::Input::Keys(keys)),
                Some(Input::KernelDrops { packets }) => {
                    self.engine.input(rm::Input::KernelDrops { packets });
                }
                Some(Input::Drain { on, reply }) => {
                    // whoever has asked may have gone
                    let _ = reply.send(self.drain(now, on));
                }
                Some(Input::Stop(stop)) => self.stop(now, stop),
                None => return names.max(members) == INPUTS_PER_TURN,
            }
        }
        true
    }

    /// Streams from media servers are not held to the limits of strangers, and who is reached by a
    /// name has to prove it.
    fn know_resources(&mut self) {
        let proxy = self.engine.proxy();
        self.transport.trust_mut().set_resources(proxy.resource_addresses());
        self.transport.trust_mut().set_networks(proxy.resource_networks());
        self.transport.trust_mut().set_hops(proxy.hop_addresses());
        self.transport.trust_changed();
    }

    /// A new configuration replaces the old one between two packets.
    fn apply(&mut self, now: Now, snapshot: Arc<Snapshot>) {
        let first = !self.state.is_configured();
        self.state.applied(now.wall, &snapshot);
        self.former.push(Arc::clone(self.engine.proxy().snapshot()));
        self.engine.input(rm::Input::Snapshot(snapshot));
        if first && !self.phase.draining() {
            self.engine.input(rm::Input::State(self.serving()));
        }
        self.know_resources();
        self.configured();
        self.transport.trust_changed();
    }

    /// What of the configuration is the transport's.
    fn configured(&mut self) {
        let proxy = self.engine.proxy();
        self.transport.trust_mut().set_connect_times(proxy.connect_times());
        let asked = proxy.max_connections();
        if asked != self.asked_streams {
            self.asked_streams = asked;
            let most = net::descriptors::raise(asked as u64 + OTHER_DESCRIPTORS);
            let most = most.saturating_sub(OTHER_DESCRIPTORS).max(1);
            let given = usize::try_from(most).map_or(asked, |most| most.min(asked));
            if given < asked {
                self.state.few_descriptors(asked, given);
            }
            self.transport.set_most_streams(given);
        }
    }

    /// What the node is while it does not leave. Without any configuration it would refuse every
    /// call for good, so it says that it is not ready.
    fn serving(&self) -> NodeState {
        match (self.drained, self.state.is_configured()) {
            (true, _) => NodeState::Draining,
            (false, true) => NodeState::Ready,
            (false, false) => NodeState::Starting,
        }
    }

    /// An operator drains the node, or has it serve again.
    fn drain(&mut self, now: Now, on: bool) -> Option<usize> {
        if self.phase.draining() {
            return None;
        }
        if self.drained != on {
            self.drained = on;
            self.engine.input(rm::Input::State(self.serving()));
            if on {
                self.state.draining(now.wall);
            } else {
                self.state.serves_again(now.wall);
            }
        }
        Some(self.engine.proxy().status().legs)
    }

    fn stop(&mut self, now: Now, stop: Stop) {
        let before = self.phase;
        self.phase = self.phase.stop(now.mono, stop);
        if !before.draining() && self.phase != Phase::Over {
            self.state.draining(now.wall);
        }
    }

    /// Before a turn, so that the first call after another log level has its line already.
    fn follow_log(&mut self) {
        let tells = self.state.log().enabled(DECISION);
        if tells != self.tells_decisions {
            self.tells_decisions = tells;
            self.engine.input(rm::Input::TellDecisions(tells));
        }
    }

    /// What is looked at in each turn, and costs nothing when it is not due.
    fn housekeeping(&mut self, now: Now) {
        if self.phase.draining() && self.phase != Phase::Over {
            let status = self.engine.proxy().status();
            let left = Left { legs: status.legs, pending: status.transactions_pending };
            let before = self.phase;
            self.phase = self.phase.at(now.mono, left);
            if before != self.phase && status.state != "draining" {
                self.engine.input(rm::Input::State(NodeState::Draining));
            }
        }
        if now.mono >= self.next_look {
            self.next_look = now.mono + LOOK;
            self.former.extract_if(.., |one| Arc::strong_count(one) == 1).for_each(forget);
            self.state.media(now.wall, &self.engine.proxy().resources());
            self.state.spool_level(now.wall, &self.engine.journal().shelf().status());
        }
    }

    fn wait_time(&self) -> Duration {
        let due =
            [self.engine.poll_timeout(), self.transport.poll_timeout(), self.phase.poll_timeout()];
        let now = self.clock.mono();
        let wait = due.into_iter().flatten().min().map(|due| due.saturating_sub(now));
        wait.unwrap_or(LONGEST_TURN_WAIT).min(LONGEST_TURN_WAIT)
    }
}

/// A configuration may have a million numbers: to give their memory back takes longer than a turn
/// may, so it is another thread's. Without one it is done here.
fn forget(former: Arc<Snapshot>) {
    let name = "former-config".to_owned();
    let _ = thread::Builder::new().name(name).spawn(move || drop(former));
}
