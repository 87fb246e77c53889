//! Chains that never end.

/// Those that come back to themselves when each is followed to its next one, in ascending order.
pub(super) fn members(next: &[Option<usize>]) -> Vec<usize> {
    // 0 = not seen, n = seen on the walk that began at n - 1
    let mut seen = vec![0_usize; next.len()];
    let follow = |at: usize| next.get(at).copied().flatten();
    let mut found = Vec::new();
    for start in 0..next.len() {
        let mut at = Some(start);
        while let Some(cell) = at.and_then(|at| seen.get_mut(at)).filter(|cell| **cell == 0) {
            *cell = start + 1;
            at = at.and_then(follow);
        }
        let first = at.filter(|at| seen.get(*at) == Some(&(start + 1)));
        let mut member = first;
        while let Some(at) = member {
            found.push(at);
            member = follow(at).filter(|next| Some(*next) != first);
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::members;

    #[test]
    fn cycles_of_any_length_and_what_hangs_on_them() {
        for (next, expected) in [
            (vec![], vec![]),
            (vec![None, Some(0), Some(1)], vec![]),
            (vec![Some(0)], vec![0]),
            (vec![None, Some(2), Some(1), Some(1)], vec![1, 2]),
            (vec![Some(1), Some(2), Some(0), Some(4), Some(3), Some(0)], vec![0, 1, 2, 3, 4]),
            (vec![Some(9)], vec![]),
        ] {
            assert_eq!(members(&next), expected, "{next:?}");
        }
    }
}
