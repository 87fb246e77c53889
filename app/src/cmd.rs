//! One file per command.

pub(crate) mod administer;
pub(crate) mod alarms;
pub(crate) mod apply;
pub(crate) mod calls;
pub(crate) mod check;
pub(crate) mod clients;
pub(crate) mod config_server;
pub(crate) mod delete;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod limits;
pub(crate) mod log;
mod private;
pub(crate) mod reload;
pub(crate) mod resources;
pub(crate) mod rm;
pub(crate) mod rs;
pub(crate) mod simulate;
pub(crate) mod standalone;
pub(crate) mod token;
pub(crate) mod watch;
