//! An application: the options of one daemon, section → key → value.
//!
//! RM reads the one named by `rm.application`, RS that of `rs.application`.

use super::Options;
use crate::id::Dbid;

/// An application of a snapshot.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its name, unique in the platform.
    pub name: String,
    /// Its number in reports.
    pub dbid: Dbid,
    /// Whether it is enabled.
    pub enabled: bool,
    /// What it is.
    pub kind: ApplicationType,
    /// Its options, over those of its templates; defaults for a type that has none.
    pub options: Options,
}

/// What an application is (`type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApplicationType {
    /// `resource-manager`
    ResourceManager,
    /// `reporting-server`
    ReportingServer,
    /// `media-server`
    MediaServer,
    /// `sip-server`
    SipServer,
    /// `snmp-master`
    SnmpMaster,
    /// `config-server`
    ConfigServer,
}

impl ApplicationType {
    /// All types.
    pub const ALL: [Self; 6] = [
        Self::ResourceManager,
        Self::ReportingServer,
        Self::MediaServer,
        Self::SipServer,
        Self::SnmpMaster,
        Self::ConfigServer,
    ];

    /// Its word, as in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResourceManager => "resource-manager",
            Self::ReportingServer => "reporting-server",
            Self::MediaServer => "media-server",
            Self::SipServer => "sip-server",
            Self::SnmpMaster => "snmp-master",
            Self::ConfigServer => "config-server",
        }
    }
}
