//! `POST /v1/explain`: what would become of an INVITE, and why (rm.md §10).
//!
//! What is shown of the request is masked as in the log, and holds no token and no credentials.

use crate::http::Shared;
use crate::http::asked;
use crate::http::problem::Problem;
use crate::inbox::Query;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use rm::{Explained, Question, Unclear};
use serde::Serialize;
use std::sync::Arc;
use telemetry::Log;

/// The answer, with the time that it took.
#[derive(Serialize)]
pub(in crate::http) struct Answer {
    #[serde(flatten)]
    explained: Box<Explained>,
    /// From the question to the answer, with the wait for the engine.
    took_us: u64,
}

/// `POST /v1/explain`.
pub(in crate::http) async fn explain(
    State(shared): State<Arc<Shared>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Answer>, Problem> {
    let question: Question = asked::json(body)?;
    let began = shared.clock.mono();
    let explained = shared.ask(|reply| Query::Explain(Box::new(question), reply)).await?;
    let mut explained = explained.map_err(|unclear| match unclear {
        Unclear::NotReady => Problem::not_ready(),
        Unclear::Question(text) => Problem::bad_request(text),
    })?;
    let took = shared.clock.mono().saturating_sub(began);
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    explained.request = explained.request.map(|text| shown(&text, shared.state.log()));
    Ok(Json(Answer { explained, took_us }))
}

/// A request as it may be shown (rm.md §13.5).
fn shown(text: &str, log: &Log) -> String {
    let lines = text.split_inclusive("\r\n").filter(|line| !is_secret(line));
    let lines = lines.map(|line| match line.split_once("<sip:rm-") {
        Some((before, rest)) => {
            let host = rest.split_once('@').map_or(rest, |(_, host)| host);
            format!("{before}<sip:rm-***@{}", log.masked(host))
        }
        None => log.masked(line),
    });
    lines.collect()
}

fn is_secret(line: &str) -> bool {
    const SECRET: [&str; 3] = ["authorization", "proxy-authorization", "x-genesys-udata_"];
    let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
    SECRET.iter().any(|secret| name.starts_with(secret))
}

#[cfg(test)]
mod tests {
    use super::shown;
    use model::time::Millis;
    use telemetry::Log;

    #[test]
    fn no_token_no_credentials_and_masked_users() {
        let text = "INVITE sip:dialog@10.0.0.11 SIP/2.0\r\n\
                    Record-Route: <sip:rm-AQEBk_KgfFt9@10.0.0.5:5060;lr>\r\n\
                    authorization : Digest username=\"a\"\r\n\
                    X-Genesys-UData_pin: 4711\r\n\
                    From: <sip:+4930123@x>;tag=1\r\n\r\n";
        let expected = "INVITE sip:dialog@10.0.0.11 SIP/2.0\r\n\
                        Record-Route: <sip:rm-***@10.0.0.5:5060;lr>\r\n\
                        From: <sip:+4***23@x>;tag=1\r\n\r\n";
        assert_eq!(shown(text, &Log::silent(|| Millis(0))), expected);
    }
}
