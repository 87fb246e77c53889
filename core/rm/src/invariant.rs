//! What must always hold, asked after every public mutation in debug builds and in the simulator.
//!
//! Sets agree with each other: every leg that has a resource of the pool is on it, or will be as
//! soon as all were looked at, and nothing else takes a place there (`places`); every session with
//! legs is counted where it belongs; every client transaction has somebody who waits.

mod places;

use crate::limits;
use crate::proxy::{ClientUse, Proxy};
use crate::session::Session;
use crate::session::end::{objects, place};

impl Proxy {
    /// Shouts when an invariant is broken; costs nothing in release builds.
    pub(crate) fn check(&self) {
        let few = self.table.legs() <= limits::CHECKED_LEGS;
        if cfg!(debug_assertions) && (few || self.branches.is_multiple_of(64)) {
            let broken = self.invariant().err();
            debug_assert!(broken.is_none(), "invariant broken: {broken:?}");
        }
    }

    /// The first invariant that does not hold.
    ///
    /// # Errors
    /// A text that names it.
    pub fn invariant(&self) -> Result<(), &'static str> {
        for (key, session) in self.table.walk(None) {
            if session.legs.is_empty() {
                return Err("a session without legs");
            }
            for leg_key in &session.legs {
                let Some(leg) = self.table.leg(*leg_key) else {
                    return Err("a session names a leg that is not there");
                };
                if leg.session != key || self.table.leg_of(session.guid, leg.id) != Some(*leg_key) {
                    return Err("a leg does not know its session");
                }
            }
            if session.legs.iter().any(|leg| !self.is_counted(session, *leg)) {
                return Err("a session or leg is not counted where it belongs");
            }
        }
        self.places_agree()?;
        self.counts_nothing_else()?;
        for (key, hunt) in &self.hunts {
            let Some(current) = &hunt.current else { return Err("a hunt without a try") };
            if self.clients.get(&current.client) != Some(&ClientUse::Hunt(key)) {
                return Err("nobody waits for a try");
            }
            if self.table.leg(hunt.leg).is_none() {
                return Err("a hunt without its leg");
            }
        }
        if self.minutes.legs() != self.table.legs() {
            return Err("a leg that no minute counts");
        }
        if self.watches.len() != self.watched.len() {
            return Err("a watched try that cannot be found");
        }
        Ok(())
    }

    fn is_counted(&self, session: &Session, key: usize) -> bool {
        let Some(leg) = self.table.leg(key) else { return false };
        let place = place(session, key, leg);
        let holds = |object| self.usage.holds(object, place);
        objects(session).into_iter().all(holds)
    }

    /// All sets together have the size that the table says. Everybody who lives is in the sets it
    /// belongs to (above), so nobody else is in any.
    fn counts_nothing_else(&self) -> Result<(), &'static str> {
        let live = self.table.walk(None).fold((0, 0), |(sessions, legs), (_, session)| {
            let many = objects(session).len() as u64;
            (sessions + many, legs + many * session.legs.len() as u64)
        });
        let right = live == self.usage.members();
        if right { Ok(()) } else { Err("a set of usage has another size than what lives") }
    }
}
