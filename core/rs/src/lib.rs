//! Reporting Server: facts become calls; pure.
//!
//! Records come in (`fact`), merge into calls whatever their order (`merge`, `correlate`, `var`,
//! `quality`), a batch of them becomes the rows that change (`share`), calls become figures of
//! hours and days (`rollup`, response times by `sketch`), a question becomes a plan
//! (`query`), and an answer becomes a document (`report`). No database, clock or socket:
//! `server/rsd` carries the plans out in SQL, and the simulator does without.
//! On the call's way these are stages 13 (apply), 14 (roll up) and 15 (report).
#![warn(missing_docs)]

pub mod key;
pub mod fact;
pub mod merge;
pub mod correlate;
pub mod row;
pub mod var;
pub mod quality;
pub mod erase;
pub mod intervals;
pub mod share;
pub mod split;
pub mod query;
pub mod report;
pub mod live;
pub mod rollup;
pub mod retention;
pub mod export;
pub mod orphan;
pub mod privacy;
pub mod integrity;
pub mod sketch;
pub mod invariant;
pub mod limits;

pub use fact::{CallFact, EventFact, Fact, Told};
pub use intervals::Intervals;
pub use key::{Day, Key, Keys};
pub use merge::{CallState, Change, Trace};
pub use query::{Details, Filter, Refused};
pub use row::CallRow;
