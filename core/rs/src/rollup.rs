//! Stage 14: hours and days as a pure function of facts (rs.md §4).
//!
//! A call is a list of *parts* (`part`): for each figure that it counts in, when it arrived, when
//! it was there, when it was over. Events of ports and failures hang on sessions; each is of one
//! call (`owned`). A five-minute bin is made of all parts that touch it (`five`), every larger bin
//! of its smaller ones (`Figures::join`), never by adding to what is stored. So the order of facts
//! and the moment of the work make no difference, and what a change of a call touches is where its
//! parts differ (`touched`). No clock and no list of time zones: a [`Zone`] is given. On the call's
//! way this is stage 14.

mod alias;
mod call;
mod change;
mod check;
mod columns;
mod figures;
mod five;
mod forget;
mod key;
mod level;
mod mark;
mod outcome;
mod own;
mod owned;
mod part;
mod quality;
mod read;
mod recount;
mod rows;
mod state;
mod stored;
mod sum;
mod tables;
#[cfg(test)]
mod tests;
mod touch;
mod union;
mod waits;
mod work;
mod zone;

pub use alias::Aliases;
pub use call::{Call, Ports, Run};
pub use change::regrouped;
pub use check::check;
pub use figures::{Count, Figures};
#[cfg(test)]
use five::five;
pub use five::{Facts, Numbers};
pub use forget::{BinDays, Gone, Sort, forget};
pub use key::{CountKey, Dim, LevelKey, Measure, Target, text_id};
pub use level::{Deltas, Level, Types};
pub use mark::{DayMark, Job, Mark, MarkRow, Span};
pub use outcome::{Action, ActionKey, OTHER, Outcome, OutcomeKey};
pub use own::{OwnCount, OwnLevel};
pub use owned::{FailureFact, PortFact, beside};
pub use quality::Quality;
pub use recount::{Ask, RECOUNTED_BINS, RECOUNTED_CALLS, Recounted, Whose, recount};
pub use rows::{ActionRow, At, BinRows, CountRow, LatencyRow, LevelRow, OutcomeRow, SqRow};
pub use state::State;
pub use stored::{
    ActionFacts, CallFacts, KeptFacts, OWN_BIN_MS, PORT_EVENTS, Question, Stored, Which,
    own_bin_ms, own_bins, own_bins_of, own_kinds,
};
pub use tables::{Changes, Levels, Meta, Numbered, Tables};
pub use touch::{touched, touched_session};
pub use union::{United, merged, standing, united};
pub use waits::freezes;
pub use work::{Done, Rules, rebuild, work};
pub use zone::{Bin, Granularity, Weekday, Zone, five_of};
