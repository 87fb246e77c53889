//! Reads kinds `call.event` (rs.md §2.4) and `var` (rs.md §2.5).

use super::call_of;
use super::fields::{Fields, Log};
use super::shape::{leg, name, text, text_bytes, word};
use crate::record::event::{CallEvent, Var};
use crate::record::limits::{
    ID_CHARS, LABEL_CHARS, NOTES_BYTES, REASON_CHARS, TEXT_CHARS, VALUE_CHARS, WORD_CHARS,
};
use crate::record::refusal::Refusal;
use crate::record::word::{Level, VarResult, Verb};

pub(super) fn call_event(fields: &mut Fields<'_>, log: &mut Log) -> Result<CallEvent, Refusal> {
    let (guid, session_id) = call_of(fields, log)?;
    Ok(CallEvent {
        guid,
        leg: fields.optional(log, "leg", leg),
        session_id,
        level: fields.required(log, "level", word(Level::parse))?,
        log_id: fields.required(log, "log_id", name(WORD_CHARS))?,
        text: fields.optional(log, "text", text(TEXT_CHARS)),
        label: fields.optional(log, "label", text(LABEL_CHARS)),
    })
}

pub(super) fn var(fields: &mut Fields<'_>, log: &mut Log) -> Result<Var, Refusal> {
    let (guid, session_id) = call_of(fields, log)?;
    let label = fields.optional(log, "label", name(LABEL_CHARS));
    let verb = match label {
        Some(_) => fields.optional(log, "verb", word(Verb::parse)),
        None => Some(fields.required(log, "verb", word(Verb::parse))?),
    };
    Ok(Var {
        guid,
        session_id,
        label,
        text: fields.optional(log, "text", text_bytes(NOTES_BYTES)),
        verb,
        action: fields.optional(log, "action", text(ID_CHARS)),
        parent: fields.optional(log, "parent", text(ID_CHARS)),
        result: fields.optional(log, "result", word(VarResult::parse)),
        reason: fields.optional(log, "reason", text(REASON_CHARS)),
        name: fields.optional(log, "name", text(ID_CHARS)),
        value: fields.optional(log, "value", text(VALUE_CHARS)),
    })
}
