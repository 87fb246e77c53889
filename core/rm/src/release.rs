//! Calls that are ended or told of because of their resource: it is dead (rm.md §7.10), or an
//! operator wants it empty by a time (§7.11).
//!
//! Many at once, so they are ended at a pace and not in one turn. Which calls is settled when it
//! begins: those who are on the resource then, and have stayed. Must not judge whether a resource
//! is dead: `pool::health` does.

pub(crate) mod notify;

use std::collections::VecDeque;
use std::time::Duration;

use model::config::{Admin, OnDead};
use model::record::EndState;
use model::time::Now;
use slab::Slab;

use crate::limits::{DEADLINE_AGAIN, RELEASE_LOOKS, RELEASE_STEP, RELEASES};
use crate::log;
use crate::pool::health::{Change, Health};
use crate::pool::{Occupant, Walk};
use crate::proxy::Proxy;
use crate::session::end::End;
use crate::session::{Side, State};
use crate::timer::Timer;
use notify::{Notice, Tell};

/// Why calls of a resource are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// It is dead.
    Death,
    /// The deadline of its drain.
    Deadline,
}

/// The calls of one resource that are still to be ended.
#[derive(Clone, Copy, Debug)]
struct Release {
    /// Key of the resource.
    member: usize,
    why: Why,
    walk: Walk,
}

/// All that is under way.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    /// Whose calls are ended, the oldest first.
    queue: VecDeque<Release>,
    /// The next step of those, not before.
    next: Duration,
    /// Whose calls are told of, which waits for no ends.
    tells: VecDeque<Tell>,
    notices: Slab<Notice>,
}

impl Proxy {
    /// What is known of a resource's health has changed, or was confirmed: its calls are released
    /// if it stays dead.
    pub(crate) fn on_health(&mut self, now: Now, key: usize, change: Change) {
        let Some(member) = self.pool.get_mut(key) else { return };
        if change == Change::Dead {
            member.since = now.wall;
            self.timers.set(now.mono + member.release_after, Timer::Release(key));
        } else if member.health != Health::Dead {
            self.timers.take_back(Timer::Release(key));
            self.keep(key, Why::Death);
            self.tell_no_more(key);
        }
    }

    /// It has been dead for long enough.
    pub(crate) fn on_release_due(&mut self, now: Now, key: usize) {
        let Some(member) = self.pool.get(key).filter(|one| one.health == Health::Dead) else {
            return;
        };
        let calls = member.calls();
        if calls == 0 {
            return;
        }
        let on_dead = member.on_dead;
        let action = match on_dead {
            OnDead::Bye => "bye",
            OnDead::Notify => "notify",
            OnDead::None => "none",
        };
        let fields = vec![
            ("resource", member.names.name.clone()),
            ("group", member.names.group.clone()),
            ("calls", calls.to_string()),
            ("action", action.to_owned()),
        ];
        self.log(log::CALLS_LOST, None, fields);
        match on_dead {
            OnDead::Bye => self.begin_release(now, key, Why::Death),
            OnDead::Notify => self.begin_tell(now, key),
            OnDead::None => {}
        }
    }

    /// The time is over by which a resource was to be empty.
    pub(crate) fn on_deadline(&mut self, now: Now, key: usize) {
        let Some(member) = self.pool.get(key).filter(|one| one.admin != Admin::Enabled) else {
            return;
        };
        if member.calls() > 0 {
            self.begin_release(now, key, Why::Deadline);
            // what joins a conference of it meanwhile ends as well
            self.timers.set(now.mono + DEADLINE_AGAIN, Timer::Deadline(key));
        }
    }

    /// An operator wants the resource again.
    pub(crate) fn keep_calls(&mut self, key: usize) {
        self.timers.take_back(Timer::Deadline(key));
        self.keep(key, Why::Deadline);
    }

    /// The calls of a resource that are not ended yet for this reason go on.
    fn keep(&mut self, key: usize, why: Why) {
        let pool = &mut self.pool;
        self.releases.queue.retain(|one| {
            let ends = one.member != key || one.why != why;
            if !ends && let Some(member) = pool.get_mut(key) {
                member.end_walk(one.walk);
            }
            ends
        });
    }

    /// A resource is gone, with everything that was planned for it.
    pub(crate) fn forget_releases(&mut self, key: usize) {
        self.timers.take_back(Timer::Release(key));
        self.timers.take_back(Timer::Deadline(key));
        self.releases.queue.retain(|one| one.member != key);
        self.tell_no_more(key);
    }

    fn begin_release(&mut self, now: Now, key: usize, why: Why) {
        if self.releases.queue.iter().any(|one| one.member == key && one.why == why) {
            return;
        }
        let Some(member) = self.pool.get_mut(key) else { return };
        let release = Release { member: key, why, walk: member.begin_walk() };
        if self.releases.queue.is_empty() {
            self.timers.set(self.releases.next.max(now.mono), Timer::Releases);
        }
        self.releases.queue.push_back(release);
    }

    /// The next of them. How many it has looked at.
    pub(crate) fn on_release_step(&mut self, now: Now) -> usize {
        let (mut looks, mut ended) = (0, 0);
        while looks < RELEASE_LOOKS && ended < RELEASES {
            looks += 1;
            let Some(Release { member, why, walk }) = self.releases.queue.front().copied() else {
                return looks;
            };
            let one = self.pool.get_mut(member);
            // a new configuration may have said that it lives
            let one = one.filter(|one| why != Why::Death || one.health == Health::Dead);
            match one.and_then(|one| one.walk_on(walk)) {
                Some(Occupant::Leg(leg)) => ended += u32::from(self.release_leg(now, leg, why)),
                Some(Occupant::Watch(_)) => {}
                None => self.end_release(),
            }
        }
        self.releases.next = now.mono + RELEASE_STEP * ended.max(1);
        self.timers.set(self.releases.next, Timer::Releases);
        looks
    }

    /// All calls of the first one were looked at, or they are kept.
    fn end_release(&mut self) {
        let Some(Release { member, walk, .. }) = self.releases.queue.pop_front() else { return };
        if let Some(member) = self.pool.get_mut(member) {
            member.end_walk(walk);
        }
    }

    /// Ends one leg; false: it ends by itself.
    fn release_leg(&mut self, now: Now, key: usize, why: Why) -> bool {
        let Some(state) = self.table.leg(key).map(|leg| leg.state) else { return false };
        match (why, state) {
            (_, State::Ending) => false,
            (Why::Deadline, _) => {
                self.hang_up_leg(now, key);
                true
            }
            // its try ends by the answer that does not come
            (Why::Death, State::Trying | State::Early) => false,
            (Why::Death, State::Up) => {
                *self.counters.calls_cut.entry("death").or_default() += 1;
                let word = "resource-dead";
                self.bye(now, key, Side::Caller, (503, word));
                let (state, ended) = (EndState::SystemError, now.wall);
                let end = End { state, word, status: None, ended, urgent: false };
                self.end_leg(now, key, end, None);
                true
            }
        }
    }
}
