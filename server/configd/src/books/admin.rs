//! The first admin, so that there is somebody who may make the other tokens (ops.md §1.12).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::Books;
use super::tokens::secret;
use crate::refusal::Refusal;
use crate::who::Who;

/// How a server comes to its first admin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FirstAdmin {
    /// There are tokens already.
    Known,
    /// The token of `bootstrap_token_file` is an admin now.
    Installed,
    /// A new one lies in this file, which only its owner may read.
    Made(PathBuf),
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
    /// What the file holds is no token, or the store does not take it.
    #[error("no admin token: {0}")]
    Refused(#[from] Refusal),
}

impl Books {
    /// Makes an admin where there is no token at all: the one of a file, or a new one in
    /// `admin.token` of the directory of the store. The token itself is in no text that is told.
    ///
    /// # Errors
    /// The files, the store.
    pub async fn first_admin(
        &self,
        dir: &Path,
        bootstrap: Option<&Path>,
    ) -> Result<FirstAdmin, AdminError> {
        if !self.has_no_token() {
            return Ok(FirstAdmin::Known);
        }
        let Some(path) = bootstrap else {
            return self.admin_in(&dir.join("admin.token")).await;
        };
        let text = fs::read_to_string(path)
            .map_err(|source| AdminError::File { path: path.to_owned(), source })?;
        self.install_token(text.trim(), "bootstrap", &Who::server("local")).await?;
        Ok(FirstAdmin::Installed)
    }

    /// Makes another admin, in `admin.token` or, where that is there, `admin-N.token`
    /// (`--new-admin-token`).
    ///
    /// # Errors
    /// The files, the store.
    pub async fn new_admin(&self, dir: &Path) -> Result<FirstAdmin, AdminError> {
        let mut path = dir.join("admin.token");
        let mut number = 1_u32;
        while path.exists() {
            number += 1;
            path = dir.join(format!("admin-{number}.token"));
        }
        self.admin_in(&path).await
    }

    /// The file comes first: a token that is in the store and in no file is lost for ever.
    async fn admin_in(&self, path: &Path) -> Result<FirstAdmin, AdminError> {
        let secret = secret()?;
        keep(path, &secret).map_err(|source| AdminError::File { path: path.to_owned(), source })?;
        self.install_token(&secret, "admin", &Who::server("local")).await?;
        Ok(FirstAdmin::Made(path.to_owned()))
    }
}

/// A file that only its owner reads, whole or not at all.
fn keep(path: &Path, secret: &str) -> io::Result<()> {
    let temp = path.with_extension("token.new");
    // one that was left behind may have other rights
    match fs::remove_file(&temp) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temp)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    fs::rename(&temp, path)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}
