//! Where lists of calls come from: the database, or what is in memory of calls in progress while
//! that is away (rs.md §4.10). Whoever asks decides everything else, the same for both.

use std::sync::Arc;

use rs::Refused;

use super::{Shared, answer};
use crate::store::{Lists, StoreError};

/// Which of the two answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Database,
    Memory,
}

impl Shared {
    /// Asks the database.
    pub(super) async fn stored<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&dyn Lists) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refused> {
        answer::ask(self, move |store| question(store)).await
    }

    /// Asks the database, and what is in memory where that is away: whoever waits for one that
    /// does not answer is answered all the same.
    pub(super) async fn either<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl Fn(&dyn Lists) -> Result<T, StoreError> + Clone + Send + 'static,
    ) -> Result<(T, From), Refused> {
        let mut refused = None;
        // the applier knows that it is away before anybody has to wait for it
        if self.parts.applied.up(self.parts.clock.mono()) {
            match self.stored(question.clone()).await {
                Err(why) if is_away(&why) => refused = Some(why),
                answer => return answer.map(|answer| (answer, From::Database)),
            }
        }
        let view = Arc::clone(&self.parts.view);
        // many calls are looked at
        let asked = tokio::task::spawn_blocking(move || question(&*view)).await;
        let answer = answer::joined(self, asked)?;
        let unknown = |error| refused.unwrap_or_else(|| answer::failed(&self.parts.log, &error));
        Ok((answer.map_err(unknown)?, From::Memory))
    }
}

/// Whether the database said nothing.
pub(super) fn is_away(refused: &Refused) -> bool {
    matches!(refused.code, "database-unavailable" | "query-timeout")
}
