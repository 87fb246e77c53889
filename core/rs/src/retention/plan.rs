//! What of a stored day may go.

use super::{Terms, What};
use crate::key::{self, Day};

/// The calls of one tenant and profile on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// `tenant_id` of its rows.
    pub tenant: Option<i64>,
    /// `profile_id` of its rows.
    pub profile: Option<i64>,
    /// Calls in progress.
    pub live: u64,
    /// First end of a call.
    pub first_ended_ms: Option<i64>,
    /// Last end of a call.
    pub last_ended_ms: Option<i64>,
}

/// Whose rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of the day.
    All,
    /// Those of calls of this tenant and profile.
    Of {
        /// `tenant_id` of the calls.
        tenant: Option<i64>,
        /// `profile_id` of the calls.
        profile: Option<i64>,
    },
    /// Those that hang on no call.
    Loose,
}

/// Rows that may go: of calls those that ended before, of events those that happened before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// What.
    pub what: What,
    /// Whose.
    pub which: Which,
    /// Before this instant, UTC ms.
    pub before_ms: i64,
}

/// What of a day may go, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayPlan {
    /// Rows that go before the rest of the day.
    pub due: Vec<Due>,
    /// All facts may go: then [`DayPlan::due`] is empty.
    pub facts: bool,
    /// After the facts: the ledger, and with it the day, but for what is kept longer.
    pub ledger: bool,
}

impl DayPlan {
    /// Nothing may go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Terms {
    /// Whether anything of a day may be due, before its groups are asked for.
    #[must_use]
    pub fn is_old(&self, day: Day, now_ms: i64) -> bool {
        let shortest = |what: What| {
            let own = self.overrides.values().filter_map(|wanted| wanted.of(what));
            own.chain([self.days(what, None, None)]).min().unwrap_or_default()
        };
        let all = [What::Cdr, What::Events, What::Var].map(shortest);
        let least = all.into_iter().min().unwrap_or_default();
        key::start_ms(day) < self.cutoff(least, now_ms)
    }

    /// What of a day may go, when these are its calls.
    #[must_use]
    pub fn plan(&self, day: Day, groups: &[Group], now_ms: i64) -> DayPlan {
        let end_ms = key::start_ms(key::after(day));
        let over = |days: u32| end_ms <= self.cutoff(days, now_ms);
        let before =
            |what, group: &Group| self.cutoff(self.days(what, group.tenant, group.profile), now_ms);
        let is_past = |group: &Group| {
            let cutoff = before(What::Cdr, group);
            group.live == 0 && group.last_ended_ms.is_none_or(|last| last < cutoff)
        };
        if over(self.defaults.cdr) && groups.iter().all(is_past) {
            return DayPlan { due: Vec::new(), facts: true, ledger: over(self.ledger_days()) };
        }
        let mut due = Vec::new();
        for what in [What::Events, What::Var] {
            let plain = self.cutoff(self.days(what, None, None), now_ms);
            if what == What::Var && self.overrides.values().all(|wanted| wanted.var.is_none()) {
                continue;
            }
            let one = groups.iter().all(|group| before(what, group) == plain);
            if one {
                due.push(Due { what, which: Which::All, before_ms: plain });
                continue;
            }
            let own = groups.iter().map(|group| {
                let which = Which::Of { tenant: group.tenant, profile: group.profile };
                Due { what, which, before_ms: before(what, group) }
            });
            due.extend(own);
            due.push(Due { what, which: Which::Loose, before_ms: plain });
        }
        let calls = groups.iter().filter_map(|group| {
            let before_ms = before(What::Cdr, group);
            group.first_ended_ms.filter(|first| *first < before_ms)?;
            let which = Which::Of { tenant: group.tenant, profile: group.profile };
            Some(Due { what: What::Cdr, which, before_ms })
        });
        due.extend(calls);
        due.retain(|due| key::start_ms(day) < due.before_ms);
        DayPlan { due, facts: false, ledger: false }
    }
}
