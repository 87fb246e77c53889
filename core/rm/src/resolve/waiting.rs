//! Messages that wait for the name of their next hop (rm.md §1.2): in the order of their arrival,
//! within a bound, no longer than the question is open. Then each goes on as if it came now.

use std::collections::VecDeque;

use model::id::Guid;
use model::time::Now;
use sip::endpoint::{LostAnswer, ServerId};
use sip::locate::Goal;
use sip::message::Message;
use sip::transport::Flow;

use crate::admit::Request;
use crate::forward::branch;
use crate::forward::through::Ahead;
use crate::limits;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::session::Farewell;

/// One of them.
#[derive(Debug)]
pub(crate) struct Waiting {
    goal: Goal,
    what: What,
    bytes: Box<[u8]>,
}

/// What it is, and where it came from or could not go to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// A request with its transaction.
    Request(Flow, ServerId),
    /// An ACK, which has none.
    Ack(Flow),
    /// A BYE of our own, about this session.
    Farewell(Guid),
    /// An answer that was lost, and how many ways were tried.
    Answer { flow: Flow, ways: usize },
}

impl Proxy {
    /// Keeps a message until the name of its next hop is known.
    ///
    /// # Errors
    /// `next-hop`, when too many wait or are asked for.
    pub(crate) fn wait(
        &mut self,
        now: Now,
        what: What,
        bytes: &[u8],
        goal: Goal,
    ) -> Result<(), No> {
        let waiting: usize = self.waiting.iter().map(|one| one.bytes.len()).sum();
        let room = waiting + bytes.len() <= limits::NAME_WAITING
            && self.waiting.len() + self.farewells.ready() < limits::NAME_WAITERS;
        if !room || !self.ask(now, &goal) {
            return Err(No::new(Reason::NextHop, goal.to_string()));
        }
        self.waiting.push_back(Waiting { goal, what, bytes: bytes.into() });
        Ok(())
    }

    /// A request outside dialogs waits for the name of its next hop, or is refused.
    pub(crate) fn wait_for_name(&mut self, request: &Request<'_, '_>, goal: Goal) {
        let Request { now, flow, id, message, .. } = *request;
        if let Err(no) = self.wait(now, What::Request(flow, id), message.raw(), goal) {
            self.refuse(request, &no);
        }
    }

    /// The question is answered, one way or another.
    pub(crate) fn go_on(&mut self, now: Now, goal: &Goal) {
        let all = std::mem::take(&mut self.waiting);
        let (ready, left): (VecDeque<_>, _) = all.into_iter().partition(|one| one.goal == *goal);
        self.waiting = left;
        for Waiting { goal, what, bytes } in ready {
            let (flow, id) = match what {
                What::Request(flow, id) => (flow, Some(id)),
                What::Ack(flow) => (flow, None),
                What::Farewell(about) => {
                    self.farewell_is_ready(now, Farewell { about, goal, bytes });
                    continue;
                }
                What::Answer { flow, ways } => {
                    self.on_lost_answer(now, LostAnswer { flow, ways, bytes: bytes.into() });
                    continue;
                }
            };
            let Ok(message) = sip::parse::parse(&bytes, &self.limits) else { continue };
            let Some(id) = id else {
                self.on_ack(now, flow, &message);
                continue;
            };
            self.pass(&self.request(now, flow, id, &message));
        }
    }

    fn request<'m, 'a>(
        &self,
        now: Now,
        flow: Flow,
        id: ServerId,
        message: &'m Message<'a>,
    ) -> Request<'m, 'a> {
        let source = self.sources.of(&self.settings, flow);
        let hash = branch::loop_hash(&self.settings.keys, message);
        Request { now, id, flow, message, source, hash }
    }

    /// A CANCEL for an INVITE that may still wait; one outside dialogs was an attempt.
    pub(crate) fn cancel_waiting(&mut self, now: Now, invite: ServerId) {
        let is_it = |one: &Waiting| matches!(one.what, What::Request(_, id) if id == invite);
        let Some(at) = self.waiting.iter().position(is_it) else { return };
        let Some(Waiting { what: What::Request(flow, _), bytes, .. }) = self.waiting.remove(at)
        else {
            return;
        };
        let Ok(message) = sip::parse::parse(&bytes, &self.limits) else { return };
        let (request, no) = (self.request(now, flow, invite, &message), Reason::Cancelled.into());
        let outside = message.to().tag().is_none();
        match outside.then(|| self.remember(&request, request.source, Ahead::default())).flatten() {
            Some(call) => self.refuse_call(&request, call, &no),
            None => self.answer_no(now, invite, flow, &bytes, &no, None),
        }
    }
}
