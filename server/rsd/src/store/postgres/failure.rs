//! What PostgreSQL said no to, sorted by blame: the record's value, or the moment.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// Classes of codes that name a value which the same statement would refuse again: data, a
/// constraint, a limit of the program. All others are of the moment.
const REFUSED: [&str; 3] = ["22", "23", "54"];

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let code = error.code().map(|code| code.code().to_owned());
        // the driver's own text is but a word: what the server says is behind it
        let said = match error.as_db_error() {
            Some(said) => format!("{} ({})", said.message(), said.code().code()).into(),
            None => error.into(),
        };
        match code {
            // another RS made the row in the same moment, or a record's value is at fault
            Some(code) if code == SqlState::UNIQUE_VIOLATION.code() => Self::Taken(said),
            Some(code) if REFUSED.iter().any(|class| code.starts_with(class)) => {
                Self::Rejected(said)
            }
            Some(code) if code == SqlState::LOCK_NOT_AVAILABLE.code() => Self::Busy(said),
            _ => Self::Unavailable(said),
        }
    }
}
