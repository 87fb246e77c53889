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

/// What is known of a call to who has placed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// It must become this.
    pub meant: Option<Meant>,
    /// No limit may refuse it.
    pub priority: bool,
    /// Call-ID of the dialog that it names; empty: none.
    pub names: String,
}

/// What a party has seen or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The caller has placed it.
    Placed(Placed),
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
    /// The token of a dialog that this party knows was taken for a forged one.
    Distrusted,
    /// A called party has sent it back with another number.
    Turned,
    /// The caller gives it up.
    Cancels,
    /// The party is gone.
    Vanishes,
}
