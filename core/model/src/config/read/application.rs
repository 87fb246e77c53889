//! Applications: what a daemon is, and its options.

use super::head::Head;
use super::options::{self, Written};
use crate::config::ApplicationType;
use crate::config::limits::{MAX_ADDRESS, MAX_CONNECTIONS, MAX_NAME};
use crate::schema::{Field, Object, Placed, Problems};

/// An application as it was written.
#[derive(Clone, Debug)]
pub(crate) struct ApplicationDraft {
    pub(crate) head: Head,
    pub(crate) kind: ApplicationType,
    /// Its own; those of its template lie under them.
    pub(crate) options: Vec<Written>,
    pub(crate) template: Option<Placed<String>>,
    /// The applications that it talks to.
    pub(crate) connections: Vec<Placed<String>>,
}

pub(super) fn read(head: Head, spec: &Object<'_>, warnings: &Problems) -> Option<ApplicationDraft> {
    let types = ApplicationType::ALL.map(|kind| (kind.as_str(), kind));
    let kind = spec.require("type", head.kind.as_str()).and_then(|field| field.choice(&types));
    let options = spec.get("options").and_then(|field| field.object());
    let template = spec.get("template").and_then(|field| name(&field));
    let connections = connections(spec);
    // what people and other programs read; RM and RS do not
    let _ = spec.get("address").and_then(|field| address(&field));
    let _ = spec.get("folder").and_then(|field| field.text());
    let kind = kind?;
    let options = options.map(|options| options::read(&options, kind, warnings));
    let options = options.unwrap_or_default();
    Some(ApplicationDraft { head, kind, options, template, connections })
}

/// The name of an application; whether there is one is a matter of the references.
fn name(field: &Field<'_>) -> Option<Placed<String>> {
    field.text_up_to(MAX_NAME).map(|name| field.placed(name.to_owned()))
}

fn connections(spec: &Object<'_>) -> Vec<Placed<String>> {
    let Some(field) = spec.get("connections") else { return Vec::new() };
    let items = field.list().unwrap_or_default();
    if items.len() > MAX_CONNECTIONS {
        let text = format!("\"connections\" must be between 0 and {MAX_CONNECTIONS} names");
        field.note("E106", text);
    }
    items.iter().filter_map(name).collect()
}

/// Where it runs: a host, and a port if there is one to tell.
fn address(field: &Field<'_>) -> Option<()> {
    let text = field.text_up_to(MAX_ADDRESS)?;
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return field.invalid("address", "expected a host, or host:port, without blanks");
    }
    Some(())
}
