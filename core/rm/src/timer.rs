//! What is due when: for each timer at most one deadline, with its reason.
//!
//! Owners take back what they have set, so a fired timer is never stale and nothing is counted
//! twice. Equal deadlines fire in the order of the enum: replay.

use std::time::Duration;

use model::map::Map;

/// One thing that becomes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The next OPTIONS of a resource.
    Probe(usize),
    /// A held answer to a BYE must leave.
    Held,
    /// Timer C of a try, or the end of the hunt that it is part of.
    Try(usize),
    /// Timer C of a re-INVITE.
    RelayC(usize),
    /// The watch over a try that was given up ends.
    Watch(usize),
    /// A leg's session timer, silence or longest duration.
    Leg(usize),
    /// An overloaded engine looks at what it sheds.
    Overload,
    /// Tombstones become old.
    Tombstones,
    /// A host name becomes old, or its question has no answer.
    Name(usize),
    /// Sessions that have ended can be joined no longer.
    Linger,
    /// A resource has been dead for long enough: its calls are released.
    Release(usize),
    /// The next calls that are released.
    Releases,
    /// A resource was to be empty by now.
    Deadline(usize),
    /// A minute is over.
    Minute,
    /// A leg that is up says so.
    Update(usize),
    /// Legs are looked for that are up on resources which have come.
    Returns,
    /// A name that media servers are found by is asked for.
    Discovery,
    /// The next calls of dead resources that are told of.
    Tells,
    /// The next BYE of our own whose name is known.
    Farewells,
}

impl Timer {
    /// One number, in the order of the enum: what it is in the upper half, whose in the lower.
    fn code(self) -> u64 {
        let (kind, key) = match self {
            Self::Probe(key) => (0, key),
            Self::Held => (1, 0),
            Self::Try(key) => (2, key),
            Self::RelayC(key) => (3, key),
            Self::Watch(key) => (4, key),
            Self::Leg(key) => (5, key),
            Self::Overload => (6, 0),
            Self::Tombstones => (7, 0),
            Self::Name(key) => (8, key),
            Self::Linger => (9, 0),
            Self::Release(key) => (10, key),
            Self::Releases => (11, 0),
            Self::Deadline(key) => (12, key),
            Self::Minute => (13, 0),
            Self::Update(key) => (14, key),
            Self::Returns => (15, 0),
            Self::Discovery => (16, 0),
            Self::Tells => (17, 0),
            Self::Farewells => (18, 0),
        };
        kind << 32 | key as u64
    }

    fn of_code(code: u64) -> Option<Self> {
        let key = usize::try_from(code & u64::from(u32::MAX)).ok()?;
        Some(match code >> 32 {
            0 => Self::Probe(key),
            1 => Self::Held,
            2 => Self::Try(key),
            3 => Self::RelayC(key),
            4 => Self::Watch(key),
            5 => Self::Leg(key),
            6 => Self::Overload,
            7 => Self::Tombstones,
            8 => Self::Name(key),
            9 => Self::Linger,
            10 => Self::Release(key),
            11 => Self::Releases,
            12 => Self::Deadline(key),
            13 => Self::Minute,
            14 => Self::Update(key),
            15 => Self::Returns,
            16 => Self::Discovery,
            17 => Self::Tells,
            18 => Self::Farewells,
            _ => return None,
        })
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Probe(_) => "probe",
            Self::Held => "bye-hold",
            Self::Try(_) => "try",
            Self::RelayC(_) => "timer-c",
            Self::Watch(_) => "watch",
            Self::Leg(_) => "leg-expiry",
            Self::Overload => "overload",
            Self::Tombstones => "tombstones",
            Self::Name(_) => "name",
            Self::Linger => "session-linger",
            Self::Release(_) | Self::Releases | Self::Tells => "release",
            Self::Deadline(_) => "deadline",
            Self::Minute => "minute",
            Self::Update(_) => "update",
            Self::Returns => "returns",
            Self::Discovery => "discovery",
            Self::Farewells => "farewells",
        }
    }
}

/// All deadlines of the engine but those of transactions: a heap, and where in it each timer
/// stands, so that setting and taking back allocate nothing in the steady state.
#[derive(Debug)]
pub(crate) struct Timers {
    heap: Vec<Due>,
    places: Map<u64, u32>,
}

/// Ordered by time, then by the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    /// Nanoseconds; 584 years fit.
    at: u64,
    timer: u64,
}

impl Timers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { heap: Vec::new(), places: Map::new(seed) }
    }

    /// Sets the deadline of `timer`, instead of the one that it may have.
    pub(crate) fn set(&mut self, at: Duration, timer: Timer) {
        self.take_back(timer);
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let place = self.heap.len();
        self.heap.push(Due { at, timer: timer.code() });
        self.note(place);
        self.rise(place);
    }

    /// There is nothing to wait for.
    pub(crate) fn take_back(&mut self, timer: Timer) {
        let Some(place) = self.places.remove(&timer.code()) else { return };
        let place = place as usize;
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.note(place);
            self.rise(place);
            self.sink(place);
        }
    }

    /// Takes the first one that is due.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<Timer> {
        let (at, timer) = self.first()?;
        (at <= now).then(|| {
            self.take_back(timer);
            timer
        })
    }

    pub(crate) fn next(&self) -> Option<(Duration, &'static str)> {
        self.first().map(|(at, timer)| (at, timer.reason()))
    }

    fn first(&self) -> Option<(Duration, Timer)> {
        let first = self.heap.first()?;
        Some((Duration::from_nanos(first.at), Timer::of_code(first.timer)?))
    }

    /// Up to where nothing above is later.
    fn rise(&mut self, mut place: usize) {
        while let Some(above) = place.checked_sub(1).map(|place| place / 2)
            && self.heap.get(place) < self.heap.get(above)
        {
            self.swap(place, above);
            place = above;
        }
    }

    /// Down to where nothing below is sooner.
    fn sink(&mut self, mut place: usize) {
        loop {
            let below = [2 * place + 1, 2 * place + 2].into_iter();
            let below = below.filter(|one| *one < self.heap.len());
            let Some(sooner) = below.min_by_key(|one| self.heap.get(*one).copied()) else { return };
            if self.heap.get(place) <= self.heap.get(sooner) {
                return;
            }
            self.swap(place, sooner);
            place = sooner;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }

    fn note(&mut self, place: usize) {
        if let (Some(due), Ok(number)) = (self.heap.get(place), u32::try_from(place)) {
            self.places.insert(due.timer, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Timer, Timers};
    use model::chance::Chance;
    use std::collections::BTreeMap;
    use std::time::Duration;

    #[test]
    fn due_ones_come_in_order_and_once() {
        let second = Duration::from_secs;
        let mut timers = Timers::new(1);
        timers.set(second(2), Timer::Held);
        timers.set(second(1), Timer::Leg(7));
        timers.set(second(1), Timer::Probe(3));
        timers.set(second(3), Timer::Watch(1));
        timers.take_back(Timer::Watch(1));
        assert_eq!(timers.next(), Some((second(1), "probe")));
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop(second(2))).collect();
        assert_eq!(fired, [Timer::Probe(3), Timer::Leg(7), Timer::Held]);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn any_order_of_setting_and_taking_back_leaves_the_order_of_time() {
        let (mut timers, mut chance) = (Timers::new(1), Chance::new([5; 4]));
        let mut expected = BTreeMap::new();
        for _ in 0..2000 {
            let key = usize::try_from(chance.below(100)).unwrap();
            let at = Duration::from_millis(chance.below(1000));
            if chance.below(3) == 0 {
                timers.take_back(Timer::Leg(key));
                expected.remove(&key);
            } else {
                timers.set(at, Timer::Leg(key));
                expected.insert(key, at);
            }
        }
        let mut sorted: Vec<_> = expected.into_iter().map(|(key, at)| (at, key)).collect();
        sorted.sort_unstable();
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop(Duration::from_secs(2))).collect();
        assert_eq!(fired, sorted.iter().map(|(_, key)| Timer::Leg(*key)).collect::<Vec<_>>());
        assert!(timers.places.is_empty());
    }
}
