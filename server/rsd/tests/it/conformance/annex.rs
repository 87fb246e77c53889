//! Days of tenants and profiles that their Annexes in the Config Server have (rs.md §10): a purge
//! goes by them as by those that the API has set, and by these first.

use model::config::Document;
use model::id::Revision;
use model::snapshot::Snapshot;
use model::tree::from_json;
use rs::retention::{Holder, Wanted};
use rsd::retention::{Annexes, annexes};
use rsd::store::Store;
use rsd::store::keeping::Override;
use serde_json::{Value, json};

use super::custody::line;
use super::keeping::{counts, fill, run_by};

/// Out of a configuration in which acme has these labels, and its profile those.
fn said(acme: Value, main: Value) -> Annexes {
    let objects = [
        json!({"kind": "Tenant", "name": "acme", "dbid": 102, "labels": acme}),
        json!({"kind": "Tenant", "name": "beta", "dbid": 104}),
        json!({"kind": "IvrProfile", "name": "main", "tenant": "beta", "dbid": 189,
            "labels": main, "spec": {"service": "msml"}}),
    ];
    let document = |json| Document { file: None, number: 1, size: 0, root: from_json(json) };
    let documents: Vec<Document> = objects.iter().map(document).collect();
    annexes(&Snapshot::build(&documents, Revision(1)).unwrap().0)
}

fn label(what: &str, days: &str) -> Value {
    json!({format!("gvp/dbmp/rs.db.retention.{what}"): days})
}

/// Sixty days, of which forty are kept where nobody says otherwise.
pub(super) fn annexed(store: &dyn Store) {
    fill(store);
    assert_eq!(counts(store), (60, 60, 180));
    let purge = |annexes: &Annexes| {
        assert!(run_by(store, annexes, usize::MAX, true).finished);
        counts(store)
    };
    let mut said_of = said(label("cdr.102", "90"), label("cdr.189", "50"));
    assert_eq!(said_of.len(), 2);
    assert_eq!(purge(&said_of), (60, 40, 150), "90 of acme, 50 of the profile, 40 of the rest");

    let set = |cdr, events| {
        let wanted = Wanted { cdr, events, var: None };
        let one = Override { holder: Holder::Tenant(102), wanted, set_ms: 1 };
        store.keeping().set_override(&one, &line("retention.set")).unwrap();
    };
    set(None, Some(3));
    assert_eq!(purge(&said_of).0, 60, "the API says nothing of calls");
    set(Some(55), Some(3));
    assert_eq!(purge(&said_of).0, 55, "what the API says is nearer");
    assert!(store.keeping().drop_override(Holder::Tenant(102), &line("retention.delete")).unwrap());

    said_of = said(label("cdr.102", "0"), label("cdr.189", "45"));
    assert_eq!(said_of.len(), 1, "what makes no sense is not used");
    assert_eq!(purge(&said_of), (40, 40, 125));
    assert_eq!(purge(&Annexes::new()), (40, 40, 120), "and nothing is left of them");
}
