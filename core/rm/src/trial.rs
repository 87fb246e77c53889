//! The decision of a call alone, for `cargo xtask bench decide`: select, authorise and place as
//! `Proxy::on_invite` calls them, of a call that goes nowhere.

use model::time::Now;
use sip::endpoint::ServerId;
use sip::message::Message;
use sip::transport::Flow;

use crate::admit::Request;
use crate::call::Call;
use crate::forward::through::Ahead;
use crate::proxy::Proxy;

/// A call that is remembered, and will not be forwarded.
#[derive(Debug)]
pub struct Trial(Call);

impl Proxy {
    /// Remembers an INVITE as a call; nothing was decided.
    pub fn begin_trial(&mut self, now: Now, flow: Flow, message: &Message<'_>) -> Option<Trial> {
        let source = self.sources.of(&self.settings, flow);
        let request = Request { now, id: ServerId::NONE, flow, message, source, hash: 0 };
        self.remember(&request, source, Ahead::default()).map(Trial)
    }

    /// Decides it; what it was given it keeps.
    ///
    /// # Errors
    /// The reason word of the refusal.
    pub fn decide_trial(
        &mut self,
        now: Now,
        flow: Flow,
        message: &Message<'_>,
        trial: &mut Trial,
    ) -> Result<(), &'static str> {
        let source = trial.0.source;
        let request = Request { now, id: ServerId::NONE, flow, message, source, hash: 0 };
        self.decide(&request, &mut trial.0).map(|_| ()).map_err(|no| no.reason.word())
    }

    /// Forgets it: out of all sets, as any call that ends.
    pub fn end_trial(&mut self, trial: Trial) {
        if let Some((leg, _, session)) = self.leave(trial.0.leg) {
            leg.texts.release(&mut self.buffers);
            if let Some(session) = session {
                session.release(&mut self.buffers);
            }
        }
        self.recorder.told(trial.0.story);
    }
}
