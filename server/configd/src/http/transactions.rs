//! `POST /v1/transactions`: several changes at once, whole or not at all (ops.md §1.5).

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use model::config::Kind;
use model::id::Revision;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::access::Asked;
use super::body::{self, Form};
use super::counters;
use super::problem;
use super::query::{Query, malformed};
use super::{Shared, limits};
use crate::refusal::Refusal;
use crate::transaction::{Name, Operation, Outcome, Target, Transaction, When};
use crate::who::Who;

/// The JSON form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    base_revision: Option<u64>,
    operations: Vec<Step>,
}

/// One operation of it.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Step {
    Put {
        object: Json,
        #[serde(default)]
        if_match: Option<u64>,
        #[serde(default)]
        rename_from: Option<String>,
    },
    Delete {
        kind: String,
        #[serde(default)]
        tenant: Option<String>,
        name: String,
        #[serde(default)]
        if_match: Option<u64>,
        #[serde(default)]
        cascade: bool,
    },
}

/// `POST /v1/transactions`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let mut query = Query::of(&uri)?;
    let dry_run = query.flag("dry_run")?;
    let why = query.text("message")?;
    let prune = query.text("prune")?;
    let prune = prune.map(|text| Query::label("prune", &text)).transpose()?;
    let base_revision = query.revision("base_revision")?;
    query.finish()?;
    let form = Form::of(&headers)?;
    let bytes = body::read(&headers, body, limits::TRANSACTION, shared.times.body).await?;
    let mut transaction = match form {
        Form::Json => body::off(move || given(&bytes)).await?,
        Form::Yaml | Form::Ndjson => puts(form, bytes).await?,
    };
    transaction.dry_run = dry_run;
    transaction.prune = prune;
    transaction.base_revision = base_revision.or(transaction.base_revision);
    if let Some(why) = why {
        transaction.message = message(Some(why))?;
    }
    let outcome = transact(&shared, transaction, &asked.who).await?;
    Ok(asked.wanted.ok(&told(&outcome)))
}

fn given(bytes: &Bytes) -> Result<Transaction, Refusal> {
    let given: Given = body::fields(bytes)?;
    if given.operations.len() > limits::OPERATIONS {
        return Err(too_many(given.operations.len()));
    }
    let when = |revision: Option<u64>| revision.map_or(When::Always, |at| When::At(Revision(at)));
    let mut operations = Vec::with_capacity(given.operations.len());
    for (number, step) in (1..).zip(given.operations) {
        operations.push(match step {
            Step::Put { object, if_match, rename_from } => {
                let size = size(&object);
                if size > limits::DOCUMENT {
                    let most = model::units::print_size(limits::DOCUMENT as u64);
                    let text = format!("E002: document {number} is larger than {most}");
                    return Err(Refusal::TooLarge(text));
                }
                let document = body::document(&object, number, size)?;
                Operation::Put { document, when: when(if_match), rename_from }
            }
            Step::Delete { kind, tenant, name, if_match, cascade } => {
                let kind = Kind::parse(&kind)
                    .ok_or_else(|| malformed(format!("operation {number}: no such kind")))?;
                let target = Target { kind, tenant, name: Name::parse(&name) };
                Operation::Delete { target, when: when(if_match), cascade }
            }
        });
    }
    let base_revision = given.base_revision.map(Revision);
    let message = message(given.message)?;
    Ok(Transaction { message, base_revision, operations, ..Transaction::default() })
}

/// Bytes of a value as text.
fn size(json: &Json) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // counting does not fail
    let _written = serde_json::to_writer(&mut count, json);
    count.0
}

async fn puts(form: Form, bytes: Bytes) -> Result<Transaction, Refusal> {
    let documents = body::documents(form, bytes).await?;
    if documents.len() > limits::OPERATIONS {
        return Err(too_many(documents.len()));
    }
    let put = |document| Operation::Put { document, when: When::Always, rename_from: None };
    let operations = documents.into_iter().map(put).collect();
    Ok(Transaction { operations, ..Transaction::default() })
}

fn too_many(count: usize) -> Refusal {
    let most = limits::OPERATIONS;
    Refusal::TooLarge(format!("operations: {count} exceeds the limit of {most}"))
}

/// Why something is changed.
pub(super) fn message(text: Option<String>) -> Result<String, Refusal> {
    let text = text.unwrap_or_default();
    if text.chars().count() > limits::MESSAGE {
        return Err(malformed(format!("message: at most {} characters", limits::MESSAGE)));
    }
    Ok(text)
}

/// Does it, counted and timed. Also when whoever asked does not wait for the end.
pub(super) async fn transact(
    shared: &Arc<Shared>,
    transaction: Transaction,
    who: &Who,
) -> Result<Outcome, Refusal> {
    let (shared, who) = (Arc::clone(shared), who.clone());
    let work = async move {
        let (begun, dry_run) = (shared.clock.mono(), transaction.dry_run);
        let outcome = shared.books.transact(transaction, &who).await;
        if !dry_run {
            shared.counters.apply.observe(shared.clock.mono().saturating_sub(begun));
        }
        count(&shared, &outcome, dry_run);
        outcome
    };
    // it fails only when the runtime ends
    tokio::spawn(work).await.unwrap_or(Err(Refusal::Busy))
}

/// Counts the end of a transaction.
pub(super) fn count(shared: &Shared, outcome: &Result<Outcome, Refusal>, dry_run: bool) {
    shared.counters.transaction(match outcome {
        Ok(_) if dry_run => counters::Outcome::DryRun,
        Ok(outcome) if outcome.changed == 0 => counters::Outcome::Unchanged,
        Ok(_) => counters::Outcome::Applied,
        Err(refusal) => counters::Outcome::of(refusal),
    });
}

/// What came of it, as it is answered.
pub(super) fn told(outcome: &Outcome) -> Json {
    let mut told = json!({
        "revision": outcome.revision,
        "changed": outcome.changed,
        "diff": outcome.diff,
        "impact": outcome.impact,
        "warnings": outcome.warnings.iter().map(problem::error).collect::<Vec<_>>(),
    });
    if let Some(would_be) = outcome.would_be {
        told["would_be"] = json!(would_be);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Transaction, String> {
        given(&Bytes::from(text.to_owned())).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_json_form_has_operations() {
        let transaction = read(
            r#"{"message":"why","base_revision":41,"operations":[
                {"op":"put","object":{"kind":"Tenant","name":"a"},"if_match":17,"rename_from":"b"},
                {"op":"delete","kind":"didgroup","tenant":"acme","name":"dbid:105"}]}"#,
        )
        .unwrap();
        assert_eq!(transaction.base_revision, Some(Revision(41)));
        assert_eq!(transaction.message, "why");
        let [Operation::Put { when, rename_from, document }, Operation::Delete { target, .. }] =
            transaction.operations.as_slice()
        else {
            panic!("{transaction:?}")
        };
        assert_eq!((*when, rename_from.as_deref()), (When::At(Revision(17)), Some("b")));
        assert_eq!((document.number, document.size), (1, 28));
        assert_eq!(target.to_string(), "DidGroup with dbid 105 of tenant \"acme\"");
    }

    #[test]
    fn what_is_no_transaction_is_told() {
        for (text, told) in [
            ("{}", "missing field `operations`"),
            (r#"{"operations":[],"x":1}"#, "unknown field `x`"),
            (r#"{"operations":[{"op":"make"}]}"#, "unknown variant `make`"),
            (r#"{"operations":[{"op":"put","object":[]}]}"#, "document 1 is not an object"),
            (r#"{"operations":[{"op":"delete","kind":"X","name":"a"}]}"#, "no such kind"),
            ("[", "line 1 column 1"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }
}
