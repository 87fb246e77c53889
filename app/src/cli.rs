//! The command line: what can be asked for. Decides nothing.

mod rs;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use rs::{FromRs, Rs, RsCommand, RsErase, RsImport, RsSqlViews, RsToken, RsUser};
pub(crate) use server::{
    Apply, Clients, Delete, Diff, Export, FromServer, Get, History, Import, Rollback, Shape, Token,
    TokenCommand, TokenCreate, Watch,
};

/// An open voice platform: Resource Manager, Reporting Server and the gear around them.
#[derive(Debug, Parser)]
#[command(name = "ringmaster", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All parts in one process
    Standalone(Standalone),
    /// The Resource Manager
    Rm(Daemon),
    /// The Reporting Server
    Rs(Rs),
    /// The Config Server
    ConfigServer(ConfigServer),
    /// Calls in progress, or one call, or its end
    Calls(Calls),
    /// Limits of tenants and profiles, and how much of each is used
    Limits(Limits),
    /// Which way an INVITE would go if it came now, and why
    Explain(Explain),
    /// Media servers and their state
    Resources(Resources),
    /// No new calls for a media server or the whole node; those that it has go on
    Drain(Drain),
    /// Calls for a media server again, whatever the configuration says, or for the node
    Enable(Which),
    /// No new calls for a media server, not even in its conferences, and no probes
    Disable(Which),
    /// A media server as the configuration has it, and no quarantine
    Reset(Which),
    /// What is wrong now, since when
    Alarms(Alarms),
    /// What is logged, or another level for a while
    Log(Log),
    /// Reads the file of platform objects again
    Reload(Reload),
    /// Puts an RM, its media servers' group and what they hang on into the Config Server
    ConfigHandler(Handler),
    /// Puts a Reporting Server into the Config Server
    RsInit(Handler),
    /// Validates settings or platform objects offline
    Check(Check),
    /// Platform objects of files into the Config Server, all or nothing
    Apply(Apply),
    /// What apply would change
    Diff(Diff),
    /// Platform objects of the Config Server
    Get(Get),
    /// Takes a platform object away
    Delete(Delete),
    /// Changes as they are made
    Watch(Watch),
    /// Revisions: who changed what when
    History(History),
    /// A new revision with the objects of an earlier one
    Rollback(Rollback),
    /// Which Resource Managers and Reporting Servers run which revision
    Clients(Clients),
    /// All platform objects as a file for apply, or a whole backup
    Export(Export),
    /// Objects of a file, or a backup, into the Config Server
    Import(Import),
    /// Who may use the Config Server
    Token(Token),
    /// Simulated callers and media servers, for demos and load
    Simulate(Simulate),
}

#[derive(Debug, Args)]
pub(crate) struct Standalone {
    /// Boot settings; without, embedded defaults
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where state is kept [default: ./ringmaster-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Adds simulated callers and media servers, and takes free ports
    #[arg(long)]
    pub(crate) demo: bool,
    /// Simulated calls per second of the demo
    #[arg(long, default_value = "2", value_parser = rate, requires = "demo", value_name = "R")]
    pub(crate) cps: f64,
}

#[derive(Debug, Args)]
pub(crate) struct Daemon {
    /// Boot settings
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Asks the running daemon instead: exit 0 when the answer is yes, else 1
    #[arg(long, value_name = "live|ready")]
    pub(crate) probe: Option<Probe>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigServer {
    #[command(flatten)]
    pub(crate) daemon: Daemon,
    /// Makes another admin token and prints its file, also beside a running server
    #[arg(long, conflicts_with = "probe")]
    pub(crate) new_admin_token: bool,
}

/// A program that ends when its work is done.
#[derive(Debug, Args)]
pub(crate) struct Handler {
    /// Boot settings
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Probe {
    Live,
    Ready,
}

/// Where RM answers, and how its answer is shown.
#[derive(Debug, Args)]
pub(crate) struct FromRm {
    /// RM's HTTP address
    #[arg(long, default_value = "http://127.0.0.1:8300", value_name = "URL")]
    pub(crate) rm: String,
    /// File with the bearer token
    #[arg(long, env = "RINGMASTER_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Longest wait for the answer
    #[arg(long, default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Shape of the output
    #[arg(short, long, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
    Name,
}

#[derive(Debug, Args)]
pub(crate) struct Calls {
    /// Show this call with its legs
    pub(crate) guid: Option<String>,
    /// Only calls of this tenant
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only calls of this profile
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// Only calls on this media server
    #[arg(long)]
    pub(crate) resource: Option<String>,
    /// Only calls with a leg in this state: trying, early, up, ending
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only calls that began so long ago, such as 1h
    #[arg(long, value_name = "TIME")]
    pub(crate) older_than: Option<String>,
    /// Only calls with this SIP Call-ID
    #[arg(long)]
    pub(crate) call_id: Option<String>,
    /// Shows its SIP messages, also when it is over
    #[arg(long, requires = "guid", conflicts_with = "end")]
    pub(crate) sip: bool,
    /// Ends the call: BYE to both sides
    #[arg(long, requires = "guid")]
    pub(crate) end: bool,
    /// Ends only this leg of it
    #[arg(long, requires = "end", value_name = "ID")]
    pub(crate) leg: Option<String>,
    #[command(flatten)]
    pub(crate) from: FromRm,
}

#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// Only limits of this tenant and its profiles
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only limits of which at least so many percent are used
    #[arg(long, value_name = "PERCENT")]
    pub(crate) used: Option<u64>,
    #[command(flatten)]
    pub(crate) from: FromRm,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Request-URI of the INVITE
    #[arg(required_unless_present = "message")]
    pub(crate) uri: Option<String>,
    /// From: a URI, or the value of the header
    #[arg(long, value_name = "URI")]
    pub(crate) from: Option<String>,
    /// To; without, the Request-URI
    #[arg(long, value_name = "URI")]
    pub(crate) to: Option<String>,
    /// A further header
    #[arg(short = 'H', long, value_parser = header, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<(String, String)>,
    /// A file with a whole INVITE instead
    #[arg(long, conflicts_with_all = ["uri", "from", "to", "header"], value_name = "FILE")]
    pub(crate) message: Option<PathBuf>,
    /// Who sends it: an address, a peer or a media server; without, the first SIP Server
    #[arg(long, value_name = "ADDRESS|NAME")]
    pub(crate) source: Option<String>,
    /// Takes a media server to be in a state, such as mcp-1=dead
    #[arg(long, value_parser = assumed, value_name = "NAME=STATE")]
    pub(crate) assume: Vec<(String, String)>,
    /// Shows the request as it would be sent
    #[arg(long)]
    pub(crate) request: bool,
    #[command(flatten)]
    pub(crate) from_rm: FromRm,
}

#[derive(Debug, Args)]
pub(crate) struct Resources {
    /// Only resources of this group
    #[arg(long)]
    pub(crate) group: Option<String>,
    #[command(flatten)]
    pub(crate) from: FromRm,
}

#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Ends the calls that it still has after this time, such as 1h
    #[arg(long, value_name = "TIME")]
    pub(crate) deadline: Option<String>,
    #[command(flatten)]
    pub(crate) which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Name of the media server, or of the node
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) from: FromRm,
}

#[derive(Debug, Args)]
pub(crate) struct Alarms {
    #[command(flatten)]
    pub(crate) from: FromRm,
}

#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    pub(crate) from: FromRm,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    /// critical, error, warn, notice, info, debug, trace, off; without, what is in force
    #[arg(value_name = "LEVEL")]
    pub(crate) level: Option<String>,
    /// Only for so long, such as 10m
    #[arg(long = "for", requires = "level", value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// Only lines of this tenant
    #[arg(long, requires = "level")]
    pub(crate) tenant: Option<String>,
    /// Only lines of this profile
    #[arg(long, requires = "level")]
    pub(crate) profile: Option<String>,
    /// Only lines of this session
    #[arg(long, requires = "level", value_name = "GUID")]
    pub(crate) session: Option<String>,
    /// Only lines of this SIP Call-ID
    #[arg(long, requires = "level")]
    pub(crate) call_id: Option<String>,
    /// Only lines of this peer
    #[arg(long, requires = "level", value_name = "NAME|ADDRESS")]
    pub(crate) peer: Option<String>,
    #[command(flatten)]
    pub(crate) from: FromRm,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Files of settings or of platform objects
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Takes the files as boot settings, whatever they hold
    #[arg(long, conflicts_with = "objects")]
    pub(crate) settings: bool,
    /// Takes the files as platform objects, whatever they hold
    #[arg(long)]
    pub(crate) objects: bool,
    /// Warnings count as a no
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Media servers to play, on consecutive ports from --media-port
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) media: u16,
    /// First port of the media servers
    #[arg(long, default_value_t = 5070, value_name = "PORT")]
    pub(crate) media_port: u16,
    /// Calls per second
    #[arg(long, default_value = "0", value_parser = rate, value_name = "R")]
    pub(crate) cps: f64,
    /// How long to run; callers then wait for their last calls to end. Without: until Ctrl-C
    #[arg(long, value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Shortest time a call is held
    #[arg(long, default_value = "5s", value_parser = duration)]
    pub(crate) hold_min: Duration,
    /// Longest time a call is held
    #[arg(long, default_value = "20s", value_parser = duration)]
    pub(crate) hold_max: Duration,
    /// Numbers to dial, in turn
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "18005550100",
        value_parser = number,
        value_name = "NUMBER"
    )]
    pub(crate) numbers: Vec<String>,
    /// RM's SIP address (UDP)
    #[arg(long, default_value = "127.0.0.1:5060", value_name = "HOST:PORT")]
    pub(crate) to: std::net::SocketAddr,
    /// Local address of callers and media servers
    #[arg(long, default_value = "127.0.0.1", value_name = "IP")]
    pub(crate) bind: std::net::IpAddr,
}

/// Calls per second that are sensible to ask for.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(0.0) => Ok(0.0),
        Ok(rate) if (0.001..=10_000.0).contains(&rate) => Ok(rate),
        _ => Err("calls per second are 0, or from 0.001 to 10000".to_owned()),
    }
}

fn number(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+');
    fits.then(|| text.to_owned()).ok_or_else(|| "a number has digits and letters".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("expected NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn assumed(text: &str) -> Result<(String, String), String> {
    let (name, state) = text.split_once('=').ok_or("expected NAME=STATE, such as mcp-1=dead")?;
    Ok((name.to_owned(), state.to_owned()))
}

fn duration(text: &str) -> Result<Duration, String> {
    config::units::duration(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        super::Cli::command().debug_assert();
    }
}
