//! What a client asks, taken apart.

use super::login::Login;
use super::packet::{self, Message};
use super::reader::Reader;
use super::value::{Column, Type, Value};

const EXECUTE_SQL: u64 = 10;

/// One request, as the endpoint keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Number of the connection, from 0.
    pub(crate) connection: usize,
    /// Number of the transaction that it belongs to; 0: none.
    pub(crate) transaction: u64,
    /// What is asked.
    pub(crate) what: What,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Login(Login),
    /// Text alone.
    Batch(String),
    /// `sp_executesql`: text, the declared types, values.
    Call {
        sql: String,
        types: String,
        values: Vec<Value>,
    },
    /// Rows behind an `INSERT BULK`.
    Bulk {
        columns: Vec<String>,
        rows: Vec<Vec<Value>>,
    },
    Begin {
        isolation: u8,
    },
    Commit,
    Rollback,
    Attention,
}

impl What {
    /// The text of a statement.
    pub(crate) fn sql(&self) -> Option<&str> {
        match self {
            Self::Batch(sql) | Self::Call { sql, .. } => Some(sql),
            Self::Login(_)
            | Self::Bulk { .. }
            | Self::Begin { .. }
            | Self::Commit
            | Self::Rollback
            | Self::Attention => None,
        }
    }

    /// Reads a message; also the transaction that it names.
    pub(super) fn decode(message: &Message) -> (u64, Self) {
        let mut from = Reader(&message.bytes);
        match message.kind {
            packet::LOGIN => (0, Self::Login(Login::decode(&message.bytes))),
            packet::ATTENTION => (0, Self::Attention),
            packet::BULK => (0, bulk(&mut from)),
            packet::BATCH => {
                let transaction = headers(&mut from);
                (transaction, Self::Batch(super::reader::utf16(from.0)))
            }
            packet::RPC => {
                let transaction = headers(&mut from);
                (transaction, call(&mut from))
            }
            packet::TRANSACTION => {
                let transaction = headers(&mut from);
                (transaction, manager(&mut from))
            }
            other => panic!("a packet that a client does not send: {other}"),
        }
    }
}

/// ALL_HEADERS: only the transaction counts.
fn headers(from: &mut Reader<'_>) -> u64 {
    let total = from.size(4);
    let mut all = Reader(from.take(total - 4));
    let mut transaction = 0;
    while !all.is_empty() {
        let length = all.size(4);
        let mut header = Reader(all.take(length - 4));
        if header.number(2) == 2 {
            transaction = header.number(8);
        }
    }
    transaction
}

fn call(from: &mut Reader<'_>) -> What {
    assert_eq!(from.number(2), 0xFFFF, "a procedure by number");
    assert_eq!(from.number(2), EXECUTE_SQL, "sp_executesql");
    from.take(2);
    let mut parameters = Vec::new();
    while !from.is_empty() {
        let name = from.short_text();
        from.take(1);
        let kind = Type::decode(from);
        parameters.push((name, kind.get(from)));
    }
    let mut parameters = parameters.into_iter();
    let mut text = || match parameters.next() {
        Some((_, Value::Text(text))) => text,
        other => panic!("no text of sp_executesql: {other:?}"),
    };
    let (sql, types) = (text(), text());
    let values = parameters.enumerate().map(|(index, (name, value))| {
        assert_eq!(name, format!("@P{}", index + 1));
        value
    });
    What::Call { sql, types, values: values.collect() }
}

fn bulk(from: &mut Reader<'_>) -> What {
    assert_eq!(from.number(1), 0x81, "rows in bulk begin with their columns");
    let count = from.size(2);
    let columns: Vec<Column> = (0..count)
        .map(|_| {
            from.take(6);
            let kind = Type::decode(from);
            Column { name: from.short_text(), kind }
        })
        .collect();
    let mut rows = Vec::new();
    while from.number(1) == 0xD1 {
        rows.push(columns.iter().map(|column| column.kind.get(from)).collect());
    }
    let columns = columns.into_iter().map(|column| column.name).collect();
    What::Bulk { columns, rows }
}

fn manager(from: &mut Reader<'_>) -> What {
    match from.number(2) {
        5 => What::Begin { isolation: from.take(1)[0] },
        7 => What::Commit,
        8 => What::Rollback,
        other => panic!("an unknown request of a transaction: {other}"),
    }
}
