//! What a client tells the server of itself (ops.md §1.10.5): after every revision, and every 30 s.
//!
//! A report that is lost costs nothing: the next one says the same. One that is not taken is tried
//! again, with the token's file as it is then, after 0.25 s doubling to 30 s.

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::timeout;

use super::connect::{Connector, Server};
use super::limits::{REPORT, REPORT_TIME, RETRY_FIRST};

/// What is in force here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Report {
    pub(super) component: &'static str,
    pub(super) version: &'static str,
    pub(super) applied: Option<u64>,
    pub(super) rejected: Option<Rejected>,
    pub(super) restart_required: Vec<String>,
    /// The server that is listened to; nobody is told while there is none.
    #[serde(skip)]
    pub(super) server: Option<usize>,
}

/// The newest revision that is not valid here, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Rejected {
    pub(super) revision: u64,
    pub(super) reason: String,
}

/// Reports for ever.
pub(super) async fn run(connector: Connector, name: String, mut report: watch::Receiver<Report>) {
    let mut known: Option<(usize, Server)> = None;
    let mut retry = RETRY_FIRST;
    loop {
        let now = report.borrow_and_update().clone();
        let mut wait = REPORT;
        if let Some(number) = now.server {
            let server = match known.take() {
                Some((same, server)) if same == number => Some(server),
                _ => connector.server(number).ok(),
            };
            known = match server {
                Some(server) if told(&server, &name, &now).await => Some((number, server)),
                // the files are read anew next time: a token that was changed counts soon
                _ => None,
            };
            if known.is_some() {
                retry = RETRY_FIRST;
            } else {
                wait = retry;
                retry = (retry * 2).min(REPORT);
            }
        }
        // elapsed means: again; a sender that is gone ends us from outside
        let _again = timeout(wait, report.changed()).await;
    }
}

/// Whether the server has taken it.
async fn told(server: &Server, name: &str, report: &Report) -> bool {
    let Ok(body) = serde_json::to_vec(report) else { return false };
    let request = server
        .client
        .put(server.url(&["v1", "clients", name]))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .timeout(REPORT_TIME)
        .body(body);
    request.send().await.is_ok_and(|response| response.status().is_success())
}
