//! Which tenants the names in `tenants=` stand for. A name is looked up once after the files were
//! read: from then on it is a number, and neither a rename nor another tenant of that name moves
//! what a reader may see (ADR 0056).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rs::share::SYNTHETIC;

use super::Users;

/// What is known of the names.
#[derive(Debug, Default)]
pub(super) struct Bindings(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    ids: BTreeMap<String, u32>,
    /// Of whom the log has told that nobody has the name.
    missed: BTreeSet<String>,
}

impl Bindings {
    fn id(&self, name: &str) -> Option<u32> {
        self.lock().ids.get(name).copied()
    }

    /// Whether nothing is known of it but the name.
    fn is_open(&self, name: &str) -> bool {
        self.id(name).is_none_or(|id| i64::from(id) >= SYNTHETIC)
    }

    /// True: nobody has the name, and this is the first time that it is found out.
    fn bind(&self, name: &str, id: Option<u32>) -> bool {
        let mut state = self.lock();
        match id {
            Some(id) => {
                state.ids.insert(name.to_owned(), id);
                false
            }
            None => state.missed.insert(name.to_owned()),
        }
    }

    /// The files are others now.
    pub(super) fn forget(&self) {
        *self.lock() = State::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Users {
    /// Names of tenants in the files that stand for none yet, or for one without a DBID.
    pub(crate) fn open_names(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.users.ask(|table| named(table.tenants()));
        if let Some(tokens) = &self.tokens {
            names.extend(tokens.ask(|tokens| named(tokens.tenants())));
        }
        names.retain(|name| self.bindings.is_open(name));
        names
    }

    /// The tenant of a name is this one from now on; `None`: no tenant has it, which is logged
    /// once.
    pub(crate) fn bind(&self, name: &str, id: Option<u32>) {
        if self.bindings.bind(name, id) {
            self.log.emit(36006, None, &[("tenant", name)]);
        }
    }

    /// The tenant that a name or a DBID of the files stands for.
    pub(crate) fn tenant(&self, named: &str) -> Option<u32> {
        named.parse().ok().or_else(|| self.bindings.id(named))
    }
}

/// Those that are no DBID.
fn named<'t>(tenants: impl Iterator<Item = &'t String>) -> BTreeSet<String> {
    tenants.filter(|tenant| tenant.parse::<u32>().is_err()).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_with_its_number_until_the_files_are_read_again() {
        let bindings = Bindings::default();
        assert!(bindings.is_open("acme") && bindings.id("acme").is_none());
        assert!(bindings.bind("acme", None), "told once");
        assert!(!bindings.bind("acme", None));
        // nothing but the name is known: a DBID may follow
        assert!(!bindings.bind("acme", Some(3_000_000_007)));
        assert!(bindings.is_open("acme") && bindings.id("acme") == Some(3_000_000_007));
        assert!(!bindings.bind("acme", Some(102)));
        assert!(!bindings.is_open("acme") && bindings.id("acme") == Some(102));
        bindings.forget();
        assert!(bindings.id("acme").is_none() && bindings.bind("acme", None));
    }
}
