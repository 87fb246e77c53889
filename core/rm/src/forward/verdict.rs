//! The table of rm.md §7.8: what the outcome of a try means for the hunt and for the resource, and
//! which of several failures the caller gets. Carries nothing out: `failover` does.

use std::fmt;
use std::time::Duration;

use model::config::Service;

use crate::limits;
use crate::pool::health::Tried;

/// How a try ended without a 2xx.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answer(u16),
    /// No answer at all in time.
    Timeout,
    /// Timer C, with nothing but 100 seen.
    Silence,
    /// The time of the whole hunt is over, with nothing but 100 seen. `early`: the resource has had
    /// less than the time of a try, and others had the rest.
    MaxHunt {
        early: bool,
    },
    Transport,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Try the next resource.
    pub(crate) next: bool,
    pub(crate) resource: Option<Tried>,
}

/// What had become of a try by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing, or a 100.
    Nothing,
    /// A 101–199: what follows is the outcome of the call, which says of the resource at most that
    /// it has failed.
    Progress,
    /// The caller has gone (CANCEL): the outcome says nothing.
    Gone,
}

/// The table of rm.md §7.8. `listed`: its code is one of `failover.codes`.
pub(crate) fn verdict(
    outcome: Outcome,
    before: Before,
    listed: bool,
    retry_after: Option<u32>,
    service: Service,
) -> Judged {
    if before == Before::Gone {
        return Judged { next: false, resource: None };
    }
    let progress = before == Before::Progress;
    let resource = match outcome {
        Outcome::MaxHunt { early: true } => return Judged { next: !progress, resource: None },
        Outcome::Timeout
        | Outcome::Silence
        | Outcome::MaxHunt { early: false }
        | Outcome::Transport
        | Outcome::Answer(408) => {
            return Judged { next: !progress, resource: Some(Tried::Failed) };
        }
        Outcome::Answer(500 | 502..=504) if progress => Some(Tried::Failed),
        Outcome::Answer(501 | 505 | 513) if progress => None,
        Outcome::Answer(_) if progress => Some(Tried::Answered),
        Outcome::Answer(503) => match retry_after {
            Some(seconds) => Some(Tried::Full(Duration::from_secs(u64::from(seconds)))),
            None => Some(Tried::Failed),
        },
        Outcome::Answer(500 | 502 | 504) => Some(Tried::Failed),
        Outcome::Answer(480 | 486) if !matches!(service, Service::Gateway | Service::Cti) => {
            Some(Tried::Full(limits::FULL_BY_BUSY))
        }
        Outcome::Answer(501 | 505 | 513) => None,
        Outcome::Answer(_) => Some(Tried::Answered),
    };
    // nobody else is asked after a 6xx, whatever the list says (RFC 3261 §16.7 step 5)
    let next = listed && !progress && !matches!(outcome, Outcome::Answer(600..));
    Judged { next, resource }
}

/// Which failure the caller gets, the lowest first (RFC 3261 §16.7 step 6): 6xx, then the lowest
/// class, in it one that says how to ask again; of equal ones the first. A 503 is the last.
pub(super) const fn rank(code: u16) -> (u16, bool) {
    match code {
        600.. => (0, false),
        503 => (9, false),
        401 | 407 | 415 | 420 | 484 => (4, false),
        _ => (code / 100, true),
    }
}

/// The word in `tries` and in the trace.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(code) => code.fmt(f),
            Self::Timeout | Self::Silence => f.write_str("timeout"),
            Self::MaxHunt { .. } => f.write_str("max-hunt"),
            Self::Transport => f.write_str("transport"),
        }
    }
}

impl Outcome {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Answer(400..=499) => "4xx",
            Self::Answer(500..=599) => "5xx",
            Self::Answer(_) => "other",
            Self::Timeout | Self::Silence | Self::MaxHunt { .. } => "timeout",
            Self::Transport => "transport",
        }
    }

    /// Nobody has answered there, who had time to.
    pub(super) fn blames_the_address(self) -> bool {
        self.code().is_none() && self != Self::MaxHunt { early: true }
    }

    pub(super) fn code(self) -> Option<u16> {
        match self {
            Self::Answer(code) => Some(code),
            Self::Timeout | Self::Silence | Self::MaxHunt { .. } | Self::Transport => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Before, Judged, Outcome, rank, verdict};
    use crate::pool::health::Tried;
    use model::config::{Service, StatusSet};
    use std::time::Duration;

    #[test]
    fn the_best_failure() {
        // each is better than the one behind it
        let order = [603, 302, 401, 404, 500, 503];
        for (better, worse) in order.iter().zip(&order[1..]) {
            assert!(rank(*better) < rank(*worse), "{better} {worse}");
        }
        for code in [407, 415, 420, 484] {
            assert_eq!(rank(code), rank(401));
        }
        let everything =
            verdict(Outcome::Answer(603), Before::Nothing, true, None, Service::Voicexml);
        assert!(!everything.next, "a 6xx ends the hunt");
    }

    #[test]
    fn the_table() {
        let text = include_str!("../../tests/it/testdata/failover.txt");
        let mut rows = 0;
        for line in text.lines().map(|line| line.split('#').next().unwrap()) {
            let [outcome, service, next, resource] =
                line.split_whitespace().collect::<Vec<_>>()[..]
            else {
                assert!(line.trim().is_empty(), "{line}");
                continue;
            };
            let (before, outcome) = match outcome.split_once(',') {
                Some(("180", outcome)) => (Before::Progress, outcome),
                Some(("CANCEL", outcome)) => (Before::Gone, outcome),
                Some((other, _)) => panic!("{other}"),
                None => (Before::Nothing, outcome),
            };
            let (outcome, retry_after) = match outcome.split_once('+') {
                Some((code, seconds)) => (code, Some(seconds.parse().unwrap())),
                None => (outcome, None),
            };
            let outcome = match outcome {
                "timeout" => Outcome::Timeout,
                "transport" => Outcome::Transport,
                "silence" => Outcome::Silence,
                "max-hunt" => Outcome::MaxHunt { early: false },
                "early" => Outcome::MaxHunt { early: true },
                code => Outcome::Answer(code.parse().unwrap()),
            };
            let service = Service::parse(service).unwrap();
            let resource = match resource {
                "quarantine" => Some(Tried::Failed),
                "answered" => Some(Tried::Answered),
                "full-1s" => Some(Tried::Full(Duration::from_secs(1))),
                "full-5s" => Some(Tried::Full(Duration::from_secs(5))),
                "nothing" => None,
                other => panic!("{other}"),
            };
            let codes = StatusSet::failover_default(&[service]);
            let listed = matches!(outcome, Outcome::Answer(code) if codes.contains(code));
            let judged = verdict(outcome, before, listed, retry_after, service);
            assert_eq!(judged, Judged { next: next == "yes", resource }, "{line}");
            rows += 1;
        }
        assert!(rows >= 53, "{rows}");
    }
}
