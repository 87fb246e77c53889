//! Probe answers: named checks that any thread sets and the HTTP port tells (ops.md §4).

use std::sync::{Arc, Mutex, PoisonError};

use model::time::Millis;

/// The checks of one component. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    node: Arc<str>,
    checks: Arc<Mutex<Vec<Check>>>,
}

struct Check {
    name: &'static str,
    required: bool,
    ok: bool,
    since: Millis,
    detail: String,
}

/// Outcome of all checks together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every check holds.
    Ok,
    /// Only checks that are not required fail.
    Degraded,
    /// A required check fails.
    Fail,
}

impl Status {
    /// As probes say it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Fail => "fail",
        }
    }
}

impl Health {
    /// All checks begin as failing, with the detail `starting`.
    #[must_use]
    pub fn new(node: &str, now: Millis, checks: &[(&'static str, bool)]) -> Self {
        let checks = checks
            .iter()
            .map(|&(name, required)| Check {
                name,
                required,
                ok: false,
                since: now,
                detail: "starting".to_owned(),
            })
            .collect();
        Self { node: node.into(), checks: Arc::new(Mutex::new(checks)) }
    }

    /// Sets one check; `since` moves only when the outcome changes. Unknown names are ignored.
    pub fn set(&self, now: Millis, name: &str, ok: bool, detail: &str) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(check) = checks.iter_mut().find(|check| check.name == name) {
            if check.ok != ok {
                check.ok = ok;
                check.since = now;
            }
            detail.clone_into(&mut check.detail);
        }
    }

    /// Whether one check holds; an unknown one does not.
    #[must_use]
    pub fn is_ok(&self, name: &str) -> bool {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.iter().any(|check| check.name == name && check.ok)
    }

    /// The outcome of all checks.
    #[must_use]
    pub fn status(&self) -> Status {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        status_of(&checks)
    }

    /// Each check as (name, ok, required, detail), in the order given at the start.
    #[must_use]
    pub fn checks(&self) -> Vec<(&'static str, bool, bool, String)> {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.iter().map(|c| (c.name, c.ok, c.required, c.detail.clone())).collect()
    }

    /// HTTP status and JSON body of a probe.
    #[must_use]
    pub fn report(&self, revision: Option<u64>) -> (u16, String) {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let status = status_of(&checks);
        let members = checks.iter().map(|check| {
            let value = serde_json::json!({
                "ok": check.ok, "since": check.since.to_string(), "detail": check.detail,
            });
            (check.name.to_owned(), value)
        });
        let body = serde_json::json!({
            "status": status.as_str(), "node": &*self.node, "revision": revision,
            "checks": members.collect::<serde_json::Map<_, _>>(),
        });
        (if status == Status::Fail { 503 } else { 200 }, format!("{body}\n"))
    }
}

fn status_of(checks: &[Check]) -> Status {
    if checks.iter().any(|check| check.required && !check.ok) {
        Status::Fail
    } else if checks.iter().any(|check| !check.ok) {
        Status::Degraded
    } else {
        Status::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_checks_fail_and_others_degrade() {
        let health = Health::new("rm-1", Millis(0), &[("spool", true), ("broker", false)]);
        assert_eq!(health.report(None).0, 503);
        health.set(Millis(5), "spool", true, "open");
        assert_eq!(health.status(), Status::Degraded);
        health.set(Millis(6), "broker", true, "connected");
        let (code, body) = health.report(Some(42));
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((code, &body["status"], &body["revision"]), (200, &"ok".into(), &42.into()));
        assert_eq!(body["checks"]["spool"]["since"], "1970-01-01T00:00:00.005Z");
    }
}
