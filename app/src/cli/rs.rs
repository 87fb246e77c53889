//! What can be asked of the Reporting Server's command.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Daemon, duration};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Rs {
    #[command(subcommand)]
    pub(crate) command: Option<RsCommand>,
    #[command(flatten)]
    pub(crate) daemon: Daemon,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RsCommand {
    /// Takes a caller's number out of all that the server has stored
    Erase(RsErase),
    /// Reads files of rs.export.before_purge back, in NDJSON; what is there changes nothing
    Import(RsImport),
    /// A script of SQL: the views of calls over several days of SQLite's files, with names
    SqlViews(RsSqlViews),
    /// A new token, into a file of its own, and on stdout its line for rs.auth.tokens_file
    Token(RsToken),
    /// A line for rs.auth.users_file; the password is the first line of stdin
    User(RsUser),
}

#[derive(Debug, Args)]
pub(crate) struct RsImport {
    /// Files, also packed with zstd
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Sends what the server no longer keeps by its default, too
    #[arg(long)]
    pub(crate) older: bool,
    #[command(flatten)]
    pub(crate) from: FromRs,
}

#[derive(Debug, Args)]
pub(crate) struct RsSqlViews {
    /// Boot settings, for the place of the files
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// First day (yyyymmdd, UTC); without --from and --to the newest ten
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<u32>,
    /// Last day
    #[arg(long, value_name = "DAY")]
    pub(crate) to: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct RsErase {
    /// 5 to 20 digits, as people write them; -: the first line of stdin
    #[arg(allow_hyphen_values = true)]
    pub(crate) number: String,
    /// Comes back when it has come to its end
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) from: FromRs,
}

/// Where RS answers.
#[derive(Debug, Args)]
pub(crate) struct FromRs {
    /// RS's HTTP address
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) rs: String,
    /// Name of a user with the role admin
    #[arg(long, requires = "password_file", value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// File whose first line is the password
    #[arg(long, requires = "user", value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// File with a token, in place of a user
    #[arg(long, conflicts_with = "user", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// File with the certificates that RS's is checked against
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Longest wait for an answer, and for room
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct RsUser {
    /// Their name
    pub(crate) name: String,
    /// admin, reporter, producer, monitor; several with commas between them
    #[arg(long, value_name = "ROLE,…")]
    pub(crate) roles: String,
}

#[derive(Debug, Args)]
pub(crate) struct RsToken {
    /// Name of who has it
    pub(crate) name: String,
    /// admin, reporter, producer, monitor; several with commas between them
    #[arg(long, value_name = "ROLE,…")]
    pub(crate) roles: String,
    /// How long it is good; without, until its line is taken away
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(crate) expires: Option<Duration>,
    /// New file for the token, readable by its owner only
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
