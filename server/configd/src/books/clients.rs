//! Who runs which revision, as the clients tell it (ops.md §1.10).

use std::collections::BTreeMap;
use std::sync::MutexGuard;
use std::time::Duration;

use config::settings::Access;
use model::config::limits::MAX_NAME;
use model::time::Now;
use serde_json::Value as Json;

use super::desk::Desk;
use super::{Books, lock};
use crate::limits::{CLIENT_LATELY, MAX_CLIENTS, MAX_REPORT};
use crate::refusal::Refusal;
use crate::store::ClientRow;
use crate::who::Who;

/// Who reported for a client last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reporter {
    /// Id of the token, or the name where there is none.
    by: String,
    /// When, monotonic.
    at: Duration,
}

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
        let reporter =
            Reporter { by: who.token.as_ref().unwrap_or(&who.actor).clone(), at: self.desk.mono() };
        let lately = |one: &Reporter| reporter.at.saturating_sub(one.at) < CLIENT_LATELY;
        if reporters.get(name).is_some_and(|last| last.by != reporter.by && lately(last)) {
            let text = format!("the client {name} has just reported with another token");
            return Err(Refusal::Conflict(text));
        }
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(name) {
            // who has not reported since the start goes first
            let heard = |name: &String| reporters.get(name).map(|last| last.at);
            let oldest = clients.values().min_by_key(|row| (heard(&row.name), row.seen_at));
            let oldest = oldest.filter(|row| !reporters.get(&row.name).is_some_and(lately));
            let Some(oldest) = oldest.map(|row| row.name.clone()) else {
                return Err(Refusal::TooLarge(format!("clients: the limit is {MAX_CLIENTS}")));
            };
            clients.remove(&oldest);
            reporters.remove(&oldest);
        }
        clients.insert(row.name.clone(), row.clone());
        reporters.insert(row.name.clone(), reporter);
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

    /// How long a client has been silent. Of one that has not reported since the start it is what
    /// the wall clock says, but no longer than this server has listened: what was said while it was
    /// away it has not heard.
    #[must_use]
    pub fn silence(&self, client: &ClientRow) -> Duration {
        let Now { mono, wall } = (self.desk.clocks)();
        let last = self.desk.reporters().get(&client.name).map(|last| last.at);
        let listened = mono.saturating_sub(self.desk.begun);
        let stored = || wall.since(client.seen_at).min(listened);
        last.map_or_else(stored, |last| mono.saturating_sub(last))
    }

    /// Whether a client has reported lately, to this server since its start.
    #[must_use]
    pub fn is_connected(&self, client: &ClientRow) -> bool {
        let last = self.desk.reporters().get(&client.name).map(|last| last.at);
        last.is_some_and(|last| self.desk.mono().saturating_sub(last) < CLIENT_LATELY)
    }
}

impl Desk {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<String, ClientRow>> {
        lock(&self.clients)
    }

    fn reporters(&self) -> MutexGuard<'_, BTreeMap<String, Reporter>> {
        lock(&self.reporters)
    }
}
