//! Who runs which revision, as the clients tell it (ops.md §1.10).

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use config::settings::Access;
use model::config::limits::MAX_NAME;
use serde_json::Value as Json;

use super::Books;
use super::desk::Desk;
use crate::limits::{MAX_CLIENTS, MAX_REPORT};
use crate::refusal::Refusal;
use crate::store::ClientRow;
use crate::who::Who;

impl Books {
    /// Keeps what a client tells of itself; it is in the store within some seconds. Of more
    /// clients than the limit the one that was heard of longest ago is forgotten.
    ///
    /// # Errors
    /// `malformed`, `too-large`, `forbidden`.
    pub fn put_client(&self, name: &str, report: &Json, who: &Who) -> Result<(), Refusal> {
        who.needs(Access::Reader)?;
        let length = name.chars().count();
        if length == 0 || length > MAX_NAME || name.chars().any(char::is_control) {
            let text = format!("a client needs a name of at most {MAX_NAME} characters");
            return Err(Refusal::Malformed(text));
        }
        if !report.is_object() {
            return Err(Refusal::Malformed("a client tells a JSON object".to_owned()));
        }
        let report = report.to_string();
        if report.len() > MAX_REPORT {
            return Err(Refusal::TooLarge(format!("report: the limit is {MAX_REPORT} bytes")));
        }
        let row = ClientRow {
            name: name.to_owned(),
            source: who.source.clone(),
            seen_at: self.desk.time(),
            report,
        };
        let mut clients = self.desk.clients();
        clients.insert(row.name.clone(), row.clone());
        if clients.len() > MAX_CLIENTS {
            let others = clients.values().filter(|client| client.name != name);
            let oldest = others.min_by_key(|client| client.seen_at);
            if let Some(oldest) = oldest.map(|client| client.name.clone()) {
                clients.remove(&oldest);
            }
        }
        drop(clients);
        self.desk.queue.client(row);
        Ok(())
    }

    /// What every client told last, by name.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientRow> {
        self.desk.clients().values().cloned().collect()
    }
}

impl Desk {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<String, ClientRow>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
