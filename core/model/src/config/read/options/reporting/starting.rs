//! The options of a Reporting Server that are a matter of the machine: read at a start, below what
//! is said there (rs.md §9). No secret is one: a password is in a file that is named where RS runs.

use super::super::{Set, put_some};
use super::{MIB, size};
use crate::config::limits::MAX_TEXT;
use crate::config::options::DATABASE_SERVERS;
use crate::schema::Field;

/// Section, key, what reads it.
type Row = (&'static str, &'static str, Set);

macro_rules! row {
    ($name:ident, $section:literal, $key:literal, $($cell:ident).+, $read:expr) => {
        pub(super) const $name: Row = ($section, $key, |o, f| {
            put_some(&mut o.reporting.at_start.$($cell).+, $read(f))
        });
    };
}

row!(MEMORY, "messaging", "activemq.memoryUsageLimit", broker_memory, |f| {
    size(f, 16 * MIB, 1 << 40)
});
row!(PORT, "messaging", "activemq.port", broker_port, |f: &Field<'_>| f.whole(1, u16::MAX));
row!(SPOOL, "messaging", "activemq.dataDirectory", spool_dir, text);
row!(HISTORY_ONLY, "persistence", "rs.histonly.enabled", history_only, |f: &Field<'_>| f.boolean());
row!(NO_DATABASE, "persistence", "rs.nodb.enabled", no_database, no_database);
row!(DATABASE, "persistence", "rs.database", database, database);
row!(USER, "persistence", "rs.database_user", database_user, text);
row!(SCHEMA, "persistence", "rs.database_schema", database_schema, text);
row!(URI_INDEXES, "persistence", "rs.database_uri_indexes", database_uri_indexes, flag);
row!(READERS, "persistence", "rs.database_pool.readers", database_readers, readers);
row!(CACHE, "persistence", "rs.database_cache", database_cache, |f| size(f, 16 * MIB, 1 << 40));
row!(CERTIFICATE, "https", "cert_file", tls.cert_file, text);
row!(KEY, "https", "key_file", tls.key_file, text);
row!(AUTHORITIES, "https", "ca_file", tls.ca_file, text);
row!(CLIENTS, "https", "client_auth", tls.client_auth, clients);

fn flag(field: &Field<'_>) -> Option<bool> {
    field.boolean()
}

fn readers(field: &Field<'_>) -> Option<u32> {
    field.whole(1, 64)
}

fn clients(field: &Field<'_>) -> Option<&'static str> {
    field.choice(&["none", "optional", "required"].map(|word| (word, word)))
}

/// Names and paths.
fn text(field: &Field<'_>) -> Option<String> {
    let text = field.text_up_to(MAX_TEXT)?;
    if text.is_empty() || text.contains('\0') {
        return field.invalid("name", "it is empty, or has a zero in it");
    }
    Some(text.to_owned())
}

fn no_database(field: &Field<'_>) -> Option<bool> {
    if field.boolean()? {
        let text = "\"rs.nodb.enabled\" must be false: a Reporting Server has a database, if only \
                    files, which need no server";
        field.note("E104", text);
        return None;
    }
    Some(false)
}

/// The kind of database, and where a server is; with a password it would be read by everybody who
/// reads objects.
fn database(field: &Field<'_>) -> Option<String> {
    let text = text(field)?;
    let server = DATABASE_SERVERS.iter().find_map(|form| text.strip_prefix(form));
    let Some(rest) = server else {
        if text == "sqlite" {
            return Some(text);
        }
        let list = "sqlite (files, which need no server), postgres://… or sqlserver://…";
        field.note("E104", format!("\"rs.database\" must be {list}"));
        return None;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
        || rest.to_ascii_lowercase().contains("password=")
    {
        let why = "a password belongs into a file: rs.database_password_file, where RS runs";
        field.note("E104", format!("\"rs.database\" must have no password: {why}"));
        return None;
    }
    Some(text)
}
