//! One SIP message over one buffer: the bytes as they came, and an index over them.
//!
//! What every stage needs (start line, top Via, From, To, Call-ID, CSeq) is checked once by
//! `parse` and is given without errors from then on. Nothing is copied, decoded or normalised:
//! what a proxy does not touch leaves as it came. A `Message` lives as long as its buffer; who
//! wants to keep it keeps `raw` and parses again.

use crate::header::{Header, Name, NameAddr, Via};
use crate::limits::INLINE_LINES;
use crate::method::Method;
use crate::parse::chars::{Cursor, span};
use crate::uri::Uri;
use smallvec::SmallVec;

/// First line of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: Method<'a>,
    /// The Request-URI as it came.
    pub uri: &'a str,
    /// The same in its parts; any scheme.
    pub target: Uri<'a>,
}

/// First line of either kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'a> {
    Request(RequestLine<'a>),
    Response { status: u16, reason: &'a [u8], method: Method<'a> },
}

/// Where one header line lies: offsets into the buffer. Header sections are at most 65,535 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) name: Name,
    pub(crate) start: u16,
    pub(crate) name_end: u16,
    pub(crate) value: u16,
    pub(crate) value_end: u16,
    pub(crate) end: u16,
}

/// The index of all header lines; on the heap only beyond `INLINE_LINES`.
pub(crate) type Lines = SmallVec<[Line; INLINE_LINES]>;

/// A parsed request or response.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) start: Start<'a>,
    pub(crate) lines: Lines,
    pub(crate) body: usize,
    pub(crate) via: Via<'a>,
    pub(crate) from: NameAddr<'a>,
    pub(crate) to: NameAddr<'a>,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    pub(crate) max_forwards: Option<u8>,
}

impl<'a> Message<'a> {
    /// The whole message as it came, without surplus bytes of its datagram.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The first line of a request; `None` for a response.
    pub fn request(&self) -> Option<RequestLine<'a>> {
        match self.start {
            Start::Request(line) => Some(line),
            Start::Response { .. } => None,
        }
    }

    /// True for a request.
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request(_))
    }

    /// The status of a response, 100 to 699; `None` for a request.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            Start::Request(_) => None,
            Start::Response { status, .. } => Some(status),
        }
    }

    /// The reason phrase of a response; empty for a request.
    pub fn reason_phrase(&self) -> &'a [u8] {
        match self.start {
            Start::Request(_) => b"",
            Start::Response { reason, .. } => reason,
        }
    }

    /// The method: of the first line of a request, of CSeq in a response.
    pub fn method(&self) -> Method<'a> {
        match self.start {
            Start::Request(RequestLine { method, .. }) | Start::Response { method, .. } => method,
        }
    }

    /// All header lines in order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> {
        self.lines.iter().enumerate().map(|(index, line)| self.view(index, line))
    }

    /// The first header line of that name.
    pub fn header(&self, name: Name) -> Option<Header<'a>> {
        self.all(name).next()
    }

    /// All header lines of that name in order; `Name::Other` gives all unknown ones.
    pub fn all(&self, name: Name) -> impl Iterator<Item = Header<'a>> {
        self.lines
            .iter()
            .enumerate()
            .filter(move |(_, line)| line.name == name)
            .map(|(index, line)| self.view(index, line))
    }

    /// The first header line of any name, known or not, without case.
    pub fn named(&self, name: &str) -> Option<Header<'a>> {
        match Name::of(name.as_bytes()) {
            Name::Other => self
                .all(Name::Other)
                .find(|header| header.spelled.eq_ignore_ascii_case(name.as_bytes())),
            known => self.header(known),
        }
    }

    /// The body as it came.
    pub fn body(&self) -> &'a [u8] {
        self.raw.get(self.body..).unwrap_or_default()
    }

    /// The topmost Via value.
    pub fn top_via(&self) -> Via<'a> {
        self.via
    }

    /// The From header.
    pub fn from(&self) -> NameAddr<'a> {
        self.from
    }

    /// The To header.
    pub fn to(&self) -> NameAddr<'a> {
        self.to
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &'a str {
        self.call_id
    }

    /// The number of CSeq.
    pub fn cseq(&self) -> u32 {
        self.cseq
    }

    /// Max-Forwards, if there.
    pub fn max_forwards(&self) -> Option<u8> {
        self.max_forwards
    }

    /// All Via values from the top, over several lines and commas.
    pub fn vias(&self) -> impl Iterator<Item = Via<'a>> {
        self.list(Name::Via, Via::take)
    }

    /// All Route values from the top, over several lines and commas.
    pub fn routes(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.list(Name::Route, NameAddr::take)
    }

    /// All Record-Route values from the top, over several lines and commas.
    pub fn record_routes(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.list(Name::RecordRoute, NameAddr::take)
    }

    /// All Contact values in order, over several lines and commas.
    pub fn contacts(&self) -> impl Iterator<Item = NameAddr<'a>> {
        self.list(Name::Contact, NameAddr::take)
    }

    /// Bytes from the first one up to the first header line: the start line with its CR LF.
    pub(crate) fn start_line_end(&self) -> usize {
        self.lines.first().map_or(0, |line| usize::from(line.start))
    }

    /// Where a header line starts and ends.
    pub(crate) fn line_range(&self, index: usize) -> Option<(usize, usize)> {
        self.lines.get(index).map(|line| (usize::from(line.start), usize::from(line.end)))
    }

    fn view(&self, index: usize, line: &Line) -> Header<'a> {
        let (start, end) = (usize::from(line.start), usize::from(line.end));
        Header {
            name: line.name,
            spelled: span(self.raw, start, usize::from(line.name_end)),
            value: span(self.raw, usize::from(line.value), usize::from(line.value_end)),
            line: span(self.raw, start, end),
            index,
        }
    }

    /// Values of a list header. `parse` has read each of them once, so none is lost here.
    fn list<T, E>(
        &self,
        name: Name,
        take: impl Fn(&mut Cursor<'a>) -> Result<T, E>,
    ) -> impl Iterator<Item = T> {
        let mut lines = self.all(name);
        let mut cursor = Cursor::new(b"");
        std::iter::from_fn(move || {
            while cursor.at >= cursor.bytes.len() {
                cursor = Cursor::new(lines.next()?.value);
            }
            let value = take(&mut cursor).ok()?;
            cursor.at += 1;
            Some(value)
        })
    }
}
