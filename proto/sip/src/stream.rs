//! Borders of messages in a stream, by Content-Length (RFC 3261 §18.3).
//!
//! Bytes go in as they come from the socket; whole messages and keep-alive pings come out. Each
//! byte is copied once and looked at once, however small the pieces are. What is refused is
//! refused on the header alone, and the stream cannot be trusted afterwards: it must be closed.
//! Between stage 1 (packet in) and stage 2 (parse); time (10 s for a header) is the shell's.

use crate::limits::{Limits, STREAM_KEPT};
use crate::parse::{ParseError, content_length};

/// What came whole out of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// One message, ready for `parse`.
    Message(&'a [u8]),
    /// CR LF CR LF between messages (RFC 5626 §3.5.1): answer with CR LF.
    Ping,
}

/// The stream is broken: answer what `rest` holds if `print::refuse` can, then close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stream broken")]
pub struct StreamError(#[source] pub ParseError);

/// Cuts one stream into messages.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    buffer: Vec<u8>,
    /// Where the message in hand starts.
    start: usize,
    /// How far the end of its header has been looked for.
    seen: usize,
    /// Where it ends, once its header is whole.
    end: Option<usize>,
    /// The last frame given ends here: it is forgotten with the next call.
    given: usize,
    broken: Option<StreamError>,
}

impl Framer {
    /// A framer for a new stream.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, buffer: Vec::new(), start: 0, seen: 0, end: None, given: 0, broken: None }
    }

    /// Takes bytes in the order of the stream. Call `next_frame` until it gives `None` before the
    /// next push: then no more than one unfinished message is held.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        self.forget();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` until more bytes come.
    ///
    /// # Errors
    /// The stream must be closed: a header without Content-Length or with a bad one, a line end
    /// that is not CR LF, or a message beyond the limits. The error repeats from then on.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, StreamError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.skip_given();
        let found = self.find();
        match found {
            Ok(Some(Found::Ping)) => Ok(Some(Frame::Ping)),
            Ok(Some(Found::Message(from, to))) => {
                Ok(Some(Frame::Message(self.buffer.get(from..to).unwrap_or_default())))
            }
            Ok(None) => {
                self.settle();
                Ok(None)
            }
            Err(error) => {
                let error = StreamError(error);
                self.broken = Some(error);
                Err(error)
            }
        }
    }

    /// Bytes of the unfinished message; 0 when the stream rests between messages.
    pub fn pending(&self) -> usize {
        let from = self.start.max(self.given);
        let rest = self.buffer.get(from..).unwrap_or_default();
        if rest == b"\r" || rest == b"\r\n" || rest == b"\r\n\r" { 0 } else { rest.len() }
    }

    /// What has come of the message in hand: after an error the bytes for `print::refuse`.
    pub fn rest(&self) -> &[u8] {
        self.buffer.get(self.start.max(self.given)..).unwrap_or_default()
    }

    fn find(&mut self) -> Result<Option<Found>, ParseError> {
        if self.end.is_none() {
            match self.between() {
                Between::Ping => return Ok(Some(Found::Ping)),
                Between::Wait => return Ok(None),
                Between::Message => {}
            }
            let Some(body) = self.header_end()? else { return Ok(None) };
            self.end = Some(self.start + self.length(body)?);
        }
        let Some(end) = self.end.filter(|&end| end <= self.buffer.len()) else { return Ok(None) };
        self.given = end;
        Ok(Some(Found::Message(self.start, end)))
    }

    /// Takes what may stand between messages.
    fn between(&mut self) -> Between {
        if self.seen > self.start {
            return Between::Message;
        }
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            match rest {
                [] | [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return Between::Wait,
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.given = self.start + 4;
                    return Between::Ping;
                }
                [b'\r', b'\n', ..] => self.start += 2,
                _ => {
                    self.seen = self.start;
                    return Between::Message;
                }
            }
        }
    }

    /// Looks for the blank line, from where the last look ended; gives where the body starts.
    fn header_end(&mut self) -> Result<Option<usize>, ParseError> {
        loop {
            let rest = self.buffer.get(self.seen..).unwrap_or_default();
            let line_end = memchr::memchr(b'\n', rest).map(|at| self.seen + at + 1);
            self.seen = line_end.unwrap_or(self.buffer.len());
            if self.seen - self.start > self.limits.header_section {
                let at = self.limits.header_section;
                return Err(ParseError::limit(513, "header section too large", at));
            }
            let Some(line_end) = line_end else { return Ok(None) };
            let head = self.buffer.get(self.start..line_end).unwrap_or_default();
            if !head.ends_with(b"\r\n") {
                return Err(ParseError::new("line end is not CR LF", head.len().saturating_sub(1)));
            }
            if head.ends_with(b"\r\n\r\n") {
                return Ok(Some(line_end));
            }
        }
    }

    /// Length of the whole message whose header ends at `body`.
    fn length(&self, body: usize) -> Result<usize, ParseError> {
        let head = self.buffer.get(self.start..body).unwrap_or_default();
        let length = content_length(head, &self.limits)?
            .ok_or(ParseError::new("no Content-Length on a stream", 0))?;
        let whole = head.len() + length;
        if whole > self.limits.message {
            return Err(ParseError::limit(513, "message too large", head.len()));
        }
        Ok(whole)
    }

    fn skip_given(&mut self) {
        if self.given > self.start {
            self.start = self.given;
            self.seen = self.start;
            self.end = None;
        }
    }

    /// Between messages nothing is kept but room for a usual one.
    fn settle(&mut self) {
        if self.start >= self.buffer.len() {
            self.buffer.clear();
            self.buffer.shrink_to(STREAM_KEPT);
            (self.start, self.seen, self.given, self.end) = (0, 0, 0, None);
        }
    }

    /// Drops what has been given, so that the buffer holds the unfinished message only.
    fn forget(&mut self) {
        self.skip_given();
        if self.start == 0 {
            return;
        }
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.seen -= self.start;
        self.end = self.end.map(|end| end - self.start);
        self.start = 0;
        self.given = 0;
    }
}

enum Found {
    Ping,
    Message(usize, usize),
}

enum Between {
    Ping,
    Wait,
    Message,
}

#[cfg(test)]
mod tests;
