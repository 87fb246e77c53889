//! Logins, refusals and deeds become lines of the audit log (rs.md §8), behind the requests: nobody
//! waits for the database to be let in or refused, and what it does not take now waits.

use std::sync::Arc;
use std::time::Duration;

use model::time::{Millis, Now};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Monitor;
use crate::crew::Worker;
use crate::diary::{Diary, Entry};
use crate::store::StoreError;
use crate::store::custody::{Audit, Custody, ms};

/// Between two looks at what waits,
const PAUSE: Duration = Duration::from_secs(1);
/// and while the database is away.
const AWAY: Duration = Duration::from_secs(10);

impl Monitor {
    /// Writes down what was done, who was let in, and who was not, until the end.
    pub(crate) async fn keep_audit(self: Arc<Self>, mut closed: watch::Receiver<bool>) {
        let mut pause = PAUSE;
        loop {
            let over = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                _ = closed.changed() => true,
            };
            let own = Arc::clone(&self);
            let writing = tokio::task::spawn_blocking(move || own.write_audit(over));
            pause = match writing.await {
                Ok(Ok(())) => PAUSE,
                Ok(Err(_)) => AWAY,
                Err(error) => self.watched.crew.failed(Worker::Audit, error).unwrap_or(AWAY),
            };
            if over {
                return;
            }
        }
    }

    fn write_audit(&self, over: bool) -> Result<(), StoreError> {
        let custody = self.watched.store.custody();
        while let Some(line) = self.deeds.next() {
            custody.note(&line)?;
            self.deeds.written();
        }
        let now = self.clock.now();
        let writing = Writing { custody, now, over };
        if let Some(users) = &self.watched.users {
            writing.all(&users.logins, LOGIN, |entry, line| Audit {
                user: entry.user.clone(),
                object: entry.user.clone().unwrap_or(line.object),
                ..line
            })?;
            // the user was not proved to be one: it is what was asked for, not who did it
            writing.all(&users.refusals, REFUSED, |entry, line| Audit {
                object: entry.user.clone().unwrap_or(line.object),
                detail: json!({ "why": entry.detail }).to_string(),
                ..line
            })?;
        }
        writing.all(&self.forbidden, FORBIDDEN, |entry, line| Audit {
            user: entry.user.clone(),
            object: entry.detail.asked.clone(),
            detail: json!({ "code": entry.detail.code, "why": entry.detail.why }).to_string(),
            ..line
        })
    }
}

/// What somebody was not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forbidden {
    /// Method and path.
    pub(crate) asked: String,
    pub(crate) code: &'static str,
    pub(crate) why: String,
}

/// Action and outcome of a kind.
type Kind = (&'static str, &'static str);

const LOGIN: Kind = ("login", "done");
const REFUSED: Kind = ("login", "refused");
const FORBIDDEN: Kind = ("request", "refused");

/// A turn of writing down.
struct Writing<'c> {
    custody: &'c dyn Custody,
    now: Now,
    /// It is the last one.
    over: bool,
}

impl Writing<'_> {
    /// All of one kind that waits, and how many there was no room for. `tell` says who and what.
    fn all<D: Clone + PartialEq>(
        &self,
        diary: &Diary<D>,
        (action, outcome): Kind,
        tell: impl Fn(&Entry<D>, Audit) -> Audit,
    ) -> Result<(), StoreError> {
        let Now { mono, wall } = self.now;
        let blank = |time: Millis, address: String, detail: Value| Audit {
            no: 0,
            time_ms: ms(time),
            user: None,
            address,
            action: action.to_owned(),
            object: "-".to_owned(),
            detail: detail.to_string(),
            outcome: outcome.to_owned(),
        };
        while let Some(entry) = diary.next() {
            let ago = u64::try_from(mono.saturating_sub(entry.at).as_millis());
            let at = Millis(wall.0.saturating_sub(ago.unwrap_or(u64::MAX)));
            let line = blank(at, entry.from.to_string(), json!({}));
            self.custody.note(&tell(&entry, line))?;
            diary.written(&entry);
        }
        while let Some(more) = diary.left_out(mono, self.over) {
            self.custody.note(&blank(wall, "-".to_owned(), json!({ "more": more })))?;
            diary.counted(more, mono);
        }
        Ok(())
    }
}
