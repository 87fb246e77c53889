//! What can be asked of the Reporting Server's command.

use clap::{Args, Subcommand};

use super::Daemon;

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
    /// A line for rs.auth.users_file; the password is the first line of stdin
    User(RsUser),
}

#[derive(Debug, Args)]
pub(crate) struct RsUser {
    /// Their name
    pub(crate) name: String,
    /// admin, reporter, producer, monitor; several with commas between them
    #[arg(long, value_name = "ROLE,…")]
    pub(crate) roles: String,
}
