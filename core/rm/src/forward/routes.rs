//! Lists of values as they go on: those on top taken off, and what a strict router does to Route
//! made and undone (RFC 3261 §16.4, §16.6 step 6). What stays of a value stays byte by byte.
//!
//! Must not decide where a request goes.

use sip::header::{Header, Name};
use sip::message::Message;
use sip::print::Rewrite;

use super::draft::Edits;
use crate::admit::own;
use crate::settings::Settings;
use crate::token::is_own_user;

/// The edits that take the first `gone` Route values away (`usize::MAX`: all), and put the URI
/// `last` behind the others.
pub(crate) fn write(message: &Message<'_>, gone: usize, last: Option<&str>, edits: &mut Edits) {
    let Some(uri) = last else {
        without_first(message, Name::Route, gone, edits);
        return;
    };
    let (mut left, lines) = (gone, message.all(Name::Route).count());
    for (number, header) in message.all(Name::Route).enumerate() {
        edits.put(header.index, |out| {
            values(&header, &mut left, usize::MAX, out);
            if number + 1 == lines {
                value(uri, out);
            }
        });
    }
}

/// The edits that take the first `count` values of a list header away.
pub(crate) fn without_first(message: &Message<'_>, name: Name, count: usize, edits: &mut Edits) {
    let mut left = count;
    for header in message.all(name) {
        if left == 0 {
            break;
        }
        edits.put(header.index, |out| values(&header, &mut left, usize::MAX, out));
    }
}

/// A request as it was before the strict router that has sent it: the Request-URI, which is ours,
/// stands on top of the routes again, and the last of them is the Request-URI (RFC 3261 §16.4).
/// `None` for one that came otherwise.
pub(crate) fn before_strict(settings: &Settings, message: &Message<'_>) -> Option<Vec<u8>> {
    let line = message.request()?;
    let named = line.target.user.is_some_and(is_own_user);
    if !named || !own::is_own(settings, &line.target) {
        return None;
    }
    let target = message.routes().last()?.uri;
    let start = format!("{} {target} SIP/2.0", line.method.as_str());
    let mut edits = Vec::new();
    let lines = message.all(Name::Route).count();
    for (number, header) in message.all(Name::Route).enumerate() {
        let mut out = Vec::new();
        if number == 0 {
            value(line.uri, &mut out);
        }
        let last = number + 1 == lines;
        let kept = if last { header.values().count().saturating_sub(1) } else { usize::MAX };
        values(&header, &mut 0, kept, &mut out);
        edits.push((header.index, out));
    }
    let mut copy = Rewrite::new(message);
    copy.start_line(&start);
    for (index, lines) in &edits {
        copy.replace(*index, lines);
    }
    let mut bytes = Vec::new();
    copy.write(&mut bytes);
    Some(bytes)
}

/// Appends the line of a list header without its first `left` values, and with `most` of the
/// others at most; nothing where none stays.
fn values(header: &Header<'_>, left: &mut usize, most: usize, out: &mut Vec<u8>) {
    let before = out.len();
    let mut kept = 0;
    for value in header.values() {
        if *left > 0 {
            *left -= 1;
            continue;
        }
        if kept == most {
            break;
        }
        out.extend_from_slice(if kept > 0 { b"" } else { header.spelled });
        out.extend_from_slice(if kept > 0 { b", " } else { b": " });
        out.extend_from_slice(value);
        kept += 1;
    }
    if out.len() > before {
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a line with one Route value.
fn value(uri: &str, out: &mut Vec<u8>) {
    for part in [&b"Route: <"[..], uri.as_bytes(), b">\r\n"] {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::{before_strict, write};
    use crate::forward::draft::Draft;
    use crate::settings::Settings;
    use sip::message::Message;

    /// Display names, odd parameters, quotes and blanks: what a proxy must leave as it is.
    const ROUTES: &str = "Route: <sip:rm@x;lr>, \"A, \\\"b\" <sip:q@y;lr>;x=\"1,2\"\r\n\
        ROUTE : Mr. Z  <sip:z@z;lr> ;  y\r\n";

    fn with<T>(uri: &str, routes: &str, then: impl FnOnce(&Message<'_>) -> T) -> T {
        let text = format!(
            "BYE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n{routes}\
             From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\
             X-Last: 1\r\n\r\n"
        );
        then(&sip::parse::parse(text.as_bytes(), &sip::limits::Limits::DEFAULT).unwrap())
    }

    fn lines(bytes: &[u8]) -> Vec<String> {
        let text = std::str::from_utf8(bytes).unwrap();
        let is_route = |line: &&str| line.to_ascii_lowercase().starts_with("route");
        text.lines().filter(is_route).map(str::to_owned).collect()
    }

    #[test]
    fn values_on_top_go_and_one_comes_behind() {
        let left = |gone, last| {
            with("sip:a@b", ROUTES, |message| {
                let mut draft = Draft::default();
                write(message, gone, last, &mut draft.edits);
                draft.write(message);
                lines(&draft.bytes)
            })
        };
        let (first, second) = ROUTES.trim_end().split_once("\r\n").unwrap();
        let quoted = "Route: \"A, \\\"b\" <sip:q@y;lr>;x=\"1,2\"";
        assert_eq!(left(0, None), [first, second]);
        assert_eq!(left(1, None), [quoted, second]);
        assert_eq!(left(2, None), [second]);
        assert_eq!(left(3, None), Vec::<String>::new());
        assert_eq!(left(usize::MAX, None), Vec::<String>::new());
        let (third, last) = ("ROUTE: Mr. Z  <sip:z@z;lr> ;  y", "Route: <sip:t@u;a=1>");
        assert_eq!(left(1, Some("sip:t@u;a=1")), [quoted, third, last]);
        assert_eq!(left(3, Some("sip:t@u;a=1")), [last]);
    }

    #[test]
    fn a_strict_router_before_us_is_undone() {
        let settings = Settings::bare();
        let undone = |uri: &str, routes: &str| {
            let bytes = with(uri, routes, |message| before_strict(&settings, message))?;
            let start = bytes.split(|byte| *byte == b'\r').next().unwrap();
            Some((String::from_utf8(start.to_vec()).unwrap(), lines(&bytes)))
        };
        let own = &format!("sip:rm-{}@10.0.0.5:5060;lr", "A".repeat(94));
        let (start, routes) = undone(own, ROUTES).unwrap();
        assert_eq!(start, "BYE sip:z@z;lr SIP/2.0");
        let first = ROUTES.split("\r\n").next().unwrap();
        assert_eq!(routes, [&format!("Route: <{own}>"), first]);
        let (start, routes) = undone(own, "Route: <sip:t@u>\r\n").unwrap();
        assert_eq!((start.as_str(), routes.len()), ("BYE sip:t@u SIP/2.0", 1));
        // nothing to undo: no routes, another host, a user part that we never write
        assert_eq!(undone(own, ""), None);
        assert_eq!(undone(&own.replace("0.5", "0.6"), ROUTES), None);
        for other in ["rm", "rm-support"] {
            assert_eq!(undone(&format!("sip:{other}@10.0.0.5"), ROUTES), None);
        }
        assert!(undone("sip:rm-0@10.0.0.5:5060;lr", ROUTES).is_some());
    }
}
