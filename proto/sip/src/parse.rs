//! Stage 2: bytes become a message, or a reason why not.
//!
//! One pass finds the lines, a second looks into the headers that a proxy must understand and
//! checks every limit of `spec/rm.md` §1.9 that belongs to one message. No byte of the input is
//! copied and, up to 64 header lines, none allocated. Input never panics. Whether a well-formed
//! message is wanted (scheme, method, extension) is decided later.

pub(crate) mod chars;
mod field;
mod lines;
mod start;

pub(crate) use lines::{content_length, next_line};

use crate::header::{Name, NameAddr, Via};
use crate::limits::Limits;
use crate::message::{Line, Lines, Message, Start};
use crate::method::Method;
use chars::{Cursor, span};

/// Whose fault an error is: it tells operators where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The sender: the bytes break the grammar.
    Sender,
    /// A limit of ours: the bytes may be well-formed, but are more than we bear.
    Limit,
}

/// Why bytes are no message for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} ({status})")]
pub struct ParseError {
    /// The answer to a request: 400, 413, 414, 505 or 513.
    pub status: u16,
    /// What is wrong, for logs.
    pub what: &'static str,
    /// Offset in the bytes that were given, near the fault.
    pub at: usize,
    /// Whose fault it is.
    pub blame: Blame,
}

impl ParseError {
    /// A breach of the grammar: 400.
    pub(crate) const fn new(what: &'static str, at: usize) -> Self {
        Self { status: 400, what, at, blame: Blame::Sender }
    }

    /// A breach of a limit.
    pub(crate) const fn limit(status: u16, what: &'static str, at: usize) -> Self {
        Self { status, what, at, blame: Blame::Limit }
    }

    /// The same error in a buffer in which the read part starts at `base`.
    pub(crate) const fn moved(self, base: usize) -> Self {
        Self { at: self.at + base, ..self }
    }
}

/// Whether the bytes look like a request of this method, blank lines before it passed over: a hint
/// for who must decide before anything is parsed.
pub fn begins_with(bytes: &[u8], method: &str) -> bool {
    let start = bytes.get(lines::leading_blank(bytes)..).unwrap_or_default();
    start.strip_prefix(method.as_bytes()).is_some_and(|rest| rest.first() == Some(&b' '))
}

/// Reads one whole message: a datagram, or what `stream::Framer` cut out of a stream.
///
/// Blank lines before the start line are skipped (RFC 3261 §7.5); bytes behind Content-Length are
/// cut; without Content-Length the rest is the body (RFC 3261 §18.3).
///
/// # Errors
/// 400 for what breaks the grammar and for most limits, 413 for a Content-Length and 414 for a URI
/// beyond its limits, 505 for another SIP version, 513 for a message or header section that is too
/// large. A message of blank lines only (a keep-alive) is a 400; the endpoint absorbs it before.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Message<'a>, ParseError> {
    if bytes.len() > limits.message {
        return Err(ParseError::limit(513, "message too large", limits.message));
    }
    let blank = lines::leading_blank(bytes);
    let bytes = bytes.get(blank..).unwrap_or_default();
    whole(bytes, limits).map_err(|error| error.moved(blank))
}

fn whole<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Message<'a>, ParseError> {
    let first = lines::line_end(bytes, 0)?;
    let line = span(bytes, 0, first - 2);
    let start = start::read(line, limits)?;
    let mut lines = Lines::new();
    let body = index(bytes, first, limits, &mut lines)?;
    let head = span(bytes, 0, body);
    let text = std::str::from_utf8(head).ok();
    let mut facts = Facts::default();
    for line in &lines {
        let (from, to) = (usize::from(line.value), usize::from(line.value_end));
        facts.read(line.name, Cursor::within(head, text, from, to), limits)?;
    }
    let (cseq, method) = facts.cseq.ok_or(ParseError::new("no CSeq", 0))?;
    let start = match start {
        start::Line::Request(line) if line.method != method => {
            return Err(ParseError::new("CSeq of another method", 0));
        }
        start::Line::Request(line) => Start::Request(line),
        start::Line::Response { status, reason } => Start::Response { status, reason, method },
    };
    let end = match facts.content_length {
        None => bytes.len(),
        Some(length) if length > bytes.len() - body => {
            return Err(ParseError::new("Content-Length beyond the end", body));
        }
        Some(length) => body + length,
    };
    Ok(Message {
        raw: span(bytes, 0, end),
        start,
        lines,
        body,
        via: facts.via.ok_or(ParseError::new("no Via", 0))?,
        from: facts.from.ok_or(ParseError::new("no From", 0))?,
        to: facts.to.ok_or(ParseError::new("no To", 0))?,
        call_id: facts.call_id.ok_or(ParseError::new("no Call-ID", 0))?,
        cseq,
        max_forwards: facts.max_forwards,
    })
}

/// Puts all header lines into `lines`; gives where the body starts. Apart from `whole`, because
/// each of the two needs all registers.
#[inline(never)]
fn index(
    bytes: &[u8],
    first: usize,
    limits: &Limits,
    lines: &mut Lines,
) -> Result<usize, ParseError> {
    let longest = limits.header_section.min(usize::from(u16::MAX));
    let mut at = first;
    loop {
        if at > longest {
            return Err(ParseError::limit(513, "header section too large", longest));
        }
        let Some(line) = next_line(bytes, at)? else {
            let body = at + 2;
            return if body > longest {
                Err(ParseError::limit(513, "header section too large", longest))
            } else {
                Ok(body)
            };
        };
        if line.end - at > limits.header_line {
            return Err(ParseError::limit(400, "header line too long", at));
        }
        if lines.len() >= limits.header_lines {
            return Err(ParseError::limit(400, "too many header lines", at));
        }
        let end = u16::try_from(line.end)
            .map_err(|_| ParseError::limit(513, "header section too large", longest))?;
        // All offsets of a line are at most its end.
        let within = |offset: usize| u16::try_from(offset).unwrap_or(end);
        lines.push(Line {
            name: line.name,
            start: within(at),
            name_end: within(line.name_end),
            value: within(line.value),
            value_end: within(line.value_end),
            end,
        });
        at = line.end;
    }
}

/// What the headers of one message say, gathered line by line.
#[derive(Default)]
struct Facts<'a> {
    via: Option<Via<'a>>,
    from: Option<NameAddr<'a>>,
    to: Option<NameAddr<'a>>,
    call_id: Option<&'a str>,
    cseq: Option<(u32, Method<'a>)>,
    max_forwards: Option<u8>,
    content_length: Option<usize>,
    vias: usize,
    routes: usize,
    record_routes: usize,
    contacts: usize,
}

impl<'a> Facts<'a> {
    /// Reads the header in which `value` lies, if it is one of those a proxy must understand.
    fn read(&mut self, name: Name, value: Cursor<'a>, limits: &Limits) -> Result<(), ParseError> {
        let at = value.at;
        match name {
            Name::Via => {
                let top = vias(value, &mut self.vias, limits)?;
                if self.via.is_none() {
                    self.via = Some(top);
                }
                Ok(())
            }
            Name::From => once(&mut self.from, single(value, limits)?, at),
            Name::To => once(&mut self.to, single(value, limits)?, at),
            Name::CallId => once(&mut self.call_id, field::call_id(value, limits)?, at),
            Name::CSeq => once(&mut self.cseq, field::cseq(value, limits)?, at),
            Name::MaxForwards => once(&mut self.max_forwards, field::max_forwards(value)?, at),
            Name::ContentLength => {
                let length = field::content_length(value, limits)?;
                match self.content_length.replace(length) {
                    Some(other) if other != length => {
                        Err(ParseError::new("two different Content-Lengths", at))
                    }
                    _ => Ok(()),
                }
            }
            Name::Route => addresses(value, &mut self.routes, limits.routes, limits),
            Name::RecordRoute => {
                addresses(value, &mut self.record_routes, limits.record_routes, limits)
            }
            Name::Contact => addresses(value, &mut self.contacts, limits.contacts, limits),
            _ => Ok(()),
        }
    }
}

/// Keeps the only value of a header that must not come twice.
fn once<T>(place: &mut Option<T>, value: T, at: usize) -> Result<(), ParseError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ParseError::new("header comes twice", at)),
    }
}

#[inline(never)]
fn single<'a>(mut value: Cursor<'a>, limits: &Limits) -> Result<NameAddr<'a>, ParseError> {
    let at = value.at;
    let address = NameAddr::take(&mut value)?;
    if value.peek().is_some() || address.is_star() {
        return Err(ParseError::new("not one address", at));
    }
    address.check(limits, at)?;
    Ok(address)
}

/// Reads all Via values of a line, and gives the first.
fn vias<'a>(
    mut value: Cursor<'a>,
    count: &mut usize,
    limits: &Limits,
) -> Result<Via<'a>, ParseError> {
    let top = Via::take(&mut value)?;
    let mut via = top;
    loop {
        via.check(limits, value.at)?;
        *count += 1;
        if *count > limits.vias {
            return Err(ParseError::limit(400, "too many Vias", value.at));
        }
        if !value.eat(b',') {
            return Ok(top);
        }
        via = Via::take(&mut value)?;
    }
}

/// Reads all addresses of a line.
#[inline(never)]
fn addresses(
    mut value: Cursor<'_>,
    count: &mut usize,
    most: usize,
    limits: &Limits,
) -> Result<(), ParseError> {
    loop {
        let from = value.at;
        let address = NameAddr::take(&mut value)?;
        address.check(limits, from)?;
        *count += 1;
        if *count > most {
            return Err(ParseError::limit(400, "too many addresses", from));
        }
        if !value.eat(b',') {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
