//! Random transactions and rollbacks against a plain model of what the books should hold.

use std::collections::{BTreeMap, BTreeSet};

use configd::transaction::{Operation, Transaction, When};
use model::config::Kind;
use model::id::Revision;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::house::{House, admin, delete, documents, documents_of, profile, puts, sqlite, tenant};

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// Tenants with limits, and profiles of tenants, all in one transaction.
    Put(Vec<(usize, u32)>, Vec<(usize, usize)>),
    DeleteTenant(usize, bool),
    DeleteProfile(usize, usize),
    Rename(usize, usize),
    Rollback(prop::sample::Index),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let tenants = prop::collection::vec((0..4_usize, 0..3_u32), 0..3);
    let profiles = prop::collection::vec((0..4_usize, 0..3_usize), 0..3);
    prop_oneof![
        6 => (tenants, profiles).prop_map(|(tenants, profiles)| Step::Put(tenants, profiles)),
        2 => (0..4_usize, any::<bool>()).prop_map(|(tenant, all)| Step::DeleteTenant(tenant, all)),
        2 => (0..4_usize, 0..3_usize).prop_map(|(tenant, name)| Step::DeleteProfile(tenant, name)),
        2 => (0..4_usize, 1..4_usize).prop_map(|(from, by)| Step::Rename(from, (from + by) % 4)),
        2 => any::<prop::sample::Index>().prop_map(Step::Rollback),
        1 => Just(Step::Reopen),
    ]
}

/// What the books should hold: limits and owners, each with its number.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    tenants: BTreeMap<usize, (u32, u32)>,
    profiles: BTreeMap<(usize, usize), u32>,
}

#[derive(Debug)]
struct Model {
    history: Vec<Content>,
    next: (u32, u32),
    digests: Vec<String>,
}

impl Model {
    fn now(&self) -> Content {
        self.history.last().unwrap().clone()
    }

    /// The content that a step makes; `None`: it is refused.
    fn after(&mut self, step: &Step) -> Option<Content> {
        let mut now = self.now();
        let mut next = self.next;
        match step {
            Step::Put(tenants, profiles) => {
                let once: BTreeSet<_> = tenants.iter().map(|(tenant, _)| tenant).collect();
                let owned: BTreeSet<_> = profiles.iter().collect();
                if once.len() != tenants.len() || owned.len() != profiles.len() {
                    return None;
                }
                for (tenant, limit) in tenants {
                    let known = now.tenants.get(tenant).map(|(_, dbid)| *dbid);
                    let dbid = known.unwrap_or_else(|| take(&mut next.0));
                    now.tenants.insert(*tenant, (*limit, dbid));
                }
                for (tenant, name) in profiles {
                    now.tenants.get(tenant)?;
                    now.profiles.entry((*tenant, *name)).or_insert_with(|| take(&mut next.1));
                }
            }
            Step::DeleteTenant(tenant, all) => {
                let owns = now.profiles.keys().any(|(owner, _)| owner == tenant);
                if owns && !all {
                    return None;
                }
                now.tenants.remove(tenant)?;
                now.profiles.retain(|(owner, _), _| owner != tenant);
            }
            Step::DeleteProfile(tenant, name) => {
                now.profiles.remove(&(*tenant, *name))?;
            }
            Step::Rename(from, to) => {
                if now.tenants.contains_key(to) {
                    return None;
                }
                let (_, dbid) = now.tenants.remove(from)?;
                now.tenants.insert(*to, (7, dbid));
                let profiles = std::mem::take(&mut now.profiles).into_iter();
                let owner = |owner| if owner == *from { *to } else { owner };
                now.profiles = profiles.map(|((at, own), dbid)| ((owner(at), own), dbid)).collect();
            }
            Step::Rollback(to) => now = self.history[to.index(self.history.len())].clone(),
            Step::Reopen => {}
        }
        self.next = next;
        Some(now)
    }
}

fn take(next: &mut u32) -> u32 {
    *next += 1;
    *next - 1
}

fn name(tenant: usize) -> String {
    format!("t{tenant}")
}

fn transaction(step: &Step) -> Option<Transaction> {
    let one = |operation| Some(Transaction { operations: vec![operation], ..Default::default() });
    match step {
        Step::Put(tenants, profiles) => {
            let tenants = tenants.iter().map(|(at, limit)| tenant(&name(*at), *limit));
            let profiles = profiles.iter().map(|(at, own)| profile(&name(*at), &format!("p{own}")));
            let all: Vec<String> = profiles.chain(tenants).collect();
            Some(puts(&documents_of(&all)))
        }
        Step::DeleteTenant(at, cascade) => {
            let mut gone = delete(Kind::Tenant, "", &name(*at));
            if let Operation::Delete { cascade: own, .. } = &mut gone {
                *own = *cascade;
            }
            one(gone)
        }
        Step::DeleteProfile(at, own) => {
            one(delete(Kind::IvrProfile, &name(*at), &format!("p{own}")))
        }
        Step::Rename(from, to) => one(Operation::Put {
            document: documents(&tenant(&name(*to), 7)).remove(0),
            when: When::Always,
            rename_from: Some(name(*from)),
        }),
        Step::Rollback(_) | Step::Reopen => None,
    }
}

/// What the books hold, as the model has it.
fn content(house: &House) -> Content {
    let mut content = Content::default();
    let number = |text: &str| text.get(1..).unwrap().parse::<usize>().unwrap();
    for object in house.books().now().set.objects().skip(1) {
        let (key, dbid) = (&object.key, object.dbid.0);
        if key.kind == Kind::Tenant {
            let limit = object.json.pointer("/spec/policy/usage_limit").unwrap().as_u64().unwrap();
            content.tenants.insert(number(&key.name), (u32::try_from(limit).unwrap(), dbid));
        } else {
            content.profiles.insert((number(&key.tenant), number(&key.name)), dbid);
        }
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn the_books_hold_what_the_model_holds(steps in prop::collection::vec(step(), 1..25)) {
        let mut house = House::new(&sqlite());
        let mut model = Model {
            history: vec![Content::default()],
            next: (101, 101),
            digests: vec![house.digest()],
        };
        let mut watcher = house.books().watch(None).unwrap();
        for step in &steps {
            let expected = model.after(step);
            let done = match step {
                Step::Rollback(to) => {
                    let to = Revision(to.index(model.history.len()) as u64);
                    Some(house.run(house.books().rollback(to, "", false, &admin())))
                }
                Step::Reopen => {
                    house.reopen();
                    watcher = house.books().watch(None).unwrap();
                    None
                }
                _ => transaction(step).map(|transaction| house.transact(transaction)),
            };
            let was = model.now();
            if let Some(done) = done {
                prop_assert_eq!(done.is_ok(), expected.is_some(), "{:?}: {:?}", step, done.err());
            }
            if let Some(expected) = expected.filter(|expected| *expected != was) {
                model.history.push(expected);
                model.digests.push(house.digest());
                prop_assert_eq!(house.change(&mut watcher).1, house.digest());
            }
            agree(&house, &model)?;
        }
        for (revision, content) in model.history.iter().enumerate() {
            let at = house.run(house.books().at(Revision(revision as u64))).unwrap();
            prop_assert_eq!(at.digest.to_string(), &*model.digests[revision]);
            prop_assert_eq!(at.set.len(), 1 + content.tenants.len() + content.profiles.len());
        }
        // whatever has happened, a backup of it is one that is taken
        house.make_admin();
        let (backup, fresh) = (house.backup(), House::new(&sqlite()));
        for (house, replace) in [(&fresh, false), (&house, true)] {
            let restored = house.restore(&backup, replace);
            prop_assert!(restored.is_ok(), "{:?}", restored.err());
            prop_assert_eq!(&house.digest(), model.digests.last().unwrap());
        }
        let again = house.restore(&house.backup(), true);
        prop_assert!(again.is_ok(), "{:?}", again.err());
    }
}

fn agree(house: &House, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(content(house), model.now());
    prop_assert_eq!(house.revision(), model.history.len() as u64 - 1);
    prop_assert_eq!(&house.digest(), model.digests.last().unwrap());
    Ok(())
}
