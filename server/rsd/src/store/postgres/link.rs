//! One connection, asked step by step from a thread that may block. Whoever gets an error from it
//! drops it: what is left of an answer on the wire would be taken for the next one's.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_stream::StreamExt as _;

use super::target::Target;
use crate::store::StoreError;

/// Values of a statement.
pub(super) type Values<'v> = &'v [&'v (dyn ToSql + Sync)];

/// What a host that is gone holds at the server, others wait for: it is missed after 25 s.
const SOON_GONE: &str = "SET tcp_keepalives_idle TO 10; SET tcp_keepalives_interval TO 5;
    SET tcp_keepalives_count TO 3";

/// Until a connection is logged in and set: no statement of ours takes part in it.
const LOGIN: Duration = Duration::from_secs(15);

/// A connection that is logged in and set.
pub(super) struct Link {
    handle: Handle,
    client: Client,
    statements: BTreeMap<String, Statement>,
    limit: Duration,
}

impl Link {
    /// Connects and sets the session; `limit`: for each statement, by the server's clock and,
    /// somewhat later, by ours, should the server not answer at all.
    ///
    /// Without `jit`: the planner takes a partitioned table's parent for millions of rows, and
    /// compiles for seconds what then reads a thousand.
    pub(super) fn open(
        handle: &Handle,
        target: &Target,
        limit: Duration,
    ) -> Result<Self, StoreError> {
        let tls = MakeRustlsConnect::new(rustls::ClientConfig::clone(&target.tls));
        let (client, connection) = wait(handle, LOGIN.min(limit), target.config.connect(tls))?;
        handle.spawn(async move {
            // its end is met by the next question
            let _ended = connection.await;
        });
        let (schema, millis) = (&target.schema, limit.as_millis());
        let session = format!(
            "SET search_path TO {schema}; SET statement_timeout TO {millis};
             SET lock_timeout TO {millis}; SET synchronous_commit TO on; SET timezone TO 'UTC';
             SET jit TO off; {SOON_GONE}"
        );
        wait(handle, LOGIN.min(limit), client.batch_execute(&session))?;
        Ok(Self { handle: handle.clone(), client, statements: BTreeMap::new(), limit })
    }

    /// Statements without values.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        wait(&self.handle, self.limit, self.client.batch_execute(sql))
    }

    /// Asks.
    pub(super) fn query(&mut self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        wait(&self.handle, self.limit, self.client.query(&statement, values))
    }

    /// Asks, and looks at one row after the other: of very many not all are kept.
    pub(super) fn each(
        &mut self,
        sql: &str,
        values: Values<'_>,
        mut look: impl FnMut(&Row),
    ) -> Result<(), StoreError> {
        let statement = self.statement(sql)?;
        wait(&self.handle, self.limit, async {
            let rows = self.client.query_raw(&statement, values.iter().copied()).await?;
            let mut rows = pin!(rows);
            while let Some(row) = rows.next().await {
                look(&row?);
            }
            Ok(())
        })
    }

    /// Writes; tells how many rows.
    pub(super) fn execute(&mut self, sql: &str, values: Values<'_>) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        wait(&self.handle, self.limit, self.client.execute(&statement, values))
    }

    /// A question that is put together anew each time.
    pub(super) fn once(&mut self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, StoreError> {
        wait(&self.handle, self.limit, self.client.query(sql, values))
    }

    /// Whether the connection stands, as far as we know.
    pub(super) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = wait(&self.handle, self.limit, self.client.prepare(sql))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

fn wait<T>(
    handle: &Handle,
    limit: Duration,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    handle.block_on(async {
        match tokio::time::timeout(limit + Duration::from_secs(5), work).await {
            Ok(done) => done.map_err(StoreError::from),
            Err(_) => Err(StoreError::Unavailable(io::Error::from(io::ErrorKind::TimedOut).into())),
        }
    })
}

/// A key of 16 bytes, which PostgreSQL keeps as `uuid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uid(pub(super) [u8; 16]);

impl<'a> FromSql<'a> for Uid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::UUID
    }
}

impl ToSql for Uid {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::UUID
    }

    to_sql_checked!();
}
