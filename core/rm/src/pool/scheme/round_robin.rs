//! Round robin: configuration order, starting behind the one chosen last of this group.
//!
//! The cursor is a dbid, not an index: members come and go, the turn stays with the name.

use model::id::Dbid;

/// The first of `fit` behind `last` in the order of `all`, wrapping around.
pub(crate) fn choose(all: &[Dbid], last: Option<Dbid>, fit: impl Fn(Dbid) -> bool) -> Option<Dbid> {
    let behind = last.and_then(|last| all.iter().position(|one| *one == last));
    let start = behind.map_or(0, |at| at + 1);
    let (front, back) = all.split_at_checked(start).unwrap_or((&[], all));
    back.iter().chain(front).copied().find(|one| fit(*one))
}

#[cfg(test)]
mod tests {
    use super::choose;
    use model::id::Dbid;

    #[test]
    fn turns() {
        let all = [1, 2, 3].map(Dbid);
        let pick = |last: Option<u32>, fit: &[u32]| {
            choose(&all, last.map(Dbid), |one| fit.contains(&one.0)).map(|one| one.0)
        };
        assert_eq!(pick(None, &[1, 2, 3]), Some(1));
        assert_eq!(pick(Some(1), &[1, 2, 3]), Some(2));
        assert_eq!(pick(Some(3), &[1, 2, 3]), Some(1));
        assert_eq!(pick(Some(1), &[1, 3]), Some(3));
        assert_eq!(pick(Some(2), &[2]), Some(2));
        assert_eq!(pick(Some(9), &[2]), Some(2));
        assert_eq!(pick(Some(1), &[]), None);
    }
}
