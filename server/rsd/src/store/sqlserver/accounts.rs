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
    /// Whoever reads with SQL; made with a password by chance, and gets one of its own later.
    pub reader: Option<String>,
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
        let writer = accounts.writer.as_ref().map(|login| &login.user);
        for (user, role) in [(writer, "rs_writer"), (accounts.reader.as_ref(), "rs_reader")] {
            if let Some(user) = user.filter(|user| **user != accounts.owner.user) {
                link.run(sql::USER, &[user]).await?;
                link.run(sql::MEMBER, &[user, &role]).await?;
            }
        }
        Ok(())
    })
}

impl Accounts {
    /// Those whose passwords are ours to set.
    fn logins(&self) -> Vec<Login> {
        let Target { user, password, .. } = &self.owner;
        let owner = Login { user: user.clone(), password: password.clone() };
        let writer = self.writer.clone().filter(|login| login.user != owner.user);
        std::iter::once(owner).chain(writer).collect()
    }

    /// One that nobody knows: an administrator gives it another.
    fn reader(&self) -> Result<Option<Login>, Failure> {
        let known = self.logins();
        let user = self.reader.as_ref().filter(|user| known.iter().all(|of| of.user != **user));
        let Some(user) = user else { return Ok(None) };
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes).map_err(|error| Failure::Unfit(error.to_string()))?;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // of all kinds of signs, as a policy may want
        Ok(Some(Login { user: user.clone(), password: format!("R!{hex}") }))
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
    for login in accounts.logins().into_iter().chain(accounts.reader()?) {
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
