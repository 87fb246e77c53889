//! Where the database is: `postgres://user@host:port/database?sslmode=…`, as libpq has it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use super::tls;

/// A database and how it is reached.
#[derive(Clone)]
pub struct Target {
    pub(super) config: Config,
    /// Schema of the tables.
    pub(super) schema: String,
    /// Whether certificates are checked, and against which authorities.
    pub(super) tls: Arc<ClientConfig>,
}

/// Why a URL names no database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rs.database: {0}")]
pub struct BadTarget(String);

/// What stands beside the URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// The account.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// Schema of the tables; else `public`.
    pub schema: Option<String>,
}

impl fmt::Debug for Target {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user().unwrap_or_default();
        write!(f, "postgres {:?} as {user}", self.config.get_hosts())
    }
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// Anything that libpq would not take; a password in the URL, which would end in logs; no
    /// user, host or database; a schema that is no plain name; a file of authorities that has none.
    pub fn read(url: &str, beside: Beside) -> Result<Self, BadTarget> {
        let bad = |text: &str| BadTarget(text.to_owned());
        let (place, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut authorities, mut rest) = (SslMode::Prefer, None, Vec::new());
        let mut verify = false;
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", "disable")) => mode = SslMode::Disable,
                Some(("sslmode", "prefer")) => mode = SslMode::Prefer,
                Some(("sslmode", "require")) => mode = SslMode::Require,
                Some(("sslmode", "verify-full")) => (mode, verify) = (SslMode::Require, true),
                Some(("sslmode", _)) => {
                    return Err(bad("sslmode is disable, prefer, require or verify-full"));
                }
                Some(("sslrootcert", file)) if !file.is_empty() => {
                    authorities = Some(Path::new(file));
                }
                _ => rest.push(parameter),
            }
        }
        if verify != authorities.is_some() {
            return Err(bad("sslmode=verify-full and sslrootcert=FILE belong together"));
        }
        let url = format!("{place}?{}", rest.join("&"));
        let mut config: Config = url
            .trim_end_matches('?')
            .parse()
            .map_err(|_| bad("not a URL that libpq would take"))?;
        if config.get_password().is_some() {
            return Err(bad("a password stands in rs.database_password_file, not in the URL"));
        }
        if let Some(user) = beside.user {
            config.user(user);
        }
        if let Some(password) = beside.password {
            config.password(password);
        }
        let named = config.get_user().is_some() && config.get_dbname().is_some();
        if !named || config.get_hosts().is_empty() {
            return Err(bad("user, host and database are needed"));
        }
        let schema = beside.schema.unwrap_or_else(|| "public".to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !schema.starts_with(|c: char| c.is_ascii_lowercase()) || !schema.chars().all(plain) {
            return Err(bad("rs.database_schema has lower-case letters, digits and _"));
        }
        config
            .application_name("ringmaster")
            .ssl_mode(mode)
            .connect_timeout(Duration::from_secs(5))
            .tcp_user_timeout(Duration::from_secs(30))
            .keepalives_idle(Duration::from_secs(30));
        let tls = tls::client(authorities);
        let tls = tls.map_err(|why| BadTarget(format!("sslrootcert: {why}")))?;
        Ok(Self { config, schema, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Target, String> {
        Target::read(url, Beside::default()).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_whole_url_and_what_stands_beside_it() {
        let target = read("postgres://rs@db.example:5433/calls?sslmode=require").unwrap();
        assert_eq!(target.config.get_ports(), [5433]);
        assert_eq!(target.config.get_dbname(), Some("calls"));
        assert_eq!(target.config.get_ssl_mode(), SslMode::Require);
        let beside = Beside {
            user: Some("writer".to_owned()),
            password: Some("s3cret".to_owned()),
            schema: Some("rs".to_owned()),
        };
        let target = Target::read("postgresql://db/calls", beside).unwrap();
        assert_eq!(target.config.get_user(), Some("writer"));
        assert_eq!(target.schema, "rs");
        assert!(!format!("{target:?}").contains("s3cret"), "{target:?}");
    }

    #[test]
    fn what_names_no_database_is_told() {
        for (url, word) in [
            ("postgres://h/d", "user, host and database"),
            ("postgres://u@h", "user, host and database"),
            ("postgres://u:p@h/d", "rs.database_password_file"),
            ("postgres://u@h/d?sslmode=maybe", "sslmode is"),
            ("postgres://u@h/d?sslmode=verify-full", "belong together"),
            (
                "postgres://u@h/d?sslmode=verify-full&sslrootcert=/not/there",
                "rs.database: sslrootcert: /not/there: No such file",
            ),
            (
                "postgres://u@h/d?sslmode=verify-full&sslrootcert=/dev/null",
                "rs.database: sslrootcert: /dev/null: no certificate in it",
            ),
            ("postgres://u@h/d?wrong=1", "not a URL"),
            ("mysql://u@h/d", "not a URL"),
        ] {
            let bad = read(url).unwrap_err();
            assert!(bad.contains(word), "{url}: {bad}");
        }
        let beside = Beside { schema: Some("a; DROP".to_owned()), ..Beside::default() };
        let bad = Target::read("postgres://u@h/d", beside).unwrap_err();
        assert!(bad.to_string().contains("rs.database_schema"));
    }
}
