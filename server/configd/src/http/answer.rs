//! Answers: JSON unless YAML is asked for, and streams of lines that are made while they are sent.

use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use model::id::Revision;
use serde_json::Value as Json;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::limits;
use super::streams::Place;

/// How a client wants its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `Accept: application/yaml`
    yaml: bool,
    /// `Accept-Encoding: gzip`
    pub(super) packed: bool,
}

impl Wanted {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let has = |name, words: &[&str]| {
            let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).any(|item| {
                let mut parts = item.split(';').map(str::trim);
                let word = parts.next().unwrap_or_default().to_ascii_lowercase();
                let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00"));
                !refused && words.contains(&word.as_str())
            })
        };
        let yaml = has(ACCEPT, &["application/yaml", "application/x-yaml", "text/yaml"]);
        // who takes both gets JSON
        let json = has(ACCEPT, &["application/json"]);
        Self { yaml: yaml && !json, packed: has(ACCEPT_ENCODING, &["gzip"]) }
    }

    /// A value as a document.
    pub(super) fn document(self, status: StatusCode, value: &Json) -> Response {
        let (kind, text) = match self.yaml {
            true => ("application/yaml", config::yaml::print(value)),
            false => ("application/json", format!("{value}\n")),
        };
        (status, [(CONTENT_TYPE, kind)], text).into_response()
    }

    /// The usual answer.
    pub(super) fn ok(self, value: &Json) -> Response {
        self.document(StatusCode::OK, value)
    }

    /// Lines that `write` makes while they are sent; one that stops early is cut, and its reader
    /// misses the last line. It keeps its place until then.
    pub(super) fn lines(
        self,
        place: Place,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    ) -> Response {
        let (sender, pieces) = mpsc::channel(limits::PIECES);
        let packed = self.packed;
        spawn_blocking(move || {
            let _place = place;
            let piece = Vec::with_capacity(limits::PIECE);
            let mut pieces = Pieces { sender, piece, stalled: limits::STREAM_STALLED };
            // whoever has gone away needs no end
            let _gone = if packed {
                let mut packer = GzEncoder::new(pieces, Compression::fast());
                write(&mut packer).and_then(|()| packer.finish()).and_then(|mut it| it.flush())
            } else {
                write(&mut pieces).and_then(|()| pieces.flush())
            };
        });
        let stream = ReceiverStream::new(pieces);
        let mut response = Response::new(Body::from_stream(stream));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        if packed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        }
        response
    }
}

/// Bytes on their way from a thread to a connection.
struct Pieces {
    sender: mpsc::Sender<Result<Bytes, Infallible>>,
    piece: Vec<u8>,
    /// How long nothing of it may be taken.
    stalled: Duration,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= limits::PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(limits::PIECE));
        let sent = timeout(self.stalled, self.sender.send(Ok(piece.into())));
        match Handle::current().block_on(sent) {
            Ok(sent) => sent.map_err(|_| io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// The tag of a revision.
pub(super) fn tag(revision: Revision) -> HeaderValue {
    // digits and quotes are a header value
    HeaderValue::try_from(format!("\"{revision}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// Adds the tag of what was answered.
pub(super) fn tagged(mut response: Response, revision: Revision) -> Response {
    response.headers_mut().insert(ETAG, tag(revision));
    response
}

/// Whether the client has this revision already.
pub(super) fn has(headers: &HeaderMap, revision: Revision) -> bool {
    let own = format!("\"{revision}\"");
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == own
    })
}

/// Nothing new.
pub(super) fn unchanged(revision: Revision) -> Response {
    tagged(StatusCode::NOT_MODIFIED.into_response(), revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn yaml_and_gzip_are_for_those_who_ask() {
        for (pairs, yaml, packed) in [
            (&[][..], false, false),
            (&[("accept", "*/*"), ("accept-encoding", "br, gzip;q=0.5")], false, true),
            (&[("accept", "application/yaml"), ("accept-encoding", "gzip;q=0")], true, false),
            (&[("accept", "application/json, application/yaml")], false, false),
            (&[("accept", "text/html, Application/YAML; charset=utf-8")], true, false),
        ] {
            assert_eq!(Wanted::of(&headers(pairs)), Wanted { yaml, packed }, "{pairs:?}");
        }
    }

    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_does_not_keep_its_thread() {
        let (sender, mut pieces) = mpsc::channel(limits::PIECES);
        let (piece, stalled) = (Vec::new(), Duration::from_millis(50));
        let mut out = Pieces { sender, piece, stalled };
        let written = spawn_blocking(move || {
            let line = [0; limits::PIECE];
            let written = (0..).take_while(|_| out.write_all(&line).is_ok()).count();
            (written, out.write_all(&line).map_err(|error| error.kind()))
        });
        let (written, after) = written.await.unwrap();
        assert_eq!((written, after), (limits::PIECES, Err(io::ErrorKind::TimedOut)));
        let mut told = 0;
        while pieces.recv().await.is_some() {
            told += 1;
        }
        assert_eq!(told, limits::PIECES);
    }

    #[test]
    fn a_tag_is_compared_as_a_whole() {
        for (value, expected) in
            [("\"42\"", true), ("\"4\"", false), ("W/\"42\"", true), ("\"1\", \"42\"", true)]
        {
            let value = headers(&[("if-none-match", value)]);
            assert_eq!(has(&value, Revision(42)), expected, "{value:?}");
        }
        assert!(!has(&HeaderMap::new(), Revision(42)) && tag(Revision(42)) == "\"42\"");
    }
}
