//! Called numbers: their normal form, the patterns over them, and the index that finds a call's
//! pattern.
//!
//! Patterns are exact numbers, ranges of equal length and prefixes (rm.md §3.1). Precedence:
//! exact, then the narrowest range, then the longest prefix. A look-up costs O(length of the
//! number): one probe for the exact number, a binary search over at most 10^length disjoint
//! segments, one probe per length that some prefix has. Stage select asks; whether patterns of two
//! tenants share a number is `overlap`'s question.

mod edit;
mod index;
mod others;
mod overlap;
mod pattern;
mod plain;

pub(crate) use edit::Edit;
pub use index::DidIndex;
pub use overlap::{Clash, Entry, clashes};
pub use pattern::{Pattern, PatternError, normalise, normalise_into};

#[cfg(test)]
mod tests;
