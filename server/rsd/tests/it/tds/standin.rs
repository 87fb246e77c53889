//! A stand-in for the engine behind the endpoint: SQLite in memory, which is told each statement
//! of ours in its own words (`translate`). It proves that values and columns meet their places over
//! the real wire; it does not prove that SQL Server understands the text, nor how it locks.

mod translate;

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use rsd::store::sqlserver::batches;
use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Connection, ToSql, params_from_iter};

use super::request::{Request, What};
use super::{Answer, Column, Type, Value};

/// A transaction that lasts longer is of a connection that was lost.
const LOST: Duration = Duration::from_secs(2);

/// The engine of one endpoint; its connections share it, one transaction at a time.
pub(crate) struct StandIn {
    db: Mutex<Connection>,
    /// Types of columns by table and name, as the migrations declare them.
    types: BTreeMap<(String, String), Type>,
    /// Where the rows in bulk of a connection go.
    bulk: Mutex<BTreeMap<usize, String>>,
    /// The connection whose transaction is open.
    holder: Mutex<Option<usize>>,
    freed: Condvar,
}

impl StandIn {
    pub(crate) fn new() -> Self {
        let types = batches().iter().flat_map(|(_, batch)| translate::columns(batch)).collect();
        let db = Connection::open_in_memory().unwrap();
        let (bulk, holder, freed) = Default::default();
        Self { db: Mutex::new(db), types, bulk, holder, freed }
    }

    /// Tables with their columns, as the migrations declare them: `table.column`.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.types.keys().map(|(table, column)| format!("{table}.{column}"))
    }

    /// What it says to a request.
    pub(crate) fn answer(&self, request: &Request) -> Option<Answer> {
        if matches!(request.what, What::Begin { .. }) {
            self.hold(request.connection);
        }
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = |sql: &str| {
            db.execute_batch(sql).unwrap();
            if sql != "BEGIN" {
                *self.holder.lock().unwrap() = None;
                self.freed.notify_one();
            }
            None
        };
        match &request.what {
            What::Begin { .. } => {
                // of a connection that was lost
                if !db.is_autocommit() {
                    db.execute_batch("ROLLBACK").unwrap();
                }
                transaction("BEGIN")
            }
            What::Commit => transaction("COMMIT"),
            What::Rollback => transaction("ROLLBACK"),
            What::Batch(sql) if sql.starts_with("SELECT TOP 0 * FROM #") => {
                Some(self.columns(&db, sql.trim_start_matches("SELECT TOP 0 * FROM #")))
            }
            What::Batch(sql) if sql.starts_with("INSERT BULK #") => {
                self.expect_rows(request.connection, sql);
                None
            }
            What::Bulk { columns, rows } => {
                let table = self.bulk.lock().unwrap()[&request.connection].clone();
                Some(bulk(&db, &table, columns, rows))
            }
            What::Batch(sql) => Some(self.run(&db, sql, &[])),
            What::Call { sql, values, .. } => Some(self.run(&db, sql, values)),
            What::Login(_) | What::Attention => None,
        }
    }

    /// Waits for the transaction of another connection.
    fn hold(&self, connection: usize) {
        let is_others = |holder: &mut Option<usize>| holder.is_some_and(|of| of != connection);
        let holder = self.holder.lock().unwrap();
        let (mut holder, _) = self.freed.wait_timeout_while(holder, LOST, is_others).unwrap();
        *holder = Some(connection);
    }

    /// The next rows in bulk of this connection are for that table.
    fn expect_rows(&self, connection: usize, sql: &str) {
        let table = sql.split([' ', '#']).nth(3).unwrap().to_owned();
        self.bulk.lock().unwrap().insert(connection, table);
    }

    /// How many rows a table has.
    pub(crate) fn rows(&self, table: &str) -> i64 {
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// Columns of a temporary table, with the types of the real one.
    fn columns(&self, db: &Connection, table: &str) -> Answer {
        let statement = db.prepare(&format!("SELECT * FROM tmp_{table}")).unwrap();
        let columns: Vec<Column> = statement
            .column_names()
            .map(|name| Column::new(name, self.types[&(table.to_owned(), name.to_owned())]))
            .collect();
        Answer::columns(&columns)
    }

    fn run(&self, db: &Connection, sql: &str, values: &[Value]) -> Answer {
        let Some(sql) = translate::sqlite(sql) else { return Answer::count(0) };
        if values.is_empty() && sql.contains(';') {
            return db
                .execute_batch(&sql)
                .map_or_else(|error| refused(&sql, &error), |()| Answer::count(0));
        }
        self.one(db, &sql, values).unwrap_or_else(|error| refused(&sql, &error))
    }

    fn one(&self, db: &Connection, sql: &str, values: &[Value]) -> rusqlite::Result<Answer> {
        let mut statement = db.prepare(sql)?;
        let wanted = statement.parameter_count();
        let values = values.iter().take(wanted.max(values.len()).min(wanted));
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        if names.is_empty() {
            let changed = statement.execute(params_from_iter(values))?;
            return Ok(Answer::count(changed as u64));
        }
        let width = names.len();
        let rows = statement.query_map(params_from_iter(values), |row| {
            (0..width).map(|at| row.get_ref(at).map(value)).collect::<rusqlite::Result<Vec<_>>>()
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let columns: Vec<Column> = names
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let met = rows.iter().map(|row| &row[at]).find(|value| **value != Value::Null);
                let kind = match met {
                    Some(Value::Int(_)) => Type::Int(8),
                    Some(Value::Text(_)) => Type::TEXT,
                    Some(Value::Bytes(_)) => Type::BYTES,
                    Some(Value::Null) | None => self.of_name(name),
                };
                Column::new(name, kind)
            })
            .collect();
        Ok(Answer::rows(&columns, rows))
    }

    /// The type of a column where all is null.
    fn of_name(&self, name: &str) -> Type {
        let mut types = self.types.iter().filter(|((_, column), _)| column == name);
        let kind = types.next().map(|(_, kind)| *kind);
        match kind {
            Some(Type::Whole(size)) => Type::Int(size),
            Some(kind) => kind,
            None => Type::Int(4),
        }
    }
}

fn bulk(db: &Connection, table: &str, columns: &[String], rows: &[Vec<Value>]) -> Answer {
    let marks = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT INTO tmp_{table} ({}) VALUES ({marks})", columns.join(", "));
    let mut statement = db.prepare(&sql).unwrap();
    for row in rows {
        statement.execute(params_from_iter(row)).unwrap();
    }
    Answer::count(rows.len() as u64)
}

/// As SQL Server numbers it.
fn refused(sql: &str, error: &rusqlite::Error) -> Answer {
    let text = format!("{error}: {sql}");
    let number = match text.as_str() {
        text if text.contains("UNIQUE constraint") => 2627,
        text if text.contains("NOT NULL constraint") => 515,
        text if text.contains("CHECK constraint") => 547,
        _ => 102,
    };
    Answer::default().and_error(number, &text.chars().take(1000).collect::<String>())
}

fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8(text.to_vec()).unwrap()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(number) => panic!("no column of ours holds {number}"),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match self {
            Self::Null => Cell::Null,
            Self::Int(number) => Cell::Integer(*number),
            Self::Text(text) => Cell::Text(text.clone()),
            Self::Bytes(bytes) => Cell::Blob(bytes.clone()),
        }))
    }
}
