//! IVR profiles.

use super::capability::capabilities;
use super::head::Head;
use super::policy::{PolicyDraft, parameters, policy};
use super::values::{service, url};
use crate::config::limits::{MAX_NAME, MAX_PREFERRED};
use crate::config::{Capabilities, Parameter, Service};
use crate::schema::{Field, Object, Placed};
use crate::tree::Value;

/// A profile as it was written.
#[derive(Clone, Debug)]
pub(crate) struct ProfileDraft {
    pub(crate) head: Head,
    pub(crate) service: Placed<Service>,
    pub(crate) initial_page_url: Option<String>,
    pub(crate) alternate_page_url: Option<String>,
    pub(crate) default_properties_url: Option<String>,
    pub(crate) play: Option<String>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) requires: Capabilities,
    pub(crate) prefer: Vec<Placed<String>>,
    pub(crate) notes: String,
    pub(crate) policy: PolicyDraft,
}

/// Services whose calls need parts that are not built: conferences, outbound, CTI, recording.
fn is_built(service: Service) -> bool {
    match service {
        Service::Voicexml
        | Service::Ccxml
        | Service::Msml
        | Service::Announcement
        | Service::Cpd
        | Service::Media => true,
        Service::Conference
        | Service::Gateway
        | Service::Cti
        | Service::Recordingclient
        | Service::Recordingserver
        | Service::Record => false,
    }
}

pub(super) fn read(head: Head, spec: &Object<'_>) -> Option<ProfileDraft> {
    let kind = head.kind.as_str();
    let service = spec.require("service", kind).and_then(|field| {
        let service = service(&field)?;
        if is_built(service) { Some(field.placed(service)) } else { field.unavailable() }
    });
    let url = |key| spec.get(key).and_then(|field| url(&field));
    let text = |key| spec.get(key).and_then(|field| field.text().map(str::to_owned));
    let (initial, alternate) = (url("initial_page_url"), url("alternate_page_url"));
    let (properties, play) = (url("default_properties_url"), url("play"));
    let (parameters, policy) = (parameters(spec), policy(spec, kind));
    let notes = text("notes").unwrap_or_default();
    spec.unavailable("conference_id", |_| false);
    spec.unavailable("geo_location", |_| false);
    spec.unavailable("keep_tenant_id", |value| *value == Value::Bool(false));
    Some(ProfileDraft {
        head,
        service: service?,
        initial_page_url: initial,
        alternate_page_url: alternate,
        default_properties_url: properties,
        play,
        parameters,
        requires: capabilities(spec, "requires"),
        prefer: prefer(spec),
        notes,
        policy,
    })
}

/// Names of groups; that they exist is a matter of the references.
fn prefer(spec: &Object<'_>) -> Vec<Placed<String>> {
    let Some(field) = spec.get("prefer") else { return Vec::new() };
    let items = field.list().unwrap_or_default();
    if items.len() > MAX_PREFERRED {
        field.note("E106", format!("\"prefer\" must be between 0 and {MAX_PREFERRED} groups"));
    }
    let name = |item: &Field<'_>| Some(item.placed(item.text_up_to(MAX_NAME)?.to_owned()));
    items.iter().filter_map(name).collect()
}
