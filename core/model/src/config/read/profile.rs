//! IVR profiles.

use super::capability::capabilities;
use super::head::Head;
use super::policy::{PolicyDraft, parameters, policy};
use super::values::{service, url};
use crate::config::limits::{MAX_CONFERENCE, MAX_LOCATION, MAX_NAME, MAX_PREFERRED};
use crate::config::{Capabilities, KeptDays, Parameter, Service};
use crate::schema::{Field, Object, Placed};

/// A profile as it was written.
#[derive(Clone, Debug)]
pub(crate) struct ProfileDraft {
    pub(crate) head: Head,
    /// How long the Reporting Server keeps what is of it.
    pub(crate) kept: KeptDays,
    pub(crate) service: Placed<Service>,
    pub(crate) initial_page_url: Option<String>,
    pub(crate) alternate_page_url: Option<String>,
    pub(crate) default_properties_url: Option<String>,
    pub(crate) play: Option<String>,
    pub(crate) conference_id: Option<String>,
    pub(crate) geo_location: Option<String>,
    /// Fields that act only with this service.
    pub(crate) only_with: Vec<Placed<(&'static str, Service)>>,
    pub(crate) keep_tenant_id: bool,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) requires: Capabilities,
    pub(crate) prefer: Vec<Placed<String>>,
    pub(crate) notes: String,
    pub(crate) policy: PolicyDraft,
}

pub(super) fn read((head, kept): (Head, KeptDays), spec: &Object<'_>) -> Option<ProfileDraft> {
    let kind = head.kind.as_str();
    let service = spec
        .require("service", kind)
        .and_then(|field| service(&field).map(|service| field.placed(service)));
    let url = |key| spec.get(key).and_then(|field| url(&field));
    let text = |key| spec.get(key).and_then(|field| field.text().map(str::to_owned));
    let (initial, alternate) = (url("initial_page_url"), url("alternate_page_url"));
    let (properties, play) = (url("default_properties_url"), url("play"));
    let (parameters, policy) = (parameters(spec), policy(spec, kind));
    let notes = text("notes").unwrap_or_default();
    let conference_id = spec.get("conference_id").and_then(|field| conference_id(&field));
    let geo_location = spec
        .get("geo_location")
        .and_then(|field| field.text_up_to(MAX_LOCATION).map(str::to_owned));
    let keep_tenant_id = spec.get("keep_tenant_id").and_then(|field| field.boolean());
    Some(ProfileDraft {
        head,
        kept,
        service: service?,
        initial_page_url: initial,
        alternate_page_url: alternate,
        default_properties_url: properties,
        play,
        conference_id,
        geo_location,
        only_with: only_with(spec),
        keep_tenant_id: keep_tenant_id.unwrap_or(false),
        parameters,
        requires: capabilities(spec, "requires"),
        prefer: prefer(spec),
        notes,
        policy,
    })
}

/// Fields that other services have no use for.
fn only_with(spec: &Object<'_>) -> Vec<Placed<(&'static str, Service)>> {
    let fields = [("conference_id", Service::Conference), ("geo_location", Service::Record)];
    let given = |(name, service)| Some(spec.get(name)?.placed((name, service)));
    fields.into_iter().filter_map(given).collect()
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

/// An id that may stand in a user part as it is (rm.md §3.6).
fn conference_id(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let letter = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,?/".contains(c);
    if text.is_empty() || text.len() > MAX_CONFERENCE || !text.chars().all(letter) {
        let why = "expected 1 to 128 characters that a user part may have";
        return field.invalid("conference id", why);
    }
    Some(text.to_owned())
}
