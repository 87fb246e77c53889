//! Refusals of a daemon: problem documents as lines for people and as exit codes.

use serde_json::Value;

use crate::exit::{Exit, Failure};

/// What an answer that is none says.
pub(super) fn refused(status: u16, path: &str, body: &str) -> Failure {
    told(status, path, &serde_json::from_str(body).unwrap_or_default())
}

/// The same of a problem document (RFC 9457).
pub(crate) fn told(status: u16, path: &str, problem: &Value) -> Failure {
    let exit = match status {
        // it is done, and the disk there has no place for it
        500 if problem["type"] == "urn:ringmaster:not-kept" => Exit::Local,
        401 | 403 => Exit::Forbidden,
        404 => Exit::NotFound,
        409 | 410 | 412 | 428 => Exit::Conflict,
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
