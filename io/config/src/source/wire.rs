//! What the Config Server says (ops.md §1.6, §1.7), as JSON; pure.
//!
//! A snapshot is lines of JSON between a head and an end; an answer without its end is none. What
//! the objects mean is seen when they are validated.

use model::config::{Digest, Document, Key};
use model::id::Revision;
use model::schema::Named;
use model::tree;
use serde::Deserialize;
use serde_json::Value;

use super::sse::Message;

/// The format that this version reads.
pub(crate) const FORMAT: &str = "ringmaster-snapshot/1";
/// Objects of one snapshot (ops.md §1.11: tenants and what hangs on them).
const MAX_OBJECTS: usize = 1_000_000;

/// What cannot be read, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Garbled(pub String);

/// One message of the watch.
#[derive(Clone, Debug)]
pub enum Heard {
    /// One revision, whole.
    Change(Change),
    /// Nothing has changed.
    Heartbeat {
        /// The server's revision.
        revision: Revision,
        /// The digest of its objects, where it is told.
        digest: Option<Digest>,
        /// Which books the server holds, where it is told.
        books: Option<String>,
    },
    /// A revision too large for an event.
    Resync,
    /// We were too slow; the stream ends.
    Overflow,
    /// The server leaves; the stream ends.
    Bye,
    /// Of a later version.
    Unknown,
}

/// One revision.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its number.
    pub revision: Revision,
    /// Of all objects after it.
    pub digest: Digest,
    /// Objects that are new or have changed.
    pub puts: Vec<Document>,
    /// Objects that are no more.
    pub deletes: Vec<Key>,
}

#[derive(Deserialize)]
struct ChangeText {
    revision: u64,
    digest: String,
    changes: Vec<OneText>,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
enum OneText {
    Put { object: Value },
    Delete { kind: String, tenant: Option<String>, name: String },
}

#[derive(Deserialize)]
struct BeatText {
    revision: u64,
    digest: Option<String>,
    books: Option<String>,
}

/// Reads a message.
///
/// # Errors
/// What cannot be read.
pub fn heard(message: &Message) -> Result<Heard, Garbled> {
    match message.event.as_str() {
        "change" => change(&message.data).map(Heard::Change),
        "heartbeat" => {
            let beat: BeatText = read(&message.data)?;
            let digest = beat.digest.as_deref().map(digest).transpose()?;
            let BeatText { revision, books, .. } = beat;
            Ok(Heard::Heartbeat { revision: Revision(revision), digest, books })
        }
        "resync" => Ok(Heard::Resync),
        "overflow" => Ok(Heard::Overflow),
        "bye" => Ok(Heard::Bye),
        _ => Ok(Heard::Unknown),
    }
}

fn change(data: &str) -> Result<Change, Garbled> {
    let text: ChangeText = read(data)?;
    let (mut puts, mut deletes) = (Vec::new(), Vec::new());
    for one in text.changes {
        match one {
            OneText::Put { object } => puts.push(document(puts.len() + 1, &object)),
            OneText::Delete { kind, tenant, name } => {
                let named = Named { kind, tenant, name };
                let unknown = || Garbled(format!("unknown kind {}", named.kind));
                deletes.push(Key::of(&named).ok_or_else(unknown)?);
            }
        }
    }
    let digest = digest(&text.digest)?;
    Ok(Change { revision: Revision(text.revision), digest, puts, deletes })
}

fn document(number: usize, json: &Value) -> Document {
    Document { file: None, number, size: 0, root: tree::from_json(json) }
}

fn digest(text: &str) -> Result<Digest, Garbled> {
    Digest::parse(text).ok_or_else(|| Garbled(format!("unknown digest {text:?}")))
}

fn read<'d, T: Deserialize<'d>>(text: &'d str) -> Result<T, Garbled> {
    serde_json::from_str(text).map_err(|error| Garbled(error.to_string()))
}

/// A snapshot as its lines come.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    head: Option<Head>,
    objects: Vec<Document>,
    digest: Option<Digest>,
}

/// The first line of a snapshot.
#[derive(Clone, Deserialize, Debug)]
pub struct Head {
    format: String,
    /// The revision at which it is consistent.
    pub revision: u64,
    /// So many objects follow.
    objects: usize,
    /// Which books it is from; one of an earlier version does not say.
    books: Option<String>,
}

#[derive(Deserialize)]
struct End {
    end: bool,
    digest: String,
}

/// A whole snapshot.
#[derive(Debug)]
pub struct Whole {
    /// Its number.
    pub revision: Revision,
    /// Which books it is from, where it is told.
    pub books: Option<String>,
    /// All of it.
    pub objects: Vec<Document>,
    /// Of all objects, as the server has it.
    pub digest: Digest,
}

impl Lines {
    /// Takes the next piece. `longest`: of a line, bytes.
    ///
    /// # Errors
    /// What cannot be read; nothing more can be then.
    pub fn feed(&mut self, bytes: &[u8], longest: usize) -> Result<(), Garbled> {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if self.line.len() + piece.len() > longest {
                return Err(Garbled(format!("a line is longer than {longest} bytes")));
            }
            self.line.extend_from_slice(piece);
            if pieces.peek().is_some() {
                let line = std::mem::take(&mut self.line);
                self.line(&line)?;
            }
        }
        Ok(())
    }

    /// The first line, when it has come.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Garbled> {
        let text = str::from_utf8(line).map_err(|_| Garbled("no UTF-8".to_owned()))?;
        let Some(head) = &self.head else {
            let head: Head = read(text)?;
            if head.format != FORMAT {
                return Err(Garbled(format!(
                    "format {}, this version reads {FORMAT}",
                    head.format
                )));
            }
            self.head = Some(head);
            return Ok(());
        };
        if self.digest.is_some() {
            return Err(Garbled("it goes on behind its end".to_owned()));
        }
        if self.objects.len() < head.objects.min(MAX_OBJECTS) {
            let number = self.objects.len() + 1;
            self.objects.push(document(number, &read(text)?));
            return Ok(());
        }
        let end: End = read(text)?;
        self.digest = Some(digest(&end.digest)?).filter(|_| end.end);
        Ok(())
    }

    /// The snapshot.
    ///
    /// # Errors
    /// Its end was not seen.
    pub fn finish(self) -> Result<Whole, Garbled> {
        match (self.head, self.digest) {
            (Some(head), Some(digest)) if self.line.is_empty() => {
                let (revision, books) = (Revision(head.revision), head.books);
                Ok(Whole { revision, books, objects: self.objects, digest })
            }
            _ => Err(Garbled("the answer has no end".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Heard, Lines, heard};
    use crate::source::sse::Message;
    use model::config::Digest;
    use model::id::Revision;

    fn told(event: &str, data: &str) -> Result<Heard, String> {
        let message = Message { event: event.to_owned(), data: data.to_owned() };
        heard(&message).map_err(|garbled| garbled.0)
    }

    #[test]
    fn a_change_is_one_revision() {
        let text = concat!(
            r#"{"revision":42,"time":"2026-11-22T09:30:00.123Z","actor":"ci","message":null,"#,
            r#""digest":"DIGEST","changes":[{"op":"put","object":{"kind":"Tenant","name":"a"}},"#,
            r#"{"op":"delete","kind":"DidGroup","tenant":"acme","name":"old","dbid":107}]}"#,
        );
        let text = text.replace("DIGEST", &nothing());
        let Heard::Change(change) = told("change", &text).unwrap() else { panic!("no change") };
        assert_eq!((change.revision, change.digest.to_string()), (Revision(42), nothing()));
        assert_eq!((change.puts.len(), change.deletes.len()), (1, 1));
        for text in ["", "{}", r#"{"revision":1,"digest":"","changes":[{"op":"move"}]}"#] {
            assert!(told("change", text).is_err(), "{text}");
        }
        let strange =
            r#"{"revision":1,"digest":"","changes":[{"op":"delete","kind":"X","name":"a"}]}"#;
        assert_eq!(told("change", strange).unwrap_err(), "unknown kind X");
    }

    #[test]
    fn the_other_events() {
        let beat = told("heartbeat", r#"{"revision":42,"time":"2026-11-22T09:30:10.000Z"}"#);
        let beat = beat.unwrap();
        assert!(matches!(beat, Heard::Heartbeat { revision: Revision(42), digest: None, .. }));
        assert!(matches!(told("resync", r#"{"revision":1}"#), Ok(Heard::Resync)));
        assert!(matches!(told("overflow", "{}"), Ok(Heard::Overflow)));
        assert!(matches!(told("bye", "{}"), Ok(Heard::Bye)));
        assert!(matches!(told("dance", "x"), Ok(Heard::Unknown)));
        assert!(told("heartbeat", "x").is_err());
    }

    const WHOLE: &str = concat!(
        r#"{"format":"ringmaster-snapshot/1","revision":7,"objects":2}"#,
        "\n{\"kind\":\"Tenant\"}\n{\"kind\":\"Application\"}\n",
        r#"{"end":true,"digest":"DIGEST"}"#,
        "\n",
    );

    /// The digest of nothing.
    fn nothing() -> String {
        Digest::of([]).to_string()
    }

    fn whole(text: &str, step: usize) -> Result<(u64, usize, String), String> {
        let mut lines = Lines::default();
        let text = text.replace("DIGEST", &nothing());
        for piece in text.as_bytes().chunks(step) {
            lines.feed(piece, 120).map_err(|garbled| garbled.0)?;
        }
        let whole = lines.finish().map_err(|garbled| garbled.0)?;
        Ok((whole.revision.0, whole.objects.len(), whole.digest.to_string()))
    }

    #[test]
    fn a_snapshot_in_any_pieces() {
        for step in 1..WHOLE.len() {
            assert_eq!(whole(WHOLE, step), Ok((7, 2, nothing())), "{step}");
        }
    }

    #[test]
    fn a_snapshot_without_its_end_is_none() {
        for end in 0..WHOLE.len() {
            assert!(whole(&WHOLE[..end], 7).is_err(), "cut at {end}");
        }
        for (from, to) in [
            ("snapshot/1", "snapshot/2"),
            ("\"objects\":2", "\"objects\":1"),
            ("\"objects\":2", "\"objects\":3"),
            ("\"end\":true", "\"end\":false"),
            ("DIGEST\"}\n", "DIGEST\"}\n{}\n"),
            ("DIGEST", "sha256:00"),
            ("Tenant", &"T".repeat(120)),
        ] {
            assert!(whole(&WHOLE.replace(from, to), 7).is_err(), "{from} → {to}");
        }
        let told = whole(&WHOLE.replace("snapshot/1", "snapshot/2"), 7).unwrap_err();
        assert_eq!(told, "format ringmaster-snapshot/2, this version reads ringmaster-snapshot/1");
    }
}
