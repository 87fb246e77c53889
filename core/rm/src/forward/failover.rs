//! After a failed try: the next one, or the best failure to the caller (rm.md §7.8). Carries out
//! what `verdict` says.

use std::sync::Arc;
use std::time::Duration;

use model::config::Service;
use model::id::Dbid;
use model::record::{Level, Stage, Verdict};
use model::time::Now;
use sip::header::Name;
use sip::locate::Target;
use sip::message::Message;

use super::response::Back;
use super::size::too_large_an_answer;
use super::verdict::{Before, Outcome, rank, verdict};
use super::{Attempt, Hunt};
use crate::counters::count;
use crate::pool::Pick;
use crate::pool::health::Tried;
use crate::proxy::Proxy;
use crate::record::trace::step;
use crate::record::{self, Story};
use crate::reject::{No, Reason};
use crate::session::ResourceNames;
use crate::timer::Timer;

impl Proxy {
    /// The current try of a hunt has failed.
    pub(crate) fn on_failure(
        &mut self,
        now: Now,
        key: usize,
        outcome: Outcome,
        message: Option<&Message<'_>>,
    ) {
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let Some(current) = hunt.current.take() else { return };
        self.timers.take_back(Timer::Try(key));
        let (cancelled, progress) = (hunt.cancelled, current.progress);
        let (member, began) = (current.member, current.began);
        let trust = current.trust.back();
        if outcome.blames_the_address()
            && let Some(member) = self.pool.get_mut(member)
        {
            member.reach.failed(now.mono, current.target);
        }
        let service = hunt.plan.service;
        // what a Route entry of the sender does not answer says nothing of the resource behind it
        let detour = outcome.code().is_none() && hunt.through.is_some();
        let listed = outcome.code().is_some_and(|code| self.is_listed(current.group, code));
        let retry_after = message
            .and_then(|message| message.header(Name::RetryAfter))
            .and_then(|header| header.number());
        let before = match (cancelled, progress) {
            (true, _) => Before::Gone,
            (false, true) => Before::Progress,
            (false, false) => Before::Nothing,
        };
        let judged = verdict(outcome, before, listed, retry_after, service);
        let next = judged.next && !detour;
        let instead = self.instead(key, current.group, outcome).filter(|_| !progress);
        let took = now.mono.saturating_sub(began);
        if let Some(mut story) = self.hunts.get_mut(key).map(|hunt| std::mem::take(&mut hunt.story))
        {
            let (label, code) = (outcome.label(), outcome.code());
            self.note_try(&mut story, &current.names, label, code, Some(outcome), took);
            if let Some(hunt) = self.hunts.get_mut(key) {
                hunt.story = story;
            }
        }
        if let Some(tried) = judged.resource.filter(|_| !detour) {
            self.tell_member(now, member, tried, outcome);
        }
        self.give_up(now, key, current, matches!(outcome, Outcome::Answer(_)));
        if let (Outcome::Answer(code), Some(message)) = (outcome, message) {
            let mut draft = self.fresh_draft();
            // one that is too large for the caller counts as what it says, but has no bytes
            if self.fits_caller(key, message) {
                self.passed_back(message, Back::plain(trust), &mut draft);
            }
            self.keep_best(key, code, &draft.bytes, message);
            self.draft = draft;
        }
        if cancelled {
            self.finish_hunt(now, key, &Reason::Cancelled.into());
        } else if let Some(action) = instead {
            self.go_on_instead(now, key, &action);
        } else if next {
            self.next_try(now, key, Some(outcome));
        } else if outcome.code().is_some() {
            self.forward_best(now, key);
        } else if detour && outcome == Outcome::Transport {
            self.finish_hunt(now, key, &Reason::NextHop.into());
        } else {
            self.finish_hunt(now, key, &Reason::NoAnswer.into());
        }
    }

    fn is_listed(&self, group: Dbid, code: u16) -> bool {
        let found = self.snapshot.groups().find(|(_, one)| one.dbid == group);
        found.is_some_and(|(_, group)| group.failover_codes.contains(code))
    }

    /// Keeps the best failure. One that asks for credentials is given the challenges of all
    /// (RFC 3261 §16.7 step 7).
    fn keep_best(&mut self, key: usize, code: u16, bytes: &[u8], message: &Message<'_>) {
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let challenges = |code| matches!(code, 401 | 407);
        match &mut hunt.best {
            Some((best, kept))
                if challenges(code)
                    && challenges(*best)
                    && !kept.is_empty()
                    && !bytes.is_empty() =>
            {
                let first = message.all(Name::WwwAuthenticate);
                let lines = first.chain(message.all(Name::ProxyAuthenticate));
                let lines: Vec<u8> = lines.flat_map(|header| header.line).copied().collect();
                let start = kept.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                kept.splice(start..start, lines);
            }
            Some((best, _)) if rank(code) >= rank(*best) => {}
            best => {
                let kept = self.buffers.keep(bytes);
                if let Some((_, worse)) = best.replace((code, kept)) {
                    self.buffers.release(worse);
                }
            }
        }
    }

    /// The hunt goes on. `why`: a try has failed, else a resource was passed over.
    pub(super) fn next_try(&mut self, now: Now, key: usize, why: Option<Outcome>) {
        let service = self.hunts.get(key).map(|hunt| hunt.plan.service);
        let sent = loop {
            match self.try_next(now, key, why) {
                Err(no) if self.passes_over(key, &no) => {}
                sent => break sent,
            }
        };
        if let Err(no) = sent {
            if service == Some(Service::Cti) {
                let action = self.hunts.get(key).map(|hunt| self.when_exhausted(&hunt.plan));
                return self.go_on_instead(now, key, &action.unwrap_or_default());
            }
            let good = |hunt: &Hunt| {
                hunt.best.as_ref().is_some_and(|(code, _)| *code != 503 || self.options.forward_503)
            };
            if self.hunts.get(key).is_some_and(good) {
                self.forward_best(now, key);
            } else if self.hunts.get(key).is_some_and(|hunt| hunt.plan.suits_nobody()) {
                self.finish_hunt(now, key, &Reason::TooLarge.into());
            } else {
                self.finish_hunt(now, key, &no);
            }
        }
    }

    /// One more try, if there is a resource for it.
    fn try_next(&mut self, now: Now, key: usize, why: Option<Outcome>) -> Result<(), No> {
        let pick = self.another(now, key)?;
        if let Some(why) = why {
            self.tell_retry(now, key, pick, why);
        }
        self.first_try(now, key, pick, None)
    }

    /// One more resource, if there is one.
    pub(crate) fn another(&mut self, now: Now, key: usize) -> Result<Pick, No> {
        let hunt = self.hunts.get_mut(key).ok_or_else(|| No::from(Reason::HuntFailed))?;
        let late = now.mono.saturating_sub(hunt.began) >= self.options.max_hunt;
        let (mut plan, mut story) = (hunt.plan.clone(), std::mem::take(&mut hunt.story));
        let snapshot = Arc::clone(&self.snapshot);
        let picked = if late {
            Err(self.pool.none(now, &snapshot, &self.options, &plan))
        } else {
            self.pool.place(now, &snapshot, &self.options, &mut plan, &mut story.trace)
        };
        self.tell_filled(now);
        if let Some(hunt) = self.hunts.get_mut(key) {
            hunt.plan = plan;
            hunt.story = story;
        }
        picked
    }

    /// The best failure goes to the caller as it came; a 503 becomes an answer of our own.
    fn forward_best(&mut self, now: Now, key: usize) {
        let best = self.hunts.get_mut(key).and_then(|hunt| hunt.best.take());
        match best {
            Some((code, bytes)) if bytes.is_empty() && code != 503 => {
                self.finish_hunt(now, key, &too_large_an_answer());
            }
            Some((code, bytes)) if code != 503 || self.options.forward_503 => {
                let Some(hunt) = self.end_hunt(key) else { return };
                self.endpoint.respond(now.mono, hunt.server, code, &bytes);
                self.buffers.release(bytes);
                self.counters.answer(code, "forwarded", true);
                let leg = hunt.leg;
                let story = self.dismiss(hunt);
                self.end_attempt(now, leg, "forwarded", code, story);
            }
            _ => {
                let Some(plan) = self.hunts.get(key).map(|hunt| &hunt.plan) else { return };
                let no = self.pool.none(now, &self.snapshot, &self.options, plan);
                self.finish_hunt(now, key, &no);
            }
        }
    }

    /// Ends a hunt with an answer of our own.
    pub(crate) fn finish_hunt(&mut self, now: Now, key: usize, no: &No) {
        let Some(hunt) = self.end_hunt(key) else { return };
        self.answer_no(now, hunt.server, hunt.ingress, &hunt.request, no, Some(hunt.leg));
        let leg = hunt.leg;
        let story = self.dismiss(hunt);
        self.end_attempt(now, leg, no.reason.word(), no.status(), story);
    }

    /// Takes a hunt out of all tables; its current try, if any, keeps its client transaction.
    pub(crate) fn end_hunt(&mut self, key: usize) -> Option<Hunt> {
        let hunt = self.hunts.try_remove(key)?;
        self.servers.remove(&hunt.server);
        if let Some(current) = &hunt.current {
            self.timers.take_back(Timer::Try(key));
            self.clients.remove(&current.client);
        }
        Some(hunt)
    }

    /// A resource is told what became of a try; a failed one is probed at once.
    pub(crate) fn tell_member(&mut self, now: Now, member: usize, tried: Tried, why: Outcome) {
        let Some(one) = self.pool.get_mut(member) else { return };
        let change = one.tried(now.mono, tried, why);
        self.log_change(now, member, change);
        if tried == Tried::Failed {
            self.probe_soon(now, member);
        }
    }

    /// One line of `tries`, and the counter, in which all hosts outside are one.
    pub(crate) fn note_try(
        &mut self,
        story: &mut Story,
        names: &Arc<ResourceNames>,
        label: &'static str,
        status: Option<u16>,
        why: Option<Outcome>,
        took: Duration,
    ) {
        let counted = if names.dbid == Dbid(0) { &names.group } else { &names.name };
        self.counters.tried(&names.group, counted, label);
        match &why {
            Some(why) => story.trace.push(step(Stage::Forward, &names.name, Verdict::Failed, why)),
            None => {
                let chosen = Verdict::Chosen;
                story.trace.push(step(Stage::Forward, &names.name, chosen, &"answered"));
            }
        }
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let resource = Arc::clone(names);
        story.tries.push(record::Tried { resource, status, why, ms });
    }

    fn tell_retry(&mut self, now: Now, key: usize, pick: Pick, why: Outcome) {
        let Some(hunt) = self.hunts.get(key) else { return };
        let leg = hunt.leg;
        let Some(last) = hunt.story.tries.last() else { return };
        let (code, from) = (last.status.unwrap_or(0), Arc::clone(&last.resource));
        let Some(member) = self.pool.get(pick.member) else { return };
        let cause = match code {
            0 if why == Outcome::Transport => "transport",
            0 => "timeout",
            400..=499 => "4xx",
            _ => "5xx",
        };
        count(&mut self.counters.failovers, &member.names.group, cause);
        let to = Arc::clone(&member.names);
        let text = format_args!("{}|{}|{code}|{why}", from.name, to.name);
        self.call_event(now, leg, Level::Note, "hunt-retry", text);
    }

    /// The transaction of the current try is gone without a final answer.
    pub(crate) fn on_try_gone(&mut self, now: Now, key: usize, outcome: Outcome) {
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let untried = hunt.current.as_ref().filter(|one| one.by_size && !one.progress);
        let untried = untried.filter(|_| !hunt.cancelled).map(|one| one.target.remote);
        if untried.is_some_and(|remote| self.is_unopened(remote)) {
            self.without_tcp(now, key);
        } else if !self.next_address(now, key, outcome) {
            self.on_failure(now, key, outcome, None);
        }
    }

    /// A try without any answer goes on to the next address of the same resource, if there is one
    /// (RFC 3263 §4.3): a new branch, but no new try. False when there is none, or no time.
    fn next_address(&mut self, now: Now, key: usize, outcome: Outcome) -> bool {
        let most = self.options.max_hunt;
        let Some(hunt) = self.hunts.get_mut(key) else { return false };
        let late = now.mono.saturating_sub(hunt.began) >= most;
        let answered = hunt.current.as_ref().is_none_or(|one| one.progress);
        if hunt.cancelled || late || answered || hunt.others.is_empty() {
            return false;
        }
        let target = hunt.others.remove(0);
        let Some(current) = hunt.current.take() else { return false };
        self.timers.take_back(Timer::Try(key));
        let (member, group, silent) = (current.member, current.group, current.target);
        let by = current.by;
        self.give_up(now, key, current, false);
        if let Some(member) = self.pool.get_mut(member) {
            member.reach.failed(now.mono, silent);
        }
        *self.counters.address_failovers.entry(outcome.label()).or_default() += 1;
        self.same_again(now, key, (member, group, by), target);
        true
    }

    /// TCP, chosen for size alone, was refused: the same resource by UDP, which is no new try; or
    /// the next one, if no datagram takes it.
    fn without_tcp(&mut self, now: Now, key: usize) {
        let Some(hunt) = self.hunts.get_mut(key) else { return };
        let Some(current) = hunt.current.take() else { return };
        self.timers.take_back(Timer::Try(key));
        self.buffers.release(current.sent);
        let member = hunt.through.is_none().then_some(current.member);
        self.tcp_refused(now, current.target.remote, member);
        let what = (current.member, current.group, current.by);
        self.same_again(now, key, what, current.target);
    }

    /// The resource in hand once more, in another way.
    fn same_again(
        &mut self,
        now: Now,
        key: usize,
        (member, group, by): (usize, Dbid, &'static str),
        target: Target,
    ) {
        let found = self.snapshot.groups().find(|(_, one)| one.dbid == group);
        let pick = Pick { member, group: found.map(|(group, _)| group), by };
        let sent = if pick.group.is_some() || pick == Pick::OUTSIDE {
            self.send_try(now, Attempt { hunt: key, pick, target }, None)
        } else {
            Err(Reason::HuntFailed.into())
        };
        match sent {
            Ok(()) => {}
            Err(no) if self.passes_over(key, &no) => self.next_try(now, key, None),
            Err(no) => self.finish_hunt(now, key, &no),
        }
    }
}
