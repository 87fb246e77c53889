//! A set that is changed step by step is the set of all its objects at once.

use std::collections::BTreeMap;

use model::config::{Document, Key, Kind, Set};
use model::id::{Dbid, Revision, dbid_of};
use model::schema::Problem;
use model::snapshot::Snapshot;
use model::tree::from_json;
use proptest::prelude::*;
use serde_json::{Value, json};

fn document(json: &Value) -> Document {
    Document { file: None, number: 1, size: 0, root: from_json(json) }
}

fn documents(objects: &[Value]) -> Vec<Document> {
    objects.iter().map(document).collect()
}

fn key(kind: Kind, tenant: &str, name: &str) -> Key {
    Key { kind, tenant: tenant.to_owned(), name: name.to_owned() }
}

/// `code: text (object)` of each.
fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn platform() -> Vec<Value> {
    vec![
        json!({"kind": "tenant", "name": "acme", "labels": {"team": "a"}}),
        json!({"kind": "IvrProfile", "name": "main", "tenant": "acme", "labels": null,
            "spec": {"service": "voicexml", "initial_page_url": "http://a/b", "notes": null}}),
        json!({"kind": "DidGroup", "name": "numbers", "tenant": "acme", "revision": 4,
            "spec": {"profile": "main", "dids": ["+1-800-555-0100", "100-199", "9*"]}}),
        json!({"kind": "ResourceGroup", "name": "mcp", "enabled": false, "dbid": 105, "spec": {
            "services": ["voicexml"], "resources": [
                {"name": "m1", "address": "sip:192.0.2.1"},
                {"name": "m2", "address": "sip:192.0.2.2", "dbid": 9}]}}),
    ]
}

fn full() -> Set {
    at_once(&platform())
}

fn at_once(objects: &[Value]) -> Set {
    Set::default().change(documents(objects), &[], &[]).unwrap().set
}

fn built(objects: &[Value]) -> Snapshot {
    Snapshot::build(&documents(objects), Revision(1)).unwrap().0
}

#[test]
fn a_new_set_has_environment_alone() {
    let set = Set::default();
    assert_eq!(set.len(), 1);
    let environment = set.by_dbid(Kind::Tenant, Dbid(1)).unwrap();
    assert_eq!(environment.key, key(Kind::Tenant, "Environment", "Environment"));
    let json = json!({"kind": "Tenant", "name": "Environment", "enabled": true, "labels": {},
        "dbid": 1, "spec": {}});
    assert_eq!(environment.json, json);
    assert_eq!(set.snapshot(Revision(3)).revision, Revision(3));
}

#[test]
fn objects_have_a_normal_form() {
    let set = full();
    let acme = set.get(&key(Kind::Tenant, "Environment", "acme")).unwrap();
    assert_eq!((acme.json["kind"].as_str(), acme.enabled), (Some("Tenant"), true));
    assert_eq!(acme.labels, BTreeMap::from([("team".to_owned(), "a".to_owned())]));
    assert_eq!(acme.json["dbid"], json!(dbid_of("Tenant", "Environment", "acme").0));
    let main = set.get(&key(Kind::IvrProfile, "acme", "main")).unwrap();
    assert_eq!(main.json["spec"], json!({"service": "voicexml", "initial_page_url": "http://a/b"}));
    let numbers = set.get(&key(Kind::DidGroup, "acme", "numbers")).unwrap();
    assert_eq!(numbers.json.get("revision"), None);
    assert_eq!(numbers.json["spec"]["dids"], json!(["+1-800-555-0100", "100-199", "9*"]));
    let group = set.by_dbid(Kind::ResourceGroup, Dbid(105)).unwrap();
    assert_eq!((group.json["tenant"].as_str(), group.enabled), (Some("Environment"), false));
    let resources = &group.json["spec"]["resources"];
    assert_eq!(resources[1]["dbid"], json!(9));
    assert_eq!(set.resource_dbid("m2"), Some(Dbid(9)));
    assert_eq!(
        set.resource_dbid("m1").map(|dbid| json!(dbid.0)),
        Some(resources[0]["dbid"].clone())
    );
    assert_eq!((set.dids(), set.resource_dbid("m3")), (3, None));
    let kinds: Vec<(Kind, Dbid)> = set.objects().map(|one| (one.key.kind, one.dbid)).collect();
    assert!(kinds.is_sorted());
}

#[test]
fn what_is_put_again_keeps_its_numbers() {
    let before = full();
    let again = json!([{"kind": "ResourceGroup", "name": "mcp", "spec": {
        "services": ["voicexml"], "resources": [{"name": "m2", "address": "sip:192.0.2.3"}]}}]);
    let changed = before.change(documents(again.as_array().unwrap()), &[], &[]).unwrap();
    let [(Some(old), new)] = changed.puts.as_slice() else { panic!("one was put") };
    assert_eq!((old.dbid, new.dbid, new.enabled), (Dbid(105), Dbid(105), true));
    assert_eq!(changed.set.resource_dbid("m2"), Some(Dbid(9)));
    assert_eq!(changed.set.resource_dbid("m1"), None);
    assert_ne!(changed.set.digest(), before.digest());
    assert_eq!(before.resource_dbid("m1"), full().resource_dbid("m1"), "sets never change");
    let back = changed.set.change(documents(&platform()), &[], &[]).unwrap();
    assert_eq!(back.set, before);
    assert_eq!(back.set.digest(), before.digest());
}

#[test]
fn a_move_is_one_change() {
    let set = full();
    let moved = json!({"kind": "DidGroup", "name": "numbers", "tenant": "Environment", "spec": {
        "profile": "main", "dids": ["100-199"]}});
    let old = [key(Kind::DidGroup, "acme", "numbers")];
    let problems = set.change(documents(std::slice::from_ref(&moved)), &old, &[]).unwrap_err();
    let text = "E205: profile \"main\" not found in tenant \"Environment\" or its parents \
                (DidGroup \"numbers\" of tenant \"Environment\", profile)";
    assert_eq!(told(&problems), [text]);
    let profile = json!({"kind": "IvrProfile", "name": "main", "spec": {
        "service": "voicexml", "initial_page_url": "http://a/c"}});
    let changed = set.change(documents(&[moved, profile]), &old, &[]).unwrap();
    let names: Vec<String> = changed.deletes.iter().map(|one| one.key.to_string()).collect();
    assert_eq!(names, ["DidGroup acme/numbers"]);
    let snapshot = changed.set.snapshot(Revision(2));
    let tenant = snapshot.did("150").unwrap().tenant;
    assert_eq!(snapshot.tenant(tenant).name, "Environment");
    assert!(snapshot.did("18005550100").is_none());
}

#[test]
fn what_others_need_stays() {
    let set = full();
    let acme = key(Kind::Tenant, "Environment", "acme");
    let main = key(Kind::IvrProfile, "acme", "main");
    let numbers = key(Kind::DidGroup, "acme", "numbers");
    assert_eq!(set.referrers(&acme), [main.clone(), numbers.clone()]);
    assert_eq!(set.referrers(&main), std::slice::from_ref(&numbers));
    assert!(set.referrers(&numbers).is_empty());
    let cases = [
        (
            vec![acme.clone()],
            "E203: still referenced by IvrProfile acme/main, DidGroup acme/numbers \
             (Tenant \"acme\")",
        ),
        (
            vec![main.clone()],
            "E203: still referenced by DidGroup acme/numbers \
             (IvrProfile \"main\" of tenant \"acme\")",
        ),
        (
            vec![key(Kind::Tenant, "Environment", "Environment")],
            "E208: tenant \"Environment\" cannot be deleted",
        ),
        (
            vec![key(Kind::IvrProfile, "acme", "other")],
            "E201: IvrProfile \"other\" of tenant \"acme\" does not exist",
        ),
    ];
    for (deletes, text) in cases {
        assert_eq!(told(&set.change(vec![], &deletes, &[]).unwrap_err()), [text], "{deletes:?}");
    }
    let rest = set.change(vec![], &[numbers, main, acme], &[]).unwrap().set;
    assert_eq!((rest.len(), rest.dids()), (2, 0));
}

#[test]
fn numbers_of_objects_are_for_good() {
    let set = full();
    let cases = [
        (
            json!({"kind": "ResourceGroup", "name": "mcp", "dbid": 106, "spec": {
                "services": ["voicexml"]}}),
            "E206: dbid of an existing object cannot change \
             (ResourceGroup \"mcp\" of tenant \"Environment\", dbid)",
        ),
        (
            json!({"kind": "ResourceGroup", "name": "mcp", "spec": {"services": ["voicexml"],
                "resources": [{"name": "m2", "address": "sip:192.0.2.2", "dbid": 10}]}}),
            "E206: dbid of an existing object cannot change \
             (ResourceGroup \"mcp\" of tenant \"Environment\", resources[0].dbid)",
        ),
        (
            json!({"kind": "ResourceGroup", "name": "new", "dbid": 105, "spec": {
                "services": ["voicexml"]}}),
            "E206: dbid 105 is taken (ResourceGroup \"new\" of tenant \"Environment\", dbid)",
        ),
    ];
    for (object, text) in cases {
        let problems = set.change(documents(std::slice::from_ref(&object)), &[], &[]).unwrap_err();
        assert_eq!(told(&problems), [text], "{object}");
    }
}

#[test]
fn of_two_that_clash_the_new_one_is_told_of() {
    let set = full();
    let two = json!([
        {"kind": "Tenant", "name": "Acme", "dbid": 2},
        {"kind": "ResourceGroup", "name": "other", "dbid": 3, "spec": {"services": ["voicexml"],
            "resources": [{"name": "M1", "address": "sip:192.0.2.9"}]}},
    ]);
    let two = two.as_array().unwrap();
    let problems = set.change(documents(&two[..1]), &[], &[]).unwrap_err();
    let text = "E204: Tenant \"Acme\" already exists in tenant \"Environment\" as \"acme\" (name)";
    assert_eq!(told(&problems), [text]);
    let problems = set.change(documents(&two[1..]), &[], &[]).unwrap_err();
    let text = "E404: resource name \"M1\" is used by group \"mcp\" and group \"other\" \
                (resources[0].name)";
    assert_eq!(told(&problems), [text]);
    let foreign = json!({"kind": "DidGroup", "name": "g", "dbid": 1, "spec": {
        "profile": "p", "dids": ["91"]}});
    let profile = json!({"kind": "IvrProfile", "name": "p", "spec": {"service": "conference"}});
    let problems = set.change(documents(&[foreign, profile]), &[], &[]).unwrap_err();
    let text = "E301: DID \"91\" of group \"g\" overlaps \"9*\" of tenant \"acme\" (dids[0])";
    assert_eq!(told(&problems), [text]);
}

#[test]
fn warnings_are_those_that_the_change_brings() {
    let profile =
        |name: &str| json!({"kind": "IvrProfile", "name": name, "spec": {"service": "conference"}});
    let group =
        json!({"kind": "ResourceGroup", "name": "rooms", "spec": {"services": ["conference"]}});
    let first = Set::default().change(documents(&[profile("a")]), &[], &[]).unwrap();
    let text = "W402: no group offers service \"conference\" to tenant \"Environment\" \
                (IvrProfile \"a\" of tenant \"Environment\", service)";
    assert_eq!(told(&first.warnings), [text]);
    let tenant = json!({"kind": "Tenant", "name": "t"});
    let next = first.set.change(documents(&[tenant]), &[], &[]).unwrap();
    assert!(next.warnings.is_empty(), "{:?}", next.warnings);
    let next = next.set.change(documents(&[group]), &[], &[]).unwrap();
    assert!(next.warnings.is_empty(), "{:?}", next.warnings);
    let rooms = [key(Kind::ResourceGroup, "Environment", "rooms")];
    let next = next.set.change(vec![], &rooms, &[]).unwrap();
    assert_eq!(told(&next.warnings), [text]);
}

/// One step of a change.
#[derive(Clone, Debug)]
enum Step {
    /// Whether names of what is not there are replaced.
    Put(Value, bool),
    Delete(Key),
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "B", "x1", "x2"])
}

fn tenant() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["Environment", "Environment", "a", "b", "c", "gone"])
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0..30_u32).prop_map(|n| format!("{:02}", n)),
        1 => (0..30_u32, 0..10_u32).prop_map(|(n, more)| format!("{:02}-{:02}", n, n + more)),
        1 => (0..3_u32).prop_map(|n| format!("{n}*")),
        1 => (0..3_u32).prop_map(|n| format!("user{n}")),
    ]
}

fn object() -> impl Strategy<Value = Value> {
    let limit = prop::option::of(0..4_u32);
    let tenants = (name(), tenant(), limit, prop::option::of(name()), prop::option::of(tenant()))
        .prop_map(|(name, parent, limit, profile, child)| {
            let mut spec = json!({"parent": parent, "default_profile": profile,
                "policy": {"usage_limit": limit}});
            if let Some(child) = child {
                spec["policy"]["children"] = json!({child: {"usage_limit": 3}});
            }
            json!({"kind": "Tenant", "name": name, "spec": spec})
        });
    let services = prop::sample::select(vec!["conference", "gateway", "announcement"]);
    let rule = prop::sample::select(vec!["reject ^9", "reject ^8", "accept ^7", "wrong ("]);
    let profiles = (name(), tenant(), services, prop::option::of(name()), rule).prop_map(
        |(name, tenant, service, group, rule)| {
            let prefer: Vec<&str> = group.into_iter().collect();
            json!({"kind": "IvrProfile", "name": name, "tenant": tenant, "spec": {
                "service": service, "play": "http://a/b", "prefer": prefer,
                "policy": {"usage_limit": 2, "dialing_rules": [rule]}}})
        },
    );
    let dids = prop::collection::btree_set(pattern(), 1..4);
    let numbers = (name(), tenant(), name(), dids, any::<bool>()).prop_map(
        |(name, tenant, profile, dids, enabled)| {
            json!({"kind": "DidGroup", "name": name, "tenant": tenant, "enabled": enabled,
                "spec": {"profile": profile, "dids": dids}})
        },
    );
    let groups = (name(), tenant(), prop::collection::vec(name(), 0..2)).prop_map(
        |(name, tenant, resources)| {
            let resource = |of: &&str| json!({"name": of, "address": format!("sip:{of}.example")});
            let resources: Vec<Value> = resources.iter().map(resource).collect();
            json!({"kind": "ResourceGroup", "name": name, "tenant": tenant, "spec": {
                "services": ["conference"], "resources": resources}})
        },
    );
    let applications = name().prop_map(
        |name| json!({"kind": "Application", "name": name, "spec": {"type": "resource-manager"}}),
    );
    prop_oneof![2 => tenants, 3 => profiles, 4 => numbers, 2 => groups, 1 => applications]
        .prop_map(with_number)
}

/// Some names have a number of their own, which several of them share.
fn with_number(mut object: Value) -> Value {
    let key = key_of(&object);
    let computed = dbid_of(key.kind.as_str(), &key.tenant, &key.name);
    object["dbid"] = json!(if key.name.starts_with('x') { 7 } else { computed.0 });
    object
}

fn key_of(object: &Value) -> Key {
    let kind = Kind::parse(object["kind"].as_str().unwrap()).unwrap();
    key(kind, object["tenant"].as_str().unwrap_or("Environment"), object["name"].as_str().unwrap())
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(Kind::ALL.to_vec());
    let deleted = (kind, tenant(), name()).prop_map(|(kind, tenant, name)| {
        Step::Delete(key(kind, if kind.is_owned() { tenant } else { "Environment" }, name))
    });
    let put = (object(), prop::bool::weighted(0.9));
    prop_oneof![4 => put.prop_map(|(object, mended)| Step::Put(object, mended)), 1 => deleted]
}

/// A set beside what is said to be in it.
#[derive(Default)]
struct Beside {
    set: Set,
    objects: BTreeMap<Key, Value>,
}

impl Beside {
    /// The objects that stay, by kind and number, then those that are put.
    fn resulting(&self, puts: &[Value], deletes: &[Key]) -> Vec<Value> {
        let put: Vec<Key> = puts.iter().map(key_of).collect();
        let stays = |key: &Key| !put.contains(key) && !deletes.contains(key);
        let staying = self.set.objects().filter(|object| stays(&object.key));
        let staying = staying.filter_map(|object| self.objects.get(&object.key)).cloned();
        staying.chain(puts.iter().cloned()).collect()
    }

    /// The object with names that mean something.
    fn mended(&self, object: &Value) -> Value {
        let mut object = object.clone();
        let there = |kind, tenant: &str, name: &Value| {
            let name = name.as_str().unwrap_or_default();
            self.set.get(&key(kind, tenant, name)).is_some()
        };
        let key = key_of(&object);
        if !there(Kind::Tenant, "Environment", &json!(key.tenant)) {
            object["tenant"] = json!("Environment");
        }
        let owner = if key.kind == Kind::Tenant { &key.name } else { &key.tenant }.clone();
        let visible =
            |kind, name: &Value| there(kind, &owner, name) || there(kind, "Environment", name);
        let spec = &mut object["spec"];
        match key.kind {
            Kind::Tenant => {
                if !there(Kind::Tenant, "Environment", &spec["parent"]) {
                    spec["parent"] = json!("Environment");
                }
                if !visible(Kind::IvrProfile, &spec["default_profile"]) {
                    spec["default_profile"] = Value::Null;
                }
                if !self.objects.values().any(|child| child["spec"]["parent"] == key.name) {
                    spec["policy"]["children"] = Value::Null;
                }
            }
            Kind::IvrProfile if !visible(Kind::ResourceGroup, &spec["prefer"][0]) => {
                spec["prefer"] = json!([]);
            }
            Kind::DidGroup if !visible(Kind::IvrProfile, &spec["profile"]) => {
                let known = self.objects.keys().filter(|key| key.kind == Kind::IvrProfile);
                let mut known = known.filter(|known| known.tenant == owner);
                spec["profile"] = json!(known.next().map_or("a", |known| &known.name));
            }
            _ => {}
        }
        if key.kind.is_owned() { with_number(object) } else { object }
    }

    fn step(&mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        let mut puts: Vec<Value> = Vec::new();
        let mut deletes: Vec<Key> = Vec::new();
        for step in steps {
            match step {
                Step::Put(object, mended) => {
                    let object = if *mended { self.mended(object) } else { object.clone() };
                    if !puts.iter().any(|put| key_of(put) == key_of(&object)) {
                        puts.push(object);
                    }
                }
                Step::Delete(key) if self.objects.contains_key(key) => deletes.push(key.clone()),
                Step::Delete(_) => {}
            }
        }
        let changed = self.set.change(documents(&puts), &deletes, &[]);
        let resulting = self.resulting(&puts, &deletes);
        let at_once = Snapshot::build(&documents(&resulting), Revision(1));
        match (changed, at_once) {
            (Ok(changed), Ok(_)) => {
                deletes.iter().for_each(|key| {
                    self.objects.remove(key);
                });
                self.objects.extend(puts.iter().map(|put| (key_of(put), put.clone())));
                prop_assert_eq!(changed.puts.len(), puts.len());
                self.set = changed.set;
                self.equal_to_new()
            }
            (Err(problems), Err(expected)) if deletes.is_empty() => {
                prop_assert_eq!(told(&problems), told(&expected));
                Ok(())
            }
            (Err(problems), Err(_)) => {
                prop_assert!(!problems.is_empty());
                Ok(())
            }
            (changed, at_once) => {
                let faults = (changed.map(|_| ()), at_once.map(|_| ()));
                Err(TestCaseError::fail(format!("{faults:?}")))
            }
        }
    }

    /// The set is the one that its objects make in a single change; so is its snapshot.
    fn equal_to_new(&self) -> Result<(), TestCaseError> {
        let all: Vec<Value> = self.set.objects().map(|object| object.json.clone()).collect();
        let new = at_once(&all);
        prop_assert_eq!(&new, &self.set);
        prop_assert_eq!(new.digest(), self.set.digest());
        let (new, own) = (new.snapshot(Revision(1)), self.set.snapshot(Revision(1)));
        prop_assert_eq!(format!("{new:?}"), format!("{own:?}"));
        let numbers = (0..100).map(|n| format!("{n:02}"));
        for number in numbers.chain(["user1".to_owned(), "0".to_owned(), "123".to_owned()]) {
            let found = |snapshot: &Snapshot| {
                snapshot.did(&number).map(|found| (found.pattern.to_owned(), found.group))
            };
            prop_assert_eq!(found(&new), found(&own), "{}", number);
        }
        prop_assert_eq!(format!("{:?}", built(&all)), format!("{own:?}"));
        Ok(())
    }
}

proptest! {
    #[test]
    fn a_chain_of_changes_gives_what_one_change_gives(
        chain in prop::collection::vec(prop::collection::vec(step(), 1..5), 1..20),
    ) {
        let mut beside = Beside::default();
        for steps in chain {
            beside.step(&steps)?;
        }
    }
}

#[test]
fn applications_need_their_templates_and_whom_they_talk_to() {
    let rm = |name: &str, spec: Value| json!({"kind": "Application", "name": name, "spec": spec});
    let set = at_once(&[
        rm("rm", json!({"type": "resource-manager", "options": {"rm": {"max-tries": 2}}})),
        rm("rs", json!({"type": "reporting-server"})),
        rm("rm-0", json!({"type": "resource-manager", "template": "rm", "connections": ["rs"]})),
    ]);
    let named = |name| key(Kind::Application, "Environment", name);
    for name in ["rm", "rs"] {
        assert_eq!(set.referrers(&named(name)), [named("rm-0")]);
        let text = format!("E203: still referenced by Application rm-0 (Application \"{name}\")");
        assert_eq!(told(&set.change(vec![], &[named(name)], &[]).unwrap_err()), [text]);
    }
    // a change of the template reaches those under it
    let more = rm("rm", json!({"type": "resource-manager", "options": {"rm": {"max-tries": 4}}}));
    let next = set.change(documents(&[more]), &[], &[]).unwrap().set;
    let tries = |set: &Set| {
        set.snapshot(Revision(1))
            .application("rm-0")
            .map(|application| application.options.max_tries)
    };
    assert_eq!((tries(&set), tries(&next)), (Some(2), Some(4)));
}
