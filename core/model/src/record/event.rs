//! Kinds `call.event` (rs.md §2.4) and `var` (rs.md §2.5).
//!
//! The grammar of `com.genesyslab.var.*` labels is evaluated over all events of a call in
//! `core/rs`; here both spellings are only carried.

use serde::Serialize;

use super::guid::CallGuid;
use super::word::{Level, VarResult, Verb};
use crate::id::LegId;

/// Something happened in a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CallEvent {
    /// GUID of the call; this or the session id is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<CallGuid>,
    /// RM's leg.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegId>,
    /// Session at the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Weight.
    pub level: Level,
    /// Name of the event.
    pub log_id: String,
    /// Payload; pipes separate fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Label of a VoiceXML `<log>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// What a voice application reports: by label and text, by verb and fields, or both.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Var {
    /// GUID of the call; this or the session id is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guid: Option<CallGuid>,
    /// Session at the component.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Label that begins with `com.genesyslab.var.`; this or the verb is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its text; with a verb: the notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What is told; wins over the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verb: Option<Verb>,
    /// Id of the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Id of its parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Result of the action or the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<VarResult>,
    /// Its reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Name of a custom variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
