//! One file per command.

pub(crate) mod administer;
pub(crate) mod alarms;
pub(crate) mod calls;
pub(crate) mod check;
pub(crate) mod config_server;
pub(crate) mod explain;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod reload;
pub(crate) mod resources;
pub(crate) mod rm;
pub(crate) mod rs;
pub(crate) mod simulate;
pub(crate) mod standalone;
