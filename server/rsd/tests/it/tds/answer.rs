//! What a script answers, and its tokens on the wire (MS-TDS 2.2.7).

use super::reader::to_utf16;
use super::value::{Column, Value};

const MORE: u16 = 1;
const ERROR: u16 = 2;
const COUNT: u16 = 16;
/// An acknowledged attention.
pub(super) const ATTENTION: u16 = 32;

const COLMETADATA: u8 = 0x81;
const ROW: u8 = 0xD1;
const NBCROW: u8 = 0xD2;
const RETURNSTATUS: u8 = 0x79;
const ERROR_TOKEN: u8 = 0xAA;
const INFO_TOKEN: u8 = 0xAB;
const ENVCHANGE: u8 = 0xE3;
const LOGINACK: u8 = 0xAD;
pub(super) const DONE: u8 = 0xFD;
const DONEPROC: u8 = 0xFE;
const DONEINPROC: u8 = 0xFF;

/// TDS 7.4, as a server says it.
const VERSION: [u8; 4] = [0x74, 0, 0, 4];

/// What happens after the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Then {
    /// The reply ends.
    #[default]
    End,
    /// It does not, until the client says something.
    Stall,
    /// The connection is closed.
    Close,
}

/// An answer of the script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    parts: Vec<Part>,
    pub(super) then: Then,
}

#[derive(Clone, Debug)]
enum Part {
    Rows { columns: Vec<Column>, rows: Vec<Vec<Value>> },
    Count(u64),
    Error { number: u32, class: u8, text: String },
    Info { number: u32, text: String },
}

impl Answer {
    /// A statement that changed so many rows.
    pub(crate) fn count(rows: u64) -> Self {
        Self::default().and_count(rows)
    }

    /// A result. Every second row is sent with a bitmap of its nulls.
    pub(crate) fn rows(columns: &[Column], rows: Vec<Vec<Value>>) -> Self {
        let columns = columns.to_vec();
        Self { parts: vec![Part::Rows { columns, rows }], then: Then::End }
    }

    /// The columns of a table, and no row.
    pub(crate) fn columns(columns: &[Column]) -> Self {
        Self::rows(columns, Vec::new())
    }

    /// Nothing, ever.
    pub(crate) fn stall() -> Self {
        Self::default().then_stall()
    }

    /// The end of the connection.
    pub(crate) fn close() -> Self {
        Self { parts: Vec::new(), then: Then::Close }
    }

    pub(crate) fn and_count(mut self, rows: u64) -> Self {
        self.parts.push(Part::Count(rows));
        self
    }

    pub(crate) fn and_error(mut self, number: u32, text: &str) -> Self {
        self.parts.push(Part::Error { number, class: 16, text: text.to_owned() });
        self
    }

    pub(crate) fn and_info(mut self, number: u32, text: &str) -> Self {
        self.parts.push(Part::Info { number, text: text.to_owned() });
        self
    }

    pub(crate) fn then_stall(mut self) -> Self {
        self.then = Then::Stall;
        self
    }

    /// Tokens; `procedure`: those of a procedure's answer.
    pub(super) fn encode(&self, procedure: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let each = if procedure { DONEINPROC } else { DONE };
        let mut failed = false;
        for (index, part) in self.parts.iter().enumerate() {
            let more = procedure || self.then != Then::End || index + 1 < self.parts.len();
            let more = if more { MORE } else { 0 };
            match part {
                Part::Rows { columns, rows } => {
                    result(columns, rows, &mut out);
                    if self.then == Then::End {
                        done(each, COUNT | more, rows.len() as u64, &mut out);
                    }
                }
                Part::Count(rows) => done(each, COUNT | more, *rows, &mut out),
                Part::Error { number, class, text } => {
                    message(ERROR_TOKEN, *number, *class, text, &mut out);
                    failed = true;
                    done(each, ERROR | more, 0, &mut out);
                }
                Part::Info { number, text } => message(INFO_TOKEN, *number, 0, text, &mut out),
            }
        }
        if self.then != Then::End {
            return out;
        }
        if procedure {
            out.push(RETURNSTATUS);
            out.extend(u32::from(failed).to_le_bytes());
            done(DONEPROC, if failed { ERROR } else { 0 }, 0, &mut out);
        } else if self.parts.iter().all(|part| matches!(part, Part::Info { .. })) {
            done(DONE, 0, 0, &mut out);
        }
        out
    }
}

pub(super) fn done(token: u8, status: u16, rows: u64, out: &mut Vec<u8>) {
    out.push(token);
    out.extend(status.to_le_bytes());
    out.extend([0xC1, 0]);
    out.extend(rows.to_le_bytes());
}

fn result(columns: &[Column], rows: &[Vec<Value>], out: &mut Vec<u8>) {
    out.push(COLMETADATA);
    out.extend(u16::try_from(columns.len()).expect("16 bits").to_le_bytes());
    for column in columns {
        out.extend([0; 4]);
        // may be null, may be written
        out.extend(0x0009_u16.to_le_bytes());
        column.kind.encode(out);
        short_text(&column.name, out);
    }
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.len(), columns.len(), "a row has a value for each column");
        if index % 2 == 0 {
            out.push(ROW);
        } else {
            out.push(NBCROW);
            for part in row.chunks(8) {
                let nulls = part.iter().enumerate();
                let nulls = nulls.map(|(at, value)| u8::from(*value == Value::Null) << at);
                out.push(nulls.sum());
            }
        }
        for (column, value) in columns.iter().zip(row) {
            if index % 2 == 0 || *value != Value::Null {
                column.kind.put(value, out);
            }
        }
    }
}

/// ERROR or INFO.
pub(super) fn message(token: u8, number: u32, class: u8, text: &str, out: &mut Vec<u8>) {
    let mut body = number.to_le_bytes().to_vec();
    body.extend([1, class]);
    body.extend(u16::try_from(text.encode_utf16().count()).expect("16 bits").to_le_bytes());
    body.extend(to_utf16(text));
    short_text("canned", &mut body);
    short_text("", &mut body);
    body.extend(1_u32.to_le_bytes());
    sized(token, &body, out);
}

/// The whole answer to a good login: packets of the client's have at most `packet` bytes.
pub(super) fn welcome(database: &str, packet: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let change = |kind: u8, new: &str, old: &str, out: &mut Vec<u8>| {
        let mut body = vec![kind];
        short_text(new, &mut body);
        short_text(old, &mut body);
        sized(ENVCHANGE, &body, out);
    };
    change(1, database, "master", &mut out);
    message(INFO_TOKEN, 5701, 0, "Changed database context.", &mut out);
    sized(ENVCHANGE, &[7, 5, 0x09, 0x04, 0xD0, 0x00, 0x34, 0], &mut out);
    let mut body = vec![1];
    body.extend(VERSION);
    short_text("Microsoft SQL Server", &mut body);
    body.extend([13, 0, 0x10, 0x75]);
    sized(LOGINACK, &body, &mut out);
    change(4, &packet.to_string(), "4096", &mut out);
    done(DONE, 0, 0, &mut out);
    out
}

/// The answer to a bad one.
pub(super) fn refused(user: &str) -> Vec<u8> {
    let mut out = Vec::new();
    message(ERROR_TOKEN, 18456, 14, &format!("Login failed for user '{user}'."), &mut out);
    done(DONE, ERROR, 0, &mut out);
    out
}

/// A transaction began (8) or ended (9: committed, 10: rolled back).
pub(super) fn transaction(change: u8, number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let mut body = vec![change];
    if change != 8 {
        body.push(0);
    }
    body.push(8);
    body.extend(number.to_le_bytes());
    if change == 8 {
        body.push(0);
    }
    sized(ENVCHANGE, &body, &mut out);
    done(DONE, 0, 0, &mut out);
    out
}

fn sized(token: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(token);
    out.extend(u16::try_from(body.len()).expect("16 bits").to_le_bytes());
    out.extend(body);
}

fn short_text(text: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(text.encode_utf16().count()).expect("8 bits"));
    out.extend(to_utf16(text));
}
