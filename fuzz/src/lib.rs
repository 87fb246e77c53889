//! Fuzz targets for everything that reads bytes of strangers, and the machines behind it.
//!
//! A target is a plain function over bytes that panics when something is wrong. The committed
//! inputs of `corpus/` are tests; `cargo xtask ci` adds a bounded run of mutations of them, and
//! `cargo xtask fuzz` a long one that is guided by coverage. Nothing here is part of the product.

/// The targets, in one table.
pub mod target;
/// Inputs: the committed ones, and the files of a crash.
pub mod corpus;
/// How an input is changed.
pub mod mutate;
/// Which code an input reached.
pub mod coverage;
/// The loop: pick, change, run, keep what is new.
pub mod hunt;
/// Of many inputs the few that are worth keeping.
pub mod distil;
/// What catches a crash, a hang and a flood of memory.
pub mod guard;
