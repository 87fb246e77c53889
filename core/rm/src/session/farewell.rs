//! The BYEs that RM itself sends (rm.md §2.7, §7.10): how they are written, and how they come to a
//! next hop that has a name (§1.2).
//!
//! The leg ends meanwhile, and its record waits for none of it. A BYE that cannot leave is logged
//! and counted. Must not decide that a call ends: `expiry`, `hang_up` and `release` do.

use std::collections::VecDeque;

use model::id::Guid;
use model::time::Now;
use sip::endpoint::ClientId;
use sip::locate::{Goal, Target};
use sip::transport::Flow;
use sip::uri::Uri;
use slab::Slab;
use smallvec::SmallVec;

use super::{Side, Text};
use crate::dialog::Kind;
use crate::dialog::hop::{Ways, is_secure};
use crate::forward::branch::Branch;
use crate::forward::own_request::{self, OwnRequest, party};
use crate::log;
use crate::proxy::{ClientUse, Proxy};
use crate::reject::{No, Reason};
use crate::resolve::What;
use crate::timer::Timer;

/// All that are under way and may still go elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Farewells {
    /// The question about the name of their next hop is answered; they leave in their order, each
    /// as a piece of work of its own (rm.md §1.9). They count as messages that wait for names.
    ready: VecDeque<Farewell>,
    /// Sent, and other addresses of the same name are left.
    sent: Slab<Sent>,
}

impl Farewells {
    /// So many wait for nothing but their turn.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }
}

/// A BYE of RM.
#[derive(Debug)]
pub(crate) struct Farewell {
    /// The session that it is about.
    pub(crate) about: Guid,
    /// Its next hop.
    pub(crate) goal: Goal,
    /// Without Via.
    pub(crate) bytes: Box<[u8]>,
}

/// One that nobody has answered yet.
#[derive(Debug)]
struct Sent {
    farewell: Farewell,
    to: Flow,
    others: SmallVec<[Flow; 1]>,
}

impl Proxy {
    /// BYE in both directions, with a code and a word for Reason.
    pub(crate) fn bye_both(&mut self, now: Now, key: usize, why: (u16, &str)) {
        for to in [Side::Caller, Side::Callee] {
            self.bye(now, key, to, why);
        }
    }

    /// BYE to one side; none for a leg that a token has brought back: of such a one neither route
    /// sets nor numbers are known, whoever has been heard since (rm.md §2.7).
    pub(crate) fn bye(&mut self, now: Now, key: usize, to: Side, (code, word): (u16, &str)) {
        let Some((session, leg)) = self.table.both(key).filter(|(_, leg)| !leg.rebuilt) else {
            return;
        };
        let (about, texts) = (session.guid, &leg.texts);
        let caller = party(texts.get(Text::FromUri), texts.get(Text::FromTag));
        let callee = party(texts.get(Text::ToUri), texts.get(Text::ToTag));
        let (uri, route, from, them) = match to {
            Side::Callee => (Text::CalleeTarget, Text::CalleeRoute, &caller, &callee),
            Side::Caller => (Text::CallerTarget, Text::CallerRoute, &callee, &caller),
        };
        let target = texts.get(uri);
        if target.is_empty() {
            return;
        }
        let way = own_request::Way::through(target, texts.get(route));
        let missed = if leg.epoch.0 > 1 { 1000 } else { 1 };
        let request = OwnRequest {
            method: "BYE",
            uri: &way.uri,
            via: "",
            route: &way.route,
            from,
            to: them,
            call_id: texts.get(Text::CallId),
            cseq: leg.highest_cseq(to.other()).saturating_add(missed),
            reason: &format!("SIP;cause={code};text=\"{word}\""),
        };
        let goal = Uri::parse(&way.hop).ok().as_ref().and_then(Goal::of_uri);
        match goal.map(|goal| goal.secured(is_secure(target))) {
            Some(goal) => {
                let bytes = request.bytes().into();
                self.say_farewell(now, Farewell { about, goal, bytes });
            }
            None => self.unsaid_farewell(about, &No::new(Reason::NextHop, way.hop)),
        }
    }

    /// The name of its next hop leads somewhere, or nowhere; it goes on when there is time for it.
    pub(crate) fn farewell_is_ready(&mut self, now: Now, farewell: Farewell) {
        self.farewells.ready.push_back(farewell);
        self.timers.set(now.mono, Timer::Farewells);
    }

    /// The next of those.
    pub(crate) fn on_farewell_step(&mut self, now: Now) {
        let Some(next) = self.farewells.ready.pop_front() else { return };
        if !self.farewells.ready.is_empty() {
            self.timers.set(now.mono, Timer::Farewells);
        }
        self.say_farewell(now, next);
    }

    /// It leaves, or waits for the name of its next hop.
    fn say_farewell(&mut self, now: Now, farewell: Farewell) {
        let about = farewell.about;
        let mut chance = self.chance.clone();
        let text = farewell.goal.to_string();
        let ways = self.ways_of(now, &farewell.goal, &text, |below| chance.below(below));
        self.chance = chance;
        let said = match ways {
            Ok(Ways::Flows(flows)) => self.send_farewell(now, farewell, flows),
            Ok(Ways::Name(goal)) => self.wait(now, What::Farewell(about), &farewell.bytes, goal),
            Err(no) => Err(no),
        };
        if let Err(no) = said {
            self.unsaid_farewell(about, &no);
        }
    }

    /// It leaves to the first of these.
    ///
    /// # Errors
    /// `next-hop`: there is none.
    fn send_farewell(
        &mut self,
        now: Now,
        farewell: Farewell,
        mut flows: SmallVec<[Flow; 1]>,
    ) -> Result<(), No> {
        let no = || No::new(Reason::NextHop, farewell.goal.to_string());
        let flow = *flows.first().ok_or_else(no)?;
        flows.remove(0);
        self.branches += 1;
        let branch = Branch { node: self.settings.node_id, number: self.branches, hash: 0 };
        let (host, port) = &self.listener(flow.listener).ok_or_else(no)?.via;
        let via = format!("SIP/2.0/{} {host}:{port};branch={branch}", flow.transport);
        let bytes = own_request::with_via(&farewell.bytes, &via);
        let options = self.patience(Kind::Bye, flows.len(), false);
        let client = self.endpoint.request(now.mono, flow, &bytes, options);
        let purpose = if flows.is_empty() {
            ClientUse::Absorb(None)
        } else {
            let sent = Sent { farewell, to: flow, others: flows };
            ClientUse::Farewell(self.farewells.sent.insert(sent))
        };
        self.clients.insert(client, purpose);
        Ok(())
    }

    /// Somebody is there: no other address is tried.
    pub(crate) fn farewell_answered(&mut self, now: Now, key: usize, client: ClientId) {
        self.farewells.sent.try_remove(key);
        self.clients.insert(client, ClientUse::Absorb(None));
        self.endpoint.wait_on(now.mono, client);
    }

    /// It could not be sent, or nobody has answered: it goes to the next address of the same name.
    pub(crate) fn farewell_failed(&mut self, now: Now, key: usize, transport: bool) {
        let Some(Sent { farewell, to, others }) = self.farewells.sent.try_remove(key) else {
            return;
        };
        self.book.away.note(now.mono, Target::of(to));
        let why = if transport { "transport" } else { "timeout" };
        *self.counters.address_failovers.entry(why).or_default() += 1;
        let about = farewell.about;
        if let Err(no) = self.send_farewell(now, farewell, others) {
            self.unsaid_farewell(about, &no);
        }
    }

    /// One side of a call is not told of its end.
    fn unsaid_farewell(&mut self, about: Guid, no: &No) {
        self.counters.dropped("own-bye");
        let fields = vec![("reason", no.reason.word().to_owned()), ("to", no.subject.clone())];
        self.log(log::BYE_UNSENT, Some(about), fields);
    }
}
