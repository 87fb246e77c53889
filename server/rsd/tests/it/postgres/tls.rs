//! TLS to a real PostgreSQL: what each `sslmode` takes and what it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rsd::store::postgres::{Beside, Parts, Postgres, Target};
use rsd::store::{Store, StoreError};

use super::Server;
use crate::conformance::{NOW, SECRET};
use crate::tds::Identity;

/// A server that takes accounts over TLS only, at two addresses; its certificate names one.
fn secure(identity: &Identity) -> Server {
    Server::set(|data| {
        let (certificate, key) = identity.own();
        let put = |from: &Path, name: &str| {
            fs::copy(from, data.join(name)).unwrap();
            fs::set_permissions(data.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        };
        put(&certificate, "server.crt");
        put(&key, "server.key");
        fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.0/8 trust\n").unwrap();
        ["ssl=on", "listen_addresses=127.0.0.1,127.0.0.2"].map(str::to_owned).to_vec()
    })
}

fn open(server: &Server, host: &str, mode: &str) -> Postgres {
    let url = format!("postgres://rs@{host}:{}/postgres?sslmode={mode}", server.port);
    let target = Target::read(&url, Beside::default()).unwrap();
    let (rs_name, spool_id) = ("rs-1".to_owned(), "1".to_owned());
    Postgres::new(Parts { target, rs_name, spool_id, readers: 1, secret: SECRET }, NOW).unwrap()
}

fn encrypted(server: &Server, host: &str, mode: &str) {
    let store = open(server, host, mode);
    assert_eq!(store.applied_seq().unwrap(), 0, "{mode}");
    let ours = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'ringmaster'";
    assert_eq!(server.sql(ours), "t", "{mode}");
}

fn refused(server: &Server, host: &str, mode: &str, word: &str) {
    let error = open(server, host, mode).applied_seq().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{mode}: {error:?}");
    let said = format!("{error:?}");
    assert!(said.contains(word), "{mode}: {said}");
}

fn verified(identity: &Identity) -> String {
    format!("verify-full&sslrootcert={}", identity.authority().display())
}

#[test]
fn each_mode_takes_what_it_says_and_no_more() {
    let (own, other) = (Identity::new(), Identity::new());
    let server = secure(&own);
    for mode in ["prefer", "require", &verified(&own)] {
        encrypted(&server, "127.0.0.1", mode);
    }
    encrypted(&server, "localhost", &verified(&own));
    // whose certificate it is matters to the last mode alone
    encrypted(&server, "127.0.0.2", "require");
    refused(&server, "127.0.0.2", &verified(&own), "NotValidForName");
    refused(&server, "127.0.0.1", &verified(&other), "InvalidCertificate");
    refused(&server, "127.0.0.1", "disable", "no encryption");
}

#[test]
fn a_server_without_tls_is_met_in_clear_only_where_that_may_be() {
    let server = Server::start();
    assert_eq!(open(&server, "127.0.0.1", "prefer").applied_seq().unwrap(), 0);
    for mode in ["require", &verified(&Identity::new())] {
        refused(&server, "127.0.0.1", mode, "TLS");
    }
}
