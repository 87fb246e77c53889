//! Logins and deeds become lines of the audit log (rs.md §8), behind the requests: nobody waits for
//! the database to be let in, and what it does not take now waits.

use std::sync::Arc;
use std::time::Duration;

use model::time::{Millis, Now};
use serde_json::json;
use tokio::sync::watch;

use super::Monitor;
use crate::crew::Worker;
use crate::store::StoreError;
use crate::store::custody::{Audit, ms};
use crate::users::Entry;

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
        let Some(users) = &self.watched.users else { return Ok(()) };
        let now = self.clock.now();
        while let Some(entry) = users.to_note() {
            custody.note(&line(&entry, now))?;
            users.noted(&entry);
        }
        while let Some((refused, more)) = users.left_out(now.mono, over) {
            let outcome = if refused { "refused" } else { "done" };
            custody.note(&Audit {
                detail: json!({ "more": more }).to_string(),
                outcome: outcome.to_owned(),
                ..blank(ms(now.wall))
            })?;
            users.counted(refused, more, now.mono);
        }
        Ok(())
    }
}

/// The user of a refusal was not proved to be one: it is what was asked for, not who did it.
fn line(entry: &Entry, now: Now) -> Audit {
    let ago = now.mono.saturating_sub(entry.at);
    let at = now.wall.0.saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX));
    let object = entry.user.clone().unwrap_or_else(|| "-".to_owned());
    let blank = Audit { address: entry.from.to_string(), object, ..blank(ms(Millis(at))) };
    match &entry.refused {
        None => Audit { user: entry.user.clone(), ..blank },
        Some(why) => Audit {
            detail: json!({ "why": why }).to_string(),
            outcome: "refused".to_owned(),
            ..blank
        },
    }
}

fn blank(time_ms: i64) -> Audit {
    Audit {
        no: 0,
        time_ms,
        user: None,
        address: "-".to_owned(),
        action: "login".to_owned(),
        object: "-".to_owned(),
        detail: "{}".to_owned(),
        outcome: "done".to_owned(),
    }
}
