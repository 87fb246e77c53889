//! What a list of calls is filtered by: typed values, for SQL with parameters.
//!
//! Conditions of different fields are AND-ed, values of one field are OR-ed, an empty list is no
//! condition. Fields name columns of table `call` (rs.md §3.2) unless they say otherwise.

use model::config::Service;
use model::record::{CallGuid, CallType, ComponentType, EndState};
use model::time::Millis;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// Before the user of a URI that may hold a number.
const SCHEMES: [&str; 3] = ["sip:", "sips:", "tel:"];
/// What the user of a URI ends with: the host, a parameter, a password.
const ENDS: [char; 3] = ['@', ';', ':'];

/// A filter of calls.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Calls in progress (`ended_ms` is null), completed ones, or both.
    pub progress: Progress,
    /// `component_type`.
    pub component_type: Option<ComponentType>,
    /// `started_ms` is greater than this.
    pub started_after: Option<Millis>,
    /// `started_ms` is less than this.
    pub started_before: Option<Millis>,
    /// `ended_ms` is greater than this.
    pub ended_after: Option<Millis>,
    /// `ended_ms` is less than this.
    pub ended_before: Option<Millis>,
    /// `profile_id`, aliases included.
    pub profiles: Vec<u32>,
    /// `call_tenant.tenant_id`, aliases included: calls carry the tenant's whole path, so
    /// descendants are included.
    pub tenants: Vec<u32>,
    /// The same beside it: what the asker may see. `None` is everything, of an empty list it is
    /// nothing. A session is shown by the first of its legs that meets it.
    pub scope: Option<Vec<u32>>,
    /// `dn`.
    pub numbers: Vec<Number>,
    /// `component_id`, aliases included.
    pub components: Vec<u32>,
    /// `remote_uri`, compared without case.
    pub remote_uris: Vec<Uri>,
    /// `local_uri`, compared without case.
    pub local_uris: Vec<Uri>,
    /// `session_id`.
    pub session_id: Option<String>,
    /// `guid`, in the upper-case form of its `Display`.
    pub guid: Option<CallGuid>,
    /// `call_uuid`.
    pub call_uuid: Option<String>,
    /// `call_id`.
    pub call_id: Option<String>,
    /// `sip_status`.
    pub sip_status: Option<u16>,
    /// The dialled number, or the user of either URI.
    pub party: Option<Party>,
    /// `call_type`.
    pub call_types: Vec<CallType>,
    /// `end_state`.
    pub end_states: Vec<EndState>,
    /// `service`.
    pub services: Vec<Service>,
    /// The duration is at least this, in ms; of a live call: up to now.
    pub duration_min: Option<u64>,
    /// The duration is at most this, in ms; of a live call: up to now.
    pub duration_max: Option<u64>,
}

/// Which calls by their progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Progress {
    /// All.
    #[default]
    All,
    /// In progress.
    Live,
    /// Completed.
    Completed,
}

/// What is one item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A session: all legs of one GUID, shown by the first of them.
    Guid,
    /// A leg: one record.
    Leg,
}

/// A condition on a dialled number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Number {
    /// Equal.
    Exact(String),
    /// Begins with this (which may be empty: every number).
    Prefix(String),
    /// A number of the same count of digits, nothing but digits, from the first to the last. As
    /// text of one length, digits order like numbers.
    Range {
        /// The smallest.
        from: String,
        /// The largest.
        to: String,
    },
}

/// A number wherever it stands in a call: dialled, or as the user of the local or remote URI, with
/// or without the `+` in front.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Party {
    /// The number without `+`.
    pub number: String,
    /// Whether the number only begins with it.
    pub prefix: bool,
}

/// A condition on a URI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uri {
    /// The text in lower case (ASCII).
    pub text: String,
    /// Whether the URI only begins with it.
    pub prefix: bool,
}

impl Party {
    /// What a URI is or begins with, where the number is its user: that ends with the host, a
    /// parameter, a password or the URI.
    #[must_use]
    pub fn users(&self) -> Vec<Uri> {
        let mut all = Vec::new();
        for (scheme, plus) in SCHEMES.iter().flat_map(|scheme| [(scheme, ""), (scheme, "+")]) {
            let user = format!("{scheme}{plus}{}", self.number.to_ascii_lowercase());
            if !self.prefix {
                let ended = ENDS.map(|end| Uri { text: format!("{user}{end}"), prefix: true });
                all.extend(ended);
            }
            all.push(Uri { text: user, prefix: self.prefix });
        }
        all
    }

    /// The number as one that was dialled.
    #[must_use]
    pub fn dialled(&self) -> Number {
        match self.prefix {
            true => Number::Prefix(self.number.clone()),
            false => Number::Exact(self.number.clone()),
        }
    }
}

impl Filter {
    /// Whether it asks for one call by an id.
    #[must_use]
    pub fn names_a_call(&self) -> bool {
        self.session_id.is_some() || self.guid.is_some() || self.call_uuid.is_some()
    }

    /// Whether it may read the calls of more than a day: it has no such bounds, and neither names a
    /// call nor asks for those in progress, of which there is a list.
    #[must_use]
    pub fn is_heavy(&self, now: Millis) -> bool {
        let from = self.started_after.or(self.ended_after).map_or(0, |from| from.0);
        let before = self.started_before.or(self.ended_before).unwrap_or(now);
        // bounds are exclusive
        let more = before.0.min(now.0).saturating_sub(from) > DAY_MS + 1;
        more && self.progress != Progress::Live && !self.names_a_call()
    }

    /// Whether any bound of time is set.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let started = self.started_after.or(self.started_before);
        started.or(self.ended_after).or(self.ended_before).is_some()
    }
}

impl Number {
    /// Whether a number in normal form meets the condition.
    #[must_use]
    pub fn matches(&self, dn: &str) -> bool {
        match self {
            Self::Exact(number) => dn == number,
            Self::Prefix(prefix) => dn.starts_with(prefix.as_str()),
            Self::Range { from, to } => {
                dn.len() == from.len()
                    && dn.bytes().all(|b| b.is_ascii_digit())
                    && (from.as_str()..=to.as_str()).contains(&dn)
            }
        }
    }
}

impl Uri {
    /// Whether a URI meets the condition.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        let uri = uri.to_ascii_lowercase();
        if self.prefix { uri.starts_with(&self.text) } else { uri == self.text }
    }
}
