//! An object with what the server writes of it: as it is shown, stored and sent (ops.md §1.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use model::config::Kind;
use model::config::canonical;
use model::id::{Dbid, Revision};
use model::time::Millis;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::who::ENVIRONMENT;
use model::config::{Key, Object};

/// An object and its fields of the server; serialised as one JSON object.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// What was written, in normal form.
    pub object: Arc<Object>,
    /// What the server adds.
    pub meta: Arc<Meta>,
}

/// What the server writes of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meta {
    /// The revision that changed it last.
    pub revision: Revision,
    /// When it was made.
    pub created_at: Millis,
    /// By whom.
    pub created_by: String,
    /// When it was changed last.
    pub updated_at: Millis,
    /// By whom.
    pub updated_by: String,
}

impl Entry {
    /// Reads what [`Serialize`] writes; `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let Json::Object(mut json) = serde_json::from_str(text).ok()? else { return None };
        let word = |json: &serde_json::Map<String, Json>, key: &str| {
            json.get(key).and_then(Json::as_str).map(str::to_owned)
        };
        let time = |key: &str| Millis::parse(json.get(key)?.as_str()?);
        let meta = Meta {
            revision: Revision(json.get("revision")?.as_u64()?),
            created_at: time("created_at")?,
            created_by: word(&json, "created_by")?,
            updated_at: time("updated_at")?,
            updated_by: word(&json, "updated_by")?,
        };
        for field in canonical::SERVER_FIELDS {
            json.remove(field);
        }
        let kind = Kind::parse(json.get("kind")?.as_str()?)?;
        let tenant = word(&json, "tenant").filter(|_| kind.is_owned());
        let tenant = tenant.unwrap_or_else(|| ENVIRONMENT.to_owned());
        let key = Key { kind, tenant, name: word(&json, "name")? };
        let dbid = Dbid(u32::try_from(json.get("dbid")?.as_u64()?).ok()?);
        let enabled = json.get("enabled")?.as_bool()?;
        let mut labels = BTreeMap::new();
        for (key, value) in json.get("labels")?.as_object()? {
            labels.insert(key.clone(), value.as_str()?.to_owned());
        }
        let json = Json::Object(json);
        let digest = canonical::digest(&json);
        let object = Object { key, dbid, enabled, labels, json, digest };
        Some(Self { object: Arc::new(object), meta: Arc::new(meta) })
    }

    /// Its kind and number: what stays when it is renamed.
    #[must_use]
    pub fn number(&self) -> (Kind, Dbid) {
        (self.object.key.kind, self.object.dbid)
    }

    /// As it is stored and sent.
    #[must_use]
    pub fn text(&self) -> String {
        // an object has text keys only, and nothing in it refuses to be written
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.object.json.as_object().into_iter().flatten() {
            map.serialize_entry(key, value)?;
        }
        let meta = &self.meta;
        map.serialize_entry("revision", &meta.revision)?;
        map.serialize_entry("created_at", &meta.created_at)?;
        map.serialize_entry("created_by", &meta.created_by)?;
        map.serialize_entry("updated_at", &meta.updated_at)?;
        map.serialize_entry("updated_by", &meta.updated_by)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn what_is_written_reads_back() {
        let text = concat!(
            r#"{"dbid":101,"enabled":true,"kind":"IvrProfile","labels":{"a":"b"},"name":"p","#,
            r#""spec":{"service":"dialog"},"tenant":"acme","revision":7,"#,
            r#""created_at":"2026-11-22T09:30:00.000Z","created_by":"ci","#,
            r#""updated_at":"2026-11-22T09:30:00.123Z","updated_by":"eve"}"#,
        );
        let entry = Entry::read(text).unwrap();
        assert_eq!(entry.object.key.to_string(), "IvrProfile acme/p");
        assert_eq!((entry.meta.revision.0, entry.object.dbid.0), (7, 101));
        assert_eq!(entry.text(), text);
        assert!(entry.object.json.get("revision").is_none());
        for broken in ["", "{}", "[]", &text.replace("\"dbid\":101,", "")] {
            assert_eq!(Entry::read(broken), None, "{broken}");
        }
    }
}
