//! Licences: an SPDX expression is allowed when every way through it is. Pure; knows no package.
//!
//! `WITH` binds tightest, then `AND`, then `OR`; the slash of old manifests is an `OR`. What cannot
//! be read is refused.

/// Licences that may be linked in; an expression needs one of its alternatives here.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "ISC",
    "Zlib",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
    "0BSD",
    // Certificates as data (webpki-root-certs), for Android only.
    "CDLA-Permissive-2.0",
];

/// Whether a licence expression leaves a choice of which every part is on the list.
pub(super) fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { left: spaced.split_whitespace().collect() };
    words.left.reverse();
    words.either() == Some(true) && words.left.is_empty()
}

/// The words that are still to be read, the next one last. `None` is an expression that is none.
struct Words<'e> {
    left: Vec<&'e str>,
}

impl<'e> Words<'e> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.left.last() == Some(&word);
        if found {
            self.left.pop();
        }
        found
    }

    fn name(&mut self) -> Option<&'e str> {
        self.left.pop().filter(|word| !["(", ")", "AND", "OR", "WITH"].contains(word))
    }

    /// `a OR b OR c`
    fn either(&mut self) -> Option<bool> {
        let mut good = self.both()?;
        while self.take("OR") {
            good |= self.both()?;
        }
        Some(good)
    }

    /// `a AND b AND c`
    fn both(&mut self) -> Option<bool> {
        let mut good = self.one()?;
        while self.take("AND") {
            good &= self.one()?;
        }
        Some(good)
    }

    /// `( … )`, `licence` or `licence WITH exception`
    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let good = self.either()?;
            return self.take(")").then_some(good);
        }
        let licence = self.name()?;
        if self.take("WITH") {
            let whole = format!("{licence} WITH {}", self.name()?);
            return Some(LICENCES.contains(&whole.as_str()));
        }
        Some(LICENCES.contains(&licence))
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn expressions_need_one_allowed_alternative() {
        for expression in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
            "MIT OR GPL-3.0 AND LGPL-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
            "((MIT))",
        ] {
            assert!(allowed(expression), "{expression}");
        }
    }

    #[test]
    fn what_binds_to_a_foreign_licence_is_refused() {
        for expression in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "GPL-3.0 AND (Apache-2.0 OR MIT)",
            "(Apache-2.0 OR MIT) AND GPL-3.0",
            "GPL-3.0 OR (MIT AND (GPL-2.0 OR LGPL-3.0))",
            "MIT WITH LLVM-exception",
        ] {
            assert!(!allowed(expression), "{expression}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for expression in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT MIT", "()", "MIT WITH"] {
            assert!(!allowed(expression), "{expression}");
        }
    }
}
