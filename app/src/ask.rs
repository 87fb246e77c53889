//! What is asked of a running daemon over HTTP, or done to it, and its refusals as exit codes.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use net::Clock;

use crate::cli::FromRm;
use crate::exit::{Exit, Failure};

/// A daemon to ask: address, token, and how long all questions together may take.
pub(crate) struct Daemon<'a> {
    base: reqwest::Url,
    token: Option<String>,
    timeout: Duration,
    clock: Clock,
    shown: &'a str,
}

/// Bytes of an answer that are read; a page of calls has some hundred thousand.
const ANSWER_BYTES: usize = 16 << 20;
/// RM gives at most so many objects per page.
const PAGE: &str = "1000";

impl<'a> Daemon<'a> {
    pub(crate) fn new(from: &'a FromRm) -> Result<Self, Failure> {
        let token = from.token_file.as_deref().map(read_token).transpose()?;
        let text = &from.rm;
        let base = if text.contains("://") { text.clone() } else { format!("http://{text}") };
        let base = reqwest::Url::parse(&base)
            .map_err(|error| Failure::new(Exit::Usage, format!("{text}: {error}")))?;
        Ok(Self { base, token, timeout: from.timeout, clock: Clock::start(), shown: text })
    }

    /// GETs JSON that has this member. `query` pairs whose value is absent are left out.
    pub(crate) fn json(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
        member: &str,
    ) -> Result<Value, Failure> {
        self.send(Method::GET, path, query, None, member)
    }

    /// Does something, and gives back JSON that has this member.
    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, Option<&str>)],
        body: Option<&Value>,
        member: &str,
    ) -> Result<Value, Failure> {
        let mut url = self.base.clone();
        url.set_path(path);
        for (name, value) in query {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let (status, body) = run(self.answer(method, url, body))?;
        if !(200..300).contains(&status) {
            return Err(refused(status, path, &body));
        }
        let value: Value = serde_json::from_str(&body).unwrap_or_default();
        if value.get(member).is_none() {
            let text = format!("{}{path}: this is no answer of a Resource Manager", self.shown);
            return Err(Failure::new(Exit::PeerAway, text));
        }
        Ok(value)
    }

    /// All pages of a list that has this member.
    pub(crate) fn pages(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
        member: &str,
    ) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.extend([("limit", Some(PAGE)), ("cursor", cursor.as_deref())]);
            let page = self.json(path, &query, member)?;
            all.extend(page[member].as_array().cloned().unwrap_or_default());
            match page["cursor"].as_str() {
                Some(next) if cursor.as_deref() == Some(next) => {
                    let text = format!("{path}: the same page again and again");
                    return Err(Failure::new(Exit::PeerAway, text));
                }
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(all),
            }
        }
    }

    async fn answer(
        &self,
        method: Method,
        url: reqwest::Url,
        body: Option<&Value>,
    ) -> Result<(u16, String), Failure> {
        let left = self.timeout.saturating_sub(self.clock.mono());
        let client = reqwest::Client::builder().timeout(left).no_proxy().build();
        let mut request = client.map_err(away)?.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            let json = reqwest::header::HeaderValue::from_static("application/json");
            request = request.header(reqwest::header::CONTENT_TYPE, json).body(body.to_string());
        }
        let mut response = request.send().await.map_err(away)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                let text = format!("{}: the answer is too long", self.shown);
                return Err(Failure::new(Exit::PeerAway, text));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// The status of a probe; `None` when nobody answers. Nothing is told to whoever answers, and
/// nothing but a number is taken: its certificate is not looked at.
pub(crate) fn probe(scheme: &str, address: std::net::SocketAddr, path: &str) -> Option<u16> {
    let url = format!("{scheme}://{address}{path}");
    let asked = run(async {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy();
        let client = client.tls_danger_accept_invalid_certs(true).build();
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
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let exit = match status {
        // it is done, and the disk there has no place for it
        500 if problem["type"] == "urn:ringmaster:not-kept" => Exit::Local,
        401 | 403 => Exit::Forbidden,
        404 => Exit::NotFound,
        409 => Exit::Conflict,
        400 | 413 => Exit::Usage,
        422 => Exit::Invalid,
        _ => Exit::PeerAway,
    };
    let said = [&problem["detail"], &problem["title"]];
    let mut said = said.into_iter().filter_map(Value::as_str).filter(|text| !text.is_empty());
    let detail = said.next().unwrap_or("no reason given");
    let again = if status == 503 { "; try again later" } else { "" };
    let errors = problem["errors"].as_array().into_iter().flatten();
    let errors: String = errors.map(|error| format!("\n{}", fault(error))).collect();
    Failure::new(exit, format!("{path}: {status}: {detail}{again}{errors}"))
}

/// A fault of objects, as `ringmaster check` prints it.
pub(crate) fn fault(error: &Value) -> String {
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let file = Some(text("file")).filter(|file| !file.is_empty());
    let line = error["line"].as_u64().filter(|line| *line > 0);
    let file = file.map_or_else(String::new, |file| format!("{file}:"));
    let place = line.map_or_else(String::new, |line| format!("{line}:{}:", error["column"]));
    let place = format!("{file}{place}");
    let blank = if place.is_empty() { "" } else { " " };
    let message = text("message");
    let whose = object(&error["object"], message);
    format!("{place}{blank}{}: {message}{whose}", text("code"))
}

/// The object of a fault, unless its text names it.
fn object(object: &Value, message: &str) -> String {
    let Some(name) = object["name"].as_str() else { return String::new() };
    if message.contains(&format!("\"{name}\"")) {
        return String::new();
    }
    let kind = object["kind"].as_str().unwrap_or_default();
    let tenant = object["tenant"].as_str().map(|tenant| format!(" of tenant \"{tenant}\""));
    format!(" ({kind} \"{name}\"{})", tenant.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Exit, refused};

    #[test]
    fn refusals_have_codes_and_say_what_to_do() {
        let problem = |word: &str, detail: &str| {
            format!(
                "{{\"type\":\"urn:ringmaster:{word}\",\"title\":\"T\",\"detail\":\"{detail}\"}}"
            )
        };
        for (status, body, exit, text) in [
            (401, problem("unauthorised", ""), Exit::Forbidden, "/v1: 401: T"),
            (404, String::new(), Exit::NotFound, "/v1: 404: no reason given"),
            (409, problem("leaving", "it leaves"), Exit::Conflict, "/v1: 409: it leaves"),
            (500, problem("not-kept", "disk full"), Exit::Local, "/v1: 500: disk full"),
            (500, problem("other", "x"), Exit::PeerAway, "/v1: 500: x"),
            (503, problem("busy", "in time"), Exit::PeerAway, "/v1: 503: in time; try again later"),
            (503, String::new(), Exit::PeerAway, "/v1: 503: no reason given; try again later"),
        ] {
            let failure = refused(status, "/v1", &body);
            assert_eq!((failure.exit, failure.text.as_str()), (exit, text));
        }
    }
}
