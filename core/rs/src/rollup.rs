//! Stage 14: hours and days as a pure function of facts (rs.md §4).
//!
//! A call is a list of *parts* (`part`): for each figure that it counts in, when it arrived, when
//! it was there, when it was over. A five-minute bin is made of all parts that touch it (`five`),
//! every larger bin of its smaller ones (`Figures::join`), never by adding to what is stored. So
//! the order of facts and the moment of the work make no difference, and what a change of a call
//! touches is where its parts differ (`touched`). No clock and no list of time zones: a [`Zone`]
//! is given. On the call's way this is stage 14.

mod call;
mod figures;
mod five;
mod key;
mod level;
mod outcome;
mod own;
mod part;
mod quality;
#[cfg(test)]
mod tests;
mod touch;
mod zone;

pub use call::{Call, Ports, Run};
pub use figures::{Count, Figures};
pub use five::{Facts, five};
pub use key::{CountKey, Dim, LevelKey, Measure, Target, text_id};
pub use level::{Deltas, Level, Types};
pub use outcome::{Action, ActionKey, OTHER, Outcome, OutcomeKey};
pub use own::{OwnCount, OwnLevel};
pub use quality::Quality;
pub use touch::{touched, touched_session};
pub use zone::{Bin, Granularity, Weekday, Zone};
