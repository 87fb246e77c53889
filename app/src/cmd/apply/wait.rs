//! Waiting until a revision is in force at every client.

use std::time::Duration;

use serde_json::Value;

use crate::ask::Daemon;
use crate::cli::FromServer;
use crate::cmd::clients;
use crate::exit::{Exit, Failure};

/// From look to look.
const LOOK: Duration = Duration::from_millis(200);

/// Exit 1 when a client rejects it, 7 when one has not told in time.
pub(super) fn until_applied(answer: &Value, from: &FromServer) -> Result<(), Failure> {
    let Some(revision) = answer["revision"].as_u64() else { return Ok(()) };
    let server = Daemon::config_server(from)?;
    loop {
        let clients: Vec<Value> =
            clients::all(&server)?.into_iter().filter(clients::is_connected).collect();
        let rejects = |client: &&Value| client["rejected"]["revision"].as_u64() >= Some(revision);
        if let Some(client) = clients.iter().find(rejects) {
            let name = client["name"].as_str().unwrap_or_default();
            let why = client["rejected"]["reason"].as_str().unwrap_or_default();
            let text = format!("{name} rejects revision {revision}: {why}");
            return Err(Failure::new(Exit::No, text));
        }
        let late = |client: &&Value| client["applied"].as_u64() < Some(revision);
        let late: Vec<&str> =
            clients.iter().filter(late).filter_map(|client| client["name"].as_str()).collect();
        if late.is_empty() {
            if !from.quiet {
                println!("applied by all {} clients", clients.len());
            }
            return Ok(());
        }
        if server.out_of_time() {
            let text = format!("revision {revision} is not yet applied by {}", late.join(", "));
            return Err(Failure::new(Exit::PeerAway, text));
        }
        std::thread::sleep(LOOK);
    }
}
