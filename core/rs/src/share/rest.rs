//! A share that would read too much at once. Each record brings with it all that is stored of its
//! session or GUID, so that a batch may read many times what it has itself. Beyond [`SHARE_BYTES`]
//! a share begins again with fewer of them, and leaves the rest of what it was told to the next
//! one. By then it has written nothing: it is as if the batch had come in two.
//!
//! ```text
//! told 2000 sessions ─► reads ─► too much: told 1000 ─► reads ─► too much: told 500 ─► writes
//!                                the next one: told 1000 of the 1500 that are left ◄──────┘
//! ```
//! What hangs together with one of them alone is always read: [`Room`] bounds each session and
//! GUID, though not how many of them hang together.
//!
//! [`SHARE_BYTES`]: crate::limits::SHARE_BYTES
//! [`Room`]: super::room::Room

use std::collections::BTreeMap;

use model::record::ComponentType;

use super::calls::DayGuid;
use super::changes::{DayKey, SessionKey};
use super::{Batch, Share, Task};
use crate::erase::named;
use crate::fact::Told;
use crate::key::Day;

/// By what a task reads: those of one are done together, so that it is read once. What names a
/// session goes by it, for its calls may have as many GUIDs; RM's legs, and what names none, by
/// their GUID, which is read with each share that has one of its sessions. A name that carries no
/// time may be of another session on each day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Guid(DayGuid),
    /// At the component of this name.
    Session(Day, String, String),
    Lent(String),
    Revisited(SessionKey),
    Call(DayKey),
    Record(usize),
}

impl<'b> Share<'b> {
    /// More is stored than may be read: begins again with a half.
    pub(super) fn halve(&mut self) {
        let tasks = std::mem::take(&mut self.tasks);
        let count = groups(self.batch, &tasks).1;
        let half = (count / 2).max(1);
        let (now, mut rest) = first(self.batch, tasks, half);
        rest.append(&mut self.rest);
        let whole = half == 1;
        *self = Self { tasks: now, rest, whole, ..Self::within(self.limit, self.batch, self.only) };
    }

    /// A share of what was left, twice as large as this one was: that could be read.
    pub(super) fn next(&mut self) -> Option<Self> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        let count = groups(self.batch, &self.tasks).1;
        let (tasks, rest) = first(self.batch, rest, count.max(1).saturating_mul(2));
        Some(Self { tasks, rest, ..Self::within(self.limit, self.batch, self.only) })
    }
}

/// The tasks of the first so many groups, and the others. Those that read nothing to speak of are
/// among the first.
fn first(batch: &Batch<'_>, tasks: Vec<Task>, count: usize) -> (Vec<Task>, Vec<Task>) {
    let (ranks, _) = groups(batch, &tasks);
    let (mut now, mut rest) = (Vec::new(), Vec::new());
    for (task, rank) in tasks.into_iter().zip(ranks) {
        if rank.is_none_or(|rank| rank < count) { now.push(task) } else { rest.push(task) }
    }
    (now, rest)
}

/// Of each task the number of its group, in the order in which they come; and how many there are.
fn groups(batch: &Batch<'_>, tasks: &[Task]) -> (Vec<Option<usize>>, usize) {
    let mut known = BTreeMap::new();
    let ranks = tasks.iter().map(|task| {
        let next = known.len();
        Some(*known.entry(group(batch, task)?).or_insert(next))
    });
    let ranks = ranks.collect();
    (ranks, known.len())
}

fn group(batch: &Batch<'_>, task: &Task) -> Option<Group> {
    let index = match task {
        Task::Book(_) | Task::Reject(..) => return None,
        Task::Store(index) | Task::Touch(index) => *index,
        Task::Erase(at, _) => return Some(Group::Call(*at)),
        Task::Lend(guid) => return Some(Group::Lent(guid.clone())),
        Task::Revisit(session) => return Some(Group::Revisited(session.clone())),
    };
    let day = batch.day(index)?;
    let good = batch.items().get(index)?.read.as_ref().ok()?;
    let component = &good.record.component;
    let Some((guid, session)) = named(&good.record) else { return Some(Group::Record(index)) };
    let is_leg = matches!(good.fact.told, Told::Call(_)) && component.kind == ComponentType::Rm;
    let session = session.filter(|session| !session.is_empty() && !is_leg).map(str::to_owned);
    let of_session = session.map(|session| Group::Session(day, component.name.clone(), session));
    Some(of_session.or_else(|| Some(Group::Guid((day, guid?)))).unwrap_or(Group::Record(index)))
}
