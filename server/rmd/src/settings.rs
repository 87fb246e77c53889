//! What one Resource Manager is told at its start, as values: the boot settings of ops.md §15 that
//! concern it, with addresses parsed and files named.
//!
//! It reads no file; keys and tokens are read where they are used.

use crate::listeners::Wanted;
use model::id::NodeId;
use openwire::Secret;
use rm::Peer;
use sip::transport::Transport;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Settings of one node.
#[derive(Debug, Clone)]
pub struct RmSettings {
    /// `data_dir`.
    pub data_dir: PathBuf,
    /// `rm.name`.
    pub name: String,
    /// `rm.application`.
    pub application: String,
    /// `rm.node_id`.
    pub node_id: NodeId,
    /// `rm.sip.listen`; port 0 takes a free one.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// `rm.monitor.listen`.
    pub monitor: (Transport, SocketAddr),
    /// `rm.sip.advertise`.
    pub advertise: Vec<(String, u16)>,
    /// `rm.sip.via`.
    pub via: Vec<(String, u16)>,
    /// `rm.sip.dscp`.
    pub dscp: u8,
    /// `rm.sip.domains`.
    pub domains: Vec<String>,
    /// `rm.sip.peers`.
    pub peers: Vec<Peer>,
    /// `rm.http`.
    pub http: SocketAddr,
    /// `rm.http_tokens_file`.
    pub http_tokens_file: Option<PathBuf>,
    /// `rm.cluster.key_file`.
    pub key_file: Option<PathBuf>,
    /// `rm.reporting.broker`.
    pub broker: String,
    /// `rm.reporting.user` and what `rm.reporting.password_file` holds.
    pub login: Option<(String, Option<Secret>)>,
}

impl RmSettings {
    /// All SIP listeners in the order of their indexes; the monitor's is the last.
    pub(crate) fn wanted(&self) -> Vec<Wanted> {
        let all = self.listen.iter().chain([&self.monitor]);
        all.map(|&(transport, address)| Wanted { transport, address }).collect()
    }
}
