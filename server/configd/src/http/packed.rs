//! Answers are compressed for whoever takes that: those that are whole and worth it. Streams do it
//! themselves.

use std::io::Write;

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::spawn_blocking;

use super::answer::Wanted;
use super::limits;

/// Packs what `next` answers.
pub(super) async fn pack(request: Request, next: Next) -> Response {
    let packed = Wanted::of(request.headers()).packed;
    let response = next.run(request).await;
    let whole = response.body().size_hint().exact();
    let worth = whole.is_some_and(|length| length >= limits::COMPRESSED);
    if !packed || !worth || response.headers().contains_key(CONTENT_ENCODING) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    // a body that is whole is in memory already
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let small = spawn_blocking(move || {
        let mut packer = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
        packer.write_all(&bytes).and_then(|()| packer.finish()).map_err(|_| bytes)
    });
    match small.await {
        Ok(Ok(small)) => {
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            head.headers.append(VARY, HeaderValue::from_static("accept, accept-encoding"));
            head.headers.remove(CONTENT_LENGTH);
            Response::from_parts(head, Body::from(small))
        }
        Ok(Err(plain)) => Response::from_parts(head, Body::from(plain)),
        // the runtime ends
        Err(_) => Response::from_parts(head, Body::empty()),
    }
}
