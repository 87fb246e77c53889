//! The servers before the one that is listened to: whether one of them holds what is newer.
//!
//! A client stays with the server that helped. When that is a spare one, whose own configuration is
//! an older one, the first of the list may come back with what counts.

use reqwest::StatusCode;
use reqwest::header::IF_NONE_MATCH;
use tokio::time::{sleep, timeout};

use model::id::Revision;

use super::connect::Connector;
use super::limits::{LINE, LOOK_EARLIER, REPORT_TIME};
use super::wire::Lines;

/// After a while, the first server before `at` that holds more than what is known.
pub(super) async fn earlier(
    connector: Connector,
    at: usize,
    known: Option<Revision>,
) -> Option<(usize, Revision)> {
    sleep(LOOK_EARLIER).await;
    for server in 0..at {
        let asked = timeout(REPORT_TIME, revision(&connector, server, known)).await;
        if let Some(found) = asked.ok().flatten().filter(|found| Some(*found) > known) {
            return Some((server, found));
        }
    }
    None
}

/// What a server holds, if it is another one than `known`; the snapshot itself is not read.
async fn revision(
    connector: &Connector,
    server: usize,
    known: Option<Revision>,
) -> Option<Revision> {
    let server = connector.server(server).ok()?;
    let mut request = server.client.get(server.url(&["v1", "snapshot"]));
    if let Some(known) = known {
        request = request.header(IF_NONE_MATCH, format!("\"{}\"", known.0));
    }
    let mut response = request.send().await.ok()?;
    if response.status() != StatusCode::OK {
        return None;
    }
    let mut lines = Lines::default();
    while let Some(chunk) = response.chunk().await.ok()? {
        lines.feed(&chunk, LINE).ok()?;
        if let Some(head) = lines.head() {
            return Some(Revision(head.revision));
        }
    }
    None
}
