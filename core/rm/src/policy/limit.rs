//! Limits on what is live at once (category I, rm.md §6.1, §6.2): sessions, their directions, legs
//! of a service, and legs of a service inside one session.
//!
//! Judged by the sizes of sets; what has priority is counted in them and never refused.

use std::fmt::Display;

use model::config::{Policy, Service};
use model::record::{Stage, Verdict};

use super::judge::Rule;
use super::refuse::{Refused, refuse};
use super::usage::{Numbers, Usage};
use super::{Asked, Judge, Judges};
use crate::record::trace::{self, Step, Trace, step};
use crate::record::{Figure, Figures};
use crate::reject::Reason;
use crate::session::Kind;

/// Holds a leg against the limits of every level; gives back the highest burst level and the
/// numbers of all objects that judged, and tells how full each level is with a session that was not
/// in its set.
///
/// # Errors
/// The first limit from the root that is reached.
pub(super) fn judge(
    usage: &mut Usage,
    judges: &Judges<'_>,
    asked: &Asked<'_>,
    figures: &mut Figures,
    trace: &mut Trace,
) -> Result<(u8, Numbers), Box<Refused>> {
    let (mut burst, mut numbers) = (1, Numbers::new());
    for judge in judges {
        let number = usage.number_at(judge);
        let again = numbers.last() == Some(&number);
        if !again {
            numbers.push(number);
        }
        let used = Used::of(usage, number, asked);
        let bench = Bench { judges, judge, asked };
        let level = match level(judge.policy, used.sessions) {
            _ if used.joined => 1,
            Ok(level) => level,
            Err(_) if asked.priority => 1,
            Err(most) => {
                let full = (used.sessions, most);
                return Err(bench.refuse(Reason::UsageLimit, &Rule::Sessions, full, trace));
            }
        };
        if !used.joined {
            let most = judge.policy.usage_limit;
            bench.passed(Rule::Sessions, used.sessions, most, trace);
            burst = level.max(burst);
            note(figures, again, used.sessions + 1, level);
        }
        bench.directions(used, trace)?;
        bench.service(used, trace)?;
    }
    Ok((burst, numbers))
}

/// The figure of a level, or the higher burst of what is laid over it.
fn note(figures: &mut Figures, again: bool, usage: u64, burst: u8) {
    match figures.last_mut().filter(|_| again) {
        Some(figure) => figure.burst = figure.burst.max(burst),
        None => figures.push(Figure { usage, burst }),
    }
}

/// Legs of one service inside a session: of this limit the nearest definition counts.
///
/// # Errors
/// `session-limit`.
pub(super) fn per_session(
    judges: &Judges<'_>,
    asked: &Asked<'_>,
    trace: &mut Trace,
) -> Result<(), Box<Refused>> {
    let said = judges.iter().rev().find_map(|judge| {
        let most = judge.policy.service(asked.service)?.per_session?;
        Some((judge, u64::from(most)))
    });
    let Some((judge, most)) = said else { return Ok(()) };
    let inside = u64::try_from(asked.inside).unwrap_or(u64::MAX);
    let field = format_args!("services.{}.per_session", asked.service);
    if inside >= most {
        let full = Some((inside, most));
        return Err(refuse(judges, judge, asked, Reason::SessionLimit, &field, full, trace));
    }
    Ok(())
}

/// How much is in the sets of an object.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    /// The session is in them already.
    joined: bool,
    sessions: u64,
    inbound: u64,
    gateway: u64,
    legs: u64,
}

impl Used {
    fn of(usage: &Usage, number: u32, asked: &Asked<'_>) -> Self {
        usage.at(number, asked.session).map_or_else(Self::default, |(sets, joined)| Self {
            joined,
            sessions: sets.sessions(),
            inbound: sets.inbound(),
            gateway: sets.legs(Service::Gateway),
            legs: sets.legs(asked.service),
        })
    }
}

/// One level at its work.
struct Bench<'b, 's, 'a> {
    judges: &'b Judges<'s>,
    judge: &'b Judge<'s>,
    asked: &'b Asked<'a>,
}

impl Bench<'_, '_, '_> {
    /// Inbound sessions, outbound legs.
    fn directions(&self, used: Used, trace: &mut Trace) -> Result<(), Box<Refused>> {
        let Self { judge, asked, .. } = self;
        let policy = judge.policy;
        if asked.counts_as == Kind::Inbound && !used.joined {
            let most = policy.inbound_usage_limit;
            self.hold(Reason::UsageLimit, Rule::Inbound, used.inbound, most, trace)?;
        }
        if asked.direction == Kind::Outbound && asked.service == Service::Gateway {
            let most = policy.outbound_usage_limit;
            self.hold(Reason::UsageLimit, Rule::Outbound, used.gateway, most, trace)?;
        }
        Ok(())
    }

    fn service(&self, used: Used, trace: &mut Trace) -> Result<(), Box<Refused>> {
        let service = self.asked.service;
        let Some(most) = self.judge.policy.service(service).and_then(|one| one.usage_limit) else {
            return Ok(());
        };
        self.hold(Reason::ServiceLimit, Rule::Service(service), used.legs, Some(most), trace)
    }

    fn hold(
        &self,
        reason: Reason,
        rule: Rule,
        used: u64,
        most: Option<u32>,
        trace: &mut Trace,
    ) -> Result<(), Box<Refused>> {
        match most.map(u64::from) {
            Some(most) if used >= most && !self.asked.priority => {
                Err(self.refuse(reason, &rule, (used, most), trace))
            }
            _ => {
                self.passed(rule, used, most, trace);
                Ok(())
            }
        }
    }

    fn passed(&self, rule: Rule, used: u64, most: Option<u32>, trace: &mut Trace) {
        let Some(most) = most else { return };
        let (used, limit) = (Some(used), Some(u64::from(most)));
        trace.push(Step {
            figures: trace::Figures { used, limit, ..trace::Figures::default() },
            ..step(Stage::Authorise, self.judge.told(), Verdict::Passed, self.judge.rule(rule))
        });
    }

    fn refuse(
        &self,
        reason: Reason,
        field: &dyn Display,
        full: (u64, u64),
        trace: &mut Trace,
    ) -> Box<Refused> {
        refuse(self.judges, self.judge, self.asked, reason, field, Some(full), trace)
    }
}

/// The burst level at which one more session fits over `used`, 1–3.
///
/// # Errors
/// The limit that is reached.
pub(crate) fn level(policy: &Policy, used: u64) -> Result<u8, u64> {
    let Some(first) = policy.usage_limit else { return Ok(1) };
    let second = policy.burst.map(|burst| burst.level2);
    let third = policy.burst.and_then(|burst| burst.level3);
    let mut most = u64::from(first);
    for (level, limit) in [(1, Some(first)), (2, second), (3, third)] {
        let Some(limit) = limit else { continue };
        most = u64::from(limit);
        if used < most {
            return Ok(level);
        }
    }
    Err(most)
}

#[cfg(test)]
mod tests {
    use super::level;
    use model::config::{Burst, Policy};

    #[test]
    fn levels_and_what_refuses_above_them() {
        let of = |usage_limit, burst: Option<(u32, Option<u32>)>| Policy {
            usage_limit,
            burst: burst.map(|(level2, level3)| Burst { level2, level3 }),
            ..Policy::default()
        };
        let three = of(Some(2), Some((3, Some(5))));
        let cases = [
            (of(None, None), 1_000_000, Ok(1)),
            (of(Some(0), None), 0, Err(0)),
            (of(Some(2), None), 1, Ok(1)),
            (of(Some(2), None), 2, Err(2)),
            (three.clone(), 1, Ok(1)),
            (three.clone(), 2, Ok(2)),
            (three.clone(), 4, Ok(3)),
            (three, 5, Err(5)),
            (of(Some(2), Some((3, None))), 3, Err(3)),
        ];
        for (policy, used, expected) in cases {
            assert_eq!(level(&policy, used), expected, "{policy:?} {used}");
        }
    }
}
