//! Applications: what a daemon is, and its options.

use super::head::Head;
use super::options;
use crate::config::{ApplicationType, Options};
use crate::schema::{Object, Problems};
use crate::tree::Value;

/// An application as it was written.
#[derive(Clone, Debug)]
pub(crate) struct ApplicationDraft {
    pub(crate) head: Head,
    pub(crate) kind: ApplicationType,
    pub(crate) options: Options,
}

pub(super) fn read(head: Head, spec: &Object<'_>, warnings: &Problems) -> Option<ApplicationDraft> {
    let types = [
        ("resource-manager", ApplicationType::ResourceManager),
        ("reporting-server", ApplicationType::ReportingServer),
        ("media-server", ApplicationType::MediaServer),
        ("sip-server", ApplicationType::SipServer),
        ("snmp-master", ApplicationType::SnmpMaster),
        ("config-server", ApplicationType::ConfigServer),
    ];
    let kind = spec.require("type", head.kind.as_str()).and_then(|field| field.choice(&types));
    let options = spec.get("options").and_then(|field| field.object());
    for later in ["template", "address", "folder"] {
        spec.unavailable(later, |_| false);
    }
    spec.unavailable("connections", |value| *value == Value::Seq(Vec::new()));
    let kind = kind?;
    let options = options.map_or_else(Options::default, |o| options::read(&o, kind, warnings));
    Some(ApplicationDraft { head, kind, options })
}
