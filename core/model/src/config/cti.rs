//! What a group of CTI connectors, and a gateway in front of them, say of calls that go through
//! them (rm.md §3.5).
//!
//! Plain data of a snapshot; stage select asks whether a call goes to a connector, stage forward
//! what is to happen when none takes it.

use super::{Service, StatusSet};

/// Whether calls of a gateway go to a CTI connector (`use_cti`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UseCti {
    /// Never.
    #[default]
    Never,
    /// At once, before a profile is looked for.
    AtOnce,
    /// With the profile that the call has got, unless that one forbids it.
    WithProfile,
}

/// What a group of connectors says of its failures; what it does not say, the options do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cti {
    /// `cti_unavailable_respcode`: answers of a connector after which no other one is asked.
    pub stops: Option<StatusSet>,
    /// `cti_unavailable_action`: what follows such an answer.
    pub stopped: Option<CtiAction>,
    /// `fail_over_cti_handling`: what follows when all connectors have failed.
    pub exhausted: CtiAction,
}

/// What becomes of a call that no connector takes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum CtiAction {
    /// It is refused.
    #[default]
    Reject,
    /// It gets the service of its profile, as if there were no CTI.
    Answer,
    /// It gets this service with this page.
    Script {
        /// One that takes a page: voicexml, ccxml or announcement.
        service: Service,
        /// The page.
        url: String,
    },
}

impl CtiAction {
    /// Reads `reject`, `answer` or `script;<service>;<URL>`; `None` if it is none of them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "reject" => return Some(Self::Reject),
            "answer" => return Some(Self::Answer),
            _ => {}
        }
        let (service, url) = text.strip_prefix("script;")?.split_once(';')?;
        let service = Service::parse(service).filter(|service| {
            matches!(service, Service::Voicexml | Service::Ccxml | Service::Announcement)
        })?;
        let plain = !url.contains(|c: char| c.is_whitespace() || c.is_control());
        let absolute = ["http://", "https://", "file://"].iter().any(|scheme| {
            url.len() > scheme.len()
                && url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
        });
        (plain && absolute).then(|| Self::Script { service, url: url.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::{CtiAction, Service};

    #[test]
    fn the_three_actions() {
        let script = |service, url: &str| Some(CtiAction::Script { service, url: url.to_owned() });
        for (text, expected) in [
            ("reject", Some(CtiAction::Reject)),
            ("answer", Some(CtiAction::Answer)),
            (
                "script;voicexml;http://a.example/x.vxml?a=1;b=2",
                script(Service::Voicexml, "http://a.example/x.vxml?a=1;b=2"),
            ),
            ("script;ccxml;HTTPS://a.example/x", script(Service::Ccxml, "HTTPS://a.example/x")),
            ("script;msml;http://a.example/x", None),
            ("script;voicexml;x.vxml", None),
            ("script;voicexml;http://", None),
            ("script;voicexml;http://a b", None),
            ("script;voicexml", None),
            ("Reject", None),
            ("", None),
        ] {
            assert_eq!(CtiAction::parse(text), expected, "{text}");
        }
    }
}
