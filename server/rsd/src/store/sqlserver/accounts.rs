//! What `rs-init` makes on a server, as often as it is run: database, logins, schema, roles
//! (ops.md §3.3; spec rs.md §3.4).

use model::time::Millis;
use net::Clock;
use tokio::runtime::Builder;

use super::failure::Failure;
use super::link::{Cells, Link, Times};
use super::migrate::migrate;
use super::save::one;
use super::statement::accounts as sql;
use super::target::Target;

/// A login and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: String,
}

/// Who is to be there.
#[derive(Clone)]
pub struct Accounts {
    /// The database, with the login that owns it.
    pub owner: Target,
    /// Who may make databases and logins; `None`: they are there.
    pub admin: Option<Login>,
    /// Reporting Servers.
    pub writer: Option<Login>,
    /// Whoever reads with SQL.
    pub reader: Option<Login>,
}

/// The database of a server that has no other.
const MASTER: &str = "master";

/// Makes what is missing.
///
/// # Errors
/// As the server answers; [`Failure::Newer`]: a schema of a later version.
pub fn init(accounts: &Accounts, clock: Clock) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(tiberius::error::Error::from)?;
    runtime.block_on(async {
        let mut link = match &accounts.admin {
            Some(admin) => make(accounts, admin, clock).await?,
            None => Link::open(&accounts.owner, Times::default(), clock).await?,
        };
        migrate(&mut link, ms(clock.now().wall)).await?;
        if accounts.admin.is_some() {
            for login in accounts.logins() {
                set_password(&mut link, &login).await?;
            }
        }
        for (login, role) in [(&accounts.writer, "rs_writer"), (&accounts.reader, "rs_reader")] {
            if let Some(login) = login.as_ref().filter(|login| login.user != accounts.owner.user) {
                link.run(sql::USER, &[&login.user]).await?;
                link.run(sql::MEMBER, &[&login.user, &role]).await?;
            }
        }
        Ok(())
    })
}

impl Accounts {
    fn logins(&self) -> Vec<Login> {
        let Target { user, password, .. } = &self.owner;
        let owner = Login { user: user.clone(), password: password.clone() };
        let others = [&self.writer, &self.reader].into_iter().flatten();
        let others = others.filter(|login| login.user != owner.user).cloned();
        std::iter::once(owner.clone()).chain(others.collect::<Vec<_>>()).collect()
    }
}

/// As somebody else, in another database.
fn as_user(target: &Target, login: &Login, database: &str) -> Target {
    let Login { user, password } = login.clone();
    Target { user, password, database: database.to_owned(), ..target.clone() }
}

/// The database, its logins, its owner; gives the administrator's connection to it.
async fn make(accounts: &Accounts, admin: &Login, clock: Clock) -> Result<Link, Failure> {
    let owner = &accounts.owner;
    let mut link = Link::open(&as_user(owner, admin, MASTER), Times::default(), clock).await?;
    link.run(sql::DATABASE, &[&owner.database]).await?;
    link.run(sql::SNAPSHOT, &[&owner.database]).await?;
    for login in accounts.logins() {
        link.run(sql::LOGIN, &[&login.user, &login.password]).await?;
    }
    let target = as_user(owner, admin, &owner.database);
    let mut link = Link::open(&target, Times::default(), clock).await?;
    link.run(sql::USER, &[&owner.user]).await?;
    link.run(sql::MEMBER, &[&owner.user, &"db_owner"]).await?;
    Ok(link)
}

/// Sets a password that is another than the one that was set last.
async fn set_password(link: &mut Link, login: &Login) -> Result<(), Failure> {
    let name = format!("password of {}", login.user);
    let hash = blake3::derive_key("ringmaster rs-init password", login.password.as_bytes());
    let hash = blake3::Hash::from_bytes(hash).to_hex().to_string();
    let noted = link.ask(sql::NOTE, &[&name], |cells| cells.some(0, Cells::text)).await?;
    if noted.first() != Some(&hash) {
        if !noted.is_empty() {
            link.run(sql::PASSWORD, &[&login.user, &login.password]).await?;
        }
        one(link, [sql::NOTE_UPDATE, sql::NOTE_INSERT], &[&name, &hash]).await?;
    }
    Ok(())
}

fn ms(time: Millis) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}
