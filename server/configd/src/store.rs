//! What the books ask of their store: durability, history, no SQL and no meaning (ops.md §1.9).
//!
//! Rows go in and come out as they are kept; what they say is the books' affair. `sqlite` is the
//! default; a server of a later stage answers the same questions and passes the same suite.

pub mod sqlite;

use std::path::PathBuf;

use model::id::{Dbid, Revision};
use model::time::Millis;
use serde::{Deserialize, Deserializer, Serialize};

use crate::who::ENVIRONMENT;

/// A revision, without what it changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RevisionRow {
    /// Its number.
    pub revision: Revision,
    /// When it was made.
    pub time: Millis,
    /// Name of the token, or `seed`, `restore`, ….
    pub actor: String,
    /// Id of the token.
    pub token_id: Option<String>,
    /// Address that it came from.
    pub source: String,
    /// `User-Agent`
    pub user_agent: String,
    /// Why.
    pub message: String,
    /// Objects changed.
    pub changes: u64,
    /// Digest of the set after it, `sha256:…`.
    pub digest: String,
}

/// One changed object of a revision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangeRow {
    /// The revision.
    pub revision: Revision,
    /// Order within it, from 0.
    pub seq: u32,
    /// `create`, `update`, `rename` or `delete`.
    pub op: String,
    /// Kind of the object.
    pub kind: String,
    /// Its number.
    pub dbid: u32,
    /// The object before, as JSON.
    pub before: Option<String>,
    /// The object after, as JSON.
    pub after: Option<String>,
    /// Numbers of the tenants above it before, nearest first.
    #[serde(deserialize_with = "above")]
    pub was: Vec<Dbid>,
    /// Of those above it after.
    #[serde(deserialize_with = "above")]
    pub is: Vec<Dbid>,
}

/// Numbers of tenants. An earlier version wrote names, which say little about who had one then: of
/// them the tenant above all is known, and nobody else sees such a change.
pub(crate) fn above<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Dbid>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Tenant {
        Number(Dbid),
        Name(String),
    }
    let tenants = Vec::<Tenant>::deserialize(from)?.into_iter();
    let number = |tenant| match tenant {
        Tenant::Number(dbid) => Some(dbid),
        Tenant::Name(name) => (name == ENVIRONMENT).then_some(Dbid(1)),
    };
    Ok(tenants.filter_map(number).collect())
}

/// An object as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObjectRow {
    /// Its kind.
    pub kind: String,
    /// Its number.
    pub dbid: u32,
    /// Number of its tenant.
    pub tenant_dbid: u32,
    /// Its name.
    pub name: String,
    /// Its name without case.
    pub name_key: String,
    /// The revision that changed it last.
    pub revision: Revision,
    /// `enabled`
    pub enabled: bool,
    /// All of it, as JSON.
    pub doc: String,
}

/// A token; the secret itself is nowhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenRow {
    /// 8 characters.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the whole token, hexadecimal.
    pub hash: String,
    /// `reader`, `editor` or `admin`.
    pub role: String,
    /// Tenants that it is scoped to, as `dbid:101`; empty = all.
    pub tenants: Vec<String>,
    /// When it was made.
    pub created_at: Millis,
    /// When it ends.
    pub expires_at: Option<Millis>,
    /// When it was used last, to within some seconds.
    pub last_used_at: Option<Millis>,
}

/// A line of the audit (ops.md §1.8).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its place in the audit, given by the store; 0 until then.
    pub seq: u64,
    /// When.
    pub time: Millis,
    /// Who.
    pub actor: String,
    /// By which token.
    pub token_id: Option<String>,
    /// With which role.
    pub role: String,
    /// From where.
    pub source: String,
    /// What was asked for: `transaction`, `dry-run`, `rollback`, `token-create`, `login`, ….
    pub action: String,
    /// What it was about, at most 20 objects.
    pub objects: Vec<String>,
    /// `ok`, or the name of the refusal.
    pub outcome: String,
    /// Why not.
    pub problem: Option<String>,
    /// The revision that it made.
    pub revision: Option<Revision>,
    /// `X-Request-Id`
    pub request_id: String,
}

impl AuditRow {
    /// Bytes of its texts.
    #[must_use]
    pub fn size(&self) -> usize {
        let texts = [&self.actor, &self.role, &self.source, &self.action, &self.outcome];
        let texts = texts.into_iter().chain(&self.objects).chain(&self.problem);
        texts.chain(&self.token_id).map(String::len).sum::<usize>() + self.request_id.len()
    }
}

/// What a client told of itself last.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientRow {
    /// Its name.
    pub name: String,
    /// Address that it came from.
    pub source: String,
    /// When it was heard last.
    pub seen_at: Millis,
    /// What it told, as JSON.
    pub report: String,
}

/// The note that says which books a store holds. A store that is made anew has another one.
pub const BOOKS: &str = "books";

/// One row of any table: what a backup is made of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "table", rename_all = "snake_case")]
pub enum Record {
    /// The current revision.
    Head {
        /// Its number.
        revision: Revision,
        /// Digest of the set.
        digest: String,
    },
    /// An object.
    Object(ObjectRow),
    /// A revision.
    Revision(RevisionRow),
    /// A changed object of a revision.
    Change(ChangeRow),
    /// The next number of a kind.
    DbidCounter {
        /// The kind.
        kind: String,
        /// The number.
        next: u32,
    },
    /// A number that is never used again.
    DbidGone {
        /// The kind.
        kind: String,
        /// The number.
        dbid: u32,
    },
    /// A token.
    Token(TokenRow),
    /// A line of the audit.
    Audit(AuditRow),
    /// A client.
    Client(ClientRow),
    /// A note about the store: under [`BOOKS`] which one it is.
    Meta {
        /// What about.
        key: String,
        /// What it says.
        value: String,
    },
}

/// What the books begin with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Loaded {
    /// The current revision and its digest; `None` of a store that is new.
    pub head: Option<(Revision, String)>,
    /// Which books it holds.
    pub books: Option<String>,
    /// The oldest revision of the history.
    pub oldest: Option<Revision>,
    /// All objects by kind and number.
    pub objects: Vec<ObjectRow>,
    /// The next number of each kind.
    pub counters: Vec<(String, u32)>,
    /// Numbers that are never used again.
    pub gone: Vec<(String, u32)>,
    /// All tokens.
    pub tokens: Vec<TokenRow>,
    /// All clients.
    pub clients: Vec<ClientRow>,
}

/// One revision with all that it changes: stored whole or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// The revision; its number is one above the current.
    pub revision: RevisionRow,
    /// What it changes.
    pub changes: Vec<ChangeRow>,
    /// The objects that are no more, then those that are new or different.
    pub objects: Vec<Stored>,
    /// The next number of each kind.
    pub counters: Vec<(String, u32)>,
    /// Numbers that are never used again, beside those known.
    pub gone: Vec<(String, u32)>,
    /// Numbers that came back with their objects.
    pub back: Vec<(String, u32)>,
    /// Its line of the audit.
    pub audit: AuditRow,
}

/// What becomes of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stored {
    /// It is as this row says.
    Put(ObjectRow),
    /// It is no more.
    Delete {
        /// Its kind.
        kind: String,
        /// Its number.
        dbid: u32,
    },
}

/// What may be written a little later, all at once.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notes {
    /// Lines of the audit, in order.
    pub audit: Vec<AuditRow>,
    /// When tokens were used last.
    pub used: Vec<(String, Millis)>,
    /// What clients told.
    pub clients: Vec<ClientRow>,
}

impl Notes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.audit.is_empty() && self.used.is_empty() && self.clients.is_empty()
    }
}

/// Which revisions are asked for; newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RevisionQuery {
    /// Only those below.
    pub before: Option<Revision>,
    /// Only those that changed this object: its kind and number.
    pub object: Option<(String, u32)>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// So many at most.
    pub limit: usize,
}

/// Which lines of the audit are asked for; newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditQuery {
    /// Not before.
    pub from: Option<Millis>,
    /// Before.
    pub to: Option<Millis>,
    /// Only of this actor.
    pub actor: Option<String>,
    /// Only of this action.
    pub action: Option<String>,
    /// Only with a smaller place: where the last answer ended.
    pub before: Option<u64>,
    /// So many at most.
    pub limit: usize,
}

/// What may be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keep {
    /// So many of the newest revisions are kept …
    pub newest: u64,
    /// … and all that were made at this time or later.
    pub since: Millis,
    /// Lines of the audit from this time on.
    pub audit_since: Millis,
}

/// What other rows take the place of, beside all of the present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replaced {
    /// The history, too.
    All,
    /// The history stays, and goes on with the rows that come.
    AllButHistory,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is away, full or broken.
    #[error("the store does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its head is not where the commit expects it.
    #[error("the store is at revision {0}")]
    Moved(Revision),
    /// A file is damaged.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A later version wrote it.
    #[error("store schema {found} is newer than this executable knows ({known})")]
    Newer {
        /// Its schema.
        found: i64,
        /// The newest that this executable knows.
        known: i64,
    },
    /// One of its files is open to others, and not ours to close.
    #[error("{}: others may use it (mode {mode:03o}), and that cannot be changed", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its rights.
        mode: u32,
        /// The kernel's reason.
        source: std::io::Error,
    },
    /// A step that it took has since been changed.
    #[error("the store has taken another schema step {0} than this executable has")]
    Changed(i64),
    /// The records of a backup cannot be read, or the reader of one has gone.
    #[error("{0}")]
    Records(String),
}

/// The store of the books. One process writes; each call is one transaction.
pub trait Store: Send + Sync {
    /// All that has to be in memory.
    fn load(&self) -> Result<Loaded, StoreError>;

    /// Stores a revision, whole or not at all; on disk when it returns.
    fn commit(&self, commit: &Commit) -> Result<(), StoreError>;

    /// Revisions, newest first.
    fn revisions(&self, query: &RevisionQuery) -> Result<Vec<RevisionRow>, StoreError>;

    /// What the revisions `from..=to` changed, in order.
    fn changes(&self, from: Revision, to: Revision) -> Result<Vec<ChangeRow>, StoreError>;

    /// The number that an object of this name had last: kind, tenants' and object's name.
    fn last_dbid(&self, kind: &str, tenant: &str, name: &str) -> Result<Option<u32>, StoreError>;

    /// Forgets what need not be kept; the oldest revision that is left.
    fn compact(&self, keep: &Keep) -> Result<Option<Revision>, StoreError>;

    /// The token of an id.
    fn token(&self, id: &str) -> Result<Option<TokenRow>, StoreError>;

    /// All tokens.
    fn tokens(&self) -> Result<Vec<TokenRow>, StoreError>;

    /// Stores a token.
    fn put_token(&self, token: &TokenRow, audit: &AuditRow) -> Result<(), StoreError>;

    /// Removes a token.
    fn delete_token(&self, id: &str, audit: &AuditRow) -> Result<(), StoreError>;

    /// Writes what had time; tokens that are no more are left out, and of the clients those that
    /// were heard of last are kept, as many as the limit says.
    fn note(&self, notes: &Notes) -> Result<(), StoreError>;

    /// Lines of the audit, newest first; they end with the one that reaches the bytes of a page.
    fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>, StoreError>;

    /// Gives every row of every table, all of one revision: the head first, then the tables. Ends
    /// early where `each` fails.
    fn dump(
        &self,
        each: &mut dyn FnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Replaces rows of all tables by these, whole or not at all; the audit keeps its lines, and
    /// those of the records come behind them.
    fn replace(
        &self,
        what: Replaced,
        records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
    ) -> Result<(), StoreError>;
}
