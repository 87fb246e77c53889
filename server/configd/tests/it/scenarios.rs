//! The acceptance scenarios of ops.md §14 that need no network.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use configd::Refusal;
use configd::books::{AdminError, Event, FirstAdmin, Seeded};
use configd::transaction::{Operation, Transaction, When};
use model::config::Kind;
use model::id::Revision;

use crate::house::{
    House, admin, delete, documents, documents_of, numbers, only, profile, put, puts, sqlite,
    target, tenant,
};

#[test]
fn scenario_1_an_empty_directory_has_environment_and_an_admin() {
    let house = House::new(&sqlite());
    let made = house.run(house.books().first_admin(house.dir.path(), None)).unwrap();
    let FirstAdmin::Made(path) = made else { panic!("{made:?}") };
    assert_eq!(path, house.dir.path().join("admin.token"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(house.dbid(Kind::Tenant, "Environment", "Environment"), Some(1));
    assert_eq!((house.revision(), house.books().now().set.len()), (0, 1));
    let secret = std::fs::read_to_string(&path).unwrap();
    let secret = secret.trim();
    let token = house.run(house.books().find_token(secret)).unwrap();
    assert_eq!(token.role, config::settings::Access::Admin);
    let lines = house.lines().join("\n");
    assert!(lines.contains("token-create"), "{lines}");
    assert!(!lines.contains(secret.get(13..).unwrap()), "{lines}");

    let again = house.run(house.books().first_admin(house.dir.path(), None)).unwrap();
    assert_eq!(again, FirstAdmin::Known);
    let another = house.run(house.books().new_admin(house.dir.path())).unwrap();
    assert_eq!(another, FirstAdmin::Made(house.dir.path().join("admin-2.token")));
}

#[test]
fn the_first_admin_may_come_in_a_file() {
    let house = House::new(&sqlite());
    let path = house.dir.path().join("bootstrap");
    let first =
        |path: &std::path::Path| house.run(house.books().first_admin(house.dir.path(), Some(path)));
    assert!(matches!(first(&path), Err(AdminError::File { .. })));
    std::fs::write(&path, "secret\n").unwrap();
    assert!(matches!(first(&path), Err(AdminError::Refused(Refusal::Malformed(_)))));
    assert!(house.books().has_no_token());
    let secret = format!("rmt_boot-str_{}", "x".repeat(43));
    std::fs::write(&path, format!("{secret}\n")).unwrap();
    assert_eq!(first(&path).unwrap(), FirstAdmin::Installed);
    assert!(house.run(house.books().find_token(&secret)).is_some());
}

#[test]
fn a_token_of_another_process_is_found_in_the_store() {
    let house = House::new(&sqlite());
    let beside = configd::store::sqlite::Sqlite::open(house.dir.path(), model::time::Millis(0));
    let beside = configd::Books::open(configd::books::Parts {
        store: Box::new(beside.unwrap()),
        history: configd::books::History { revisions: 1, age: Duration::ZERO },
        clocks: crate::house::still(0),
        log: telemetry::log::Log::silent(|| model::time::Millis(0)),
    })
    .unwrap();
    let made = house.run(beside.new_admin(house.dir.path())).unwrap();
    let FirstAdmin::Made(path) = made else { panic!("{made:?}") };
    let secret = std::fs::read_to_string(path).unwrap();
    assert!(house.run(house.books().find_token(secret.trim())).is_some());
}

#[test]
fn scenario_2_a_field_that_nobody_knows_is_told_with_its_line() {
    let house = House::new(&sqlite());
    let wrong = tenant("b", 1).replace("policy", "polcy");
    let both = documents_of(&[tenant("a", 1), wrong]);
    let refusal = house.refused(&both);
    let [problem] = refusal.problems() else { panic!("{refusal}") };
    assert_eq!((problem.code, problem.at.line), ("E101", 7), "{refusal}");
    assert!(problem.message.contains("did you mean \"policy\""), "{refusal}");
    assert_eq!(problem.object.as_ref().unwrap().name, "b");
    assert_eq!((refusal.entry().status, house.revision()), (422, 0));
}

#[test]
fn scenario_3_numbers_move_between_tenants_in_one_transaction() {
    let house = House::new(&sqlite());
    house.apply(&documents_of(&[
        tenant("a", 1),
        tenant("b", 1),
        profile("a", "pa"),
        profile("b", "pb"),
        numbers("a", "na", "pa", &["1800555*", "100"]),
        numbers("b", "nb", "pb", &["200"]),
    ]));
    let refusal = house.refused(&numbers("b", "nb", "pb", &["200", "18005550100"]));
    let [problem] = refusal.problems() else { panic!("{refusal}") };
    assert_eq!(problem.code, "E301");
    for named in ["\"18005550100\"", "\"nb\"", "\"1800555*\"", "tenant \"a\""] {
        assert!(problem.message.contains(named), "{named}: {refusal}");
    }
    let outcome = house.apply(&documents_of(&[
        numbers("b", "nb", "pb", &["200", "1800555*"]),
        numbers("a", "na", "pa", &["100"]),
    ]));
    assert_eq!((outcome.changed, outcome.impact.dids_moved), (2, 1));
}

#[test]
fn scenario_4_a_stale_if_match_is_412_with_the_current() {
    let house = House::new(&sqlite());
    for limit in 1..=41 {
        house.apply(&tenant("acme", limit));
    }
    house.apply(&tenant("acme", 100));
    let stale = house.transact(put(&tenant("acme", 3), When::At(Revision(41)))).unwrap_err();
    assert_eq!(stale, Refusal::PreconditionFailed { current: Revision(42) });
    let named = house.transact(put(&tenant("acme", 3), When::Named)).unwrap_err();
    assert_eq!(named, Refusal::PreconditionRequired);
    house.transact(put(&tenant("new", 3), When::Named)).unwrap();
    let nobody = house.transact(put(&tenant("none", 3), When::At(Revision(1)))).unwrap_err();
    assert_eq!(nobody, Refusal::PreconditionFailed { current: Revision(0) });
    let mut gone = delete(Kind::Tenant, "", "acme");
    if let Operation::Delete { when, .. } = &mut gone {
        *when = When::At(Revision(41));
    }
    let gone = house.transact(only(gone)).unwrap_err();
    assert_eq!(gone, Refusal::PreconditionFailed { current: Revision(42) });
}

#[test]
fn scenario_5_the_same_again_changes_nothing_and_tells_nobody() {
    let house = House::new(&sqlite());
    let all = documents_of(&[tenant("acme", 1), profile("acme", "p")]);
    house.apply(&all);
    let mut watcher = house.books().watch(None).unwrap();
    let again = house.apply(&all);
    assert_eq!((again.changed, again.revision), (0, Some(Revision(1))));
    assert!(again.diff.is_empty() && again.puts.len() == 2);
    let spelled = format!("enabled: true\nlabels: {{}}\n{}", tenant("acme", 1));
    assert_eq!(house.apply(&spelled).changed, 0, "a default that is written out is no change");
    assert_eq!(house.revision(), 1);
    assert!(house.is_silent(&mut watcher));
}

#[test]
fn scenario_6_a_dry_run_says_what_comes() {
    let house = House::new(&sqlite());
    house.apply(&documents_of(&[tenant("acme", 1), tenant("old", 1), profile("acme", "p")]));
    let mut both = puts(&documents_of(&[
        tenant("acme", 2),
        numbers("acme", "n", "p", &["100"]),
        tenant("new", 1),
    ]));
    both.operations.push(delete(Kind::Tenant, "", "old"));
    let dry = house.transact(Transaction { dry_run: true, ..both.clone() }).unwrap();
    assert_eq!((dry.revision, dry.would_be, house.revision()), (None, Some(Revision(2)), 1));
    let real = house.transact(both).unwrap();
    assert_eq!(real.revision, dry.would_be);
    assert_eq!((&real.diff, &real.impact, real.changed), (&dry.diff, &dry.impact, 4));
    let shown = |outcome: &configd::Outcome| {
        outcome.puts.iter().map(|put| (put.entry.text(), put.created)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&real), shown(&dry), "the numbers too");
    let back = house.run(house.books().rollback(Revision(1), "", true, &admin())).unwrap();
    assert_eq!((back.would_be, back.changed, house.revision()), (Some(Revision(3)), 4, 2));
}

#[test]
fn scenario_7_back_to_4_and_back_to_10() {
    let house = House::new(&sqlite());
    let mut states = vec![];
    for step in 1..=10_u32 {
        match step % 3 {
            0 => house.transact(only(delete(Kind::Tenant, "", &format!("t{}", step - 1)))).unwrap(),
            _ => house.apply(&tenant(&format!("t{step}"), step)),
        };
        states.push((house.digest(), house.dbids()));
    }
    let outcome = house.rollback(4);
    assert_eq!(outcome.revision, Some(Revision(11)));
    assert_eq!((house.digest(), house.dbids()), states[3]);
    house.rollback(10);
    assert_eq!((house.digest(), house.dbids()), states[9]);
}

#[test]
fn scenario_8_the_number_of_a_deleted_tenant_comes_back_with_it_alone() {
    let house = House::new(&sqlite());
    for number in 101..=107 {
        house.apply(&tenant(&format!("t{number}"), 1));
    }
    house.transact(only(delete(Kind::Tenant, "", "t107"))).unwrap();
    for more in 0..5 {
        house.apply(&tenant(&format!("more{more}"), 1));
        let dbid = house.dbid(Kind::Tenant, "Environment", &format!("more{more}"));
        assert_eq!(dbid, Some(108 + more));
    }
    house.rollback(7);
    assert_eq!(house.dbid(Kind::Tenant, "Environment", "t107"), Some(107));
}

#[test]
fn scenario_9_a_killed_watcher_misses_nothing() {
    let house = House::new(&sqlite());
    let mut watcher = house.books().watch(Some(Revision(0))).unwrap();
    for limit in 1..=20 {
        house.apply(&tenant("acme", limit));
        assert_eq!(house.change(&mut watcher).0, u64::from(limit));
    }
    drop(watcher);
    for limit in 21..=50 {
        house.apply(&tenant("acme", limit));
    }
    let mut watcher = house.books().watch(Some(Revision(20))).unwrap();
    for revision in 21..=50 {
        let (told, digest, _) = house.change(&mut watcher);
        assert_eq!(told, revision);
        if told == 50 {
            assert_eq!(digest, house.digest());
        }
    }
    assert!(house.is_silent(&mut watcher));
}

#[test]
fn scenario_11_a_watcher_that_does_not_read_is_told_so_and_delays_nobody() {
    let house = House::new(&sqlite());
    house.apply(&tenant("acme", 1));
    let mut lazy = house.books().watch(None).unwrap();
    let mut busy = house.books().watch(None).unwrap();
    assert!(house.is_silent(&mut lazy));
    for limit in 2..=1_100 {
        house.apply(&tenant("acme", limit));
        assert_eq!(house.change(&mut busy).0, u64::from(limit));
    }
    assert!(matches!(house.run(lazy.next()), Event::Overflow));
    assert!(matches!(house.run(lazy.next()), Event::Overflow), "it stays so");
    // who comes back hears all of it, from the history
    let mut back = house.books().watch(Some(lazy.told())).unwrap();
    for revision in 2..=1_100 {
        assert_eq!(house.change(&mut back).0, revision);
    }
}

#[test]
fn a_watcher_may_be_behind_by_bytes_and_a_large_change_is_a_resync() {
    let house = House::new(&sqlite());
    let text = |size: usize, round: u32| {
        let labels: String = (0..size)
            .map(|at| format!("  l{at}: '{}'\n", format!("{round:04}").repeat(1_000)))
            .collect();
        format!("{}labels:\n{labels}", tenant("acme", 1))
    };
    house.apply(&tenant("acme", 1));
    let mut lazy = house.books().watch(None).unwrap();
    assert!(house.is_silent(&mut lazy));
    for round in 0..20 {
        house.apply(&text(250, round));
    }
    assert!(matches!(house.run(lazy.next()), Event::Overflow), "20 MB are too much");
    let mut watcher = house.books().watch(None).unwrap();
    assert!(house.is_silent(&mut watcher));
    let nine: Vec<String> =
        (0..9).map(|at| text(250, 1).replace("name: acme", &format!("name: big{at}"))).collect();
    house.apply(&documents_of(&nine));
    house.apply(&tenant("acme", 2));
    assert!(matches!(house.run(watcher.next()), Event::Resync(Revision(22))));
    assert_eq!(house.change(&mut watcher).0, 23);
    let mut late = house.books().watch(Some(Revision(21))).unwrap();
    assert!(matches!(house.run(late.next()), Event::Resync(Revision(22))));
    assert_eq!(house.change(&mut late).0, 23);
}

#[test]
fn what_is_still_needed_stays_unless_all_of_it_goes() {
    let house = House::new(&sqlite());
    let child = "kind: Tenant\nname: sub\nspec: { parent: acme }\n".to_owned();
    house.apply(&documents_of(&[
        tenant("acme", 1),
        child,
        profile("acme", "p"),
        profile("sub", "q"),
        numbers("acme", "n", "p", &["100"]),
    ]));
    let refusal = house.transact(only(delete(Kind::IvrProfile, "acme", "p"))).unwrap_err();
    assert_eq!(refusal.entry().name, "in-use");
    assert!(refusal.to_string().contains("E203: still referenced by DidGroup acme/n"), "{refusal}");
    let whole = |kind, tenant: &str, name: &str| {
        let target = target(kind, tenant, name);
        only(Operation::Delete { target, when: When::Always, cascade: true })
    };
    let dry = Transaction { dry_run: true, ..whole(Kind::IvrProfile, "acme", "p") };
    assert_eq!(house.transact(dry).unwrap().changed, 2);
    let all = house.transact(whole(Kind::Tenant, "", "acme")).unwrap();
    assert_eq!((all.changed, house.books().now().set.len()), (5, 1));
    let root = house.transact(whole(Kind::Tenant, "", "Environment")).unwrap_err();
    assert_eq!(root.entry().name, "conflict");
    house.rollback(1);
    let default = "kind: Tenant\nname: acme\nspec: { default_profile: p }\n";
    house.apply(default);
    let needed = house.transact(whole(Kind::IvrProfile, "acme", "p")).unwrap_err();
    assert!(needed.to_string().contains("referenced by Tenant acme"), "never the tenant: {needed}");
}

#[test]
fn prune_deletes_what_has_the_label_and_is_not_put() {
    let house = House::new(&sqlite());
    let labelled = |name: &str| format!("{}labels: {{ team: a }}\n", tenant(name, 1));
    house.apply(&documents_of(&[labelled("a"), labelled("b"), tenant("c", 1)]));
    let prune = Some(("team".to_owned(), "a".to_owned()));
    let outcome = house.transact(Transaction { prune, ..puts(&labelled("b")) }).unwrap();
    assert_eq!(outcome.changed, 1);
    assert_eq!(house.dbid(Kind::Tenant, "Environment", "a"), None);
    assert_eq!(house.books().now().set.len(), 3);
}

#[test]
fn what_is_named_twice_or_not_clearly_is_refused() {
    let house = House::new(&sqlite());
    let twice = house.refused(&documents_of(&[tenant("a", 1), tenant("a", 2)]));
    assert_eq!(twice, Refusal::Malformed("Tenant a is named twice".to_owned()));
    house.apply(&documents_of(&[
        tenant("a", 1),
        tenant("b", 1),
        profile("a", "p"),
        profile("b", "p"),
    ]));
    let mut either = target(Kind::IvrProfile, "", "p");
    either.tenant = None;
    let gone = |target| only(Operation::Delete { target, when: When::Always, cascade: false });
    let unclear = house.transact(gone(either)).unwrap_err();
    assert_eq!(unclear.to_string(), "name the tenant, there are: IvrProfile a/p, IvrProfile b/p");
    let mut second = target(Kind::IvrProfile, "", "dbid:102");
    second.tenant = None;
    house.transact(gone(second)).unwrap();
    assert_eq!(house.dbid(Kind::IvrProfile, "b", "p"), None);
    let missing = house.transact(only(delete(Kind::IvrProfile, "b", "p"))).unwrap_err();
    assert_eq!(missing.to_string(), "IvrProfile \"p\" of tenant \"b\" does not exist");
    let differs = house.refused(&profile("a", "P"));
    assert!(differs.to_string().contains("E204"), "{differs}");
}

#[test]
fn a_seed_counts_once() {
    let mut house = House::new(&sqlite());
    let seed = documents(&documents_of(&[tenant("acme", 1), profile("acme", "p")]));
    let seeded = house.run(house.books().seed(seed.clone())).unwrap();
    assert!(matches!(seeded, Seeded::Applied(outcome) if outcome.changed == 2));
    let row = house.run(house.books().revision(Revision(1), &configd::who::Scope::default()));
    assert_eq!(row.unwrap().0.actor, "seed");
    house.reopen();
    assert!(matches!(house.run(house.books().seed(seed.clone())), Ok(Seeded::Same)));
    house.apply(&tenant("acme", 2));
    assert!(matches!(house.run(house.books().seed(seed)), Ok(Seeded::Ignored)));
    assert_eq!(house.revision(), 2);
    let lines = house.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("seed ignored")).count(), 1);
}

#[test]
fn a_full_queue_says_busy_and_a_stop_lets_what_waits_come_to_its_end() {
    let house = House::new(&sqlite());
    let (done, busy) = house.run(async {
        let one = |number: u32| {
            let (books, transaction) = (house.books().clone(), puts(&tenant("acme", number)));
            house.runtime.spawn(async move { books.transact(transaction, &admin()).await })
        };
        let all: Vec<_> = (1..=400).map(one).collect();
        let (mut done, mut busy) = (0, 0);
        for task in all {
            match task.await.unwrap() {
                Ok(_) => done += 1,
                Err(Refusal::Busy) => busy += 1,
                Err(other) => panic!("{other}"),
            }
        }
        (done, busy)
    });
    assert_eq!((done + busy, house.revision()), (400, done));
    assert!(done >= 64, "{done}");
    house.books().close();
    let late = house.transact(puts(&tenant("late", 1))).unwrap_err();
    assert_eq!(late, Refusal::Busy);
    assert_eq!(house.revision(), done);
}

#[test]
fn a_store_of_a_later_version_and_a_damaged_one_are_refused() {
    use configd::store::StoreError;
    use configd::store::sqlite::Sqlite;
    let house = House::new(&sqlite());
    house.apply(&tenant("acme", 1));
    let file = house.dir.path().join("config.db");
    let db = rusqlite::Connection::open(&file).unwrap();
    let open = || {
        let store = Sqlite::open(house.dir.path(), model::time::Millis(0));
        store.err().map(configd::books::OpenError::Store)
    };
    assert!(open().is_none());
    db.execute("UPDATE object SET doc = replace(doc, '1', '2') WHERE name = 'acme'", []).unwrap();
    let parts = |store| configd::books::Parts {
        store: Box::new(store),
        history: configd::books::History { revisions: 1, age: Duration::ZERO },
        clocks: crate::house::still(0),
        log: telemetry::log::Log::silent(|| model::time::Millis(0)),
    };
    let store = Sqlite::open(house.dir.path(), model::time::Millis(0)).unwrap();
    let damaged = configd::Books::open(parts(store)).err().unwrap();
    assert!(damaged.to_string().starts_with("the store is damaged: "), "{damaged}");
    assert_eq!(damaged.exit_code(), 8);
    db.execute("INSERT INTO schema_version VALUES (7, 0, '', '')", []).unwrap();
    let newer = open().unwrap();
    let told = "store schema 7 is newer than this executable knows (2)";
    assert_eq!((newer.to_string(), newer.exit_code()), (told.to_owned(), 78));
    drop((db, house));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.db");
    std::fs::write(&file, "this is no database, and never was one".repeat(99)).unwrap();
    let broken = Sqlite::open(dir.path(), model::time::Millis(0)).err();
    assert!(matches!(broken, Some(StoreError::Damaged(_))), "{broken:?}");
}

#[test]
fn of_too_many_clients_the_one_that_is_silent_longest_is_forgotten() {
    let mut house = House::new(&sqlite());
    let report = serde_json::json!({"component": "rm"});
    for number in 0..1_000 {
        house.books().put_client(&format!("rm-{number}"), &report, &admin()).unwrap();
        house.pass(Duration::from_millis(1));
    }
    let new = |house: &House, who: &configd::Who| house.books().put_client("rm-1000", &report, who);
    let full = new(&house, &admin()).unwrap_err();
    assert_eq!(full.entry().name, "too-large", "nobody who was heard of lately makes room");
    house.pass(Duration::from_millis(90_000 - 1_000));
    new(&house, &admin()).unwrap();
    // a name is its token's until it has been silent for a while
    let other = configd::Who { token: Some("otherone".to_owned()), ..admin() };
    assert_eq!(new(&house, &other).unwrap_err().entry().name, "conflict");
    let scope = configd::who::Scope::of(vec![model::id::Dbid(101)]);
    let scoped = configd::Who { scope, ..admin() };
    assert_eq!(new(&house, &scoped).unwrap_err().entry().name, "forbidden");
    new(&house, &admin()).unwrap();
    house.pass(Duration::from_secs(90));
    new(&house, &other).unwrap();
    let names = |house: &House| {
        house.books().clients().into_iter().map(|client| client.name).collect::<Vec<_>>()
    };
    let kept = names(&house);
    assert_eq!(kept.len(), 1_000);
    assert!(!kept.contains(&"rm-0".to_owned()));
    house.reopen();
    assert_eq!(names(&house), kept);
    let wrong = house.books().put_client("rm", &serde_json::json!([]), &admin()).unwrap_err();
    assert_eq!(wrong.entry().name, "malformed");
    let large = serde_json::json!({"text": "x".repeat(70_000)});
    let large = house.books().put_client("rm", &large, &admin()).unwrap_err();
    assert_eq!(large.entry().name, "too-large");
}
