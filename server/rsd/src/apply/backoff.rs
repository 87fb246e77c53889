//! Pauses between attempts: 0.5 s doubling to 30 s, jitter ±20 %; told once per outage and then
//! once per minute (spec rs.md §1.4).

use std::time::Duration;

use model::chance::Chance;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
const TELL_AGAIN: Duration = Duration::from_secs(60);

pub(super) struct Backoff {
    chance: Chance,
    /// The next pause, before jitter; `None`: all is well.
    next: Option<Duration>,
    told: Option<Duration>,
}

impl Backoff {
    pub(super) const fn new(chance: Chance) -> Self {
        Self { chance, next: None, told: None }
    }

    /// It worked; true: after an outage.
    pub(super) const fn good(&mut self) -> bool {
        self.told = None;
        self.next.take().is_some()
    }

    /// Whether this failure is to be logged.
    pub(super) fn is_to_be_told(&mut self, now: Duration) -> bool {
        let due = self.told.is_none_or(|told| now >= told + TELL_AGAIN);
        if due {
            self.told = Some(now);
        }
        due
    }

    /// How long to wait before the next attempt.
    pub(super) fn pause(&mut self) -> Duration {
        let pause = self.next.unwrap_or(FIRST);
        self.next = Some((pause * 2).min(LONGEST));
        let percent = u32::try_from(80 + self.chance.below(41)).unwrap_or(100);
        pause * percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_log_is_not_flooded() {
        let mut backoff = Backoff::new(Chance::new([1, 2, 3, 4]));
        assert!(!backoff.good());
        let at = |seconds| Duration::from_secs(seconds);
        let told = [0, 1, 59, 60, 61, 120].map(|second| backoff.is_to_be_told(at(second)));
        assert_eq!(told, [true, false, false, true, false, true]);
        let mut expected = FIRST;
        for _ in 0..10 {
            let pause = backoff.pause();
            assert!(pause >= expected * 4 / 5 && pause <= expected * 6 / 5, "{pause:?}");
            expected = (expected * 2).min(LONGEST);
        }
        assert!(backoff.good());
        assert!(backoff.pause() <= FIRST * 6 / 5);
        assert!(backoff.is_to_be_told(at(121)), "a new outage");
    }
}
