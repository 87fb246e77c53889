//! Who did what, tried to, or was kept from it (ops.md §1.8).
//!
//! Lines are added, never changed. What is done is in the audit by the transaction that does it;
//! what is refused, tried or looked for gets its line a moment later.

use config::settings::Access;

use super::Books;
use super::desk::Desk;
use crate::limits::{MAX_AUDIT_OBJECT, MAX_AUDIT_OBJECTS, MAX_LIST, MAX_TEXT};
use crate::refusal::Refusal;
use crate::store::{AuditQuery, AuditRow};
use crate::transaction::{Operation, Transaction};
use crate::who::Who;

/// The words of roles.
pub(crate) const ROLES: [(Access, &str); 4] = [
    (Access::None, "none"),
    (Access::Reader, "reader"),
    (Access::Editor, "editor"),
    (Access::Admin, "admin"),
];

/// The word of a role.
#[must_use]
pub fn role_word(role: Access) -> &'static str {
    ROLES.iter().find(|(own, _)| *own == role).map_or("none", |(_, word)| word)
}

/// The role of a word.
#[must_use]
pub fn role_of(word: &str) -> Option<Access> {
    ROLES.iter().find(|(_, own)| *own == word).map(|(role, _)| *role)
}

impl Books {
    /// Notes what was kept from somebody before it came to the books: a login that failed, a role
    /// or a scope that does not allow it.
    pub fn note_refused(&self, action: &str, objects: &[String], refusal: &Refusal, who: &Who) {
        self.desk.refused(action, objects.to_vec(), refusal, who);
    }

    /// Notes what was done outside of the books: a log level, for example.
    pub fn note_done(&self, action: &str, objects: &[String], who: &Who) {
        self.desk.noted(AuditRow { objects: objects.to_vec(), ..self.desk.line(action, who) });
    }

    /// Lines of the audit, newest first, at most 1,000 and of a page's bytes.
    ///
    /// # Errors
    /// `forbidden` to all but admins of all tenants; the store.
    pub async fn audit(&self, mut query: AuditQuery, who: &Who) -> Result<Vec<AuditRow>, Refusal> {
        who.needs(Access::Admin)?;
        who.needs_all_tenants()?;
        query.limit = query.limit.min(MAX_LIST);
        // what was noted before is written before
        self.write(|_| Ok(())).await?;
        self.read(move |desk| desk.asked(desk.store.audit(&query))).await
    }
}

impl Desk {
    /// A line that says `ok`, of no object.
    pub(super) fn line(&self, action: &str, who: &Who) -> AuditRow {
        AuditRow {
            seq: 0,
            time: self.time(),
            actor: who.actor.clone(),
            token_id: who.token.clone(),
            role: role_word(who.role).to_owned(),
            source: who.source.clone(),
            action: action.to_owned(),
            objects: Vec::new(),
            outcome: "ok".to_owned(),
            problem: None,
            revision: None,
            request_id: who.request_id.clone(),
        }
    }

    /// A line for what was refused.
    pub(super) fn refused(&self, action: &str, objects: Vec<String>, refusal: &Refusal, who: &Who) {
        let problem: String = refusal.to_string().chars().take(MAX_TEXT).collect();
        let outcome = refusal.entry().name.to_owned();
        who.noted.note();
        self.noted(AuditRow { objects, outcome, problem: Some(problem), ..self.line(action, who) });
    }

    /// Writes a line a moment later, and logs it at once.
    pub(super) fn noted(&self, mut line: AuditRow) {
        line.objects = brief(line.objects);
        self.log_audit(&line);
        self.queue.line(line);
    }

    /// The line in the log.
    pub(super) fn log_audit(&self, line: &AuditRow) {
        let objects = line.objects.join(", ");
        let revision = line.revision.map(|revision| revision.to_string());
        self.log.emit(
            40001,
            None,
            &[
                ("actor", &line.actor),
                ("role", &line.role),
                ("source", &line.source),
                ("action", &line.action),
                ("objects", &objects),
                ("outcome", &line.outcome),
                ("problem", line.problem.as_deref().unwrap_or_default()),
                ("revision", revision.as_deref().unwrap_or_default()),
                ("request", &line.request_id),
            ],
        );
    }
}

/// Objects as a line names them: so many, each with so many characters.
fn brief(objects: Vec<String>) -> Vec<String> {
    let cut = |object: String| match object.char_indices().nth(MAX_AUDIT_OBJECT) {
        Some((end, _)) => object.get(..end).unwrap_or_default().to_owned() + "…",
        None => object,
    };
    objects.into_iter().take(MAX_AUDIT_OBJECTS).map(cut).collect()
}

/// What a transaction is about, as far as it says so.
pub(super) fn objects(transaction: &Transaction) -> Vec<String> {
    let text = |operation: &Operation| match operation {
        Operation::Put { document, .. } => {
            super::resolve::head(&document.root).map(|key| key.to_string())
        }
        Operation::Delete { target, .. } => Some(target.to_string()),
    };
    transaction.operations.iter().filter_map(text).take(MAX_AUDIT_OBJECTS).collect()
}
