//! A decoded body becomes messages of the spool, and what is wrong with each (rs.md §2.8). The same
//! reader judges them again when they are applied, with the same time of arrival, so both say the
//! same; only what the database knows (`id_conflict`, `db_rejected`) is seen there alone.

use model::record::{Arrived, Kind, Record, Refusal, Stream};
use model::time::Millis;
use rs::Refused;
use rs::split::{Form, Unsplit, split};
use serde_json::Value;

use super::Dead;
use crate::api::limits::{RECORD_HEAD, RECORDS};
use crate::entry::{Body, Message, Raw, TOO_LARGE, is_bound};

/// A whole body.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) messages: Vec<Message>,
    pub(super) dead: Vec<Dead>,
}

/// Splits into records of so many bytes at most and reads; `produces`: names of producers that the
/// user is bound to.
pub(super) fn judge(
    body: &[u8],
    (form, most): (Form, usize),
    produces: &[String],
    at: Millis,
) -> Result<Judged, Refused> {
    let records = split(body, form, RECORDS).map_err(|unsplit| match unsplit {
        Unsplit::TooMany(_) => Refused::other(413, "too-many-records", unsplit.to_string()),
        Unsplit::Broken { .. } => Refused::other(400, "bad-body", unsplit.to_string()),
    })?;
    let mut judged = Judged { messages: Vec::with_capacity(records.len()), dead: Vec::new() };
    for (index, record) in records.into_iter().enumerate() {
        let body = kept(record, most);
        let read = read(&body, produces, at);
        let queue = match &read {
            Ok(kind) => kind.stream(),
            Err(_) => told(record).0.map_or(Stream::Event, Kind::stream),
        };
        if let Err(Refusal { code, field, text }) = read {
            let id = told(record).1;
            judged.dead.push(Dead { index, id, code, field, text, dead_letter: None });
        }
        judged.messages.push(Message {
            queue: queue.queue().to_owned(),
            message_id: None,
            fallback_id: None,
            properties: Vec::new(),
            body,
        });
    }
    Ok(judged)
}

fn read(body: &Body, produces: &[String], at: Millis) -> Result<Kind, Refusal> {
    let body = match body {
        Body::Text(text) => text.as_bytes(),
        Body::NotUtf8(raw) => &raw.0,
        Body::TooLarge(_) | Body::Unreadable { .. } => {
            let (code, text) = ("too_large", TOO_LARGE.to_owned());
            return Err(Refusal { code, field: String::new(), text });
        }
    };
    let arrived = Arrived { at, message_id: None };
    let (record, _) = Record::read(body, &arrived)?;
    is_bound(produces, &record).map(|()| record.kind())
}

fn kept(record: &[u8], most: usize) -> Body {
    if record.len() > most {
        return Body::TooLarge(Raw(record.get(..RECORD_HEAD).unwrap_or(record).to_vec()));
    }
    match std::str::from_utf8(record) {
        Ok(text) => Body::Text(text.to_owned()),
        Err(_) => Body::NotUtf8(Raw(record.to_vec())),
    }
}

/// Kind and id of a record that is no good, if it says them.
fn told(record: &[u8]) -> (Option<Kind>, Option<String>) {
    let text = String::from_utf8_lossy(record);
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let id = text("id").map(|id| openwire::text::prefix(id, 300).to_owned());
    (text("kind").and_then(Kind::parse), id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_767_225_600_000);
    const MOST: usize = 64 << 10;

    fn event(id: &str) -> String {
        format!(
            "{{\"schema\":1,\"kind\":\"call.event\",\"id\":\"{id}\",\
             \"time\":\"2026-01-01T00:00:00Z\",\"producer\":{{\"name\":\"tool\"}},\
             \"component\":{{\"name\":\"tool\",\"type\":\"OTHER\"}},\
             \"session_id\":\"s\",\"level\":\"INFO\",\"log_id\":\"1\",\"text\":\"t\"}}"
        )
    }

    fn dead(judged: &Judged) -> Vec<(usize, Option<&str>, &str, &str)> {
        let each = judged.dead.iter();
        each.map(|dead| (dead.index, dead.id.as_deref(), dead.code, &*dead.field)).collect()
    }

    #[test]
    fn good_ones_and_dead_ones_keep_their_places() {
        let bad = event("b").replace("\"producer\"", "\"producers\"");
        let large = event("c").replace("\"t\"}", &format!("\"{}\"}}", "x".repeat(MOST)));
        let body = format!("[{}, {bad}, {large}, 7, {}]", event("a"), event("d"));
        let judged = judge(body.as_bytes(), (Form::Json, MOST), &[], NOW).unwrap();
        let expected = [
            (1, Some("b"), "missing_field", "producer"),
            (2, Some("c"), "too_large", ""),
            (3, None, "not_an_object", ""),
        ];
        assert_eq!(dead(&judged), expected);
        let queues: Vec<_> = judged.messages.iter().map(|message| &*message.queue).collect();
        assert_eq!(queues, ["ringmaster.event"; 5]);
        let Body::TooLarge(Raw(head)) = &judged.messages[2].body else { panic!("{judged:?}") };
        assert_eq!(head.len(), RECORD_HEAD);
        assert_eq!(judged.messages[0].body, Body::Text(event("a")));
    }

    #[test]
    fn lines_of_any_bytes() {
        let body = [event("a").as_bytes(), b"\n\xff{}\n{\"kind\":\"cdr\",\"id\":\"x\"}\n"].concat();
        let judged = judge(&body, (Form::Lines, MOST), &[], NOW).unwrap();
        let expected = [(1, None, "not_utf8", ""), (2, Some("x"), "missing_field", "schema")];
        assert_eq!(dead(&judged), expected);
        assert_eq!(judged.messages[2].queue, "ringmaster.cdr");
    }

    /// One bad byte within a text costs that byte, not the record (rs.md §2.1).
    #[test]
    fn a_bad_byte_is_mended() {
        let at = event("b").find("\"t\"}").unwrap() + 1;
        let mut bad = event("b").into_bytes();
        bad.insert(at, 0xff);
        let worse = event("c").replace("\"producer\"", "\"producers\"").into_bytes();
        let worse = [&worse[..worse.len() - 3], b"\xff\"}"].concat();
        let body = [&b"["[..], &bad, b",", &worse, b"]"].concat();
        let judged = judge(&body, (Form::Json, MOST), &[], NOW).unwrap();
        assert_eq!(dead(&judged), [(1, Some("c"), "missing_field", "producer")]);
        assert_eq!(judged.messages[0].body, Body::NotUtf8(Raw(bad)));
    }

    #[test]
    fn bodies_without_records() {
        for (body, status, code) in [("nonsense", 400, "bad-body"), ("", 400, "bad-body")] {
            let refused = judge(body.as_bytes(), (Form::Json, MOST), &[], NOW).unwrap_err();
            assert_eq!((refused.status, refused.code), (status, code));
        }
        let many = "1\n".repeat(RECORDS + 1);
        let refused = judge(many.as_bytes(), (Form::Lines, MOST), &[], NOW).unwrap_err();
        assert_eq!((refused.status, refused.code), (413, "too-many-records"));
    }
}
