//! Problems of a transaction, as whoever asked may read them.

use std::collections::BTreeSet;

use model::config::{Key, Set};
use model::schema::{Problem, Warning};
use model::tree::{Node, Value};

use super::resolve::Plan;
use super::state::State;
use crate::refusal::Refusal;
use crate::who::Scope;

/// What is only still referenced is in use; everything else is not valid.
pub(super) fn refusal(problems: Vec<Problem>) -> Refusal {
    let in_use = problems.iter().all(|problem| problem.code == "E203");
    if in_use { Refusal::InUse(problems) } else { Refusal::Invalid(problems) }
}

/// What a scoped token hears: no name of what it does not see, unless it said that name itself.
pub(super) fn for_scope(refusal: Refusal, state: &State, plan: &Plan, scope: &Scope) -> Refusal {
    if scope.is_all() {
        return refusal;
    }
    let mut said = BTreeSet::new();
    plan.puts.iter().for_each(|put| words(&put.document.root, &mut said));
    let mut known: BTreeSet<&str> = said.iter().map(String::as_str).collect();
    for object in state.set.objects().filter(|object| scope.sees(&state.set, &object.key)) {
        known.insert(&object.key.name);
        known.insert(&object.key.tenant);
    }
    let veil = |mut problems: Vec<Problem>| {
        for problem in &mut problems {
            // a schema's own words stand between quotes too, and tell of nobody
            if !problem.code.starts_with("E1") {
                problem.message = veiled(&problem.message, &known);
            }
        }
        problems
    };
    match refusal {
        Refusal::Invalid(problems) => Refusal::Invalid(veil(problems)),
        Refusal::InUse(mut problems) => {
            for problem in &mut problems {
                problem.message = "still referenced".to_owned();
            }
            Refusal::InUse(problems)
        }
        other => other,
    }
}

/// The warnings about what a scope sees.
pub(super) fn seen(warnings: Vec<Warning>, set: &Set, scope: &Scope) -> Vec<Warning> {
    if scope.is_all() {
        return warnings;
    }
    let sees = |warning: &Warning| {
        let key = warning.object.as_deref().and_then(Key::of);
        key.is_some_and(|key| scope.sees(set, &key))
    };
    warnings.into_iter().filter(sees).collect()
}

/// Everything between quotes that is not known becomes an ellipsis.
fn veiled(text: &str, known: &BTreeSet<&str>) -> String {
    let mut shown = String::new();
    for (at, part) in text.split('"').enumerate() {
        if at > 0 {
            shown.push('"');
        }
        let quoted = at % 2 == 1;
        shown.push_str(if quoted && !known.contains(part) { "…" } else { part });
    }
    shown
}

fn words(node: &Node, said: &mut BTreeSet<String>) {
    match &node.value {
        Value::Text(text) => {
            said.insert(text.clone());
        }
        Value::Seq(items) => items.iter().for_each(|item| words(item, said)),
        Value::Map(entries) => entries.iter().for_each(|(key, item)| {
            said.insert(key.text.clone());
            words(item, said);
        }),
        Value::Int(number) => {
            said.insert(number.to_string());
        }
        Value::Null | Value::Bool(_) | Value::Float(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_veiled() {
        let known = BTreeSet::from(["1800*", "a"]);
        let text = "DID \"1800*\" of group \"a\" overlaps \"18005*\" of tenant \"rival\"";
        let veiled = veiled(text, &known);
        assert_eq!(veiled, "DID \"1800*\" of group \"a\" overlaps \"…\" of tenant \"…\"");
    }
}
