//! What is done that is not in the database, as lines of the audit log (rs.md §8): an operator ends
//! an alarm or a connection, the Config Server changes a setting. The database may be away just
//! then, so that the lines wait in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::custody::Audit;

/// Lines that wait at most.
const WAITING: usize = 1000;

/// Lines that wait to be written, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Deeds(Mutex<VecDeque<Audit>>);

impl Deeds {
    /// One more; false: there is no room.
    pub(crate) fn add(&self, line: Audit) -> bool {
        let mut waiting = self.lock();
        let room = waiting.len() < WAITING;
        if room {
            waiting.push_back(line);
        }
        room
    }

    /// The oldest; it stays until it is [`Self::written`].
    pub(super) fn next(&self) -> Option<Audit> {
        self.lock().front().cloned()
    }

    /// The oldest is written. Only one thread writes.
    pub(super) fn written(&self) {
        self.lock().pop_front();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Audit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_in_order_until_they_are_written_and_have_a_bound() {
        let line = |no: i64| Audit {
            no,
            time_ms: 0,
            user: None,
            address: "-".to_owned(),
            action: "alarm.end".to_owned(),
            object: String::new(),
            detail: "{}".to_owned(),
            outcome: "done".to_owned(),
        };
        let deeds = Deeds::default();
        let taken = (0..1100).filter(|no| deeds.add(line(*no))).count();
        assert_eq!((taken, deeds.next().unwrap().no), (WAITING, 0));
        deeds.written();
        assert_eq!((deeds.next().unwrap().no, deeds.add(line(7))), (1, true));
    }
}
