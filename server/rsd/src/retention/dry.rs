//! What a run of the purge would do, without doing any of it (rs.md §6, `dry_run`).

use model::time::Millis;
use rs::retention::{Due, Terms, What, Which};
use serde_json::{Value, json};

use super::Work;
use crate::store::{Day, StoreError};

impl Work {
    /// The days of which something is due now, by the values that are in force now: what the API
    /// or another server has set meanwhile counts. `None`: told to stop.
    ///
    /// # Errors
    /// As the database says.
    pub(super) fn dry_run(&mut self, now_ms: i64) -> Result<Option<Value>, StoreError> {
        self.refresh()?;
        let Some(terms) = &self.terms else { return Ok(None) };
        let keeping = self.parts.store.keeping();
        let mut days = Vec::new();
        for day in keeping.days()?.into_iter().filter(|day| terms.is_old(*day, now_ms)) {
            if self.parts.desk.is_stopping() {
                return Ok(None);
            }
            match self.due(terms, day, now_ms) {
                Err(error @ StoreError::Damaged(_)) => {
                    days.push(json!({"day": day, "blocked": error.reason()}));
                }
                due => days.extend(due?),
            }
        }
        Ok(Some(json!({"days": days})))
    }

    /// What is due of a day; `None`: nothing.
    fn due(&self, terms: &Terms, day: Day, now_ms: i64) -> Result<Option<Value>, StoreError> {
        let store = &*self.parts.store;
        let groups = store.keeping().groups(day)?;
        let mut plan = terms.plan(day, &groups, now_ms);
        // the facts of a day that has no calls any more have gone
        plan.facts &= !groups.is_empty();
        let mut due = Vec::new();
        for one in &plan.due {
            if store.exporting().is_due(day, one)? {
                due.push(shown(one));
            }
        }
        let any = plan.facts || plan.ledger || !due.is_empty();
        Ok(any.then(|| of_day(day, (plan.facts, plan.ledger), &due)))
    }
}

fn of_day(day: Day, (calls, ids): (bool, bool), due: &[Value]) -> Value {
    json!({"day": day, "all_calls": calls, "ids": ids, "due": due})
}

/// Rows that are due, of a day of which others stay.
fn shown(due: &Due) -> Value {
    let what = match due.what {
        What::Cdr => "cdr",
        What::Events => "events",
        What::Var => "var",
    };
    let whose = match due.which {
        Which::All => json!("all"),
        Which::Of { tenant, profile } => json!({"tenant": tenant, "profile": profile}),
        Which::Loose => json!("without-call"),
    };
    let before = Millis(u64::try_from(due.before_ms).unwrap_or_default());
    json!({"what": what, "whose": whose, "before": before})
}
