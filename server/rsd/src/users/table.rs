//! The file of users, read (rs.md §8): one a line, `NAME ROLES HASH [certificate=NAME,…]
//! [produces=NAME,…]`.
//!
//! Pure: text in, users out, or what is wrong with which line. No line's text is in an error: it
//! holds a hash.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::time::Millis;

use super::jwt::Shown;
use super::password::Hash;

/// Users of a file, at most.
const USERS: usize = 10_000;
/// Bytes of a name.
pub(super) const NAME: usize = 128;
/// Names of producers, or of tenants, that one user may be bound to.
const BOUND: usize = 64;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// All.
    Admin,
    /// Read calls, reports and integrity.
    Reporter,
    /// Send records.
    Producer,
    /// Read metrics, health, queues and alarms.
    Monitor,
}

impl Role {
    const ALL: [(&'static str, Self); 4] = [
        ("admin", Self::Admin),
        ("reporter", Self::Reporter),
        ("producer", Self::Producer),
        ("monitor", Self::Monitor),
    ];

    /// As the file calls it.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, role)| *role == self).map_or("", |(text, _)| text)
    }
}

/// Several roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Roles(u8);

impl Roles {
    /// Who may do everything.
    pub(crate) const ADMIN: Self = Self(1 << Role::Admin as u8);

    /// Whether it is one of them; an admin has every role.
    pub(crate) fn have(self, role: Role) -> bool {
        self.0 & (1 << role as u8 | Self::ADMIN.0) != 0
    }

    /// Reads names with commas between them.
    ///
    /// # Errors
    /// One of them is no role.
    pub(super) fn of_line(text: &str) -> Result<Self, &'static str> {
        let roles = text.split(',').try_fold(Self::default(), |roles, word| {
            let (_, role) = Role::ALL.iter().find(|(name, _)| *name == word)?;
            Some(Self(roles.0 | 1 << *role as u8))
        });
        roles.ok_or("roles are admin, reporter, producer and monitor, with commas between them")
    }
}

/// One user.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) roles: Roles,
    /// `None`: no password lets them in.
    pub(super) hash: Option<Hash>,
    /// Names of producers that they may send for, or beginnings of such; empty: all.
    pub(crate) produces: Vec<String>,
    /// Tenants that they may read of, with their descendants, by name or DBID; empty: all.
    pub(crate) tenants: Vec<String>,
    /// Of whom no file knows: the token of somebody else's making that let them in.
    pub(super) shown: Option<Shown>,
}

impl User {
    /// What is wrong with it as a whole.
    pub(super) fn check(&self) -> Result<(), String> {
        let bound = !self.tenants.is_empty();
        if bound && (self.roles.have(Role::Admin) || !self.roles.have(Role::Reporter)) {
            return Err("tenants= is for a reporter, who is no admin".to_owned());
        }
        Ok(())
    }
}

/// Reads the lines of a file that are neither empty nor comments.
///
/// # Errors
/// The first that is wrong, with its number.
pub(super) fn each_line(
    text: &str,
    mut read: impl FnMut(&str) -> Result<(), String>,
) -> Result<(), String> {
    let lines = text.lines().map(str::trim).enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        read(line).map_err(|why| format!("line {}: {why}", index + 1))?;
    }
    Ok(())
}

/// All users.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    named: HashMap<String, Arc<User>>,
    /// By the host names of their certificates and the common names of their subjects (`cn=…`), in
    /// lower case.
    certified: HashMap<String, Arc<User>>,
    /// What an unknown name is checked against, so that it takes as long as a known one: the
    /// costliest, so that no user stands out by taking longer.
    dummy: Option<Hash>,
}

impl Table {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// The first line that is wrong, and why.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut table = Self::default();
        each_line(text, |line| table.add(line))?;
        if table.named.is_empty() {
            return Err("there is no user in it".to_owned());
        }
        Ok(table)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let mut words = line.split_whitespace();
        let (Some(name), Some(roles), Some(hash)) = (words.next(), words.next(), words.next())
        else {
            return Err("expected a name, roles and a password's hash or -".to_owned());
        };
        check_name(name)?;
        let roles = Roles::of_line(roles)?;
        let hash = match hash {
            "-" => None,
            text => Some(Hash::read(text).map_err(|why| format!("the password {why}"))?),
        };
        let kinds = ["certificate", "produces", "tenants"];
        let Behind { certificates, produces, tenants, .. } = behind(words, &kinds)?;
        if hash.is_none() && certificates.is_empty() {
            return Err("neither a password nor a certificate lets this user in".to_owned());
        }
        if hash.as_ref().map(Hash::cost) > self.dummy.as_ref().map(Hash::cost) {
            self.dummy.clone_from(&hash);
        }
        let user = User { name: name.to_owned(), roles, hash, produces, tenants, shown: None };
        user.check()?;
        let user = Arc::new(user);
        for certificate in certificates {
            if self.certified.insert(certificate, Arc::clone(&user)).is_some() {
                return Err("this certificate is that of a user above too".to_owned());
            }
        }
        if self.named.insert(name.to_owned(), user).is_some() {
            return Err("this user stands in a line above too".to_owned());
        }
        if self.named.len() > USERS {
            return Err(format!("more than {USERS} users"));
        }
        Ok(())
    }

    /// The user of that name, and what a password is to be checked against: for a name that nobody
    /// has something that costs the same.
    pub(super) fn find(&self, name: &str) -> (Option<&Arc<User>>, Option<&Hash>) {
        let user = self.named.get(name);
        let hash = user.and_then(|user| user.hash.as_ref());
        (user, hash.or(self.dummy.as_ref()))
    }

    /// Whether this one is in it.
    pub(super) fn has(&self, user: &Arc<User>) -> bool {
        self.named.get(&user.name).is_some_and(|own| Arc::ptr_eq(own, user))
    }

    /// Tenants that users are bound to, by name or DBID.
    pub(super) fn tenants(&self) -> impl Iterator<Item = &String> {
        self.named.values().flat_map(|user| &user.tenants)
    }

    /// The user whose certificate has one of these names, of which the first counts.
    pub(super) fn certified(&self, names: &[String]) -> Option<Arc<User>> {
        names.iter().find_map(|name| self.certified.get(name)).map(Arc::clone)
    }
}

/// A space would end it in the file, a colon in HTTP's logins, and control characters have no
/// place in a log.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let fits = (1..=NAME).contains(&name.len())
        && !name.starts_with(['#', '$'])
        && !name
            .chars()
            .any(|letter| letter == ':' || letter.is_whitespace() || letter.is_control());
    let text = || format!("a name is 1 to {NAME} bytes, without a colon or a space");
    fits.then_some(()).ok_or_else(text)
}

/// What stands behind the hash.
#[derive(Default)]
pub(super) struct Behind {
    certificates: BTreeSet<String>,
    pub(super) produces: Vec<String>,
    pub(super) tenants: Vec<String>,
    pub(super) expires: Option<Millis>,
}

/// Reads words of these kinds.
///
/// # Errors
/// What is wrong with the first that is none.
pub(super) fn behind<'w>(
    words: impl Iterator<Item = &'w str>,
    kinds: &[&str],
) -> Result<Behind, String> {
    let mut all = Behind::default();
    for word in words {
        let (kind, value) = word.split_once('=').unwrap_or((word, ""));
        if !kinds.contains(&kind) || !word.contains('=') {
            return Err(format!("behind it stand {}= only", kinds.join("= and ")));
        }
        match kind {
            "certificate" => {
                let names = value.split(',').map(|name| name.trim_end_matches('.'));
                let names = names.filter(|name| !name.is_empty());
                all.certificates.extend(names.map(str::to_ascii_lowercase));
            }
            "produces" => all.produce(value)?,
            "tenants" => {
                all.tenants.extend(value.split(',').map(str::to_owned));
                let fits = |name: &String| (1..=NAME).contains(&name.len());
                if all.tenants.len() > BOUND || !all.tenants.iter().all(fits) {
                    return Err("tenants= has at most 64 names or DBIDs".to_owned());
                }
            }
            _ => {
                let at = Millis::parse(value);
                let at = at.ok_or("expires= is a time such as 2027-01-31T00:00:00Z")?;
                all.expires = Some(at);
            }
        }
    }
    Ok(all)
}

impl Behind {
    fn produce(&mut self, names: &str) -> Result<(), String> {
        self.produces.extend(names.split(',').map(str::to_owned));
        let fits = |name: &String| {
            let body = name.strip_suffix('*').unwrap_or(name);
            name.len() <= NAME && !name.is_empty() && !body.contains('*')
        };
        if self.produces.len() > BOUND || !self.produces.iter().all(fits) {
            return Err("produces= has at most 64 names, each with a * at its end at most".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[test]
    fn lines_become_users() {
        let text = format!(
            "# ours\n\nrm-1 producer {HASH}\nanna reporter,monitor {HASH} \
             certificate=Anna.example. tenants=acme,102\n\
             mcp producer - certificate=mcp-1.svc,mcp-2.svc,CN=Mcp produces=mcp-*,rm-1\n"
        );
        let table = Table::read(&text).unwrap();
        let (rm, hash) = table.find("rm-1");
        assert!(rm.unwrap().roles.have(Role::Producer) && !rm.unwrap().roles.have(Role::Reporter));
        assert_eq!(hash.unwrap().text(), HASH);
        let anna = table.certified(&["other".into(), "anna.example".into()]).unwrap();
        assert_eq!(anna.name, "anna");
        assert!(anna.roles.have(Role::Monitor) && !anna.roles.have(Role::Admin));
        assert_eq!(table.certified(&["mcp-2.svc".into()]).unwrap().name, "mcp");
        assert_eq!(table.certified(&["mcp-3.svc".into(), "cn=mcp".into()]).unwrap().name, "mcp");
        assert_eq!(
            table.certified(&["mcp-3.svc".into(), "mcp".into(), "cn=mcp-1.svc".into()]),
            None
        );
        assert_eq!(table.find("mcp").0.unwrap().produces, ["mcp-*", "rm-1"]);
        assert_eq!(anna.produces, Vec::<String>::new());
        assert_eq!(anna.tenants, ["acme", "102"]);
        let (nobody, dummy) = table.find("nobody");
        assert!(nobody.is_none() && dummy.is_some(), "an unknown name costs the same");
        let (mcp, dummy) = table.find("mcp");
        assert!(mcp.unwrap().hash.is_none() && dummy.is_some());
        for role in [Role::Admin, Role::Reporter, Role::Producer, Role::Monitor] {
            assert!(Roles::ADMIN.have(role) && !Roles::default().have(role));
            assert!(Roles::of_line(role.as_str()).unwrap().have(role));
        }
    }

    #[test]
    fn an_unknown_name_costs_as_much_as_the_costliest() {
        let costly = HASH.replace("t=2", "t=3");
        let text = format!("a producer {HASH}\nb producer {costly}\nc producer {HASH}\n");
        assert_eq!(Table::read(&text).unwrap().find("nobody").1.unwrap().text(), costly);
    }

    #[test]
    fn a_line_that_is_made_can_be_read() {
        for name in ["rm-1", "anna@example", "Zoë"] {
            let line = super::super::user_line(name, "reporter,monitor", "open sesame").unwrap();
            assert!(Table::read(&line).unwrap().find(name).0.is_some(), "{line}");
        }
        for name in ["call center", " a", "a\u{a0}b", "a\u{2028}b", "a\nb", "a:b", "#a"] {
            let error = super::super::user_line(name, "reporter", "open sesame").unwrap_err();
            assert!(error.starts_with("a name is 1 to 128 bytes"), "{name}: {error}");
        }
    }

    #[test]
    fn a_bad_line_is_named_and_its_hash_is_not_told() {
        let name = "n".repeat(129);
        for (lines, line, why) in [
            (format!("a producer {HASH}\nb producer"), 2, "expected a name, roles and"),
            (format!("a producer,writer {HASH}"), 1, "roles are admin"),
            (format!("a  {HASH}"), 1, "expected a name"),
            ("a producer hunter2".to_owned(), 1, "the password is no PHC string"),
            ("a producer -".to_owned(), 1, "neither a password nor a certificate"),
            ("a producer - certificate=,".to_owned(), 1, "neither a password nor"),
            (format!("a:b producer {HASH}"), 1, "a name is 1 to 128 bytes"),
            (format!("{name} producer {HASH}"), 1, "a name is 1 to 128 bytes"),
            (format!("a producer {HASH}\n# x\na admin {HASH}"), 3, "this user stands in a line"),
            (format!("a producer {HASH} tenants=x"), 1, "tenants= is for a reporter"),
            (format!("a admin,reporter {HASH} tenants=x"), 1, "tenants= is for a reporter"),
            (format!("a reporter {HASH} tenants=x,"), 1, "tenants= has at most 64"),
            (format!("a producer {HASH} produces=r*m"), 1, "produces= has at most 64 names"),
            (format!("a producer {HASH} produces=a,,b"), 1, "produces= has at most 64 names"),
            (format!("a producer {HASH} shell=/bin/sh"), 1, "behind it stand"),
            (format!("a producer {HASH} more"), 1, "behind it stand"),
            (
                "a producer - certificate=x\nb admin - certificate=X".to_owned(),
                2,
                "this certificate is that of a user above too",
            ),
        ] {
            let error = Table::read(&lines).unwrap_err();
            assert!(error.starts_with(&format!("line {line}: {why}")), "{lines}: {error}");
            assert!(!error.contains(HASH) && !error.contains("hunter2"), "{error}");
        }
        assert_eq!(Table::read("# nobody\n"), Err("there is no user in it".to_owned()));
    }
}
