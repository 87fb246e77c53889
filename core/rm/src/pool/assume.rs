//! What if this resource were dead? States that are assumed while a call is explained (rm.md §10).
//!
//! A member is put into the state as if the configuration, its probes and itself had said so, and
//! put back afterwards. Places stay as they are: a full one does not become empty.

use std::time::Duration;

use model::config::Admin;
use model::snapshot::Snapshot;

use super::health::{Health, Selfsaid};
use super::{Member, Pool, Shown};

/// What stood before: to be given back.
#[derive(Debug)]
pub(crate) struct Assumed(Vec<(usize, Parts)>);

/// What the shown state of a member is made of.
#[derive(Clone, Copy, Debug)]
struct Parts {
    admin: Admin,
    health: Health,
    said: Selfsaid,
    quarantined: Option<Duration>,
}

impl Parts {
    fn of(member: &Member) -> Self {
        let Member { admin, health, said, quarantined, .. } = *member;
        Self { admin, health, said, quarantined }
    }

    /// Those of a member that shows this state at `now`, and for an hour.
    fn showing(shown: Shown, now: Duration) -> Self {
        let later = now + Duration::from_secs(3600);
        let healthy = Self {
            admin: Admin::Enabled,
            health: Health::Healthy,
            said: Selfsaid::Ok,
            quarantined: None,
        };
        match shown {
            Shown::Healthy => healthy,
            Shown::Unknown => Self { health: Health::Unknown, ..healthy },
            Shown::Full => Self { said: Selfsaid::Full(Some(later)), ..healthy },
            Shown::Quarantined => Self { quarantined: Some(later), ..healthy },
            Shown::Draining => Self { admin: Admin::Draining, ..healthy },
            Shown::Dead => Self { health: Health::Dead, ..healthy },
            Shown::Disabled => Self { admin: Admin::Disabled, ..healthy },
        }
    }

    fn put(self, member: &mut Member) {
        let Self { admin, health, said, quarantined } = self;
        member.admin = admin;
        member.health = health;
        member.said = said;
        member.quarantined = quarantined;
    }
}

impl Pool {
    /// Puts resources into states, by name and word.
    ///
    /// # Errors
    /// What there is no such resource or state of; then nothing has changed.
    pub(crate) fn assume(
        &mut self,
        now: Duration,
        snapshot: &Snapshot,
        wanted: &[(String, String)],
    ) -> Result<Assumed, String> {
        let mut all = Vec::with_capacity(wanted.len());
        for (name, word) in wanted {
            let shown = Shown::parse(word).ok_or_else(|| {
                let words = Shown::ALL.map(Shown::as_str).join(", ");
                format!("{word}: not a state; expected one of {words}")
            })?;
            let key = snapshot
                .resource_by_name(name)
                .and_then(|ix| self.of_snapshot.get(ix.index()).copied())
                .ok_or_else(|| format!("{name}: no such resource"))?;
            all.push((key, shown));
        }
        let mut before = Vec::with_capacity(all.len());
        for (key, shown) in all {
            if let Some(member) = self.get_mut(key) {
                before.push((key, Parts::of(member)));
                Parts::showing(shown, now).put(member);
            }
        }
        Ok(Assumed(before))
    }

    /// As it was before.
    pub(crate) fn no_longer(&mut self, assumed: Assumed) {
        // the first of one member is the oldest
        for (key, parts) in assumed.0.into_iter().rev() {
            if let Some(member) = self.get_mut(key) {
                parts.put(member);
            }
        }
    }
}
