//! Cuts a byte stream into frames of STOMP, and writes them.
//!
//! `command EOL *(name ":" value EOL) EOL body NUL *EOL`, where EOL is a line feed with or without
//! a carriage return before it. The body has the length of `content-length`, or ends at the first
//! NUL. Every byte is looked at once, however the bytes come; nothing is allocated by a length that
//! was only announced. What a header means, and its escapes, are not this file's business.

use super::version::Version;
use crate::limits::{MAX_HEADERS, MAX_LINE};
use crate::link::CloseReason;
use crate::wire::Malformed;

/// One frame; its headers are as they came, escapes and all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) command: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// The first header of that name: it counts where one is repeated.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Its headers as their sender meant them.
    ///
    /// # Errors
    /// An escape that the version does not have.
    pub(super) fn read(&mut self, version: Version) -> Result<(), CloseReason> {
        for (name, value) in &mut self.headers {
            *name = version.read(name)?.into_owned();
            *value = version.read(value)?.into_owned();
        }
        Ok(())
    }

    /// All headers, in their order.
    pub(super) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A frame, and how many bytes it took.
    Frame(Frame, usize),
    /// Line ends between frames: the peer lives.
    Blank(usize),
    /// The rest has not come.
    More,
}

/// Remembers how far the frame that is coming has been looked at. It is always asked with all
/// bytes from that frame's first one on.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    frame: Frame,
    /// Where the next line of the head begins, or the body once the head is whole.
    at: usize,
    /// Up to here there is no end of the line, or of the body.
    scanned: usize,
    body: Option<Length>,
}

#[derive(Debug, Clone, Copy)]
enum Length {
    Given(usize),
    UpToNul,
}

impl Cutter {
    /// Looks at what has come.
    ///
    /// # Errors
    /// This is no STOMP, or more than `limit` bytes, [`MAX_HEADERS`] or [`MAX_LINE`].
    pub(super) fn cut(&mut self, bytes: &[u8], limit: usize) -> Result<Cut, Malformed> {
        if self.at == 0 && self.scanned == 0 {
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank > 0 {
                return Ok(Cut::Blank(blank));
            }
        }
        while self.body.is_none() {
            let Some(line) = self.line(bytes)? else { return self.more(bytes, limit) };
            self.head(line, limit)?;
        }
        let Some((body, used)) = self.body(bytes)? else { return self.more(bytes, limit) };
        if used > limit {
            return Err(self.malformed("a frame above the limit"));
        }
        let mut frame = std::mem::take(self).frame;
        frame.body = body.to_vec();
        Ok(Cut::Frame(frame, used))
    }

    /// The receipt that the frame under way wants, as far as its head has come: what is too large
    /// is told with it.
    pub(super) fn receipt(&self, version: Option<Version>) -> Option<String> {
        let version = version.unwrap_or(Version::V1_0);
        Some(version.read(self.frame.raw("receipt")?).ok()?.into_owned())
    }

    fn more(&self, bytes: &[u8], limit: usize) -> Result<Cut, Malformed> {
        if bytes.len() > limit {
            return Err(self.malformed("a frame above the limit"));
        }
        Ok(Cut::More)
    }

    /// The next whole line of the head, without its end.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
        let unseen = bytes.get(self.scanned..).unwrap_or_default();
        let end = unseen.iter().position(|byte| matches!(byte, b'\n' | b'\0'));
        let Some(found) = end.map(|end| self.scanned + end) else {
            self.scanned = bytes.len();
            if bytes.len() - self.at > MAX_LINE {
                return Err(self.malformed("a line above the limit"));
            }
            return Ok(None);
        };
        let line = bytes.get(self.at..found).unwrap_or_default();
        if bytes.get(found) != Some(&b'\n') {
            return Err(self.malformed("a NUL in the head"));
        }
        if line.len() > MAX_LINE {
            return Err(self.malformed("a line above the limit"));
        }
        self.at = found + 1;
        self.scanned = self.at;
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// Takes a line of the head; an empty one ends it.
    fn head(&mut self, line: &[u8], limit: usize) -> Result<(), Malformed> {
        let text = String::from_utf8_lossy(line);
        if self.frame.command.is_empty() {
            self.frame.command = text.into_owned();
            return Ok(());
        }
        if text.is_empty() {
            let length = self.frame.raw("content-length").map(str::trim);
            self.body = Some(match length.map(str::parse::<usize>) {
                None => Length::UpToNul,
                Some(Ok(length)) if length <= limit => Length::Given(length),
                Some(Ok(_)) => return Err(self.malformed("a frame above the limit")),
                Some(Err(_)) => return Err(self.malformed("a content-length that is no number")),
            });
            return Ok(());
        }
        match text.split_once(':') {
            Some((name, value)) if !name.is_empty() => {
                self.frame.headers.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(self.malformed("a header without a name and a colon")),
        }
        if self.frame.headers.len() > MAX_HEADERS {
            return Err(self.malformed("too many headers"));
        }
        Ok(())
    }

    /// The whole body, and where the frame ends.
    fn body<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(&'a [u8], usize)>, Malformed> {
        let end = match self.body {
            Some(Length::Given(length)) => self.at + length,
            Some(Length::UpToNul) | None => {
                let unseen = bytes.get(self.scanned..).unwrap_or_default();
                match unseen.iter().position(|byte| *byte == 0) {
                    Some(end) => self.scanned + end,
                    None => {
                        self.scanned = bytes.len();
                        return Ok(None);
                    }
                }
            }
        };
        match bytes.get(end) {
            None => Ok(None),
            Some(0) => Ok(bytes.get(self.at..end).map(|body| (body, end + 1))),
            Some(_) => Err(self.malformed("no NUL behind the body")),
        }
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }
}

/// Appends a frame whose headers are written as `version` has it, or raw where it is none.
pub(super) fn write(
    command: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    version: Option<Version>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(command.as_bytes());
    out.push(b'\n');
    for (name, value) in headers {
        let version = version.unwrap_or(Version::V1_0);
        version.write(name, out);
        out.push(b':');
        version.write(value, out);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(body);
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 2 * MAX_LINE;

    /// All frames of the bytes, which come in pieces of `size`.
    fn cut(bytes: &[u8], size: usize) -> Result<Vec<Frame>, Malformed> {
        let (mut cutter, mut inbox, mut frames) = (Cutter::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            inbox.extend_from_slice(piece);
            loop {
                let used = match cutter.cut(&inbox, LIMIT)? {
                    Cut::More => break,
                    Cut::Blank(used) => used,
                    Cut::Frame(frame, used) => {
                        frames.push(frame);
                        used
                    }
                };
                inbox.drain(..used);
            }
        }
        Ok(frames)
    }

    #[test]
    fn frames_in_any_pieces() {
        let bytes = b"\n\r\nSEND\r\na:1\r\na:2\r\nb: x:y \r\n\r\nbody\0\n\n\
            SEND\ncontent-length:3\n\n\0\n\0\0DISCONNECT\n\n\0";
        for size in 1..=bytes.len() {
            let frames = cut(bytes, size).unwrap();
            let [first, second, third] = &frames[..] else { panic!("{frames:?}") };
            assert_eq!((first.command.as_str(), &*first.body), ("SEND", &b"body"[..]));
            assert_eq!((first.raw("a"), first.raw("b")), (Some("1"), Some(" x:y ")));
            assert_eq!(second.body, b"\0\n\0");
            assert_eq!((third.command.as_str(), third.headers().count()), ("DISCONNECT", 0));
        }
    }

    #[test]
    fn what_is_no_frame() {
        let long = format!("SEND\na:{}", "x".repeat(MAX_LINE));
        let many = format!("SEND\n{}", "a:b\n".repeat(MAX_HEADERS + 1));
        let large = format!("SEND\n\n{}", "x".repeat(LIMIT));
        for (bytes, what) in [
            (&b"SEND\n\0"[..], "a NUL in the head"),
            (b"SEND\nno colon\n", "a header without a name and a colon"),
            (b"SEND\n:value\n", "a header without a name and a colon"),
            (b"SEND\ncontent-length:x\n\n", "a content-length that is no number"),
            (b"SEND\ncontent-length:-1\n\n", "a content-length that is no number"),
            (b"SEND\ncontent-length:32769\n\n", "a frame above the limit"),
            (b"SEND\ncontent-length:32700\n\n", ""),
            (b"SEND\ncontent-length:1\n\nab\0", "no NUL behind the body"),
            (long.as_bytes(), "a line above the limit"),
            (many.as_bytes(), "too many headers"),
            (large.as_bytes(), "a frame above the limit"),
        ] {
            for size in [1, 7, bytes.len()] {
                let found = cut(bytes, size).map_err(|error| error.what).err();
                assert_eq!(found.unwrap_or_default(), what, "pieces of {size}");
            }
        }
    }
}
