//! The services of the platform, with their numbers in the Record-Route token.
//!
//! A closed list (rm.md §1.4); what a service means on the wire is `core/rm`'s. Stage select asks
//! for a call's service, stage place for the groups that offer it.

use std::fmt;

use serde::{Serialize, Serializer};

/// A service that a profile asks for and a group offers. The numbers are on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Service {
    /// VoiceXML dialogs.
    Voicexml = 1,
    /// CCXML sessions.
    Ccxml = 2,
    /// MSML.
    Msml = 3,
    /// Conferences.
    Conference = 4,
    /// Announcements.
    Announcement = 5,
    /// Call progress detection.
    Cpd = 6,
    /// Bare media.
    Media = 7,
    /// Calls to the outside.
    Gateway = 8,
    /// CTI connectors.
    Cti = 9,
    /// The recorded side of a call recording.
    Recordingclient = 10,
    /// Recorders.
    Recordingserver = 11,
    /// Recording of a call by profile.
    Record = 12,
}

impl Service {
    /// All services, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Voicexml,
        Self::Ccxml,
        Self::Msml,
        Self::Conference,
        Self::Announcement,
        Self::Cpd,
        Self::Media,
        Self::Gateway,
        Self::Cti,
        Self::Recordingclient,
        Self::Recordingserver,
        Self::Record,
    ];

    /// Its name, as in configuration and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voicexml => "voicexml",
            Self::Ccxml => "ccxml",
            Self::Msml => "msml",
            Self::Conference => "conference",
            Self::Announcement => "announcement",
            Self::Cpd => "cpd",
            Self::Media => "media",
            Self::Gateway => "gateway",
            Self::Cti => "cti",
            Self::Recordingclient => "recordingclient",
            Self::Recordingserver => "recordingserver",
            Self::Record => "record",
        }
    }

    /// The service that a user part names (rm.md §3.3), compared without case.
    #[must_use]
    pub fn of_user(user: &str) -> Option<Self> {
        // all of them are words
        if user.starts_with(|first: char| !first.is_ascii_alphabetic()) {
            return None;
        }
        let (name, id) = match user.split_once('=') {
            Some((name, id)) => (name, Some(id)),
            None => (user, None),
        };
        let is = |word: &str| name.eq_ignore_ascii_case(word);
        match id {
            None if is("dialog") => Some(Self::Voicexml),
            None if is("ccxml") => Some(Self::Ccxml),
            None if is("annc") => Some(Self::Announcement),
            None if is("cpd") => Some(Self::Cpd),
            None if is("media") => Some(Self::Media),
            _ if is("msml") => Some(Self::Msml),
            Some(id) if is("conf") && !id.is_empty() => Some(Self::Conference),
            Some(id) if is("record") && !id.is_empty() => Some(Self::Recordingserver),
            _ => None,
        }
    }

    /// The service of this name (exactly as [`Service::as_str`] spells it).
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == name)
    }

    /// The service of this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.number() == number)
    }

    /// Its number, 1–12.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Its place in a list with one cell per service, 0–11.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.number() - 1)
    }

    /// The service of the legs that ask for it: those of `record` are recorded as a client's.
    #[must_use]
    pub fn of_legs(self) -> Self {
        match self {
            Self::Record => Self::Recordingclient,
            service => service,
        }
    }

    /// Whether a group that offers it must offer nothing else.
    #[must_use]
    pub fn stands_alone(self) -> bool {
        matches!(self, Self::Gateway | Self::Cti | Self::Recordingserver)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A set of services.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServiceSet(u16);

impl ServiceSet {
    /// Adds a service.
    pub fn insert(&mut self, service: Service) {
        self.0 |= 1 << service.number();
    }

    /// Whether the service is in it.
    #[must_use]
    pub fn contains(self, service: Service) -> bool {
        self.0 & 1 << service.number() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Service, ServiceSet};

    #[test]
    fn names_and_numbers_go_there_and_back() {
        for (at, service) in Service::ALL.into_iter().enumerate() {
            assert_eq!(service.index(), at);
            assert_eq!(Service::parse(service.as_str()), Some(service));
            assert_eq!(Service::from_number(service.number()), Some(service));
        }
        assert_eq!(Service::parse("VoiceXML"), None);
        assert_eq!((Service::from_number(0), Service::from_number(13)), (None, None));
        assert_eq!(Service::Record.number(), 12);
    }

    #[test]
    fn set() {
        let mut set = ServiceSet::default();
        set.insert(Service::Record);
        assert!(set.contains(Service::Record) && !set.contains(Service::Voicexml));
    }

    #[test]
    fn services_by_user_part() {
        for (user, expected) in [
            ("dialog", Some(Service::Voicexml)),
            ("Dialog", Some(Service::Voicexml)),
            ("ccxml", Some(Service::Ccxml)),
            ("conf=team7", Some(Service::Conference)),
            ("conf=", None),
            ("conf", None),
            ("annc", Some(Service::Announcement)),
            ("msml", Some(Service::Msml)),
            ("msml=x", Some(Service::Msml)),
            ("cpd", Some(Service::Cpd)),
            ("record=7", Some(Service::Recordingserver)),
            ("media", Some(Service::Media)),
            ("18005550100", None),
            ("dialogue", None),
        ] {
            assert_eq!(Service::of_user(user), expected, "{user}");
        }
    }
}
