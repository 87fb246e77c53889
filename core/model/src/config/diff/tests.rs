//! Each rule of the comparison, as a table.

use serde_json::{Value, json};

use super::{ObjectOp, diff};

fn object(kind: &str, spec: Value) -> Value {
    json!({"kind": kind, "tenant": "acme", "name": "one", "dbid": 107, "spec": spec})
}

/// The changes of one kind from one `spec` to another.
fn changes(kind: &str, old: Value, new: Value) -> Value {
    let told = diff(Some(&object(kind, old)), Some(&object(kind, new)));
    told.map_or(json!([]), |told| serde_json::to_value(told.changes).unwrap())
}

#[test]
fn an_update_is_told_as_the_interface_shows_it() {
    let old = json!({"kind": "Tenant", "name": "acme", "dbid": 101, "revision": 3,
        "spec": {"policy": {"usage_limit": 100}}});
    let new = json!({"kind": "Tenant", "name": "acme", "dbid": 101, "revision": 4,
        "spec": {"policy": {"usage_limit": 80}}});
    let told = serde_json::to_value(diff(Some(&old), Some(&new))).unwrap();
    assert_eq!(
        told,
        json!({"op": "update", "kind": "Tenant", "tenant": null, "name": "acme", "dbid": 101,
            "changes": [
                {"path": "/spec/policy/usage_limit", "op": "replace", "old": 100, "new": 80}]})
    );
}

#[test]
fn defaults_nulls_and_what_the_server_writes_change_nothing() {
    for (kind, old, new) in [
        (
            "ResourceGroup",
            json!({"services": ["voicexml"]}),
            json!({"services": ["voicexml"],
            "scheme": "round-robin", "monitor": {"interval": "5s"}, "port_capacity": null,
            "resources": [], "quarantine": "10s"}),
        ),
        (
            "IvrProfile",
            json!({"service": "msml"}),
            json!({"service": "msml", "policy": {
            "outbound_allowed": true, "services": {"voicexml": {"allowed": true}}}}),
        ),
        (
            "Application",
            json!({"type": "sip-server"}),
            json!({"type": "sip-server", "options": {}, "connections": []}),
        ),
        (
            "DidGroup",
            json!({"profile": "p", "dids": ["1", "2"]}),
            json!({"profile": "p", "dids": ["2", "1"], "description": ""}),
        ),
    ] {
        assert_eq!(changes(kind, old.clone(), new.clone()), json!([]), "{new}");
        assert_eq!(changes(kind, new.clone(), old), json!([]), "{new}");
    }
    let mut labelled = object("Tenant", json!({}));
    let plain = labelled.clone();
    labelled["labels"] = json!({});
    labelled["enabled"] = json!(true);
    labelled["updated_by"] = json!("ci");
    assert_eq!(diff(Some(&plain), Some(&labelled)), None);
}

#[test]
fn from_and_to_a_default_both_are_shown() {
    let short = json!({"services": ["voicexml"], "monitor": {"interval": "3s"}});
    let plain = json!({"services": ["voicexml"]});
    let path = "/spec/monitor/interval";
    assert_eq!(
        changes("ResourceGroup", plain.clone(), short.clone()),
        json!([{"path": path, "op": "replace", "old": "5s", "new": "3s"}])
    );
    assert_eq!(
        changes("ResourceGroup", short, plain),
        json!([{"path": path, "op": "replace", "old": "3s", "new": "5s"}])
    );
}

#[test]
fn sets_are_compared_by_member() {
    let old = json!({"profile": "p", "dids": ["1", "2", "3"]});
    let new = json!({"profile": "p", "dids": ["3", "1", "4"]});
    assert_eq!(
        changes("DidGroup", old, new),
        json!([{"path": "/spec/dids", "op": "add", "new": "4"},
            {"path": "/spec/dids", "op": "remove", "old": "2"}])
    );
}

#[test]
fn resources_are_compared_by_name() {
    let group = |members: Value| json!({"services": ["voicexml"], "resources": members});
    let one = |name: &str, capacity: u32| {
        let address = "sip:10.0.0.1";
        json!({"name": name, "address": address, "capacity": capacity})
    };
    let old = group(json!([one("mcp-1", 10), one("mcp-2", 10), one("mcp-3", 10)]));
    let new = group(json!([one("mcp-1", 10), one("mcp-2", 20)]));
    let told = changes("ResourceGroup", old.clone(), new.clone());
    assert_eq!(
        told[0],
        json!({"path": "/spec/resources/mcp-2/capacity", "op": "replace", "old": 10, "new": 20})
    );
    assert_eq!(told[1]["path"], "/spec/resources/mcp-3");
    assert_eq!(told[1]["op"], "remove");
    assert_eq!(told[1]["old"]["capacity"], 10);
    assert_eq!(changes("ResourceGroup", new, old)[1]["op"], "add");
    // whose turn it is depends on the order
    assert_eq!(
        changes(
            "ResourceGroup",
            group(json!([one("b", 1), one("a", 1)])),
            group(json!([one("a", 1), one("b", 1)]))
        ),
        json!([{"path": "/spec/resources", "op": "replace", "old": ["b", "a"], "new": ["a", "b"]}])
    );
}

#[test]
fn other_lists_are_compared_by_value_and_pointers_are_escaped() {
    let rules = |rules: Value| json!({"service": "msml", "policy": {"dialing_rules": rules}});
    assert_eq!(
        changes("IvrProfile", rules(json!(["accept 1"])), rules(json!(["reject 1", "accept 2"]))),
        json!([{"path": "/spec/policy/dialing_rules", "op": "replace",
            "old": ["accept 1"], "new": ["reject 1", "accept 2"]}])
    );
    let mut old = object("Tenant", json!({}));
    let mut new = old.clone();
    old["labels"] = json!({"gvp/a~b": "1"});
    new["labels"] = json!({"team": "a"});
    assert_eq!(
        serde_json::to_value(diff(Some(&old), Some(&new)).unwrap().changes).unwrap(),
        json!([{"path": "/labels/gvp~1a~0b", "op": "remove", "old": "1"},
            {"path": "/labels/team", "op": "add", "new": "a"}])
    );
}

#[test]
fn what_comes_goes_and_is_renamed() {
    let old = object("DidGroup", json!({"profile": "p", "dids": ["1"]}));
    let mut new = old.clone();
    new["name"] = json!("two");
    for (before, after, op, name) in [
        (None, Some(&old), ObjectOp::Create, "one"),
        (Some(&old), None, ObjectOp::Delete, "one"),
        (Some(&old), Some(&new), ObjectOp::Rename, "two"),
    ] {
        let told = diff(before, after).unwrap();
        assert_eq!((told.op, told.name.as_str(), told.dbid), (op, name, Some(107)));
        assert_eq!(told.tenant.as_deref(), Some("acme"));
        let paths: Vec<_> = told.changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(paths, if op == ObjectOp::Rename { vec!["/name"] } else { vec![] });
    }
    assert_eq!(diff(None, None), None);
    assert_eq!(diff(None, Some(&json!({"kind": "Nothing", "name": "x"}))), None);
}
