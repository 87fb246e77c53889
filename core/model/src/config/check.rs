//! The later stages of validation: references, numbers, policy, limits (ops.md §1.3).
//!
//! Each takes the whole set of drafts and notes every fault it finds; a stage runs only when the
//! earlier ones were clean, so that it may rely on them.

pub(crate) mod children;
pub(crate) mod dids;
pub(crate) mod effect;
pub(crate) mod limits;
pub(crate) mod policy;
pub(crate) mod references;

pub(crate) use references::Links;
