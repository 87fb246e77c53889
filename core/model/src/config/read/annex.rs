//! Options of an object's Annex, which it carries as labels `gvp/<section>/<option>` (ops.md §1.1).
//!
//! Read are those of retention (rs.md §10); all others are carried for whoever knows them. What is
//! wrong blocks nothing, since an import carries what it finds: it is told, and not used.

use super::head::Head;
use super::options::warn;
use crate::config::{KeptDays, Kind};
use crate::id::{Dbid, dbid_of};
use crate::schema::{Field, Object, Problems};
use crate::tree::Value;

/// What the options of retention begin with.
const KEPT: &str = "gvp/dbmp/rs.db.retention.";
/// Days at most.
const DAYS: u32 = 36_500;

/// How long what is of a tenant or a profile is kept, as its Annex says; of others nothing is.
pub(super) fn kept(object: &Object<'_>, head: &Head, warnings: &Problems) -> KeptDays {
    let mut kept = KeptDays::default();
    if !matches!(head.kind, Kind::Tenant | Kind::IvrProfile) {
        return kept;
    }
    let labels = object.get("labels").filter(|field| matches!(field.node().value, Value::Map(_)));
    let Some(labels) = labels.and_then(|field| field.object()) else { return kept };
    let own = dbid(head);
    for (key, field) in labels.entries() {
        let Some(option) = key.text.strip_prefix(KEPT) else { continue };
        let tell = |code, text: String| warn(&field, key, warnings, code, text);
        let name = key.text.get("gvp/".len()..).unwrap_or_default();
        let Some((what, of)) = option.rsplit_once('.') else {
            tell("W602", format!("unknown option \"{name}\""));
            continue;
        };
        let cell = match what {
            "cdr" => &mut kept.cdr,
            "events" => &mut kept.events,
            "var" => &mut kept.var,
            _ => {
                tell("W602", format!("unknown option \"{name}\""));
                continue;
            }
        };
        if of != own.to_string() {
            let object = &head.name.value;
            tell("W604", format!("option \"{name}\" is not used: \"{object}\" is {own}"));
            continue;
        }
        match days(&field) {
            Some(days) => *cell = Some(days),
            None => tell("W604", format!("option \"{name}\" is not used: days are 1 to {DAYS}")),
        }
    }
    kept
}

/// The number that the object has, or gets if it is given none.
fn dbid(head: &Head) -> Dbid {
    match (&head.dbid, head.kind, &*head.name.value) {
        (Some(given), ..) => given.value,
        (None, Kind::Tenant, "Environment") => Dbid(1),
        (None, kind, name) => dbid_of(kind.as_str(), &head.tenant.value, name),
    }
}

fn days(field: &Field<'_>) -> Option<u32> {
    let Value::Text(text) = &field.node().value else { return None };
    text.trim().parse().ok().filter(|days| (1..=DAYS).contains(days))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Set};
    use crate::id::Revision;
    use crate::snapshot::Snapshot;
    use crate::tree::from_json;

    fn built(labels: &[(&str, &str)]) -> (Snapshot, Vec<String>) {
        let labels: serde_json::Map<String, serde_json::Value> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
        let objects = [
            serde_json::json!({"kind": "Tenant", "name": "acme", "dbid": 102, "labels": labels}),
            serde_json::json!({"kind": "IvrProfile", "name": "main", "tenant": "acme",
                "dbid": 189, "labels": labels, "spec": {"service": "msml"}}),
            serde_json::json!({"kind": "Tenant", "name": "beta", "labels": labels}),
        ];
        let documents: Vec<Document> = objects
            .iter()
            .map(|json| Document { file: None, number: 1, size: 0, root: from_json(json) })
            .collect();
        let (snapshot, warnings) = Snapshot::build(&documents, Revision(1)).unwrap();
        (snapshot, warnings.iter().map(|warning| warning.message.clone()).collect())
    }

    fn of(snapshot: &Snapshot) -> (KeptDays, KeptDays) {
        let tenant = snapshot.tenant_by_name("acme").unwrap();
        let profile = snapshot.profile_by_dbid(Dbid(189)).unwrap();
        (snapshot.tenant(tenant).kept, snapshot.profile(profile).kept)
    }

    #[test]
    fn an_option_is_that_of_the_object_that_it_names() {
        let beta = dbid_of("Tenant", "Environment", "beta");
        let own = format!("gvp/dbmp/rs.db.retention.var.{beta}");
        let (snapshot, _) = built(&[
            ("gvp/dbmp/rs.db.retention.cdr.102", "90"),
            ("gvp/dbmp/rs.db.retention.var.102", " 36500 "),
            ("gvp/dbmp/rs.db.retention.events.189", "1"),
            ("gvp/dbmp/other", "x"),
            ("team", "a"),
            (&own, "7"),
        ]);
        let days = |cdr, events, var| KeptDays { cdr, events, var };
        let expected = (days(Some(90), None, Some(36_500)), days(None, Some(1), None));
        assert_eq!(of(&snapshot), expected);
        let beta = snapshot.tenant_by_name("beta").unwrap();
        assert_eq!(snapshot.tenant(beta).kept, days(None, None, Some(7)), "a number of its own");
    }

    #[test]
    fn what_is_wrong_is_told_and_not_used() {
        for (key, value, told) in [
            ("cdr.102", "0", "option \"dbmp/rs.db.retention.cdr.102\" is not used: days are 1 to"),
            ("cdr.102", "36501", "days are 1 to 36500"),
            ("cdr.102", "forty", "days are 1 to 36500"),
            ("cdr.102", "", "days are 1 to 36500"),
            ("cdr.102", "4294967336", "days are 1 to 36500"),
            ("events.7", "5", "is not used: \"acme\" is 102"),
            ("var.default", "5", "is not used: \"main\" is 189"),
            ("evnts.102", "5", "unknown option \"dbmp/rs.db.retention.evnts.102\""),
            ("cdr", "5", "unknown option \"dbmp/rs.db.retention.cdr\""),
        ] {
            let (snapshot, warnings) = built(&[(&format!("{KEPT}{key}"), value)]);
            assert_eq!(of(&snapshot), <(KeptDays, KeptDays)>::default(), "{key}: {value}");
            assert!(warnings.iter().any(|text| text.contains(told)), "{key}: {warnings:?}");
        }
    }

    /// An option that goes takes effect as one that comes does.
    #[test]
    fn an_annex_may_change_alone() {
        let document = |root: serde_json::Value| Document {
            file: None,
            number: 1,
            size: 0,
            root: from_json(&root),
        };
        let profile = |labels: &serde_json::Value| {
            document(serde_json::json!({"kind": "IvrProfile", "name": "main", "tenant": "acme",
                "dbid": 189, "labels": labels, "spec": {"service": "msml"}}))
        };
        let tenant = document(serde_json::json!({"kind": "Tenant", "name": "acme", "dbid": 102}));
        let mut set = Set::default().change(vec![tenant], &[], &[]).unwrap().set;
        let key = format!("{KEPT}cdr.189");
        for (labels, cdr, told) in [
            (serde_json::json!({"team": "a"}), None, 0),
            (serde_json::json!({ &key: "5" }), Some(5), 0),
            (serde_json::json!({ &key: "x" }), None, 1),
            (serde_json::json!({ &key: "7", "team": "a" }), Some(7), 0),
            (serde_json::json!({"team": "a"}), None, 0),
        ] {
            let changed = set.change(vec![profile(&labels)], &[], &[]).unwrap();
            let codes = changed.warnings.iter().map(|warning| warning.code);
            let codes: Vec<_> = codes.filter(|code| *code == "W604").collect();
            assert_eq!(codes, vec!["W604"; told], "{labels}");
            set = changed.set;
            let snapshot = set.snapshot(Revision(2));
            let profile = snapshot.profile_by_dbid(Dbid(189)).unwrap();
            assert_eq!(snapshot.profile(profile).kept.cdr, cdr, "{labels}");
        }
    }
}
