//! Options that count at a start only, below what is said where RS runs (rs.md §9).

use std::path::PathBuf;

use config::settings::{Certificate, ClientAuth, Origin, Origins, Rs, Tls};
use model::config::options::{AtStart, TlsSaid};

/// Lays an option under its setting; false: nothing is said.
type Lay = fn(&mut Rs, &AtStart) -> bool;

/// Keys of settings, the beginnings of the options for them, and how these are laid.
const ROWS: &[(&str, &str, Lay)] = &[
    ("rs.broker_memory", "messaging/activemq.memoryUsageLimit", |rs, said| {
        put(&mut rs.broker_memory, said.broker_memory)
    }),
    ("rs.broker", "messaging/activemq.port", |rs, said| {
        said.broker_port.inspect(|port| rs.broker.set_port(*port)).is_some()
    }),
    ("rs.spool.dir", "messaging/activemq.dataDirectory", |rs, said| {
        put(&mut rs.spool_dir, said.spool_dir.as_ref().map(|dir| Some(PathBuf::from(dir))))
    }),
    ("rs.ingest", "persistence/rs.histonly.enabled", |rs, said| {
        put(&mut rs.ingest, said.history_only.map(|only| !only))
    }),
    ("rs.database", "persistence/rs.database", |rs, said| {
        let url = said.database.as_ref().map(|url| (url != "sqlite").then(|| url.clone()));
        put(&mut rs.database.url, url)
    }),
    ("rs.database_user", "persistence/rs.database_user", |rs, said| {
        put(&mut rs.database.user, said.database_user.clone().map(Some))
    }),
    ("rs.database_schema", "persistence/rs.database_schema", |rs, said| {
        put(&mut rs.database.schema, said.database_schema.clone().map(Some))
    }),
    ("rs.database_uri_indexes", "persistence/rs.database_uri_indexes", |rs, said| {
        put(&mut rs.database.uri_indexes, said.database_uri_indexes.map(Some))
    }),
    ("rs.database_pool.readers", "persistence/rs.database_pool.readers", |rs, said| {
        put(&mut rs.database.readers, said.database_readers)
    }),
    ("rs.database_cache", "persistence/rs.database_cache", |rs, said| {
        put(&mut rs.database.cache, said.database_cache)
    }),
    ("rs.tls", "https/", |rs, said| {
        let tls = tls(&said.tls).ok().flatten();
        put(&mut rs.tls, tls.map(Some))
    }),
];

fn put<T>(cell: &mut T, said: Option<T>) -> bool {
    said.map(|said| *cell = said).is_some()
}

/// Lays what the options say under the settings that have been said. Gives back the keys of those
/// of which nobody but an option has said anything.
///
/// # Errors
/// `https/…` that is no block of TLS: without it RS would speak plain text.
pub(super) fn lay(rs: &mut Rs, origins: &Origins, said: &AtStart) -> Result<Vec<String>, String> {
    if is_unsaid(origins, "rs.tls") {
        tls(&said.tls)?;
    }
    let open = ROWS.iter().filter(|(key, ..)| is_unsaid(origins, key));
    Ok(open.filter(|(_, _, lay)| lay(rs, said)).map(|(key, ..)| (*key).to_owned()).collect())
}

/// Of options that count at a start only those that the next start heeds, with their settings.
pub(super) fn heeded(
    origins: &Origins,
    options: Vec<&'static str>,
) -> Vec<(&'static str, &'static str)> {
    let key = |option: &str| {
        let is = |row: &&(&str, &str, Lay)| {
            row.1 == option || row.1.ends_with('/') && option.starts_with(row.1)
        };
        ROWS.iter().find(is).map(|(key, ..)| *key)
    };
    let all = options.into_iter().filter_map(|option| Some((option, key(option)?)));
    // what the file or the environment have said they go on to say
    all.filter(|(_, key)| is_unsaid(origins, key)).collect()
}

/// Whether nobody has given this key, so that an option that counts at a start does.
fn is_unsaid(origins: &Origins, key: &str) -> bool {
    origins.of(key) == Origin::Default
}

/// `rs.tls` as the options say it.
fn tls(said: &TlsSaid) -> Result<Option<Tls>, String> {
    let TlsSaid { cert_file, key_file, ca_file, client_auth } = said;
    if *said == TlsSaid::default() {
        return Ok(None);
    }
    let (Some(cert_file), Some(key_file)) = (cert_file, key_file) else {
        return Err("option https/…: cert_file and key_file belong together".to_owned());
    };
    let client_auth = client_auth.and_then(ClientAuth::named).unwrap_or_default();
    if client_auth != ClientAuth::None && ca_file.is_none() {
        return Err("option https/client_auth needs authorities: https/ca_file".to_owned());
    }
    let certificates = vec![Certificate { cert_file: cert_file.into(), key_file: key_file.into() }];
    Ok(Some(Tls { certificates, ca_file: ca_file.as_ref().map(PathBuf::from), client_auth }))
}

#[cfg(test)]
mod tests {
    use config::Settings;

    use super::*;

    fn settings(text: &str) -> Settings {
        Settings::from_text(text, None, []).unwrap()
    }

    /// Every option.
    fn said() -> AtStart {
        let text = |text: &str| Some(text.to_owned());
        AtStart {
            broker_memory: Some(32 << 20),
            broker_port: Some(7000),
            spool_dir: text("/spool"),
            history_only: Some(true),
            no_database: Some(false),
            database: text("postgres://db/x"),
            database_user: text("rs"),
            database_schema: text("calls"),
            database_uri_indexes: Some(true),
            database_readers: Some(3),
            database_cache: Some(64 << 20),
            tls: TlsSaid {
                cert_file: text("a"),
                key_file: text("b"),
                ca_file: text("c"),
                client_auth: Some("required"),
            },
        }
    }

    #[test]
    fn what_counts_at_a_start_lies_below_the_file() {
        let none = settings("");
        let mut rs = none.rs.clone();
        let laid = lay(&mut rs, &none.origins, &said()).unwrap();
        assert_eq!(laid, ROWS.iter().map(|(key, ..)| *key).collect::<Vec<_>>());
        let file = "rs: { broker_memory: 32MiB, broker: \"127.0.0.1:7000\", ingest: false, \
                    spool: { dir: /spool }, database: \"postgres://db/x\", database_user: rs, \
                    database_schema: calls, database_uri_indexes: true, database_cache: 64MiB, \
                    database_pool: { readers: 3 }, tls: { cert_file: a, key_file: b, ca_file: c, \
                    client_auth: required } }";
        let same = settings(file);
        assert_eq!(rs, same.rs);
        let other = AtStart {
            broker_port: Some(1),
            history_only: Some(false),
            tls: TlsSaid { cert_file: Some("x".to_owned()), ..TlsSaid::default() },
            ..said()
        };
        assert!(lay(&mut rs, &same.origins, &other).unwrap().is_empty());
        assert_eq!(rs, same.rs);
        let differing = || said().differing(&AtStart::default());
        assert_eq!(heeded(&none.origins, differing()).len(), differing().len());
        assert!(heeded(&same.origins, differing()).is_empty());
        let mut rs = Rs::default();
        assert!(lay(&mut rs, &none.origins, &AtStart::default()).unwrap().is_empty());
        assert_eq!(rs, Rs::default());
    }

    #[test]
    fn half_a_block_of_tls_is_no_plain_text() {
        let none = settings("");
        let lay = |tls: TlsSaid| {
            lay(&mut Rs::default(), &none.origins, &AtStart { tls, ..AtStart::default() })
        };
        let whole = said().tls;
        for half in [
            TlsSaid { cert_file: None, ..whole.clone() },
            TlsSaid { key_file: None, ..whole.clone() },
            TlsSaid { ca_file: None, ..whole.clone() },
        ] {
            assert!(lay(half.clone()).is_err(), "{half:?}");
        }
        assert!(lay(whole).is_ok());
    }
}
