//! An object as the Config Server keeps it and clients load it: what was written, in a normal form.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::canonical::{self, SERVER_FIELDS};
use super::read::Head;
use super::{Key, Kind};
use crate::id::Dbid;
use crate::tree::{Node, to_json};

/// One object of a [`super::Set`].
#[derive(Clone, PartialEq, Debug)]
pub struct Object {
    /// How it is found.
    pub key: Key,
    /// Its number in reports.
    pub dbid: Dbid,
    /// Its own state, whatever that of its tenant is.
    pub enabled: bool,
    /// What it is labelled with.
    pub labels: BTreeMap<String, String>,
    /// `kind`, `name`, `tenant` (of kinds that have one), `enabled`, `labels`, `dbid` and `spec`,
    /// whose fields are as they were written: no default is filled in, but each resource has its
    /// `dbid`. Nothing of what the Config Server writes; a null is left out, for it says nothing.
    pub json: Json,
    /// SHA-256 of the canonical form of `json`.
    pub digest: [u8; 32],
}

impl Object {
    /// The object of a document that was read without fault and has its DBID.
    pub(super) fn new(root: &Node, head: &Head, dbid: Dbid) -> Self {
        let mut json = to_json(root);
        without_nulls(&mut json);
        let labels: BTreeMap<String, String> = json
            .get("labels")
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        let key = head.key();
        if let Json::Object(fields) = &mut json {
            SERVER_FIELDS.iter().for_each(|field| {
                fields.remove(*field);
            });
            fields.insert("kind".to_owned(), key.kind.as_str().into());
            if key.kind.is_owned() {
                fields.insert("tenant".to_owned(), key.tenant.clone().into());
            }
            fields.insert("enabled".to_owned(), head.enabled.into());
            fields.insert("dbid".to_owned(), dbid.0.into());
            for field in ["labels", "spec"] {
                fields.entry(field).or_insert_with(|| Json::Object(serde_json::Map::new()));
            }
        }
        let digest = canonical::digest(&json);
        Self { key, dbid, enabled: head.enabled, labels, json, digest }
    }
}

impl Head {
    pub(super) fn key(&self) -> Key {
        let (tenant, name) = (self.tenant.value.clone(), self.name.value.clone());
        Key { kind: self.kind, tenant, name }
    }
}

/// The key of a document that may have faults, if it can be told.
pub(super) fn key_of(root: &Node) -> Option<Key> {
    let kind = Kind::parse(root.get("kind")?.as_text()?)?;
    let tenant = root.get("tenant").filter(|tenant| kind.is_owned() && !tenant.is_null());
    let tenant = tenant.map_or(Some("Environment"), Node::as_text)?.to_owned();
    Some(Key { kind, tenant, name: root.get("name")?.as_text()?.to_owned() })
}

fn without_nulls(json: &mut Json) {
    match json {
        Json::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(without_nulls),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
