//! Turns of those that change the same Config Server at once: who was overtaken waits a little,
//! each another time.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use model::chance::Chance;
use net::Clock;

use crate::exit::{Exit, Failure};

/// Longest pause after the first try; each further try has twice as much, up to [`LONGEST`].
const FIRST: Duration = Duration::from_millis(20);
/// Longest pause of all.
const LONGEST: Duration = Duration::from_secs(1);
/// Tries before patience counts.
const TRIES: u32 = 10;

/// Pauses after tries that somebody else overtook.
pub(super) struct Turns {
    clock: Clock,
    /// How long others may be quicker.
    wait: Duration,
    tries: u32,
    chance: Chance,
}

impl Turns {
    pub(super) fn new(wait: Duration) -> Self {
        // every hasher of the standard library has keys of its own
        let seed = std::array::from_fn(|at| RandomState::new().hash_one(at));
        Self { clock: Clock::start(), wait, tries: 0, chance: Chance::new(seed) }
    }

    /// Waits for the next try.
    ///
    /// # Errors
    /// Exit 5: it has been tried for long.
    pub(super) fn pause(&mut self) -> Result<(), Failure> {
        self.tries = self.tries.saturating_add(1);
        if self.tries >= TRIES && self.clock.mono() >= self.wait {
            let text = format!(
                "{} times somebody else changed something meanwhile: try again",
                self.tries
            );
            return Err(Failure::new(Exit::Conflict, text));
        }
        let most = longest(self.tries);
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        std::thread::sleep(Duration::from_micros(self.chance.below(most)));
        Ok(())
    }
}

/// The longest pause after so many tries.
fn longest(tries: u32) -> Duration {
    let doubled = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST.saturating_mul(doubled).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::{TRIES, Turns, longest};
    use std::time::Duration;

    #[test]
    fn pauses_grow_to_a_second() {
        let all: Vec<u128> = [1, 2, 6, 7, 40].map(|tries| longest(tries).as_millis()).to_vec();
        assert_eq!(all, [20, 40, 640, 1_000, 1_000]);
    }

    #[test]
    fn who_has_no_patience_tries_ten_times_all_the_same() {
        let mut turns = Turns::new(Duration::ZERO);
        for _ in 1..TRIES {
            turns.pause().unwrap();
        }
        assert!(turns.pause().unwrap_err().text.starts_with("10 times"));
    }
}
