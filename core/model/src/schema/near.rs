//! "did you mean": the nearest of some words by edit distance.

/// The word nearest to `word`, if one is near enough to be meant: at most a third of its letters
/// differ (insert, delete, replace, or swap of neighbours), `-` and `_` being alike.
#[must_use]
pub fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let wanted: Vec<char> = plain(word).chars().take(64).collect();
    let scored = words.into_iter().map(|other| {
        let letters: Vec<char> = plain(other).chars().take(64).collect();
        (distance(&wanted, &letters), other)
    });
    let (far, near) = scored.min_by_key(|(far, _)| *far)?;
    (far <= (wanted.len().max(near.len()) / 3).max(1)).then_some(near)
}

/// Optimal string alignment: edits from `a` to `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&last, j) + usize::from(x != y);
            let mut best = replaced.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_and_far() {
        let words = ["usage_limit", "burst", "services", "respcodes"];
        let cases = [
            ("usage_limits", Some("usage_limit")),
            ("usage-limit", Some("usage_limit")),
            ("usagelimit", Some("usage_limit")),
            ("burts", Some("burst")),
            ("Services", Some("services")),
            ("x", None),
            ("", None),
            ("quite_something_else", None),
        ];
        for (word, near) in cases {
            assert_eq!(nearest(word, words), near, "{word}");
        }
        assert_eq!(nearest("x", []), None);
    }
}
