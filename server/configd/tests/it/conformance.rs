//! The one suite that every store has to pass: what the books promise, asked through them.
//!
//! `faults.rs` shows that it fails for stores that do less than they say.

use std::time::Duration;

use config::settings::Access;
use configd::books::{Event, NewToken, Revisions};
use configd::store::{AuditQuery, Keep, RevisionQuery, StoreError};
use configd::transaction::{Operation, Transaction, When};
use configd::{Refusal, Who};
use model::config::Kind;
use model::id::{Dbid, Revision};
use model::time::Millis;

use crate::house::{
    House, Make, START, admin, delete, documents_of, group, numbers, only, profile, put, puts,
    sqlite, target, tenant,
};

/// A part of the suite.
pub(crate) type Part = fn(&Make);

/// All of the suite.
pub(crate) const SUITE: [(&str, Part); 10] = [
    ("transactions", transactions),
    ("conflicts", conflicts),
    ("numbers", numbers_are_never_used_again),
    ("history", history),
    ("rollback", rollback),
    ("watch", watch_after_a_restart),
    ("compaction", compaction),
    ("tokens", tokens),
    ("audit", audit),
    ("backup", backup_and_restore),
];

#[test]
fn sqlite_passes() {
    for (_, part) in SUITE {
        part(&sqlite());
    }
}

/// A transaction is there whole, also after a restart; one that fails leaves nothing.
fn transactions(make: &Make) {
    let mut house = House::new(make);
    assert_eq!(house.revision(), 0);
    let whole = documents_of(&[
        numbers("acme", "n", "p", &["1800*", "19005550100-19005550199"]),
        profile("acme", "p"),
        tenant("acme", 5),
        group("g", &[("mcp-1", 5070), ("mcp-2", 5071)]),
    ]);
    let outcome = house.apply(&whole);
    assert_eq!((outcome.revision, outcome.changed), (Some(Revision(1)), 4));
    let shown = house.shown();
    assert_eq!(shown.len(), 5, "{shown:#?}");
    let half = documents_of(&[tenant("other", 1), profile("nobody", "p")]);
    let refusal = house.refused(&half);
    assert_eq!(refusal.entry().name, "invalid", "{refusal}");
    assert_eq!((house.revision(), house.shown()), (1, shown.clone()));
    assert_eq!(house.apply(&whole).changed, 0);
    let digest = house.digest();
    house.reopen();
    assert_eq!((house.revision(), house.digest(), house.shown()), (1, digest, shown));
    let gone = house.transact(only(delete(Kind::DidGroup, "acme", "n"))).unwrap();
    assert_eq!((gone.revision, gone.changed), (Some(Revision(2)), 1));
    house.reopen();
    assert_eq!((house.revision(), house.shown().len()), (2, 4));
}

/// Nobody overwrites what he has not seen, and no commit passes another one.
fn conflicts(make: &Make) {
    let house = House::new(make);
    house.apply(&tenant("acme", 1));
    house.apply(&tenant("acme", 2));
    let stale = house.transact(put(&tenant("acme", 3), When::At(Revision(1)))).unwrap_err();
    assert_eq!(stale, Refusal::PreconditionFailed { current: Revision(2) });
    let there = house.transact(put(&tenant("acme", 3), When::Absent)).unwrap_err();
    assert_eq!(there.entry().name, "conflict");
    let based = Transaction { base_revision: Some(Revision(1)), ..puts(&tenant("b", 3)) };
    let based = house.transact(based).unwrap_err();
    assert_eq!(based, Refusal::PreconditionFailed { current: Revision(2) });
    house.transact(put(&tenant("acme", 3), When::At(Revision(2)))).unwrap();
    assert_eq!(house.revision(), 3);

    // the store itself: whose head has moved on takes no commit
    let store = make(house.dir.path());
    let commit = lost_update();
    let moved = store.commit(&commit);
    assert!(matches!(moved, Err(StoreError::Moved(Revision(3)))), "{moved:?}");
    let newest = RevisionQuery { limit: 10, ..RevisionQuery::default() };
    let newest = store.revisions(&newest).unwrap();
    assert!(newest.iter().map(|row| row.revision.0).eq([3, 2, 1]));
    assert_eq!(store.load().unwrap().objects.len(), 2);
}

/// A commit of one who thinks that the head is at 1.
fn lost_update() -> configd::store::Commit {
    configd::store::Commit {
        revision: configd::store::RevisionRow {
            revision: Revision(2),
            time: Millis(START),
            actor: "late".to_owned(),
            token_id: None,
            source: String::new(),
            user_agent: String::new(),
            message: String::new(),
            changes: 0,
            digest: String::new(),
        },
        changes: Vec::new(),
        objects: Vec::new(),
        counters: Vec::new(),
        gone: Vec::new(),
        back: Vec::new(),
        audit: configd::store::AuditRow::default(),
    }
}

/// Numbers begin with 101, stay, and never come back with another object.
fn numbers_are_never_used_again(make: &Make) {
    let mut house = House::new(make);
    assert_eq!(house.dbid(Kind::Tenant, "Environment", "Environment"), Some(1));
    house.apply(&documents_of(&[tenant("a", 1), tenant("b", 1)]));
    house.apply(&group("g", &[("mcp-1", 5070), ("mcp-2", 5071)]));
    let resources = |house: &House| {
        let entry = house.books().now().find(
            &target(Kind::ResourceGroup, "Environment", "g"),
            &configd::who::Scope::default(),
        );
        let json = entry.unwrap().object.json.clone();
        let list = json.pointer("/spec/resources").unwrap().as_array().unwrap().clone();
        let name = |one: &serde_json::Value| one["name"].as_str().unwrap().to_owned();
        list.iter().map(|one| (name(one), one["dbid"].as_u64().unwrap())).collect::<Vec<_>>()
    };
    let mcp = |number: u64, dbid: u64| (format!("mcp-{number}"), dbid);
    assert_eq!(resources(&house), [mcp(1, 101), mcp(2, 102)]);
    house.apply(&group("g", &[("mcp-2", 5071), ("mcp-3", 5072)]));
    assert_eq!(resources(&house), [mcp(2, 102), mcp(3, 103)]);
    house.reopen();
    house.apply(&group("g", &[("mcp-1", 5070), ("mcp-2", 5071)]));
    assert_eq!(resources(&house), [mcp(1, 104), mcp(2, 102)]);
    house.apply("kind: Application\nname: rm-1\nspec: { type: resource-manager }\n");
    assert_eq!(house.dbid(Kind::Application, "Environment", "rm-1"), Some(105));

    house.transact(only(delete(Kind::Tenant, "Environment", "b"))).unwrap();
    house.reopen();
    house.apply(&tenant("c", 1));
    assert_eq!(house.dbid(Kind::Tenant, "Environment", "c"), Some(103));
    let given = |dbid: u32, name: &str| format!("dbid: {dbid}\n{}", tenant(name, 1));
    let taken = house.refused(&given(102, "d"));
    assert!(taken.to_string().contains("E206: dbid 102 is taken"), "{taken}");
    house.apply(&given(500, "d"));
    house.reopen();
    house.apply(&tenant("e", 1));
    assert_eq!(house.dbid(Kind::Tenant, "Environment", "e"), Some(501));
    let other = house.refused(&given(501, "d"));
    assert!(other.to_string().contains("dbid of an existing object cannot change"), "{other}");
    let editor = Who { role: Access::Editor, ..admin() };
    let refused = house.transact_as(puts(&given(600, "f")), &editor).unwrap_err();
    assert_eq!(refused.entry().name, "forbidden");
}

/// Every revision is there with who, why and what; earlier ones can be looked at.
fn history(make: &Make) {
    let mut house = House::new(make);
    house.apply(&tenant("acme", 1));
    let first = house.digest();
    house.pass(Duration::from_secs(60));
    let editor = Who {
        actor: "eve".to_owned(),
        user_agent: "curl".to_owned(),
        source: "10.0.0.1".to_owned(),
        ..admin()
    };
    let why = Transaction { message: "more".to_owned(), ..puts(&tenant("acme", 2)) };
    house.transact_as(why, &editor).unwrap();
    house.apply(&profile("acme", "p"));
    house.transact(only(delete(Kind::IvrProfile, "acme", "p"))).unwrap();
    house.reopen();

    let list = |query: Revisions| {
        let rows = house
            .run(
                house
                    .books()
                    .revisions(Revisions { limit: 10, ..query }, &configd::who::Scope::default()),
            )
            .unwrap();
        rows.iter().map(|row| row.revision.0).collect::<Vec<_>>()
    };
    assert_eq!(list(Revisions::default()), [4, 3, 2, 1]);
    assert_eq!(list(Revisions { before: Some(Revision(3)), ..Revisions::default() }), [2, 1]);
    assert_eq!(list(Revisions { actor: Some("eve".to_owned()), ..Revisions::default() }), [2]);
    let of = |kind, tenant: &str, name: &str| Revisions {
        object: Some(target(kind, tenant, name)),
        ..Revisions::default()
    };
    assert_eq!(list(of(Kind::Tenant, "", "acme")), [2, 1]);
    assert_eq!(list(of(Kind::IvrProfile, "acme", "p")), [4, 3], "it is no more, its history is");
    let all = configd::who::Scope::default();
    let never = house.run(house.books().revisions(of(Kind::IvrProfile, "acme", "q"), &all));
    assert_eq!(never.unwrap_err().entry().name, "not-found");
    let (row, diff) = house.run(house.books().revision(Revision(2), &all)).unwrap();
    assert_eq!((&*row.actor, &*row.message, row.changes), ("eve", "more", 1));
    assert_eq!((&*row.user_agent, &*row.source, row.time.0), ("curl", "10.0.0.1", START + 60_000));
    let told = serde_json::to_value(&diff).unwrap();
    assert_eq!(told[0]["changes"][0]["path"], "/spec/policy/usage_limit", "{told}");
    assert_eq!((&told[0]["changes"][0]["old"], &told[0]["op"]), (&1.into(), &"update".into()));

    let at = house.run(house.books().at(Revision(1))).unwrap();
    assert_eq!((at.digest.to_string(), at.set.len()), (first, 2));
    let nothing = house.run(house.books().at(Revision(0))).unwrap();
    assert_eq!(nothing.set.len(), 1);
    let missing = house.run(house.books().at(Revision(9))).unwrap_err();
    assert_eq!(missing.entry().name, "not-found");
    let diff = house.run(house.books().diff(Revision(1), Revision(4), &all)).unwrap();
    assert_eq!(diff.len(), 1, "the profile came and went");
}

/// The way back leads to the same objects with the same numbers, and back again.
fn rollback(make: &Make) {
    let mut house = House::new(make);
    house.apply(&documents_of(&[tenant("acme", 1), profile("acme", "p")]));
    house.apply(&numbers("acme", "n", "p", &["100"]));
    let (two, shown) = (house.digest(), house.shown());
    house.transact(only(delete(Kind::DidGroup, "acme", "n"))).unwrap();
    house.apply(&documents_of(&[tenant("acme", 7), tenant("new", 1)]));
    let four = house.digest();
    let outcome = house.rollback(2);
    assert_eq!((outcome.revision, outcome.changed), (Some(Revision(5)), 3));
    assert_eq!(house.digest(), two);
    assert_eq!(house.dbid(Kind::DidGroup, "acme", "n"), Some(101));
    let created = |shown: &[String]| shown.iter().filter(|one| one.contains("\"n\"")).count();
    assert_eq!(created(&house.shown()), created(&shown));
    house.reopen();
    assert_eq!((house.digest(), house.revision()), (two.clone(), 5));
    house.rollback(4);
    assert_eq!(house.digest(), four);
    assert_eq!(house.dbid(Kind::Tenant, "Environment", "new"), Some(102));
    assert_eq!(house.rollback(6).changed, 0, "nothing to do");
    assert_eq!(house.revision(), 6);
    house.apply(&numbers("acme", "m", "p", &["200"]));
    assert_eq!(house.dbid(Kind::DidGroup, "acme", "m"), Some(102), "101 is n's for ever");
}

/// Who comes back hears what it missed, once each and in order.
fn watch_after_a_restart(make: &Make) {
    let mut house = House::new(make);
    for limit in 1..=3 {
        house.apply(&tenant("acme", limit));
    }
    let mut live = house.books().watch(None).unwrap();
    assert!(house.is_silent(&mut live));
    for limit in 4..=40 {
        house.apply(&tenant("acme", limit));
    }
    house.transact(only(delete(Kind::Tenant, "", "acme"))).unwrap();
    let mut told = Vec::new();
    for _ in 4..=41 {
        told.push(house.change(&mut live));
    }
    house.books().close();
    assert!(matches!(house.run(live.next()), Event::Bye));
    house.reopen();
    let mut back = house.books().watch(Some(Revision(3))).unwrap();
    for live in &told {
        assert_eq!(house.change(&mut back), *live, "what is told later is what was told then");
    }
    assert!(told.iter().map(|(revision, ..)| *revision).eq(4..=41));
    assert!(
        told.last()
            .unwrap()
            .2
            .contains(r#"{"op":"delete","kind":"Tenant","name":"acme","dbid":101}"#)
    );
    assert_eq!(told.last().unwrap().1, house.digest());
    assert!(house.is_silent(&mut back));
    let ahead = house.books().watch(Some(Revision(42))).err();
    assert_eq!(ahead, Some(Refusal::PreconditionFailed { current: Revision(41) }));
}

/// What is old and not among the newest goes; who asks for it hears 410.
fn compaction(make: &Make) {
    let day = Duration::from_secs(86_400);
    let mut house = House::keeping(make, 2, day * 90);
    for limit in 1..=7 {
        house.apply(&tenant("acme", limit));
    }
    house.pass(day * 89);
    for limit in 8..=12 {
        house.apply(&tenant("acme", limit));
    }
    assert_eq!(house.books().now().oldest, Revision(1), "nothing is old");
    house.pass(day * 2);
    house.apply(&tenant("acme", 13));
    house.apply(&tenant("acme", 14));
    assert_eq!(house.books().now().oldest, Revision(8), "2 are kept, and 5 are young");
    let gone = Refusal::RevisionGone { oldest: Revision(8) };
    assert_eq!(house.books().watch(Some(Revision(6))).err(), Some(gone.clone()));
    assert_eq!(house.run(house.books().at(Revision(6))).err(), Some(gone.clone()));
    house.reopen();
    assert_eq!(house.books().watch(Some(Revision(1))).err(), Some(gone));
    let mut watcher = house.books().watch(Some(Revision(7))).unwrap();
    for revision in 8..=14 {
        assert_eq!(house.change(&mut watcher).0, revision);
    }
    let at = house.run(house.books().at(Revision(7))).unwrap();
    assert_eq!(at.revision, Revision(7));
    assert_eq!(house.revision(), 14, "the objects stay");

    let store = make(house.dir.path());
    let keep = Keep { newest: 1, since: Millis(u64::MAX), audit_since: Millis(u64::MAX) };
    assert_eq!(store.compact(&keep).unwrap(), Some(Revision(14)), "the newest is always kept");
    assert_eq!(store.audit(&AuditQuery { limit: 9, ..AuditQuery::default() }).unwrap(), []);
}

/// A token opens what it should for as long as it should, also after a restart.
fn tokens(make: &Make) {
    let mut house = House::new(make);
    house.apply(&tenant("acme", 1));
    let new = |name: &str, role, tenants: &[&str], expires_in| NewToken {
        name: name.to_owned(),
        role,
        tenants: tenants.iter().map(|tenant| (*tenant).to_owned()).collect(),
        expires_in,
    };
    let create = |house: &House, new| house.run(house.books().create_token(new, &admin()));
    let (root, root_secret) = create(&house, new("root", Access::Admin, &[], None)).unwrap();
    let hour = Some(Duration::from_secs(3_600));
    let (ci, ci_secret) = create(&house, new("ci", Access::Editor, &["acme"], hour)).unwrap();
    let unknown = create(&house, new("x", Access::Reader, &["nobody"], None)).unwrap_err();
    assert_eq!(unknown.entry().name, "malformed");

    let find = |house: &House, secret: &str| house.run(house.books().find_token(secret));
    house.pass(Duration::from_secs(1_800));
    assert_eq!(find(&house, &ci_secret).map(|token| token.id), Some(ci.id.clone()));
    house.reopen();
    let listed = house.run(house.books().tokens(&admin())).unwrap();
    let used = listed.iter().find(|token| token.id == ci.id).unwrap().last_used_at;
    assert_eq!(used, Some(Millis(START + 1_800_000)));
    let found = find(&house, &ci_secret).unwrap();
    assert_eq!((found.role, found.scope.tenants()), (Access::Editor, &[Dbid(101)][..]));
    let wrong = format!("{}A", ci_secret.get(..55).unwrap());
    let wrong = if wrong == ci_secret { wrong.replace("A", "B") } else { wrong };
    assert_eq!(find(&house, &wrong), None);
    assert_eq!(find(&house, &root_secret.replace(&root.id, "AAAAAAAA")), None);
    house.pass(Duration::from_secs(1_800));
    assert_eq!(find(&house, &ci_secret), None, "it has ended");

    let revoke = |house: &House, id: &str| house.run(house.books().revoke_token(id, &admin()));
    let last = revoke(&house, &root.id).unwrap_err();
    assert_eq!(last.entry().name, "conflict", "{last}");
    create(&house, new("root-2", Access::Admin, &[], None)).unwrap();
    revoke(&house, &root.id).unwrap();
    house.reopen();
    assert_eq!(find(&house, &root_secret), None);
    assert_eq!(house.run(house.books().tokens(&admin())).unwrap().len(), 2);
    let missing = revoke(&house, &root.id).unwrap_err();
    assert_eq!(missing.entry().name, "not-found");
    let all = format!("{:?}", make(house.dir.path()).load().unwrap());
    assert!(!all.contains(ci_secret.get(13..).unwrap()), "only the hash is kept");
}

/// Every write, try and refusal has its line, in order, and no line ever changes.
fn audit(make: &Make) {
    let mut house = House::new(make);
    house.apply(&tenant("acme", 1));
    house.transact(Transaction { dry_run: true, ..puts(&tenant("acme", 2)) }).unwrap();
    house.refused(&profile("nobody", "p"));
    house.pass(Duration::from_secs(5));
    let eve = Who { actor: "eve".to_owned(), role: Access::Reader, ..admin() };
    house.transact_as(puts(&tenant("acme", 3)), &eve).unwrap_err();
    let stranger = Who { actor: "-".to_owned(), role: Access::None, ..admin() };
    house.books().note_refused("login", &[], &Refusal::Unauthenticated, &stranger);
    house.reopen();
    house.rollback(0);
    house.reopen();

    let ask = |query: AuditQuery| {
        let query = AuditQuery { limit: 100, ..query };
        house.run(house.books().audit(query, &admin())).unwrap()
    };
    let lines = ask(AuditQuery::default());
    let facts: Vec<_> = lines
        .iter()
        .rev()
        .map(|line| (&*line.action, &*line.outcome, line.revision.map(|revision| revision.0)))
        .collect();
    let expected = [
        ("transaction", "ok", Some(1)),
        ("dry-run", "ok", None),
        ("transaction", "invalid", None),
        ("transaction", "forbidden", None),
        ("login", "unauthenticated", None),
        ("rollback", "ok", Some(2)),
    ];
    assert_eq!(facts, expected);
    assert!(lines.windows(2).all(|pair| pair[0].seq > pair[1].seq));
    let refused = &lines[3];
    assert_eq!(refused.objects, ["IvrProfile nobody/p"]);
    assert!(refused.problem.as_ref().unwrap().contains("E201"), "{refused:?}");
    assert_eq!(ask(AuditQuery { actor: Some("eve".to_owned()), ..AuditQuery::default() }).len(), 1);
    let logins = AuditQuery { action: Some("login".to_owned()), ..AuditQuery::default() };
    assert_eq!(ask(logins).len(), 1);
    let later = AuditQuery { from: Some(Millis(START + 1)), ..AuditQuery::default() };
    assert_eq!(ask(later).len(), 3);
    let earlier = AuditQuery { to: Some(Millis(START + 1)), ..AuditQuery::default() };
    assert_eq!(ask(earlier).len(), 3);
    assert_eq!(ask(AuditQuery { before: Some(lines[1].seq), ..AuditQuery::default() }).len(), 4);
    assert!(house.run(house.books().audit(AuditQuery::default(), &eve)).is_err());
}

/// A backup holds everything, and nothing but the whole of it is taken back.
fn backup_and_restore(make: &Make) {
    let house = House::new(make);
    house.apply(&documents_of(&[tenant("acme", 1), profile("acme", "p")]));
    house.apply(&documents_of(&[numbers("acme", "n", "p", &["100"]), tenant("gone", 1)]));
    house.transact(only(delete(Kind::Tenant, "", "gone"))).unwrap();
    let secret = house.make_admin();
    let client = serde_json::json!({"component": "rm", "applied": 3});
    house.books().put_client("rm-1", &client, &admin()).unwrap();
    house.pass(Duration::from_secs(60));
    house.apply(&tenant("acme", 2));
    let backup = house.backup();
    assert!(!backup.contains(secret.get(13..).unwrap()));

    let mut fresh = House::new(make);
    for (what, broken) in broken(&backup) {
        let refusal = fresh.restore(&broken, false).unwrap_err();
        assert_eq!(refusal.entry().name, "malformed", "{what}: {refusal}");
        assert_eq!((fresh.revision(), fresh.shown().len()), (0, 1), "{what}");
    }
    let restored = fresh.restore(&backup, false).unwrap();
    assert_eq!((restored.revision, restored.objects), (Revision(5), 4));
    fresh.reopen();
    assert_eq!(
        (fresh.revision(), fresh.digest(), fresh.shown()),
        (5, house.digest(), house.shown())
    );
    assert!(fresh.run(fresh.books().find_token(&secret)).is_some());
    assert_eq!(fresh.books().clients(), house.books().clients());
    fresh.apply(&tenant("next", 1));
    assert_eq!(fresh.dbid(Kind::Tenant, "Environment", "next"), Some(103), "102 was gone's");
    let taken = fresh.refused(&format!("dbid: 102\n{}", tenant("again", 1)));
    assert!(taken.to_string().contains("dbid 102 is taken"), "{taken}");
    fresh.rollback(2);
    assert_eq!(fresh.dbid(Kind::Tenant, "Environment", "gone"), Some(102));

    // over one that is ahead: no number of it is given out again, and the way back stays
    let ahead = fresh.digest();
    let full = fresh.restore(&backup, false).unwrap_err();
    assert_eq!(full.entry().name, "conflict");
    let mut watcher = fresh.books().watch(None).unwrap();
    assert!(fresh.is_silent(&mut watcher));
    assert_eq!(fresh.restore(&backup, true).unwrap().revision, Revision(8));
    assert_eq!((fresh.revision(), fresh.shown()), (8, house.shown()));
    assert!(matches!(fresh.run(watcher.next()), Event::Resync(Revision(8))));
    fresh.apply(&tenant("later", 1));
    assert_eq!(fresh.change(&mut watcher).0, 9);
    assert_eq!(fresh.dbid(Kind::Tenant, "Environment", "later"), Some(104), "103 was next's");
    let taken = fresh.refused(&format!("dbid: 103\n{}", tenant("again", 1)));
    assert!(taken.to_string().contains("dbid 103 is taken"), "{taken}");
    fresh.rollback(7);
    assert_eq!(fresh.digest(), ahead);
    let own = fresh.backup();
    fresh.reopen();
    assert_eq!(fresh.restore(&own, true).unwrap().revision, Revision(11));
    assert_eq!(fresh.digest(), ahead);
    let lines =
        AuditQuery { limit: 100, action: Some("restore".to_owned()), ..AuditQuery::default() };
    let lines = fresh.run(fresh.books().audit(lines, &admin())).unwrap();
    let ok = lines.iter().filter(|line| line.outcome == "ok").count();
    assert_eq!(ok, 3, "the audit is never replaced: {lines:#?}");
}

/// What is no whole backup.
fn broken(backup: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<&str> = backup.split_inclusive('\n').collect();
    let without = |at: usize| {
        let kept = lines.iter().enumerate().filter(|(own, _)| *own != at);
        kept.map(|(_, line)| *line).collect::<String>()
    };
    let last = lines.len() - 1;
    vec![
        ("nothing", String::new()),
        ("no end", without(last)),
        ("no object", without(5)),
        ("no format", without(0)),
        ("a cut line", backup.trim_end().to_owned()),
        ("another number", backup.replacen("\"revision\":4", "\"revision\":5", 1)),
        ("no JSON", backup.replacen("{\"", "{{", 1)),
    ]
}

/// A tenant with another name has what it had, under the numbers that reports know.
#[test]
fn a_renamed_tenant_takes_along_what_it_has() {
    let mut house = House::new(&sqlite());
    house.apply(&documents_of(&[
        "kind: Tenant\nname: top\n\
         spec: { policy: { children: { acme: { usage_limit: 3 } } } }\n"
            .to_owned(),
        "kind: Tenant\nname: acme\nspec: { parent: top, default_profile: p }\n".to_owned(),
        "kind: Tenant\nname: sub\nspec: { parent: acme }\n".to_owned(),
        profile("acme", "p"),
        profile("acme", "q"),
        numbers("acme", "n", "p", &["100", "200"]),
        group("g", &[("mcp-1", 5070)]).replace("name: g\n", "name: g\ntenant: acme\n"),
    ]));
    let (digest, before) = (house.digest(), house.dbids());
    let rename = |name: &str| Operation::Put {
        document: crate::house::documents(&format!(
            "kind: Tenant\nname: {name}\nspec: {{ parent: top, default_profile: p }}\n"
        ))
        .remove(0),
        when: When::Always,
        rename_from: Some("acme".to_owned()),
    };
    // one of them is put along with it, one is deleted
    let mut transaction = puts(&profile("apex", "p").replace("http://a/", "http://b/"));
    transaction.operations.push(rename("apex"));
    transaction.operations.push(delete(Kind::IvrProfile, "acme", "q"));
    let told = house.transact(transaction).unwrap();
    assert_eq!((told.impact.dids_moved, told.impact.dids_added), (0, 0), "{:?}", told.impact);
    let renamed = |name: &str| name.replace("acme", "apex");
    let expected: Vec<(String, u32)> =
        before.iter().map(|(key, dbid)| (renamed(key), *dbid)).collect();
    let mut expected: Vec<_> =
        expected.into_iter().filter(|(key, _)| key != "IvrProfile apex/q").collect();
    let mut after = house.dbids();
    expected.sort();
    after.sort();
    assert_eq!(after, expected);
    let shown = house.shown().concat();
    assert!(shown.contains("http://b/p.vxml") && !shown.contains("acme"), "{shown}");
    house.reopen();
    assert_eq!(house.dbids().len(), expected.len());
    house.rollback(1);
    assert_eq!((house.digest(), house.dbids()), (digest, before));
}

/// A put that keeps the number under another name.
#[test]
fn a_renamed_object_keeps_its_number() {
    let mut house = House::new(&sqlite());
    house.apply(&documents_of(&[tenant("acme", 1), profile("acme", "old")]));
    house.apply(&numbers("acme", "n", "old", &["100"]));
    let rename = |from: &str, yaml: &str| Operation::Put {
        document: crate::house::documents(yaml).remove(0),
        when: When::Always,
        rename_from: Some(from.to_owned()),
    };
    let alone = house.transact(only(rename("old", &profile("acme", "new")))).unwrap_err();
    assert_eq!(alone.entry().name, "in-use", "{alone}");
    assert!(alone.to_string().contains("still referenced by DidGroup acme/n"), "{alone}");
    let mut both = puts(&numbers("acme", "n", "new", &["100"]));
    both.operations.push(rename("old", &profile("acme", "new")));
    let mut watcher = house.books().watch(None).unwrap();
    let outcome = house.transact(both).unwrap();
    let told = serde_json::to_value(&outcome.diff).unwrap();
    assert_eq!((&told[0]["op"], &told[0]["name"]), (&"rename".into(), &"new".into()), "{told}");
    assert_eq!(house.dbid(Kind::IvrProfile, "acme", "new"), Some(101));
    assert_eq!(house.dbid(Kind::IvrProfile, "acme", "old"), None);
    let (_, _, json) = house.change(&mut watcher);
    let first = json.find(r#"{"op":"delete","kind":"IvrProfile","tenant":"acme","name":"old""#);
    assert!(first < json.find("\"op\":\"put\""), "{json}");
    house.rollback(2);
    assert_eq!(house.dbid(Kind::IvrProfile, "acme", "old"), Some(101));
    house.reopen();
    assert_eq!(house.dbid(Kind::IvrProfile, "acme", "new"), None);
}
