//! What SQL Server said no to, sorted by blame: the record's value, or the moment.

use rs::erase::OtherSecret;
use rs::merge::DecodeError;
use tiberius::error::Error;

use crate::store::StoreError;

/// Numbers of errors that name a value which the same statement would refuse again. All others
/// are of the moment: deadlock (1205), snapshot conflict (3960), no right, no table, no room.
const REFUSED_VALUES: &[(u32, &str)] = &[
    (220, "arithmetic overflow of a type"),
    (232, "arithmetic overflow of a type"),
    (241, "no date in a text"),
    (245, "no number in a text"),
    (295, "no date in a text"),
    (515, "null where none may be"),
    (547, "a check"),
    (2601, "a second row of a unique index"),
    (2627, "a second row of a key"),
    (2628, "a text longer than its column"),
    (4815, "a length in bulk"),
    (4863, "a length in bulk"),
    (4864, "a type in bulk"),
    (7339, "a value in bulk"),
    (8114, "no such type in a text"),
    (8115, "arithmetic overflow"),
    (8152, "a text longer than its column"),
    (13609, "no JSON"),
];

/// What is said to be of another schema.
const PLACE: &str = "the database";

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server is away, busy, full or wants it again: the same later.
    #[error("SQL Server is not available")]
    Unavailable(#[source] Error),
    /// It did not answer in time; the connection is closed.
    #[error("SQL Server did not answer in time: {0}")]
    TimeOut(&'static str),
    /// It refuses a value: the same again would fail again.
    #[error("SQL Server refuses a value")]
    Rejected(#[source] Error),
    /// It answered something else than was asked for.
    #[error("SQL Server answered {0}")]
    Unexpected(String),
    /// Stored bytes of a call cannot be read.
    #[error("stored facts of a call cannot be read")]
    State(#[source] DecodeError),
    /// Its erasures were made with another secret than ours.
    #[error(transparent)]
    Secret(OtherSecret),
    /// A later version has made the schema.
    #[error("the database has schema version {0}, which this version does not know")]
    Newer(i64),
    /// A step that it took has since been changed.
    #[error("the database has taken another schema step {0} than this version has")]
    Changed(i64),
    /// The database is not as this version needs it.
    #[error("{0}")]
    Unfit(String),
}

impl Failure {
    /// The same again would fail again, and it is the record's fault
    /// (as [`StoreError::is_poison`]).
    #[must_use]
    pub const fn is_poison(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::State(DecodeError::Damaged(_)))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Rejected(error) => Self::Rejected(error.into()),
            Failure::State(error) => Self::State(error),
            Failure::Unavailable(error) => Self::Unavailable(error.into()),
            Failure::Secret(other) => Self::Secret(other),
            Failure::Newer(version) => Self::Newer { file: PLACE.to_owned(), version },
            Failure::Changed(version) => Self::Changed { file: PLACE.to_owned(), version },
            Failure::TimeOut(_) | Failure::Unexpected(_) | Failure::Unfit(_) => {
                Self::Unavailable(failure.into())
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Server(said) => {
                let refused = REFUSED_VALUES.iter().any(|(number, _)| *number == said.code());
                if refused { Self::Rejected(error) } else { Self::Unavailable(error) }
            }
            // values that do not fit their column, before they leave
            Error::BulkInput(_) => Self::Rejected(error),
            Error::Io { kind: std::io::ErrorKind::TimedOut, .. } => {
                Self::TimeOut("a statement, or the login")
            }
            _ => Self::Unavailable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_refuses_itself_is_the_record_s_fault() {
        let long = Failure::from(Error::BulkInput("too long".into()));
        assert!(long.is_poison(), "{long:?}");
        let torn = Failure::from(Error::Protocol("torn".into()));
        assert!(!torn.is_poison(), "{torn:?}");
    }

    #[test]
    fn a_state_of_a_later_version_is_no_record_s_fault() {
        let later = Failure::State(DecodeError::Version(9));
        assert!(!later.is_poison() && !StoreError::from(later).is_poison());
        let damaged = Failure::State(DecodeError::Damaged("torn".into()));
        assert!(damaged.is_poison() && StoreError::from(damaged).is_poison());
    }

    #[test]
    fn numbers_stand_once_and_in_order() {
        assert!(REFUSED_VALUES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
