//! Stage 15: a question becomes a plan (rs.md §5.1, §5.4).
//!
//! The text of a query is read, checked and refused with the codes of §5.13; what comes out is a
//! [`Filter`] of typed values that the store turns into SQL with parameters only. Nothing is
//! looked up here: an id that no object has is a filter that finds nothing.

mod datetime;
mod details;
mod filter;
mod meets;
mod parameters;
mod refused;

pub use datetime::datetime;
pub use details::{Details, Settings, details};
pub use filter::{Filter, Number, Party, Progress, Unit, Uri};
pub use parameters::Parameters;
pub use refused::Refused;

#[cfg(test)]
mod tests;
