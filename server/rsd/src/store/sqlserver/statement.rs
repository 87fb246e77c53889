//! The statements of this dialect: nothing is run that is not in the list, for only this file can
//! make one. An independent parser of T-SQL reads the whole list in the tests.

/// A text of T-SQL with a name; values are `@P1`, `@P2`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    name: &'static str,
    sql: &'static str,
}

impl Statement {
    /// Its name in the list.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its text.
    #[must_use]
    pub const fn sql(&self) -> &'static str {
        self.sql
    }

    /// The whole list.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let staged = save::STAGED.iter().flat_map(|staged| staged.statements());
        let all = [schema::ALL, accounts::ALL, save::ALL, load::ALL, ask::ALL, custody::ALL];
        let all = all.into_iter().chain([
            keeping::ALL,
            due::ALL,
            bins::ALL,
            bins_gone::ALL,
            facts::ALL,
            owned::ALL,
            erasing::ALL,
            exporting::ALL,
        ]);
        all.flatten().chain(staged)
    }
}

/// Makes statements and their list.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(in crate::store::sqlserver) const $name: Statement =
            Statement { name: stringify!($name), sql: $sql };)*
        pub(super) const ALL: &[Statement] = &[$($name),*];
    };
}

pub(super) mod accounts;
pub(super) mod ask;
pub(super) mod bins;
pub(super) mod bins_gone;
pub(super) mod custody;
pub(super) mod due;
pub(super) mod erasing;
pub(super) mod exporting;
pub(super) mod facts;
pub(super) mod keeping;
pub(super) mod load;
pub(super) mod owned;
pub(super) mod save;
pub(super) mod schema;
