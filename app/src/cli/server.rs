//! Commands that speak with the Config Server (ops.md §2).

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::duration;
use crate::kind::Kind;

/// Where the Config Server answers, and as whom.
#[derive(Debug, Args)]
pub(crate) struct FromServer {
    /// Address of the Config Server
    #[arg(
        long,
        env = "RINGMASTER_SERVER",
        default_value = "http://127.0.0.1:8888",
        value_name = "URL"
    )]
    pub(crate) server: String,
    /// File with the bearer token
    #[arg(long, env = "RINGMASTER_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// File with the certificates of those who may sign the server's; without, the system's
    #[arg(long, env = "RINGMASTER_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// File with the certificate to show, for a server that asks for one
    #[arg(
        long,
        env = "RINGMASTER_CERT_FILE",
        value_name = "FILE",
        requires_all = ["key_file", "ca_file"]
    )]
    pub(crate) cert_file: Option<PathBuf>,
    /// File with its key
    #[arg(long, env = "RINGMASTER_KEY_FILE", value_name = "FILE", requires = "cert_file")]
    pub(crate) key_file: Option<PathBuf>,
    /// Name that the server's certificate has to show; without, the host of its address
    #[arg(long, env = "RINGMASTER_SERVER_NAME", value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// Longest wait for the answer
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Shape of the output
    #[arg(short, long, default_value = "table")]
    pub(crate) output: Shape,
    /// Only what was asked for: no summary, no warnings
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    Table,
    Yaml,
    Json,
    Name,
}

/// What is to be changed: files, and what else hangs on them.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// Files, directories of *.yaml and *.json, or - for stdin; all are one transaction
    #[arg(short, long = "file", required = true, value_name = "FILE", num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    /// Deletes every object with this label that the files do not hold
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) prune: Option<String>,
    /// Only if nothing has changed since this revision
    #[arg(long, value_name = "REV")]
    pub(crate) base: Option<u64>,
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) of: Of,
    /// With --prune also when the files hold no object at all: all that has the label goes
    #[arg(long, requires = "prune")]
    pub(crate) allow_empty: bool,
    /// Shows what would change, and changes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why, for the history
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Waits until every connected client has applied it, or one rejects it
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) of: Of,
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// tenant, profile, did, group (lrg) or app; plural and full names too
    pub(crate) kind: Kind,
    /// Only this object, or dbid:NUMBER
    pub(crate) name: Option<String>,
    /// Only objects of this tenant
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Objects of all tenants, which is what is shown without --tenant
    #[arg(long, conflicts_with = "tenant")]
    pub(crate) all_tenants: bool,
    /// As it was at this revision
    #[arg(long, value_name = "REV")]
    pub(crate) at: Option<u64>,
    /// Only objects with this label; may be given again
    #[arg(short, long = "label", value_name = "KEY=VALUE", conflicts_with = "name")]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// tenant, profile, did, group (lrg) or app
    pub(crate) kind: Kind,
    /// Its name, or dbid:NUMBER
    pub(crate) name: String,
    /// Its tenant
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Everything that needs it, too
    #[arg(long)]
    pub(crate) cascade: bool,
    /// Does not ask before it takes several away
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Shows what would go, and deletes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why, for the history
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Only changes of this kind
    pub(crate) kind: Option<Kind>,
    /// Only changes of this tenant
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Everything after this revision; without, from now on
    #[arg(long, value_name = "REV")]
    pub(crate) since: Option<u64>,
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// Only changes of an object of this kind
    #[arg(requires = "name")]
    pub(crate) kind: Option<Kind>,
    /// Its name
    pub(crate) name: Option<String>,
    /// Its tenant, where the name stands in several
    #[arg(long, requires = "name")]
    pub(crate) tenant: Option<String>,
    /// The newest so many
    #[arg(long, default_value = "20", value_name = "N")]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// The revision whose objects shall be in force again
    #[arg(value_name = "REV")]
    pub(crate) revision: u64,
    /// Shows what would change, and changes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Why, for the history
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct Clients {
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// A whole backup: objects, history, tokens' hashes, audit
    #[arg(long, conflicts_with_all = ["labels", "tenant"])]
    pub(crate) full: bool,
    /// Only objects with this label; may be given again
    #[arg(short, long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Only objects of this tenant and those below it
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Writes it to a new file that only its owner can read
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Objects as apply takes them, or with --full a backup; - for stdin
    pub(crate) file: PathBuf,
    /// The file is a whole backup
    #[arg(long)]
    pub(crate) full: bool,
    /// The backup takes the place of what is there
    #[arg(long, requires = "full")]
    pub(crate) replace: bool,
    /// Shows what would change, and changes nothing
    #[arg(long, conflicts_with = "full")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) from: FromServer,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token; its secret is shown this once
    Create(TokenCreate),
    /// All tokens, without their secrets
    List {
        #[command(flatten)]
        from: FromServer,
    },
    /// Ends a token
    Revoke {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        id: String,
        #[command(flatten)]
        from: FromServer,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreate {
    /// Whose it is, as history and audit show it
    pub(crate) name: String,
    /// admin, editor or reader
    #[arg(long)]
    pub(crate) role: String,
    /// Only objects of these tenants and those below them
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) tenants: Vec<String>,
    /// How long it is good for, such as 90d; without, until it is revoked
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// Writes the token to a new file that only its owner can read
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) from: FromServer,
}
