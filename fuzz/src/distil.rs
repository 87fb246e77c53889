//! Of many inputs the few that are worth keeping: together they reach every edge that all reach.
//!
//! Counted are edges alone, not how often each was passed: what only repeats is for the hunt to
//! find again. The input that adds most comes first, of equal ones the smallest, so that where a
//! bound cuts the list off the least is lost.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::coverage;
use crate::guard::Guard;
use crate::target::Target;

/// Inputs of one target that are kept, beside those that somebody has named.
pub const MOST: usize = 64;

/// What of `inputs` reaches edges that `fixed` does not, at most [`MOST`] of them.
///
/// # Errors
/// An input that crashes.
pub fn distil(
    target: &Target,
    guard: &Guard,
    fixed: &[Vec<u8>],
    mut inputs: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>> {
    let mut covered = BTreeSet::new();
    for input in fixed {
        covered.extend(edges(target, guard, input)?);
    }
    inputs.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    inputs.dedup();
    let mut candidates = Vec::new();
    for input in inputs {
        let mut edges = edges(target, guard, &input)?;
        edges.retain(|edge| !covered.contains(edge));
        candidates.push((edges, input));
    }
    Ok(fewest(candidates))
}

fn edges(target: &Target, guard: &Guard, input: &[u8]) -> Result<Vec<u32>> {
    coverage::reset();
    if let Err(said) = guard.run(target, input) {
        bail!("{}: {said}", target.name);
    }
    Ok(coverage::reached())
}

/// Again and again the first one that adds most, until none adds anything.
fn fewest(mut candidates: Vec<(Vec<u32>, Vec<u8>)>) -> Vec<Vec<u8>> {
    let mut kept = Vec::new();
    while kept.len() < MOST {
        candidates.retain(|(edges, _)| !edges.is_empty());
        let most = candidates.iter().map(|(edges, _)| edges.len()).max();
        let Some(at) = candidates.iter().position(|(edges, _)| Some(edges.len()) == most) else {
            break;
        };
        let (added, input) = candidates.remove(at);
        for (edges, _) in &mut candidates {
            edges.retain(|edge| added.binary_search(edge).is_err());
        }
        kept.push(input);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_adds_most_comes_first_and_what_adds_nothing_not_at_all() {
        let candidates = vec![
            (vec![1], b"a".to_vec()),
            (vec![], b"b".to_vec()),
            (vec![1, 2, 3], b"cc".to_vec()),
            (vec![2, 3, 4], b"dd".to_vec()),
            (vec![4, 7], b"eee".to_vec()),
        ];
        assert_eq!(fewest(candidates), [b"cc".to_vec(), b"eee".to_vec()]);
        let many = (0_u32..100).map(|n| (vec![n], n.to_be_bytes().to_vec())).collect();
        assert_eq!(fewest(many).len(), MOST);
    }
}
