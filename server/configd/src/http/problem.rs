//! A refusal as a problem document (RFC 9457); the table is `refusal.rs`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::config::Key;
use model::schema::{Named, Problem};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// Problems of one answer: more only hide the first (ops.md §1.3).
const MOST: usize = 100;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let entry = self.entry();
        let status = StatusCode::from_u16(entry.status).unwrap_or(StatusCode::BAD_REQUEST);
        let mut response = (status, format!("{}\n", document(&self))).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = entry.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // what counts it finds it there
        response.extensions_mut().insert(self);
        response
    }
}

fn document(refusal: &Refusal) -> Value {
    let entry = refusal.entry();
    let mut body = json!({
        "type": format!("urn:ringmaster:problem:{}", entry.name),
        "title": entry.title,
        "status": entry.status,
        "detail": detail(refusal),
    });
    match refusal {
        Refusal::Invalid(problems) | Refusal::InUse(problems) => {
            body["errors"] = problems.iter().take(MOST).map(error).collect();
        }
        Refusal::AmbiguousName(keys) => {
            let key = |key: &Key| {
                let (kind, Key { tenant, name, .. }) = (key.kind.as_str(), key);
                json!({ "kind": kind, "tenant": tenant, "name": name })
            };
            body["objects"] = keys.iter().take(MOST).map(key).collect();
        }
        Refusal::RevisionGone { oldest } => body["oldest"] = json!(oldest.0),
        Refusal::PreconditionFailed { current } => body["current"] = json!(current.0),
        _ => {}
    }
    body
}

/// The single texts stand in `errors`.
fn detail(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Invalid(problems) => match problems.len() {
            1 => "1 error".to_owned(),
            count => format!("{count} errors"),
        },
        other => other.to_string(),
    }
}

/// One problem of an object; a warning has the same form.
pub(super) fn error(problem: &Problem) -> Value {
    let place = |number: u32| (number > 0).then_some(number);
    json!({
        "code": problem.code,
        "object": problem.object.as_deref().map(named),
        "path": pointer(&problem.path),
        "line": place(problem.at.line),
        "column": place(problem.at.column),
        "message": problem.message,
    })
}

fn named(object: &Named) -> Value {
    json!({ "kind": object.kind, "tenant": object.tenant, "name": object.name })
}

/// A path such as `spec.resources[0].name` as a JSON pointer (RFC 6901).
fn pointer(path: &str) -> String {
    let mut pointer = String::with_capacity(path.len() + 1);
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let (name, items) = part.split_at(part.find('[').unwrap_or(part.len()));
        for step in
            std::iter::once(name).chain(items.split('[').map(|item| item.trim_end_matches(']')))
        {
            if !step.is_empty() {
                pointer.push('/');
                pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::id::Revision;
    use model::tree::Position;

    #[test]
    fn a_path_becomes_a_pointer() {
        for (path, expected) in [
            ("", ""),
            ("spec.policy.usage_limit", "/spec/policy/usage_limit"),
            ("spec.resources[12].name", "/spec/resources/12/name"),
            ("spec.a[0][1]", "/spec/a/0/1"),
            ("labels.a/b~c", "/labels/a~1b~0c"),
        ] {
            assert_eq!(pointer(path), expected);
        }
    }

    #[test]
    fn a_refusal_tells_what_its_reader_can_act_on() {
        let problem = Problem {
            code: "E101",
            at: Position { line: 4, column: 3 },
            path: "spec.usge".to_owned(),
            message: "unknown field \"usge\"".to_owned(),
            file: None,
            object: Some(
                Named { kind: "Tenant".to_owned(), tenant: None, name: "a".to_owned() }.into(),
            ),
        };
        let body = document(&Refusal::Invalid(vec![problem]));
        assert_eq!(body["type"], "urn:ringmaster:problem:invalid");
        assert_eq!((&body["status"], &body["detail"]), (&json!(422), &json!("1 error")));
        let expected = json!([{"code": "E101", "path": "/spec/usge", "line": 4, "column": 3,
            "object": {"kind": "Tenant", "tenant": null, "name": "a"},
            "message": "unknown field \"usge\""}]);
        assert_eq!(body["errors"], expected);
        let gone = document(&Refusal::RevisionGone { oldest: Revision(9) });
        assert_eq!(gone["oldest"], 9);
        let failed = document(&Refusal::PreconditionFailed { current: Revision(42) });
        assert_eq!(failed["current"], 42);
        let answer = Refusal::Busy.into_response();
        assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
        let answer = Refusal::Unauthenticated.into_response();
        assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
