//! What a party tells the reference model.

use std::time::Duration;

use super::plan::Meant;

/// Something that a party has seen or done; the reference model knows the truth from these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Duration,
    /// Which party.
    pub who: &'static str,
    /// Call-ID.
    pub call: String,
    /// What.
    pub fact: Seen,
}

/// What a party has seen or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The caller has placed it, and it must become this.
    Placed(Option<Meant>),
    /// The caller got its final answer: code, and the reason word of a refusal.
    Final(u16, String),
    /// The caller got no final answer.
    Unanswered,
    /// A called party has got it.
    Offered,
    /// A called party has said 2xx to it.
    Taken,
    /// A called party has refused it with this code.
    Refused(u16),
    /// The party has said BYE.
    HangsUp,
    /// A BYE came; the party knew the dialog.
    HungUp,
    /// Its own BYE got this answer (408: none).
    ByeAnswered(u16),
    /// The caller gives it up.
    Cancels,
    /// The party is gone.
    Vanishes,
}
