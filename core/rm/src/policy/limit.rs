//! Usage of tenants and profiles: sets of live sessions, never counters (rm.md §2.1, §6.2).

use model::config::Policy;
use model::map::Map;

use super::Object;

/// For every object the set of its live sessions (keys of the session table).
#[derive(Debug)]
pub(crate) struct Usage {
    sets: Map<Object, Map<u32, ()>>,
    seed: u64,
}

impl Usage {
    pub(crate) fn new(seed: u64) -> Self {
        Self { sets: Map::new(seed), seed }
    }

    /// Size of the set.
    pub(crate) fn count(&self, object: Object) -> u64 {
        self.sets.get(&object).map_or(0, |set| u64::try_from(set.len()).unwrap_or(u64::MAX))
    }

    pub(crate) fn contains(&self, object: Object, session: usize) -> bool {
        self.sets.get(&object).is_some_and(|set| set.contains_key(&narrow(session)))
    }

    pub(crate) fn insert(&mut self, object: Object, session: usize) {
        let seed = self.seed;
        self.sets.get_or_insert_with(object, || Map::new(seed)).insert(narrow(session), ());
    }

    pub(crate) fn remove(&mut self, object: Object, session: usize) {
        if let Some(set) = self.sets.get_mut(&object) {
            set.remove(&narrow(session));
        }
    }

    /// Forgets the objects that nobody uses: their empty sets are kept for the next session.
    pub(crate) fn forget_unused(&mut self) {
        self.sets.retain(|_, set| !set.is_empty());
    }
}

/// There are fewer sessions than 2^32 (`limits.rs`).
fn narrow(session: usize) -> u32 {
    u32::try_from(session).unwrap_or(u32::MAX)
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
    use super::{Usage, level};
    use model::config::{Burst, Policy};
    use model::id::Dbid;
    use model::record::Scope;

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

    #[test]
    fn a_session_is_in_a_set_once() {
        let (mut usage, object) = (Usage::new(1), (Scope::Tenant, Dbid(7)));
        usage.insert(object, 3);
        usage.insert(object, 3);
        assert_eq!(usage.count(object), 1);
        assert!(usage.contains(object, 3));
        usage.remove(object, 3);
        usage.remove(object, 3);
        assert_eq!(usage.count(object), 0);
    }
}
