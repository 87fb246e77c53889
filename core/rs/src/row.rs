//! The rows that a call is in the database (rs.md §3.2): what `server/rsd` writes as it stands.
//!
//! Plain fields in the order of the columns; times are UTC milliseconds, closed words are their
//! numbers (`model::record`). Objects are given by name and DBID: the store gives a synthetic id
//! to one that has no DBID. A row is derived from the call's facts, never changed in place.

use serde::Serialize;

use crate::key::Key;

/// Bits of the column `flags`.
pub mod flag {
    /// Some text was cut at its column's length.
    pub const TRUNCATED: u32 = 1;
    /// `ended_at` lay before `started_at` and was corrected.
    pub const END_CORRECTED: u32 = 2;
    /// An optional field had a wrong type; it is in `extra._bad`.
    pub const BAD_FIELDS: u32 = 4;
    /// Unknown fields did not fit into `extra`.
    pub const EXTRA_CUT: u32 = 8;
    /// A text was mended: no UTF-8, U+0000, half a surrogate pair.
    pub const REPAIRED: u32 = 16;
    /// Two adopters ended it in the same epoch (rs.md §2.9 rule 2); integrity counts these rows.
    pub const DOUBLE_END: u32 = 32;
    /// An end is there, but a later owner still carries the call (rule 3).
    pub const REOPENED: u32 = 64;
    /// A `start` is there.
    pub const HAS_START: u32 = 128;
    /// An `update` is there.
    pub const HAS_UPDATE: u32 = 256;
    /// An `end` is there.
    pub const HAS_END: u32 = 512;
    /// What it told of a person was erased, and is whatever comes (rs.md §8).
    pub const ERASED: u32 = 1024;
    /// RM's leg of its session, which lends to it, lies on another day and has the same tenants:
    /// lists by sessions show the session there (ADR 68).
    pub const LED: u32 = 2048;
}

/// One row of table `call`, and below what belongs to it in other tables.
///
/// A live call (`ended_ms` is `None`) is the same row in `call_live`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CallRow {
    /// `day` (`yyyymmdd`, UTC): the key says it ([`crate::key::call_day`]).
    pub day: u32,
    /// `call_key`.
    pub call_key: Key,
    /// `started_ms`.
    pub started_ms: i64,
    /// `answered_ms`.
    pub answered_ms: Option<i64>,
    /// `ended_ms`; `None` = in progress.
    pub ended_ms: Option<i64>,
    /// `duration_ms`; `None` = in progress.
    pub duration_ms: Option<i64>,
    /// `component_type`.
    pub component_type: u8,
    /// `component_id`: last owner.
    pub component: Named,
    /// `session_id`.
    pub session_id: String,
    /// `guid` in upper case.
    pub guid: Option<String>,
    /// `leg` as a number; RM's only.
    pub leg: Option<u32>,
    /// `epoch`.
    pub epoch: i64,
    /// `call_type`.
    pub call_type: u8,
    /// `tenant_id`: the leaf.
    pub tenant: Option<Named>,
    /// `profile_id`.
    pub profile: Option<ProfileName>,
    /// `service`.
    pub service: Option<u8>,
    /// `dn`.
    pub dn: Option<String>,
    /// `local_uri`.
    pub local_uri: String,
    /// `remote_uri`.
    pub remote_uri: String,
    /// `call_id`.
    pub call_id: Option<String>,
    /// `call_uuid`.
    pub call_uuid: Option<String>,
    /// `resource_group`.
    pub resource_group: Option<String>,
    /// `resource_name`.
    pub resource_name: Option<String>,
    /// `resource_dbid`.
    pub resource_dbid: Option<u32>,
    /// `resource_address`.
    pub resource_address: Option<String>,
    /// `attempts`.
    pub attempts: Option<i64>,
    /// `end_state`.
    pub end_state: Option<u8>,
    /// `sip_status`.
    pub sip_status: Option<u16>,
    /// `reason`.
    pub reason: Option<String>,
    /// `policy` as JSON.
    pub policy: Option<String>,
    /// `profile_usage`.
    pub profile_usage: Option<i64>,
    /// `profile_burst`.
    pub profile_burst: Option<u8>,
    /// `asr_used`.
    pub asr_used: Option<bool>,
    /// `tts_used`.
    pub tts_used: Option<bool>,
    /// `media` as JSON.
    pub media: Option<String>,
    /// `origin`.
    pub origin: Option<String>,
    /// `parent_key`, where the parent is a leg of RM; `extra.parent` always names the parent.
    pub parent_key: Option<Key>,
    /// `sq_failed`.
    pub sq_failed: Option<bool>,
    /// `config_rev`.
    pub config_rev: Option<i64>,
    /// `flags`: bits of [`flag`].
    pub flags: u32,
    /// `extra` as a JSON object with sorted keys; `None` = empty.
    pub extra: Option<String>,

    /// Table `call_tenant`: replaces all rows of this key; root first.
    pub tenants: Vec<TenantRow>,
    /// Table `call_owner`: replaces all rows of this key; empty = never adopted.
    pub owners: Vec<OwnerRow>,
    /// Table `var_call`, as far as the media server computed it itself.
    pub outcome: Option<OutcomeRow>,
}

/// An object by DBID, name or both.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
pub struct Named {
    /// Its DBID; `None`: the store finds or makes a synthetic id for the name.
    pub dbid: Option<u32>,
    /// Its name.
    pub name: Option<String>,
}

/// A profile and what `dim_profile` keeps of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ProfileName {
    /// Its DBID.
    pub dbid: Option<u32>,
    /// Its name.
    pub name: Option<String>,
    /// Its service.
    pub service: Option<u8>,
}

/// One row of `call_tenant`; `started_ms` is copied from the call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TenantRow {
    /// `tenant_id`.
    pub tenant: Named,
    /// `depth`: 0 = root.
    pub depth: u32,
    /// `usage`.
    pub usage: Option<i64>,
    /// `burst`.
    pub burst: Option<u8>,
}

/// One row of `call_owner`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OwnerRow {
    /// `n`, from 1 in order of time.
    pub n: u32,
    /// `component_id`.
    pub component: Named,
    /// `from_ms`.
    pub from_ms: i64,
}

/// What `var_call` knows from the call's own records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OutcomeRow {
    /// `result`.
    pub result: Option<u8>,
    /// `reason`.
    pub reason: Option<String>,
    /// `notes`.
    pub notes: Option<String>,
}

impl CallRow {
    /// Whether the call is in progress.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.ended_ms.is_none()
    }
}
