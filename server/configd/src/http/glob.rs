//! Names with `*` and `?`, as in a shell; no other sign means anything.

/// Whether the whole of `name` is described by `pattern`; in time that is at most the product of
/// their lengths.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // where the last star stands, and where what it takes ends
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(one) if *one == '?' || name.get(n) == Some(one) => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_take_anything_and_question_marks_one() {
        for (pattern, name, expected) in [
            ("acme", "acme", true),
            ("acme", "Acme", false),
            ("ac*", "acme", true),
            ("*", "", true),
            ("*me", "acme", true),
            ("a*m*", "acme", true),
            ("a?me", "acme", true),
            ("a?me", "ame", false),
            ("", "a", false),
            ("*a*b", "xaybz", false),
            ("*ab", "aab", true),
            ("ü?", "üß", true),
            ("[a]", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        let (pattern, name) = ("*a".repeat(60), "a".repeat(4_000) + "b");
        assert!(!matches(&pattern, &name));
    }
}
