//! Where the database is: `sqlserver://user@host:port/database?encrypt=…`, with the words that
//! drivers of SQL Server have for it.

use std::fmt;
use std::path::PathBuf;

use tiberius::{AuthMethod, Config, EncryptionLevel};

/// SQL Server's port.
const PORT: u16 = 1433;
const SCHEME: &str = "sqlserver://";

/// A database and how it is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Name or address of the machine; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database's name.
    pub database: String,
    /// The login's name.
    pub user: String,
    /// Its password.
    pub password: String,
    /// What is encrypted.
    pub encrypt: Encrypt,
    /// An authority to trust beside those of the system, as a file.
    pub ca_file: Option<PathBuf>,
    /// The name that the certificate bears, where it is not `host`.
    pub name_in_certificate: Option<String>,
}

/// What of a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encrypt {
    /// All of it; a server that cannot is refused.
    #[default]
    All,
    /// The login, and the rest if the server demands it.
    Login,
    /// Nothing; a server that demands it is obeyed.
    Nothing,
}

/// Why a URL names no database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTarget(String);

impl fmt::Debug for Target {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }
}

impl Target {
    /// Reads a URL. `user`: one that is given beside it, which the URL must not contradict.
    ///
    /// # Errors
    /// Anything but `sqlserver://[user@]host[:port]/database[?parameters]`; a password in the URL,
    /// which would end in logs; no user.
    pub fn read(url: &str, user: Option<&str>, password: String) -> Result<Self, BadTarget> {
        let bad = |text: &str| Err(BadTarget(format!("{SCHEME}…: {text}")));
        let Some(rest) = url.strip_prefix(SCHEME) else { return bad("is how the URL begins") };
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let Some((server, database)) = place.split_once('/') else {
            return bad("/database is missing");
        };
        let (named, server) = match server.rsplit_once('@') {
            Some((named, server)) => (Some(named), server),
            None => (None, server),
        };
        if named.is_some_and(|named| named.contains(':')) {
            return bad("a password stands in a file, not in the URL");
        }
        if user.is_some() && named.is_some() && user != named {
            return bad("another user than that of the settings");
        }
        let Some(user) = named.or(user).filter(|user| !user.is_empty()) else {
            return bad("the user is missing");
        };
        let (host, port) = host_and_port(server)?;
        if host.is_empty() || database.is_empty() || database.contains('/') {
            return bad("is followed by host and database");
        }
        let mut target = Self {
            host,
            port,
            database: database.to_owned(),
            user: user.to_owned(),
            password,
            encrypt: Encrypt::All,
            ca_file: None,
            name_in_certificate: None,
        };
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            target.parameter(parameter)?;
        }
        Ok(target)
    }

    fn parameter(&mut self, parameter: &str) -> Result<(), BadTarget> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match (name, value) {
            ("encrypt", "true") => self.encrypt = Encrypt::All,
            ("encrypt", "login") => self.encrypt = Encrypt::Login,
            ("encrypt", "false") => self.encrypt = Encrypt::Nothing,
            ("caFile", file) if !file.is_empty() => self.ca_file = Some(PathBuf::from(file)),
            ("hostNameInCertificate", name) if !name.is_empty() => {
                self.name_in_certificate = Some(name.to_owned());
            }
            _ => {
                let known = "encrypt=true|login|false, caFile=…, hostNameInCertificate=…";
                return Err(BadTarget(format!("{SCHEME}…?{parameter}: known are {known}")));
            }
        }
        Ok(())
    }

    /// As the driver takes it.
    pub(super) fn config(&self) -> Config {
        let mut config = Config::new();
        config.host(&self.host);
        config.port(self.port);
        config.database(&self.database);
        config.application_name("Ringmaster");
        config.authentication(AuthMethod::sql_server(&self.user, &self.password));
        config.encryption(match self.encrypt {
            Encrypt::All => EncryptionLevel::Required,
            Encrypt::Login => EncryptionLevel::Off,
            Encrypt::Nothing => EncryptionLevel::NotSupported,
        });
        if let Some(file) = &self.ca_file {
            config.trust_cert_ca(file.display());
        }
        if let Some(name) = &self.name_in_certificate {
            config.hostname_in_certificate(name);
        }
        config
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
fn host_and_port(server: &str) -> Result<(String, u16), BadTarget> {
    let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, port.strip_prefix(':').or(Some(port))),
        None => match server.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        },
    };
    let port = match port.map(str::parse) {
        None => PORT,
        Some(Ok(port)) if port != 0 => port,
        Some(_) => return Err(BadTarget(format!("{SCHEME}{server}: that is no port"))),
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Target, String> {
        Target::read(url, None, "s3cret".to_owned()).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_whole_url_and_its_defaults() {
        let target = read("sqlserver://rs@db.example:14330/calls?encrypt=login&caFile=/etc/ca.pem");
        let target = target.unwrap();
        assert_eq!((target.host.as_str(), target.port), ("db.example", 14_330));
        assert_eq!((target.user.as_str(), target.database.as_str()), ("rs", "calls"));
        assert_eq!(target.encrypt, Encrypt::Login);
        assert_eq!(target.ca_file, Some(PathBuf::from("/etc/ca.pem")));
        assert!(!format!("{target:?}").contains("s3cret"), "{target:?}");

        let target = Target::read("sqlserver://[::1]/calls", Some("rs"), String::new()).unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", PORT));
        assert_eq!((target.user.as_str(), target.encrypt), ("rs", Encrypt::All));
    }

    #[test]
    fn what_names_no_database_is_told() {
        for (url, word) in [
            ("postgres://rs@h/d", "how the URL begins"),
            ("sqlserver://rs@h", "/database"),
            ("sqlserver://rs@h/", "host and database"),
            ("sqlserver://rs@/d", "host and database"),
            ("sqlserver://rs:pass@h/d", "in a file"),
            ("sqlserver://h/d", "user is missing"),
            ("sqlserver://rs@h:0/d", "no port"),
            ("sqlserver://rs@h:x/d", "no port"),
            ("sqlserver://rs@[::1]x/d", "no port"),
            ("sqlserver://rs@h/d?encrypt=maybe", "encrypt=true|login|false"),
            ("sqlserver://rs@h/d?trust=all", "known are"),
        ] {
            let bad = read(url).unwrap_err();
            assert!(bad.contains(word), "{url}: {bad}");
        }
        let other = Target::read("sqlserver://rs@h/d", Some("sa"), String::new());
        assert!(other.unwrap_err().to_string().contains("another user"));
    }
}
