//! What `ringmaster rs-init` makes at a database server: accounts, database, schema (spec rs.md
//! §3.4).

use std::path::PathBuf;

use config::Settings;
use config::settings::InitDatabase;
use net::Clock;

use super::{Server, has_uri_indexes, secret_of};
use crate::error::StartError;
use crate::store::postgres as pg;
use crate::store::sqlserver::{self, Login};

/// The logins that make databases and accounts.
const ADMINS: (&str, &str) = ("postgres", "sa");
/// Those that only read, unless told otherwise.
const READERS: (&str, &str) = ("rs_reader", "mssqlreader");

/// Makes what a Reporting Server needs at its server, as often as it is asked; false: there is
/// nothing to be made, for it has files of its own.
///
/// # Errors
/// Settings that cannot work, a file that cannot be read, a server that refuses or is away.
pub fn init_database(settings: &Settings) -> Result<bool, StartError> {
    let (given, asked) = (&settings.rs.database, &settings.rs_init.database);
    match Server::of(given)? {
        None => return Ok(false),
        Some(Server::SqlServer(target)) => at_sql_server(target, asked)?,
        Some(Server::Postgres(target)) => at_postgresql(target, asked, has_uri_indexes(given))?,
    }
    Ok(true)
}

fn at_postgresql(
    writer: pg::Target,
    asked: &InitDatabase,
    uri_indexes: bool,
) -> Result<(), StartError> {
    let account = |user: String, password| pg::Account { user, password };
    let admin = admin_password(asked)?;
    let admin = admin.map(|password| account(ADMINS.0.to_owned(), Some(password)));
    let own = writer.account();
    // the writer's is no other owner's
    let same = own.password.clone().filter(|_| asked.user.is_none());
    let owner_password = owner_password(asked)?.or(same);
    let owner = account(asked.user.clone().unwrap_or_else(|| own.user.clone()), owner_password);
    let reader = reader(asked, admin.is_some(), READERS.0);
    let reader = reader.map(|user| account(user, None));
    let place = PathBuf::from(format!("{writer:?}"));
    let owner = writer.of(&owner);
    let accounts = pg::Accounts { owner, admin, writer: own, reader, uri_indexes };
    pg::init(&accounts, Clock::start().now().wall)
        .map_err(|error| StartError::database(place, error))
}

fn at_sql_server(target: sqlserver::Target, asked: &InitDatabase) -> Result<(), StartError> {
    let writer = Login { user: target.user.clone(), password: target.password.clone() };
    let own = owner_password(asked)?;
    let owner = Login {
        user: asked.user.clone().unwrap_or_else(|| writer.user.clone()),
        password: own.unwrap_or_else(|| writer.password.clone()),
    };
    let admin = admin_password(asked)?;
    let admin = admin.map(|password| Login { user: ADMINS.1.to_owned(), password });
    let reader = reader(asked, admin.is_some(), READERS.1);
    let place = PathBuf::from(format!("{target:?}"));
    let Login { user, password } = owner;
    let owner = sqlserver::Target { user, password, ..target };
    let accounts = sqlserver::Accounts { owner, admin, writer: Some(writer), reader };
    let made = sqlserver::init(&accounts, Clock::start());
    made.map_err(|failure| StartError::database(place, failure.into()))
}

/// The one that is named, or where accounts are made the usual one.
fn reader(asked: &InitDatabase, makes: bool, usual: &str) -> Option<String> {
    asked.reader.clone().or_else(|| makes.then(|| usual.to_owned()))
}

fn owner_password(asked: &InitDatabase) -> Result<Option<String>, StartError> {
    secret_of("rs_init.database.db_password_file", asked.password_file.as_deref())
}

fn admin_password(asked: &InitDatabase) -> Result<Option<String>, StartError> {
    secret_of("rs_init.database.admin_password_file", asked.admin_password_file.as_deref())
}
