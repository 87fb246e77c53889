//! The Config Server daemon: one ordered history of small transactions over the platform objects.
//!
//! Must not know what a call is: it keeps objects, says what is wrong with them, and tells whoever
//! wants to know what has changed (ops.md §1).

pub mod books;
pub mod change;
pub mod limits;
pub mod refusal;
pub mod store;
pub mod transaction;
pub mod who;

pub use books::Books;
pub use refusal::Refusal;
pub use transaction::{Outcome, Transaction};
pub use who::Who;
