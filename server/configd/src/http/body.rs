//! What comes with a request: read within its size and time, inflated, and taken apart.
//!
//! A body is read only when it is known who asks. Its size counts as it comes and as it is
//! inflated; nesting is bounded by both parsers, and large bodies are parsed off the runtime.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use config::objects;
use flate2::read::MultiGzDecoder;
use model::config::Document;
use model::config::limits::MAX_NESTING;
use model::schema::Problem;
use model::tree::from_json;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::limits;
use super::query::malformed;
use crate::refusal::Refusal;

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `application/json`
    Json,
    /// `application/yaml`, several documents.
    Yaml,
    /// `application/x-ndjson`, one document a line.
    Ndjson,
}

impl Form {
    /// By `Content-Type`.
    ///
    /// # Errors
    /// `unsupported-media-type`, also where there is none.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = text.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json),
            "application/yaml" | "application/x-yaml" | "text/yaml" => Ok(Self::Yaml),
            "application/x-ndjson" | "application/ndjson" => Ok(Self::Ndjson),
            _ => {
                let text = "expected application/json, application/yaml or application/x-ndjson";
                Err(Refusal::UnsupportedMediaType(text.to_owned()))
            }
        }
    }
}

impl Form {
    /// # Errors
    /// `unsupported-media-type` for what is not JSON.
    pub(super) fn json(headers: &HeaderMap) -> Result<(), Refusal> {
        match Self::of(headers) {
            Ok(Self::Json) => Ok(()),
            _ => Err(Refusal::UnsupportedMediaType("expected application/json".to_owned())),
        }
    }
}

/// Reads a body, at most `most` bytes as it comes and inflated.
///
/// # Errors
/// `too-large`, `unsupported-media-type` for an encoding other than gzip, `malformed` for one that
/// breaks off or does not come in time.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    most: usize,
    time: Duration,
) -> Result<Bytes, Refusal> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if length > most as u64 {
        return Err(too_large(most));
    }
    let packed = is_packed(headers.get(CONTENT_ENCODING))?;
    let bytes = timeout(time, collect(body, most))
        .await
        .map_err(|_| malformed(format!("the body did not come within {} s", time.as_secs())))??;
    if !packed {
        return Ok(bytes);
    }
    let inflated = spawn_blocking(move || inflate(&bytes, most)).await;
    inflated.unwrap_or_else(|_| Err(malformed("the body cannot be inflated"))).map(Bytes::from)
}

async fn collect(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let mut pieces = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| malformed("the body breaks off"))?;
        if whole.len() + piece.len() > most {
            return Err(too_large(most));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

/// Whether a body is packed.
pub(super) fn is_packed(encoding: Option<&HeaderValue>) -> Result<bool, Refusal> {
    let Some(encoding) = encoding else { return Ok(false) };
    match encoding.to_str().map(str::to_ascii_lowercase).as_deref() {
        Ok("gzip" | "x-gzip") => Ok(true),
        Ok("identity" | "") => Ok(false),
        _ => Err(Refusal::UnsupportedMediaType("expected no encoding or gzip".to_owned())),
    }
}

fn inflate(bytes: &[u8], most: usize) -> Result<Vec<u8>, Refusal> {
    let mut inflated = Vec::new();
    let mut reader = MultiGzDecoder::new(bytes).take(most as u64 + 1);
    reader.read_to_end(&mut inflated).map_err(|_| malformed("the body is not gzip"))?;
    if inflated.len() > most { Err(too_large(most)) } else { Ok(inflated) }
}

pub(super) fn too_large(most: usize) -> Refusal {
    Refusal::TooLarge(format!("a body has at most {}", model::units::print_size(most as u64)))
}

/// A body of one JSON value with exactly the fields of `T`.
///
/// # Errors
/// `malformed`.
pub(super) fn fields<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| syntax(&error))
}

/// The documents of a body.
///
/// # Errors
/// `malformed` with line and column, or `too-large` with E002 for one document.
pub(super) async fn documents(form: Form, bytes: Bytes) -> Result<Vec<Document>, Refusal> {
    off(move || {
        let documents = match form {
            Form::Json => vec![document(&json(&bytes)?, 1, bytes.len())?],
            Form::Ndjson => lines(&bytes)?,
            Form::Yaml => yaml(&bytes)?,
        };
        for document in &documents {
            if document.size > limits::DOCUMENT {
                let (number, most) = (document.number, limits::DOCUMENT as u64);
                let most = model::units::print_size(most);
                let text = format!("E002: document {number} is larger than {most}");
                return Err(Refusal::TooLarge(text));
            }
        }
        Ok(documents)
    })
    .await
}

/// Does what takes a while beside the runtime.
pub(super) async fn off<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    // it fails only when the runtime ends
    spawn_blocking(work).await.unwrap_or(Err(Refusal::Busy))
}

/// One JSON value.
pub(super) fn json(bytes: &[u8]) -> Result<Json, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| syntax(&error))
}

/// A document that was written as JSON.
pub(super) fn document(json: &Json, number: usize, size: usize) -> Result<Document, Refusal> {
    if !json.is_object() {
        return Err(malformed(format!("E001: document {number} is not an object")));
    }
    if is_deeper(json, MAX_NESTING) {
        return Err(malformed(format!("E001: document {number} is nested too deep")));
    }
    Ok(Document { file: None, number, size, root: from_json(json) })
}

fn lines(bytes: &[u8]) -> Result<Vec<Document>, Refusal> {
    let mut documents = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let json = serde_json::from_slice(line).map_err(|error| {
            let column = error.column();
            malformed(format!("E001: not valid YAML or JSON: line {number} column {column}"))
        })?;
        documents.push(document(&json, documents.len() + 1, line.len())?);
    }
    Ok(documents)
}

fn yaml(bytes: &[u8]) -> Result<Vec<Document>, Refusal> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| malformed("E001: not valid YAML or JSON: it is not UTF-8 text"))?;
    let documents = objects::from_text(text, None)
        .map_err(|problem: Problem| malformed(problem.to_string()))?;
    Ok(documents.into_iter().filter(|document| !document.root.is_null()).collect())
}

fn syntax(error: &serde_json::Error) -> Refusal {
    // the text ends with line and column
    malformed(format!("E001: not valid YAML or JSON: {error}"))
}

fn is_deeper(json: &Json, most: usize) -> bool {
    match (json, most) {
        (Json::Array(_) | Json::Object(_), 0) => true,
        (Json::Array(items), _) => items.iter().any(|item| is_deeper(item, most - 1)),
        (Json::Object(fields), _) => fields.values().any(|field| is_deeper(field, most - 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn take(form: Form, text: &str) -> Result<usize, String> {
        let read = runtime().block_on(documents(form, Bytes::from(text.to_owned())));
        read.map(|documents| documents.len())
            .map_err(|refusal| format!("{} {refusal}", refusal.entry().status))
    }

    #[test]
    fn documents_come_in_three_forms_and_what_is_none_is_told_with_its_place() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
        let deepest = "[".repeat(100_000);
        for (form, text, expected) in [
            (Form::Json, "{\"kind\":\"Tenant\"}", Ok(1)),
            (Form::Yaml, "kind: Tenant\n---\nkind: Tenant\n---\n", Ok(2)),
            (Form::Ndjson, "{\"a\":1}\n\n{\"b\":2}\n", Ok(2)),
            (Form::Yaml, "", Ok(0)),
            (Form::Json, "[1]", Err("E001: document 1 is not an object")),
            (Form::Json, "{\"a\":", Err("at line 1 column 5")),
            (Form::Ndjson, "{}\n{x", Err("line 2 column 2")),
            (Form::Yaml, "a: 1\nb: [", Err("2:4: E001: not valid YAML or JSON")),
            (Form::Json, &deep, Err("nested too deep")),
            (Form::Json, &deepest, Err("recursion limit exceeded")),
            (Form::Yaml, &deepest, Err("E001")),
            (Form::Ndjson, &deepest, Err("E001")),
        ] {
            match (take(form, text), expected) {
                (Ok(count), Ok(expected)) => assert_eq!(count, expected, "{form:?} {text:.60}"),
                (Err(told), Err(expected)) => {
                    assert!(told.contains(expected) && told.starts_with("400 "), "{told}");
                }
                (found, _) => panic!("{form:?} {text:.60}: {found:?}"),
            }
        }
        let large = format!("a: {}\n", "x".repeat(limits::DOCUMENT));
        assert!(take(Form::Yaml, &large).unwrap_err().starts_with("413 E002: document 1 is"));
    }

    #[test]
    fn a_bomb_is_not_inflated() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..64 {
            packer.write_all(&[0; 1 << 20]).unwrap();
        }
        let bomb = packer.finish().unwrap();
        assert!(bomb.len() < 1 << 20);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let (most, time) = (limits::TRANSACTION, limits::TIMES.body);
        let ask = |headers: &HeaderMap, bytes: &[u8]| {
            runtime().block_on(read(headers, Body::from(bytes.to_vec()), most, time))
        };
        assert_eq!(ask(&headers, &bomb).unwrap_err().entry().status, 413);
        assert_eq!(ask(&headers, b"plain").unwrap_err().entry().status, 400);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
        assert_eq!(ask(&headers, b"").unwrap_err().entry().status, 415);
        headers.remove(CONTENT_ENCODING);
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("99999999999"));
        assert_eq!(ask(&headers, b"").unwrap_err().entry().status, 413);
    }
}
