//! What `rs-init` makes at a server, as often as it is run: accounts, database, schema, rights
//! (ops.md §3.3; spec rs.md §3.4). Passwords leave as what the server keeps of them (RFC 5803), so
//! that no log of the server has one.

use model::time::Millis;
use postgres_protocol::password::scram_sha_256;
use tokio::runtime::{Builder, Runtime};

use super::link::Link;
use super::migrate::migrate;
use super::target::Target;
use super::{STEP, uris};
use crate::store::StoreError;
use crate::store::keeping::Indexed;

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// Its password; `None`: it needs none here, or has one.
    pub password: Option<String>,
}

impl Target {
    /// Its account.
    #[must_use]
    pub fn account(&self) -> Account {
        let user = self.config.get_user().unwrap_or_default().to_owned();
        let password = self.config.get_password();
        let password = password.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        Account { user, password }
    }

    /// The same with this password.
    pub(super) fn with_password(&self, password: &str) -> Self {
        let mut config = self.config.clone();
        config.password(password);
        Self { config, ..self.clone() }
    }

    /// The same database as another account.
    #[must_use]
    pub fn of(&self, account: &Account) -> Self {
        let mut config = self.config.clone();
        config.user(&account.user);
        if let Some(password) = &account.password {
            config.password(password);
        }
        Self { config, ..self.clone() }
    }

    fn database(&self, name: &str) -> Self {
        let mut config = self.config.clone();
        config.dbname(name);
        Self { config, ..self.clone() }
    }
}

/// Who is to be there.
pub struct Accounts {
    /// The database, with the account that owns it.
    pub owner: Target,
    /// Who may make databases and accounts; `None`: they are there.
    pub admin: Option<Account>,
    /// Reporting Servers.
    pub writer: Account,
    /// Whoever reads with SQL; made with this password, which is its own later.
    pub reader: Option<Account>,
    /// `rs.database_uri_indexes`: whether calls have indexes of their URIs.
    pub uri_indexes: bool,
}

/// The database of a server that has no other.
const MAINTENANCE: &str = "postgres";
/// Runs of `rs-init` at one server follow each other; until the connection ends.
const LOCK: &str = "SELECT pg_advisory_lock(7237405, 3)";

/// How often a lock that is not to be had is asked for again.
const INDEX_TRIES: u32 = 30;

/// Makes what is missing.
///
/// # Errors
/// As the server answers; [`StoreError::Newer`]: a schema of a later version.
pub fn init(accounts: &Accounts, now: Millis) -> Result<(), StoreError> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let init = Init { accounts, runtime: runtime.map_err(StoreError::Files)? };
    let _admin = accounts.admin.as_ref().map(|admin| init.make(admin)).transpose()?;
    let mut owner = init.connect(&accounts.owner)?;
    let schema = &accounts.owner.schema;
    migrate(&mut owner, schema, i64::try_from(now.0).unwrap_or(i64::MAX))?;
    if accounts.writer.user != accounts.owner.account().user {
        owner.query("SELECT rs_grant_writer($1)", &[&accounts.writer.user])?;
    }
    if let Some(reader) = &accounts.reader {
        owner.query("SELECT rs_grant_reader($1)", &[&reader.user])?;
    }
    init.index(owner)
}

struct Init<'a> {
    accounts: &'a Accounts,
    runtime: Runtime,
}

impl Init<'_> {
    fn connect(&self, target: &Target) -> Result<Link, StoreError> {
        Link::open(self.runtime.handle(), target, STEP)
    }

    /// Makes or drops indexes of URIs. Who wants a table alone soon gives up where a question runs,
    /// and tries again.
    fn index(&self, mut owner: Link) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            match uris::step(&mut owner, self.accounts.uri_indexes) {
                Ok(Indexed::More) => {}
                // who is at it goes on
                Ok(Indexed::All | Indexed::Elsewhere) => return Ok(()),
                Err(error) if tries == INDEX_TRIES || error.is_poison() => return Err(error),
                Err(_) => {
                    tries += 1;
                    owner = self.connect(&self.accounts.owner)?;
                }
            }
        }
    }

    /// The accounts, the database, its schema; gives the connection that keeps others out.
    fn make(&self, admin: &Account) -> Result<Link, StoreError> {
        let Accounts { owner, writer, reader, .. } = self.accounts;
        let mut link = self.connect(&owner.of(admin).database(MAINTENANCE))?;
        link.batch(LOCK)?;
        let own = owner.account();
        account(&mut link, &own, true)?;
        let named = own.user;
        if writer.user != named {
            account(&mut link, writer, true)?;
        }
        if let Some(reader) = reader {
            account(&mut link, reader, false)?;
        }
        // an administrator who is no superuser gives away only what is a member's
        let member = "SELECT format('GRANT %I TO CURRENT_USER', $1::text) FROM pg_roles
            WHERE rolname = CURRENT_USER AND NOT rolsuper";
        built(&mut link, member, &[&named])?;
        let database = owner.config.get_dbname().unwrap_or_default().to_owned();
        let there = "SELECT FROM pg_database WHERE datname = $1";
        if link.query(there, &[&database])?.is_empty() {
            let make = "SELECT format(
                'CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0',
                $1::text, $2::text)";
            built(&mut link, make, &[&database, &named])?;
        }
        built(&mut link, TEMPORARY, &[&database])?;
        let mut there = self.connect(&owner.of(admin))?;
        for make in SCHEMA {
            built(&mut there, make, &[&owner.schema, &named])?;
        }
        Ok(link)
    }
}

/// Nobody but the owner, and whom it is given to, makes temporary tables beside ours.
const TEMPORARY: &str = "SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', $1::text)";
/// The schema is the owner's, and nobody else makes anything in it.
const SCHEMA: [&str; 3] = [
    "SELECT format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', $1::text, $2::text)",
    "SELECT format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', $1::text, $2::text)",
    "SELECT format('REVOKE CREATE ON SCHEMA %1$I FROM PUBLIC', $1::text, $2::text)",
];

/// An account that may log in; `again`: its password is set though it is there.
fn account(link: &mut Link, of: &Account, again: bool) -> Result<(), StoreError> {
    let there = "SELECT FROM pg_roles WHERE rolname = $1";
    let missing = link.query(there, &[&of.user])?.is_empty();
    if missing {
        let make = "SELECT format('CREATE ROLE %I LOGIN', $1::text)";
        built(link, make, &[&of.user])?;
    }
    if let Some(password) = of.password.as_ref().filter(|_| missing || again) {
        let verifier = scram_sha_256(password.as_bytes());
        let set = "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)";
        built(link, set, &[&of.user, &verifier])?;
    }
    Ok(())
}

/// Runs the statement that the server puts together, names and texts quoted by it.
fn built(link: &mut Link, text: &str, values: super::link::Values<'_>) -> Result<(), StoreError> {
    let text = link.query(text, values)?;
    text.iter().try_for_each(|row| link.batch(row.get(0)))
}
