//! The Config Server as the short programs use it: waited for, looked at, changed once.

use std::time::Duration;

use config::Settings;
use config::settings::{ConfigClient, ServerUrl};
use net::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use telemetry::Log;

use super::maker::{Client, Found};
use crate::ask::{self, Daemon, Question};
use crate::exit::{Exit, Failure};

/// From try to try, while nobody is there.
const LOOK: Duration = Duration::from_secs(1);
/// From line to line that says so.
const TELL: Duration = Duration::from_secs(30);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);

const TRANSACTIONS: &str = "/v1/transactions";
/// The refusal of a delete while others refer to the object.
const IN_USE: &str = "urn:ringmaster:problem:in-use";

/// What became of a transaction that is no failure.
pub(super) enum Answer {
    Done(Value),
    /// Somebody else was quicker: it is not the revision that was looked at.
    Overtaken,
    /// Nothing is done: what was to be deleted is still referenced.
    InUse(Value),
}

/// One that was ready.
pub(super) struct Server<'s> {
    url: &'s ServerUrl,
    client: &'s ConfigClient,
    /// Who asks, as the history shows it.
    name: &'s str,
}

impl<'s> Server<'s> {
    /// The first of the list that is ready, as soon as one is.
    pub(super) fn wait(settings: &'s Settings, log: &Log) -> Result<Self, Failure> {
        let (client, handler) = (&settings.config, &settings.config_handler);
        let clock = Clock::start();
        let mut told: Option<Duration> = None;
        loop {
            for url in &client.servers {
                let server = Self { url, client, name: &handler.client };
                if server.is_ready()? {
                    return Ok(server);
                }
            }
            let waited = clock.mono();
            let servers: Vec<String> = client.servers.iter().map(ToString::to_string).collect();
            let servers = servers.join(" ");
            if waited >= handler.wait {
                let text = format!("no Config Server at {servers} is ready");
                return Err(Failure::new(Exit::PeerAway, text));
            }
            if told.is_none_or(|told| waited.saturating_sub(told) >= TELL) {
                told = Some(waited);
                log.emit(50001, None, &[("server", &servers)]);
            }
            std::thread::sleep(LOOK.min(handler.wait.saturating_sub(waited)));
        }
    }

    fn is_ready(&self) -> Result<bool, Failure> {
        let daemon = self.daemon(LOOK)?;
        let ready = daemon.whole(Question { path: "/ready", ..Question::default() });
        Ok(ready.is_ok_and(|(status, _)| status == 200))
    }

    /// The revision, and of it what a plan needs.
    pub(super) fn look(&self) -> Result<(u64, Found), Failure> {
        let daemon = self.daemon(ANSWER)?;
        let head = daemon.json("/v1/objects", &[("limit", Some("1"))], "revision")?;
        let revision = head["revision"].as_u64().unwrap_or_default();
        let at = revision.to_string();
        let mut objects = Vec::new();
        for kind in ["Application", "ResourceGroup", "IvrProfile", "DidGroup"] {
            let query = [("tenant", Some("Environment")), ("at", Some(at.as_str()))];
            objects.extend(daemon.pages(&format!("/v1/objects/{kind}"), &query, "items")?);
        }
        let path = "/v1/objects/Tenant/Environment";
        objects.push(daemon.json(path, &[("at", Some(at.as_str()))], "kind")?);
        let clients = daemon.json("/v1/clients", &[], "items")?;
        let clients = clients["items"].as_array().into_iter().flatten().filter_map(seen).collect();
        Ok((revision, Found { objects, clients }))
    }

    /// All operations or none.
    pub(super) fn transact(
        &self,
        revision: u64,
        program: &str,
        operations: &[Value],
    ) -> Result<Answer, Failure> {
        let message = format!("{program} ({})", self.name);
        let body = json!({
            "message": message, "base_revision": revision, "operations": operations,
        });
        let path = TRANSACTIONS;
        let body = Some(("application/json", body.to_string().into_bytes()));
        let question = Question { method: Method::POST, path, body, ..Question::default() };
        let (status, body) = self.daemon(ANSWER)?.whole(question)?;
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        match status {
            200..=299 => Ok(Answer::Done(answer)),
            412 => Ok(Answer::Overtaken),
            _ if answer["type"] == IN_USE => Ok(Answer::InUse(answer)),
            _ => Err(Self::refused(status, &answer)),
        }
    }

    /// A refusal of a transaction, as it is told.
    pub(super) fn refused(status: u16, problem: &Value) -> Failure {
        ask::told(status, TRANSACTIONS, problem)
    }

    fn daemon(&self, timeout: Duration) -> Result<Daemon<'_>, Failure> {
        Daemon::of_settings(self.url, self.client, timeout)
    }
}

fn seen(client: &Value) -> Option<Client> {
    Some(Client {
        name: client["name"].as_str()?.to_owned(),
        age_s: client["age_s"].as_u64()?,
        connected: client["connected"] == true,
    })
}
