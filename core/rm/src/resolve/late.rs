//! Answers that were lost with their connection: they go by the sent-by of their Via, as a name if
//! it is one (RFC 3263 §5, RFC 3261 §18.2.2), to one address after another.

use model::time::Now;
use sip::endpoint::LostAnswer;
use sip::locate::{Goal, Target, at_once};
use smallvec::SmallVec;

use super::Known;
use super::waiting::What;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};

impl Proxy {
    /// An answer came back.
    pub(crate) fn on_lost_answer(&mut self, now: Now, lost: LostAnswer) {
        if self.send_elsewhere(now, lost).is_err() {
            self.counters.dropped("undelivered");
        }
    }

    fn send_elsewhere(&mut self, now: Now, lost: LostAnswer) -> Result<(), No> {
        let LostAnswer { flow, ways: tried, bytes } = lost;
        let no = || No::from(Reason::NextHop);
        let message = sip::parse::parse(&bytes, &self.limits).map_err(|_| no())?;
        let via = message.top_via();
        // nobody whom we do not know may name addresses for us to connect to
        if self.sources.of(&self.settings, flow).role.is_none() && tried == 0 {
            return Err(no());
        }
        let goal = Goal::of_sent_by(flow.transport, via.host, via.port).ok_or_else(no)?;
        let ways: SmallVec<[Target; 2]> = match at_once(&goal, self.settings.spoken()) {
            Some(target) => SmallVec::from_slice(&[target.map_err(|_| no())?]),
            None => match self.book.look(now.mono, &goal) {
                Known::Targets(targets) => targets.iter().collect(),
                Known::Failed(_) => return Err(no()),
                Known::Asked | Known::Nothing => {
                    return self.wait(now, What::Answer { flow, ways: tried }, &bytes, goal);
                }
            },
        };
        let left = ways.iter().enumerate().skip(tried);
        let mut left = left.filter(|(_, target)| target.remote != flow.remote);
        let (at, target) = left.next().ok_or_else(no)?;
        let flow = self.flow_of(*target, via.host)?;
        self.endpoint.send_lost(now.mono, flow, at + 1, &bytes);
        Ok(())
    }
}
