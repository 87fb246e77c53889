//! The store on SQL Server ≥ 2016 (spec rs.md §3.3): one database, keys that begin with the day.
//!
//! What is run is a [`Statement`] of one list, which an independent parser of T-SQL reads in the
//! tests. The driver's futures must not be dropped in the middle of a read: time-outs are its own,
//! and a connection that met an error or a time-out is closed, never used again.

mod check;
mod failure;
mod link;
mod migrate;
mod statement;
mod target;

pub use check::Fit;
pub use failure::Failure;
pub use link::{Cells, Link, Times};
pub use migrate::{batches, is_migrated, migrate};
pub use statement::Statement;
pub use target::{BadTarget, Encrypt, Target};
