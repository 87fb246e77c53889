//! Who runs which revision, as the clients tell it (ops.md §1.10).

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use config::settings::Access;
use model::config::limits::MAX_NAME;
use serde_json::Value as Json;

use super::Books;
use super::desk::Desk;
use crate::limits::{CLIENT_LATELY, MAX_CLIENTS, MAX_REPORT};
use crate::refusal::Refusal;
use crate::store::ClientRow;
use crate::who::Who;

impl Books {
    /// Keeps what a client tells of itself; it is in the store within some seconds. Of more
    /// clients than the limit the one that was heard of longest ago is forgotten, unless that was
    /// lately.
    ///
    /// # Errors
    /// `malformed`, `too-large`; `forbidden` to a scoped token: a client is the platform's;
    /// `conflict` for a name that lately came with another token.
    pub fn put_client(&self, name: &str, report: &Json, who: &Who) -> Result<(), Refusal> {
        who.needs(Access::Reader)?;
        who.needs_all_tenants()?;
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
        let mut reporters = self.desk.reporters();
        let own = who.token.as_ref().unwrap_or(&who.actor);
        let lately = |client: &ClientRow| row.seen_at.since(client.seen_at) < CLIENT_LATELY;
        let others = reporters.get(name).is_some_and(|by| by != own);
        if others && clients.get(name).is_some_and(lately) {
            let text = format!("the client {name} has just reported with another token");
            return Err(Refusal::Conflict(text));
        }
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(name) {
            let oldest = clients.values().min_by_key(|client| client.seen_at);
            let Some(oldest) = oldest.filter(|client| !lately(client)) else {
                return Err(Refusal::TooLarge(format!("clients: the limit is {MAX_CLIENTS}")));
            };
            let oldest = oldest.name.clone();
            clients.remove(&oldest);
            reporters.remove(&oldest);
        }
        clients.insert(row.name.clone(), row.clone());
        reporters.insert(row.name.clone(), own.clone());
        drop(reporters);
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

    /// With which token each client reported last, since the start.
    fn reporters(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.reporters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
