//! Tokens for some tenants: nothing else is visible, nothing else changes (ops.md §1.12).

use config::settings::Access;
use configd::Who;
use configd::books::{Event, NewToken};
use configd::transaction::{Operation, Transaction, When};
use configd::who::Scope;
use model::config::{Key, Kind};
use model::id::{Dbid, Revision};

use crate::house::{
    House, admin, delete, documents_of, numbers, only, profile, puts, sqlite, target, tenant,
};

fn acme() -> Who {
    let scope = Scope::of(vec![Dbid(101)]);
    Who { actor: "acme-ci".to_owned(), role: Access::Editor, scope, ..admin() }
}

fn below(parent: &str, name: &str) -> String {
    format!("kind: Tenant\nname: {name}\nspec: {{ parent: {parent} }}\n")
}

fn platform() -> House {
    let house = House::new(&sqlite());
    house.apply(&documents_of(&[
        tenant("acme", 1),
        tenant("rival", 1),
        below("acme", "sub"),
        profile("acme", "p"),
        profile("rival", "secret"),
        numbers("rival", "hidden", "secret", &["1800555*"]),
        numbers("acme", "n", "p", &["100"]),
        "kind: Application\nname: rm-1\nspec: { type: resource-manager }\n".to_owned(),
    ]));
    house
}

#[test]
fn it_sees_its_tenants_what_they_own_and_what_lies_below() {
    let house = platform();
    let now = house.books().now();
    let who = acme();
    let seen: Vec<String> = now
        .set
        .objects()
        .filter(|object| who.scope.sees(&now.set, &object.key))
        .map(|object| object.key.to_string())
        .collect();
    assert_eq!(seen, ["Tenant acme", "Tenant sub", "IvrProfile acme/p", "DidGroup acme/n"]);
    let find = |kind, tenant: &str, name: &str| now.find(&target(kind, tenant, name), &who.scope);
    assert!(find(Kind::Tenant, "", "acme").is_ok());
    for (kind, tenant, name) in [
        (Kind::Tenant, "", "rival"),
        (Kind::Tenant, "", "Environment"),
        (Kind::IvrProfile, "rival", "secret"),
        (Kind::IvrProfile, "rival", "dbid:102"),
        (Kind::Application, "", "rm-1"),
    ] {
        assert_eq!(find(kind, tenant, name).unwrap_err().entry().name, "not-found", "{name}");
    }
}

#[test]
fn it_changes_its_own_and_nothing_else() {
    let house = platform();
    let may = |transaction| house.transact_as(transaction, &acme());
    for yaml in [
        profile("acme", "more"),
        below("sub", "deeper"),
        profile("sub", "q"),
        below("acme", "sub").replace("spec:", "enabled: false\nspec:"),
    ] {
        assert_eq!(may(puts(&yaml)).unwrap().changed, 1, "{yaml}");
    }
    let before = house.digest();
    let moved = |name: &str, parent: &str| puts(&below(parent, name));
    let forbidden = [
        puts(&tenant("acme", 9)),
        puts(&tenant("new", 9)),
        puts(&profile("rival", "x")),
        puts(&profile("rival", "secret")),
        puts(&profile("Environment", "x")),
        puts("kind: Application\nname: rm-2\nspec: { type: resource-manager }\n"),
        moved("sub", "rival"),
        moved("rival", "acme"),
        puts(&documents_of(&[profile("acme", "fine"), profile("rival", "x")])),
        only(delete(Kind::Tenant, "", "acme")),
    ];
    for transaction in forbidden {
        let refusal = may(transaction.clone()).unwrap_err();
        assert_eq!(refusal.entry().name, "forbidden", "{transaction:?}: {refusal}");
        let dry = may(Transaction { dry_run: true, ..transaction }).unwrap_err();
        assert_eq!(dry, refusal);
    }
    let unseen = may(only(delete(Kind::IvrProfile, "rival", "secret"))).unwrap_err();
    assert_eq!(unseen.entry().name, "not-found");
    let all = house.run(house.books().rollback(Revision(1), "", false, &acme())).unwrap_err();
    assert_eq!(all.entry().name, "forbidden");
    assert_eq!(house.digest(), before);
    let labelled = "labels: { team: a }\n";
    house.apply(&documents_of(&[
        format!("{}{labelled}", profile("acme", "p2")),
        format!("{}{labelled}", profile("rival", "p2")),
    ]));
    let prune = Some(("team".to_owned(), "a".to_owned()));
    let pruned = may(Transaction { prune, ..Transaction::default() }).unwrap();
    assert_eq!(pruned.changed, 1);
    assert!(house.dbid(Kind::IvrProfile, "rival", "p2").is_some());
    let whole = Operation::Delete {
        target: target(Kind::Tenant, "", "sub"),
        when: When::Always,
        cascade: true,
    };
    assert_eq!(may(only(whole)).unwrap().changed, 3);
}

#[test]
fn no_text_names_what_it_does_not_see() {
    let house = platform();
    for yaml in [
        numbers("acme", "n", "p", &["100", "18005550100"]),
        below("acme", "Rival"),
        "kind: DidGroup\nname: m\ntenant: acme\nspec: { profile: secret, dids: ['7'] }\n"
            .to_owned(),
    ] {
        let refusal = house.transact_as(puts(&yaml), &acme()).unwrap_err();
        let mut text = refusal.to_string();
        for problem in refusal.problems() {
            text.push_str(&format!("{problem:?}"));
        }
        assert_eq!(refusal.entry().name, "invalid", "{text}");
        for hidden in ["hidden", "1800555*", "tenant \"rival\""] {
            assert!(!text.contains(hidden), "{hidden}: {text}");
        }
    }
    let e301 =
        house.transact_as(puts(&numbers("acme", "n", "p", &["18005550100"])), &acme()).unwrap_err();
    assert!(e301.to_string().contains("\"18005550100\""), "its own is told: {e301}");
}

#[test]
fn what_it_hears_of_a_change_is_its_part() {
    let house = platform();
    let mut watcher = house.books().watch(None).unwrap();
    house.apply(&documents_of(&[tenant("acme", 2), tenant("rival", 2)]));
    let mine = |event: Event| {
        let Event::Change(told) = event else { panic!("{event:?}") };
        let items = told.change.items.iter().filter_map(|item| item.seen_by(&acme().scope));
        items.map(|item| (item.op(), item.key().unwrap().to_string())).collect::<Vec<_>>()
    };
    let one = |op: &'static str, key: &str| vec![(op, key.to_owned())];
    assert_eq!(mine(house.run(watcher.next())), one("update", "Tenant acme"));
    house.apply(&below("rival", "sub"));
    assert_eq!(mine(house.run(watcher.next())), one("delete", "Tenant sub"), "it has left");
    house.apply(&below("acme", "sub"));
    assert_eq!(mine(house.run(watcher.next())), one("create", "Tenant sub"), "it is back");
    house.transact(only(delete(Kind::Tenant, "", "sub"))).unwrap();
    assert_eq!(mine(house.run(watcher.next())), one("delete", "Tenant sub"));

    let scope = acme().scope;
    let (_, diff) = house.run(house.books().revision(Revision(2), &scope)).unwrap();
    assert!(diff.iter().map(|one| &*one.name).eq(["acme"]));
    let diff = house.run(house.books().diff(Revision(1), Revision(5), &scope)).unwrap();
    assert!(diff.iter().map(|one| &*one.name).eq(["acme", "sub"]), "{diff:?}");
    let key = Key { kind: Kind::Tenant, tenant: "Environment".to_owned(), name: "sub".to_owned() };
    assert!(!scope.sees(&house.books().now().set, &key), "it is no more");
}

#[test]
fn what_it_does_not_see_and_what_does_not_exist_are_refused_alike() {
    let house = platform();
    let refused = |transaction| house.transact_as(transaction, &acme()).unwrap_err();
    for (there, nowhere) in [
        (puts(&below("rival", "mine")), puts(&below("rival9", "mine"))),
        (puts(&below("rival", "sub")), puts(&below("rival9", "sub"))),
        (puts(&profile("rival", "x")), puts(&profile("rival9", "x"))),
        (renamed("rival"), renamed("rival9")),
    ] {
        let (there, nowhere) = (refused(there), refused(nowhere));
        assert_eq!(there.entry(), nowhere.entry());
        assert_eq!(there.to_string().replace("rival", "rival9"), nowhere.to_string());
    }
    // a parent that comes with its child is none of others
    let both = documents_of(&[below("sub", "one"), below("one", "two")]);
    house.transact_as(puts(&both), &acme()).unwrap();
}

/// A token is for a tenant, and not for whoever has its name.
#[test]
fn it_stays_with_its_tenant_whatever_that_is_called() {
    let mut house = platform();
    let new = NewToken {
        name: "acme-ci".to_owned(),
        role: Access::Editor,
        tenants: vec!["acme".to_owned()],
        expires_in: None,
    };
    let (token, secret) = house.run(house.books().create_token(new, &admin())).unwrap();
    assert_eq!(token.scope, acme().scope);
    let sees = |house: &House| {
        let scope = house.run(house.books().find_token(&secret)).unwrap().scope;
        let now = house.books().now();
        let seen = now.set.objects().filter(|object| scope.sees(&now.set, &object.key));
        (scope.names(&now.set), seen.map(|object| object.key.to_string()).collect::<Vec<_>>())
    };
    let rename = Operation::Put {
        document: crate::house::documents(&tenant("apex", 1)).remove(0),
        when: When::Always,
        rename_from: Some("acme".to_owned()),
    };
    house.transact(only(rename)).unwrap();
    // another one takes the old name
    house.apply(&documents_of(&[tenant("acme", 9), profile("acme", "other")]));
    let its_own = ["Tenant apex", "Tenant sub", "IvrProfile apex/p", "DidGroup apex/n"];
    for _ in 0..2 {
        let (names, seen) = sees(&house);
        assert_eq!(
            (&names[..], &seen[..]),
            (&["apex".to_owned()][..], &its_own.map(str::to_owned)[..])
        );
        house.reopen();
    }
    let history = house.run(house.books().revision(Revision(3), &token.scope)).unwrap();
    assert!(history.1.is_empty(), "what the new acme got is nothing of it: {history:?}");
    // it is deleted, and made anew under its name
    let mut gone = delete(Kind::Tenant, "", "apex");
    if let Operation::Delete { cascade, .. } = &mut gone {
        *cascade = true;
    }
    house.transact(only(gone)).unwrap();
    house.apply(&tenant("apex", 1));
    assert_eq!(sees(&house), (vec!["dbid:101".to_owned()], Vec::new()));
    house.rollback(3);
    assert_eq!(sees(&house).1, its_own);
}

fn renamed(from: &str) -> Transaction {
    let document = crate::house::documents(&below("acme", "mine")).remove(0);
    let rename_from = Some(from.to_owned());
    only(Operation::Put { document, when: When::Always, rename_from })
}
