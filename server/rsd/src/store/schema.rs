//! With which schemas this version works, the same in all databases (spec rs.md §3.4, §11): its
//! own, and that of the next minor version, whose steps only add. So schemas are updated first,
//! then the servers one by one; and back by one.

/// Whether a step that this version does not know, and which `by` has taken, leaves it everything
/// that it needs.
pub(super) fn is_next(by: &str) -> bool {
    follows(env!("CARGO_PKG_VERSION"), by)
}

/// Whether `by` is of the same minor version as `own`, or of the next one.
fn follows(own: &str, by: &str) -> bool {
    match (numbers(own), numbers(by)) {
        (Some((major, minor)), Some((of, by))) => of == major && (by == minor || by == minor + 1),
        _ => false,
    }
}

/// Major and minor version.
fn numbers(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.');
    let major = numbers.next()?.parse().ok()?;
    // a number as large as that is none of ours
    let minor: u32 = numbers.next()?.parse().ok()?;
    Some((major, minor.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_minor_version_is_worked_with_and_no_other() {
        for (by, fits) in [
            ("1.4.0", true),
            ("1.4.9", true),
            ("1.5.0-rc.1", true),
            ("1.5", true),
            ("1.6.0", false),
            ("1.3.0", false),
            ("2.4.0", false),
            ("2.0.0", false),
            ("1", false),
            ("", false),
            ("1.x.0", false),
            ("1.99999999999999999999.0", false),
        ] {
            assert_eq!(follows("1.4.2", by), fits, "{by}");
        }
        assert!(is_next(env!("CARGO_PKG_VERSION")));
    }
}
