//! Write-ahead logs of files, which somebody has to move into the files (spec rs.md §3.3). A part
//! of [`super::Store`]; servers do it themselves.

use super::StoreError;

/// Which logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Those that have become long: after a batch.
    Long,
    /// Those to whose file nobody writes at present, too: once a second.
    Calm,
    /// All that hold anything.
    All,
}

/// The logs.
pub trait Checkpoints {
    /// Moves them, oldest file first, each as far as nobody still reads what was before. One that
    /// cannot be moved keeps none of the others, and is tried again later.
    ///
    /// # Errors
    /// The first one of those that could not be moved.
    fn checkpoint(&self, due: Due) -> Result<(), StoreError>;
}
