//! What PostgreSQL said no to, sorted by blame: the record's value, or the moment.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// Classes of codes that name a value which the same statement would refuse again: data, a
/// constraint, a limit of the program. All others are of the moment.
const REFUSED: [&str; 3] = ["22", "23", "54"];

/// A row that another RS made in the same moment: the same batch again finds it.
pub(super) fn is_race(code: &SqlState) -> bool {
    *code == SqlState::UNIQUE_VIOLATION
        || *code == SqlState::T_R_DEADLOCK_DETECTED
        || *code == SqlState::T_R_SERIALIZATION_FAILURE
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let code = error.code().filter(|code| !is_race(code)).map(|code| code.code().to_owned());
        // the driver's own text is but a word: what the server says is behind it
        let said = match error.as_db_error() {
            Some(said) => format!("{} ({})", said.message(), said.code().code()).into(),
            None => error.into(),
        };
        match code {
            Some(code) if REFUSED.iter().any(|class| code.starts_with(class)) => {
                Self::Rejected(said)
            }
            Some(code) if code == SqlState::LOCK_NOT_AVAILABLE.code() => Self::Busy(said),
            _ => Self::Unavailable(said),
        }
    }
}
