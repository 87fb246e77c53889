//! `/api/v1/erasures`: a caller's number is erased on request (rs.md §8). The work goes on in the
//! background, also after a new start; the list tells how far it is.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::time::Millis;
use rs::Refused;
use rs::erase::{DIGITS, Number};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Shared;
use super::access::Asker;
use super::answer::{self, Shape, ask, refusal, respond};
use super::audit::line;
use crate::crew::Worker;
use crate::store::custody::ms;
use crate::store::erasing::Erasure;
use crate::view::View;

/// Of the body of a request.
const BYTES: usize = 4096;
/// Erasures that the list shows, the newest ones.
const MOST: usize = 1000;
/// After a slice, so that the applier has its turn.
const PAUSE: Duration = Duration::from_millis(5);
/// After a slice that the database did not do.
const AWAY: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    number: String,
}

/// All of them, newest first.
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let listed = async {
        let all = ask(&shared, |store| store.erasing().erasures(MOST)).await?;
        let items: Vec<Value> = all.iter().map(summary).collect();
        answer::written(&json!({ "items": items }))
    };
    respond(listed.await)
}

/// Begins one.
pub(super) async fn begin(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    body: HttpBody,
) -> Response {
    let begun = async {
        let number = number(body).await?;
        // neither the number stands anywhere, nor what it could be found by
        let line = line(&shared, &asker, "erasure", "", &json!({}));
        let no = ask(&shared, move |store| store.erasing().begin(&number, &line)).await?;
        go_on(Arc::clone(&shared));
        answer::written(&json!({ "no": no }))
    };
    match begun.await {
        Ok(body) => {
            (StatusCode::ACCEPTED, [("Content-Type", "application/json")], body).into_response()
        }
        Err(refused) => refusal(Shape::Json, &refused),
    }
}

/// Goes on with what is not at its end, in the background; there is one worker at most.
pub(super) fn go_on(shared: Arc<Shared>) {
    tokio::spawn(async move {
        let mut closed = shared.parts.closed.clone();
        let Ok(_one) = shared.erasing.try_acquire() else { return };
        let _nothing_told = Erasing::of(&shared.parts.view);
        while !*closed.borrow_and_update() {
            let now_ms = ms(shared.now());
            let held = Arc::clone(&shared);
            // no question: what is written anew at the end may take minutes
            let slice = spawn_blocking(move || held.parts.store.erasing().go_on(now_ms));
            match slice.await {
                Ok(Ok(true)) => sleep(PAUSE).await,
                Ok(Ok(false)) => return,
                Err(error) => {
                    let crew = &shared.parts.ingest.crew;
                    let Some(pause) = crew.failed(Worker::Erasure, error) else { return };
                    sleep(pause).await;
                }
                Ok(Err(error)) => {
                    answer::failed(&shared.parts.log, &error);
                    sleep(AWAY).await;
                }
            }
        }
    });
}

/// While it lives nothing is told from memory, of which nobody knows whether it is erased yet.
struct Erasing<'v>(&'v View);

impl<'v> Erasing<'v> {
    fn of(view: &'v View) -> Self {
        view.erasing();
        Self(view)
    }
}

impl Drop for Erasing<'_> {
    fn drop(&mut self) {
        self.0.erased();
    }
}

async fn number(body: HttpBody) -> Result<Number, Refused> {
    let bad = |text: String| Refused::other(400, "bad-body", text);
    let bytes = to_bytes(body, BYTES).await;
    let bytes = bytes.map_err(|_| bad(format!("at most {BYTES} bytes")))?;
    // an error of the reader may show what stands there
    let request: Request = serde_json::from_slice(&bytes)
        .map_err(|_| bad("an object with the text \"number\"".to_owned()))?;
    Number::of(&request.number).ok_or_else(|| {
        let (least, most) = (DIGITS.start(), DIGITS.end());
        let text = format!("number has {least} to {most} digits, and + - . ( ) / and blanks");
        Refused::parameter("bad-number", text, &["number"])
    })
}

fn summary(erasure: &Erasure) -> Value {
    let at = |ms: i64| Millis(u64::try_from(ms).unwrap_or_default());
    json!({
        "no": erasure.no, "requested_at": at(erasure.requested_ms),
        "ended_at": erasure.ended_ms.map(at),
        "calls": erasure.calls, "rows": erasure.rows, "day": erasure.day,
    })
}
