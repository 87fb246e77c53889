//! The service that a user part names (rm.md §3.3).

use model::config::Service;

/// The service of this user part, compared without case; None: the profile's.
pub(crate) fn of_user(user: &str) -> Option<Service> {
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
        None if is("dialog") => Some(Service::Voicexml),
        None if is("ccxml") => Some(Service::Ccxml),
        None if is("annc") => Some(Service::Announcement),
        None if is("cpd") => Some(Service::Cpd),
        None if is("media") => Some(Service::Media),
        _ if is("msml") => Some(Service::Msml),
        Some(id) if is("conf") && !id.is_empty() => Some(Service::Conference),
        Some(id) if is("record") && !id.is_empty() => Some(Service::Recordingserver),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of_user;
    use model::config::Service;

    #[test]
    fn the_table() {
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
            assert_eq!(of_user(user), expected, "{user}");
        }
    }
}
