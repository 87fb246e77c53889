//! `/v1/backup` and `/v1/restore`: all of the store, line by line (ops.md §1.9).
//!
//! A backup that comes in is kept in a file without a name until it has come whole and is right.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_ENCODING;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use flate2::write::MultiGzDecoder;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::access::Asked;
use super::body::{Form, is_packed};
use super::query::{Query, malformed};
use super::{Shared, limits};
use crate::refusal::Refusal;

/// The file, as long as it has a name.
const FILE: &str = "restore.part";

/// `GET /v1/backup`.
pub(super) async fn backup(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let place = shared.streams.place(&asked.who.source).await?;
    let mut lines = shared.books.backup(&asked.who)?;
    Ok(asked.wanted.lines(place, move |out| {
        while let Some(line) = lines.blocking_recv() {
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }))
}

/// `POST /v1/restore`.
pub(super) async fn restore(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    asked.who.needs_all_tenants()?;
    let mut query = Query::of(&uri)?;
    let replace = query.flag("replace")?;
    query.finish()?;
    if Form::of(&headers)? != Form::Ndjson {
        return Err(Refusal::UnsupportedMediaType("expected application/x-ndjson".to_owned()));
    }
    let packed = is_packed(headers.get(CONTENT_ENCODING))?;
    let taken = timeout(shared.times.backup, take(&shared.home, body, packed)).await;
    let backup = taken.map_err(|_| malformed("the backup did not come in time"))??;
    let (who, wanted, books) = (asked.who, asked.wanted, shared.books.clone());
    // also when whoever asked does not wait; it fails only when the runtime ends
    let work = tokio::spawn(async move { books.restore(backup, replace, &who).await });
    let restored = work.await.unwrap_or(Err(Refusal::Busy))?;
    Ok(wanted.ok(&json!({ "revision": restored.revision, "objects": restored.objects })))
}

/// The body in a file.
async fn take(home: &Path, body: Body, packed: bool) -> Result<File, Refusal> {
    let file = nameless(home).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Refusal::Busy,
        _ => Refusal::StoreUnavailable,
    })?;
    let (sender, mut pieces) = mpsc::channel::<axum::body::Bytes>(limits::PIECES);
    let writing = spawn_blocking(move || {
        let mut bounded = Bounded { file, left: limits::BACKUP };
        let mut next = |out: &mut dyn Write| -> io::Result<()> {
            while let Some(piece) = pieces.blocking_recv() {
                out.write_all(&piece)?;
            }
            Ok(())
        };
        if packed {
            let mut unpacker = MultiGzDecoder::new(bounded);
            next(&mut unpacker)?;
            bounded = unpacker.finish()?;
        } else {
            next(&mut bounded)?;
        }
        bounded.file.rewind()?;
        Ok::<File, io::Error>(bounded.file)
    });
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| malformed("the body breaks off"))?;
        if sender.send(piece).await.is_err() {
            break;
        }
    }
    drop(sender);
    let written = writing.await.map_err(|_| Refusal::Busy)?;
    written.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => super::body::too_large(limits::BACKUP),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            malformed("the body is not gzip")
        }
        _ => Refusal::StoreUnavailable,
    })
}

/// A file that is gone when it is closed.
fn nameless(home: &Path) -> io::Result<File> {
    let path = home.join(FILE);
    // one of a process that was killed meanwhile
    forget(&path)?;
    let mut made = File::options();
    let file = made.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    forget(&path)?;
    Ok(file)
}

fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// A file that takes so much.
struct Bounded {
    file: File,
    left: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.write_all(bytes)?;
        self.left = left;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
