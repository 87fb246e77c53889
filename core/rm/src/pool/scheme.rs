//! The order in which the members of one tier of a group are tried (rm.md §7.4).
//!
//! Given candidates in the order of the configuration; must not judge whether they are fit.

pub(crate) mod round_robin;
