//! Waiting until a revision is in force at every client.

use std::time::Duration;

use net::Clock;
use serde_json::Value;

use crate::ask::Daemon;
use crate::cli::{FromServer, Shape};
use crate::cmd::clients;
use crate::exit::{Exit, Failure};

/// From look to look.
const LOOK: Duration = Duration::from_millis(200);

/// Exit 1 when a client rejects it; 7 when one has not told in time, or nobody is there to tell.
pub(super) fn until_applied(answer: &Value, from: &FromServer) -> Result<(), Failure> {
    let Some(revision) = answer["revision"].as_u64() else { return Ok(()) };
    let clock = Clock::start();
    loop {
        let clients: Vec<Value> = clients::all(&Daemon::config_server(from)?)?
            .into_iter()
            .filter(clients::is_connected)
            .collect();
        let name = |client: &Value| client["name"].as_str().unwrap_or_default().to_owned();
        let rejects = |client: &&Value| client["rejected"]["revision"].as_u64() >= Some(revision);
        if let Some(client) = clients.iter().find(rejects) {
            let why = client["rejected"]["reason"].as_str().unwrap_or_default();
            let text = format!("{} rejects revision {revision}: {why}", name(client));
            return Err(Failure::new(Exit::No, text));
        }
        let late = |client: &&Value| client["applied"].as_u64() < Some(revision);
        let late: Vec<String> = clients.iter().filter(late).map(name).collect();
        if late.is_empty() && !clients.is_empty() {
            if !from.quiet && from.output == Shape::Table {
                println!("applied by all {} clients", clients.len());
            }
            return Ok(());
        }
        if clock.mono() >= from.timeout {
            let text = match late.join(", ") {
                nobody if nobody.is_empty() => "no RM and no RS is connected".to_owned(),
                late => format!("not yet applied by {late}"),
            };
            let text = format!("revision {revision} is stored, but {text}");
            return Err(Failure::new(Exit::PeerAway, text));
        }
        std::thread::sleep(LOOK);
    }
}
