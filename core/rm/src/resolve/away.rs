//! Targets that gave no answer lately: they stand behind the others of their name for a while, so
//! that one request finds out and not each (rm.md §1.2). They stay in the order: when all others
//! fail they are tried all the same.

use std::time::Duration;

use sip::locate::Target;

use crate::limits;

/// See the module; at most [`limits::AWAY_TARGETS`].
#[derive(Debug, Default)]
pub(crate) struct Away {
    targets: Vec<(Target, Duration)>,
}

impl Away {
    /// No answer came from there.
    pub(crate) fn note(&mut self, now: Duration, target: Target) {
        self.back(target);
        if self.targets.len() >= limits::AWAY_TARGETS {
            self.targets.remove(0);
        }
        self.targets.push((target, now + limits::AWAY));
    }

    /// It answers.
    pub(crate) fn back(&mut self, target: Target) {
        self.targets.retain(|(own, _)| *own != target);
    }

    /// Only these are of interest from now on.
    pub(crate) fn keep(&mut self, targets: &[Target]) {
        self.targets.retain(|(own, _)| targets.contains(own));
    }

    /// Puts those that are away behind the others.
    pub(crate) fn sort(&self, now: Duration, order: &mut [Target]) {
        if !self.targets.is_empty() {
            let is_away =
                |target: &Target| self.targets.iter().any(|(own, to)| own == target && *to > now);
            order.sort_by_key(is_away);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::transport::Transport;

    fn target(port: u16) -> Target {
        Target { transport: Transport::Udp, remote: ([10, 0, 0, 1], port).into() }
    }

    #[test]
    fn the_last_for_a_minute_and_never_too_many() {
        let mut away = Away::default();
        let at = Duration::from_secs;
        let order = |away: &Away, now: u64| {
            let mut order = [target(1), target(2), target(3)];
            away.sort(at(now), &mut order);
            order.map(|one| one.remote.port())
        };
        away.note(at(0), target(1));
        assert_eq!(order(&away, 59), [2, 3, 1]);
        assert_eq!(order(&away, 60), [1, 2, 3]);
        away.note(at(0), target(2));
        away.back(target(1));
        assert_eq!(order(&away, 1), [1, 3, 2]);
        away.keep(&[target(1)]);
        assert_eq!(order(&away, 1), [1, 2, 3]);
        for port in 0..1000 {
            away.note(at(0), target(port));
        }
        assert_eq!(away.targets.len(), limits::AWAY_TARGETS);
        assert_eq!(order(&away, 1), [1, 2, 3], "the oldest are forgotten");
    }
}
