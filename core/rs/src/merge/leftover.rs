//! Updates that found no room (`FACTS_PER_CALL`): of each the values that no higher one of them
//! has. A row shows what it would with all of them, whatever was there when they were dropped: in
//! another order others would have been kept.

use super::order::Rank;
use crate::fact::CallFact;
use crate::limits::EXTRA_BYTES;

/// Adds one to those that are there, the highest of which comes first.
pub(super) fn add(leftovers: &mut Vec<CallFact>, mut fact: CallFact) {
    let rank = Rank::of(&fact);
    let at = leftovers.partition_point(|known| Rank::of(known) > rank);
    let (higher, lower) = leftovers.split_at_mut(at);
    higher.iter().for_each(|known| fact.values.strip(&known.values));
    lower.iter_mut().for_each(|known| known.values.strip(&fact.values));
    // what these tell of a call is kept apart (`Dropped`)
    (fact.tenant, fact.usage, fact.profile) = (Vec::new(), Vec::new(), None);
    leftovers.insert(at, fact);
    bound(leftovers);
    leftovers.retain(|known| !known.values.is_empty());
}

/// Of the unknown fields as many as a row shows, the first by name; each value once. Where those
/// of a call exceed [`EXTRA_BYTES`] together, which of them its row shows depends on what was there
/// when: rule 8 is for all other values, and for these up to that size.
fn bound(leftovers: &mut [CallFact]) {
    let extra = leftovers.iter().flat_map(|known| &known.values.extra);
    let mut sizes: Vec<_> =
        extra.map(|(key, value)| (key.clone(), key.len() + value.len())).collect();
    let mut bytes: usize = sizes.iter().map(|(_, bytes)| bytes).sum();
    sizes.sort();
    while bytes > EXTRA_BYTES
        && let Some((key, size)) = sizes.pop()
    {
        bytes -= size;
        leftovers.iter_mut().for_each(|known| _ = known.values.extra.remove(&key));
    }
}
