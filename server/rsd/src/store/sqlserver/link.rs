//! One connection. Whoever gets an error from it drops it: what is left of an answer on the wire
//! would be taken for the next one's.

use std::time::Duration;

use net::Clock;
use rs::{Day, Key};
use tiberius::{Client, ColumnData, Row, ToSql, TokenRow};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use super::failure::Failure;
use super::statement::Statement;
use super::statement::schema::SESSION;
use super::target::Target;

/// How long what may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// To connect and log in.
    pub login: Duration,
    /// A statement, up to the last row of its answer; past it the server is told to stop.
    pub statement: Duration,
    /// All that is done with a connection at once: the end of a server that no longer reads.
    pub work: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { login: seconds(15), statement: seconds(30), work: seconds(300) }
    }
}

/// A connection that is logged in and set.
#[derive(Debug)]
pub struct Link {
    client: Client<Compat<TcpStream>>,
    times: Times,
    clock: Clock,
}

impl Link {
    /// Connects, logs in, sets the session.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] and [`Failure::TimeOut`].
    pub async fn open(target: &Target, times: Times, clock: Clock) -> Result<Self, Failure> {
        let mut config = target.config();
        config.handshake_timeout(Some(times.login));
        config.command_timeout(Some(times.statement));
        let address = (target.host.as_str(), target.port);
        let connected = timeout(times.login, TcpStream::connect(address)).await;
        let tcp = connected.map_err(|_| Failure::TimeOut("the way to it"))?;
        let tcp = tcp.map_err(tiberius::error::Error::from)?;
        tcp.set_nodelay(true).map_err(tiberius::error::Error::from)?;
        let client = Client::connect(config, tcp.compat_write()).await?;
        let mut link = Self { client, times, clock };
        link.batch(SESSION).await?;
        Ok(link)
    }

    /// Runs a statement without values, outside any procedure: temporary tables outlive it.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn batch(&mut self, statement: Statement) -> Result<(), Failure> {
        self.client.simple_query(statement.sql()).await?.into_results().await?;
        Ok(())
    }

    /// Runs one batch of a schema step.
    ///
    /// # Errors
    /// As the server answers.
    pub(super) async fn step(&mut self, batch: &'static str) -> Result<(), Failure> {
        self.client.simple_query(batch).await?.into_results().await?;
        Ok(())
    }

    /// Runs a statement with values; tells how many rows it changed.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn run(
        &mut self,
        statement: Statement,
        values: &[&dyn ToSql],
    ) -> Result<u64, Failure> {
        let changed = self.client.execute(statement.sql(), values).await?;
        Ok(changed.total())
    }

    /// Asks, and reads each row. Past the time of a statement the server is told to stop.
    ///
    /// # Errors
    /// As the server answers; [`Failure::TimeOut`]; what `read` says.
    pub async fn ask<T>(
        &mut self,
        statement: Statement,
        values: &[&dyn ToSql],
        mut read: impl FnMut(&Cells<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        let began = self.clock.mono();
        let mut rows = self.client.query(statement.sql(), values).await?.into_row_stream();
        let mut answer = Vec::new();
        while let Some(row) = rows.next().await {
            answer.push(read(&Cells(&row?))?);
            if self.clock.mono().saturating_sub(began) > self.times.statement {
                drop(rows);
                self.client.cancel_query().await?;
                return Err(Failure::TimeOut("a statement"));
            }
        }
        Ok(answer)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn begin(&mut self) -> Result<(), Failure> {
        Ok(self.client.begin_transaction().await?)
    }

    /// Commits it.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn commit(&mut self) -> Result<(), Failure> {
        Ok(self.client.commit_transaction().await?)
    }

    /// Undoes it.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn rollback(&mut self) -> Result<(), Failure> {
        Ok(self.client.rollback_transaction().await?)
    }

    /// Puts rows into a table in bulk, in the order of its columns. The driver tells the server
    /// twice the width of a text column, which may be 4000: none has more than 2000, or `max`.
    ///
    /// # Errors
    /// As the server answers; [`Failure::Rejected`] for a value that does not fit its column.
    pub async fn load<'r>(
        &mut self,
        table: &'r str,
        rows: impl IntoIterator<Item = TokenRow<'r>>,
    ) -> Result<u64, Failure> {
        let mut bulk = self.client.bulk_insert(table).await?;
        for row in rows {
            bulk.send(row).await?;
        }
        Ok(bulk.finalize().await?.total())
    }

    /// How long what may take.
    #[must_use]
    pub const fn times(&self) -> Times {
        self.times
    }
}

/// A row of an answer, read by position.
#[derive(Debug)]
pub struct Cells<'r>(&'r Row);

impl Cells<'_> {
    /// An integer of any width, or null.
    ///
    /// # Errors
    /// [`Failure::Unexpected`]: the column has another type, or there is none.
    pub fn number(&self, at: usize) -> Result<Option<i64>, Failure> {
        match self.cell(at)? {
            ColumnData::U8(number) => Ok(number.map(i64::from)),
            ColumnData::I16(number) => Ok(number.map(i64::from)),
            ColumnData::I32(number) => Ok(number.map(i64::from)),
            ColumnData::I64(number) => Ok(*number),
            ColumnData::Bit(bit) => Ok(bit.map(i64::from)),
            other => Err(unexpected(at, "number", other)),
        }
    }

    /// A text, or null.
    ///
    /// # Errors
    /// [`Failure::Unexpected`]: the column has another type, or there is none.
    pub fn text(&self, at: usize) -> Result<Option<String>, Failure> {
        match self.cell(at)? {
            ColumnData::String(text) => Ok(text.as_deref().map(str::to_owned)),
            other => Err(unexpected(at, "text", other)),
        }
    }

    /// Bytes, or null.
    ///
    /// # Errors
    /// [`Failure::Unexpected`]: the column has another type, or there is none.
    pub fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>, Failure> {
        match self.cell(at)? {
            ColumnData::Binary(bytes) => Ok(bytes.as_deref().map(<[u8]>::to_vec)),
            other => Err(unexpected(at, "bytes", other)),
        }
    }

    /// A small number, or null.
    ///
    /// # Errors
    /// [`Failure::Unexpected`]: the column has another type, or there is none.
    pub fn word(&self, at: usize) -> Result<Option<u8>, Failure> {
        self.narrow(at)
    }

    /// An id of an object, or null.
    ///
    /// # Errors
    /// [`Failure::Unexpected`]: the column has another type, or there is none.
    pub fn id(&self, at: usize) -> Result<Option<u32>, Failure> {
        self.narrow(at)
    }

    /// A day.
    ///
    /// # Errors
    /// [`Failure::Unexpected`]: it is null, or none.
    pub fn day(&self, at: usize) -> Result<Day, Failure> {
        self.some(at, Self::narrow)
    }

    /// A key.
    ///
    /// # Errors
    /// [`Failure::Unexpected`]: it is null, or has not 16 bytes.
    pub fn key(&self, at: usize) -> Result<Key, Failure> {
        let bytes = self.some(at, Self::bytes)?;
        let key = bytes.try_into();
        key.map_err(|_| Failure::Unexpected(format!("no key in column {at}")))
    }

    fn narrow<T: TryFrom<i64>>(&self, at: usize) -> Result<Option<T>, Failure> {
        let number = self.number(at)?.map(T::try_from).transpose();
        number.map_err(|_| Failure::Unexpected(format!("too large a number in column {at}")))
    }

    /// A value that is never null: `cells.some(0, Cells::number)?`.
    ///
    /// # Errors
    /// [`Failure::Unexpected`]: it is null, or the column has another type.
    pub fn some<T>(
        &self,
        at: usize,
        read: impl Fn(&Self, usize) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        read(self, at)?.ok_or_else(|| Failure::Unexpected(format!("null in column {at}")))
    }

    fn cell(&self, at: usize) -> Result<&ColumnData<'static>, Failure> {
        let mut cells = self.0.cells();
        let cell = cells.nth(at).map(|(_, cell)| cell);
        cell.ok_or_else(|| Failure::Unexpected(format!("no column {at}")))
    }
}

fn unexpected(at: usize, wanted: &str, got: &ColumnData<'_>) -> Failure {
    Failure::Unexpected(format!("no {wanted} in column {at}, but {got:?}"))
}
