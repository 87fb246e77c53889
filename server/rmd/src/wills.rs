//! What operators want of resources, kept over restarts (rm.md §7.1): it goes before the
//! configuration until it is taken back.
//!
//! ```text
//! {data_dir}/rm/resources    a JSON list; replaced whole by rename
//! ```

use crate::boot::replace;
use crate::error::StartError;
use crate::limits::WILLS_FILE;
use model::config::Admin;
use model::time::{Millis, Now};
use rm::{Input, Proxy, Will};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// One resource as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    state: String,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

/// The file.
#[derive(Clone)]
pub(crate) struct Wills {
    path: PathBuf,
    /// One change at a time, so that the newest is what is kept.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Wills {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, turn: Arc::default() }
    }

    /// The turn to change something and keep it.
    pub(crate) async fn turn(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Tells the engine what was kept.
    ///
    /// # Errors
    /// As [`Wills::read`].
    pub(crate) fn tell(&self, proxy: &mut Proxy, now: Now) -> Result<(), StartError> {
        for (resource, will) in self.read()? {
            let (resource, will) = (&*resource, Some(will));
            proxy.handle_input(now, Input::Administer { resource, will });
        }
        Ok(())
    }

    /// What was kept; nothing before the first change.
    ///
    /// # Errors
    /// A file that cannot be read, or is not what was written: a media server that somebody has
    /// drained must not take calls again by mistake.
    fn read(&self) -> Result<Vec<(String, Will)>, StartError> {
        let failed = |error| StartError::file(&self.path, error);
        let bytes = match fs::read(&self.path) {
            Ok(bytes) if bytes.len() > WILLS_FILE => {
                return Err(failed(io::ErrorKind::FileTooLarge.into()));
            }
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let malformed =
            || io::Error::new(io::ErrorKind::InvalidData, "not a list of resources and states");
        let lines: Vec<Line> = serde_json::from_slice(&bytes).map_err(|_| failed(malformed()))?;
        let will = |line: Line| -> Result<_, StartError> {
            let admin = Admin::parse(&line.state).ok_or_else(|| failed(malformed()))?;
            Ok((line.name, Will { admin, until: line.until.map(Millis) }))
        };
        lines.into_iter().map(will).collect()
    }

    /// Keeps them; returns when they are on disk. Of two writers the later one must be the one with
    /// the newer state.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(crate) fn write(&self, wills: &[(String, Will)]) -> io::Result<()> {
        let line = |(name, will): &(String, Will)| Line {
            name: name.clone(),
            state: will.admin.as_str().to_owned(),
            until: will.until.map(|at| at.0),
        };
        let lines: Vec<Line> = wills.iter().map(line).collect();
        replace(&self.path, &serde_json::to_vec(&lines)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let wills = Wills::at(dir.path().join("resources"));
        assert_eq!(wills.read().unwrap(), []);
        let kept = [
            ("mcp 1".to_owned(), Will { admin: Admin::Draining, until: Some(Millis(7)) }),
            ("mcp-2".to_owned(), Will { admin: Admin::Enabled, until: None }),
        ];
        wills.write(&kept).unwrap();
        assert_eq!(wills.read().unwrap(), kept);
        for damaged in ["", "{}", "[{\"name\":\"a\"}]", "[{\"name\":\"a\",\"state\":\"asleep\"}]"] {
            fs::write(dir.path().join("resources"), damaged).unwrap();
            assert_eq!(wills.read().unwrap_err().exit_code(), 8, "{damaged}");
        }
    }
}
