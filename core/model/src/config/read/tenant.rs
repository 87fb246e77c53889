//! Tenants.

use super::head::Head;
use super::policy::{PolicyDraft, parameters, policy};
use crate::config::limits::{MAX_ALIAS, MAX_NAME};
use crate::config::{KeptDays, Parameter};
use crate::schema::{Object, Placed};

/// A tenant as it was written.
#[derive(Clone, Debug)]
pub(crate) struct TenantDraft {
    pub(crate) head: Head,
    /// How long the Reporting Server keeps what is of it.
    pub(crate) kept: KeptDays,
    /// `None`: not given.
    pub(crate) parent: Option<Placed<String>>,
    pub(crate) aliases: Vec<Placed<String>>,
    pub(crate) default_profile: Option<Placed<String>>,
    pub(crate) policy: PolicyDraft,
    pub(crate) parameters: Vec<Parameter>,
}

pub(super) fn read((head, kept): (Head, KeptDays), spec: &Object<'_>) -> Option<TenantDraft> {
    let name = |key| {
        let field = spec.get(key)?;
        field.text_up_to(MAX_NAME).map(|name| field.placed(name.to_owned()))
    };
    let draft = TenantDraft {
        parent: name("parent"),
        aliases: aliases(spec),
        default_profile: name("default_profile"),
        policy: policy(spec, head.kind.as_str()),
        parameters: parameters(spec),
        head,
        kept,
    };
    if let (Some(parent), "Environment") = (&draft.parent, &*draft.head.name.value) {
        spec.report(parent.place.problem(
            "E105",
            format!("\"{}\" is not a valid parent: Environment has none", parent.value),
        ));
        return None;
    }
    Some(draft)
}

fn aliases(spec: &Object<'_>) -> Vec<Placed<String>> {
    let list = spec.get("aliases").and_then(|field| field.list()).unwrap_or_default();
    let alias = |field: &crate::schema::Field<'_>| {
        let alias = field.text_up_to(MAX_ALIAS)?;
        if alias.is_empty() {
            return field.invalid("alias", "it is empty");
        }
        Some(field.placed(alias.to_owned()))
    };
    list.iter().filter_map(alias).collect()
}
