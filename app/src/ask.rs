//! A question to a running daemon over HTTP, and its refusals as exit codes.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::exit::{Exit, Failure};

/// GETs JSON. `query` pairs whose value is absent are left out.
pub(crate) fn json(
    base: &str,
    path: &str,
    query: &[(&str, Option<&str>)],
    token_file: Option<&Path>,
    timeout: Duration,
) -> Result<Value, Failure> {
    let token = token_file.map(read_token).transpose()?;
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let mut url = reqwest::Url::parse(&base)
        .map_err(|error| Failure::new(Exit::Usage, format!("{base}: {error}")))?;
    url.set_path(path);
    for (name, value) in query {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    run(async {
        let client = reqwest::Client::builder().timeout(timeout).no_proxy().build();
        let mut request = client.map_err(away)?.get(url);
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(away)?;
        let status = response.status().as_u16();
        let body = response.text().await.map_err(away)?;
        if status == 200 {
            return serde_json::from_str(&body)
                .map_err(|error| Failure::new(Exit::Internal, format!("{path}: {error}")));
        }
        Err(refused(status, path, &body))
    })
}

/// The status of a probe; `None` when nobody answers.
pub(crate) fn probe(address: std::net::SocketAddr, path: &str) -> Option<u16> {
    let url = format!("http://{address}{path}");
    let asked = run(async {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build();
        let response = client.map_err(away)?.get(url).send().await.map_err(away)?;
        Ok(response.status().as_u16())
    });
    asked.ok()
}

fn run<T>(asking: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))?
        .block_on(asking)
}

fn read_token(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map(|token| token.trim().to_owned())
        .map_err(|error| Failure::new(Exit::Settings, format!("{}: {error}", path.display())))
}

/// One line with the innermost cause, which is what tells.
fn away(error: reqwest::Error) -> Failure {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let url = error.url().map(ToString::to_string).unwrap_or_default();
    Failure::new(Exit::PeerAway, format!("{url}: {cause}"))
}

fn refused(status: u16, path: &str, body: &str) -> Failure {
    let exit = match status {
        401 | 403 => Exit::Forbidden,
        404 => Exit::NotFound,
        400 => Exit::Usage,
        _ => Exit::PeerAway,
    };
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let detail =
        problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("no reason given");
    Failure::new(exit, format!("{path}: {status}: {detail}"))
}
