//! How long the Reporting Server keeps what is of one object (rs.md §10).
//!
//! Plain data of a snapshot: RM does not look at it.

/// Days by kind of record, 1 to 36,500; `None`: what stands above the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptDays {
    /// Of calls.
    pub cdr: Option<u32>,
    /// Of their events.
    pub events: Option<u32>,
    /// Of what voice applications reported.
    pub var: Option<u32>,
}
