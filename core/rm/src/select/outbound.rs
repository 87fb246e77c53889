//! Which requests lead out of the platform (rm.md §3.6): to a host that is not ours, or to a
//! number that no profile has.
//!
//! Asked only of requests from inside; what comes from outside never leads out again.

use model::config::Service;

use super::Asking;

/// Whether it is a call to the outside.
pub(crate) fn is_outbound(asking: &Asking<'_, '_>) -> bool {
    if asking.is_foreign() {
        return true;
    }
    let user = asking.user();
    Service::of_user(user).is_none() && is_number(user) && asking.snapshot.did(asking.dn).is_none()
}

/// Digits, and what is written between them; parameters of the user part say nothing.
pub(crate) fn is_number(user: &str) -> bool {
    let digits = user.split(';').next().unwrap_or_default();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || b"*#-.()".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::is_number;

    #[test]
    fn numbers() {
        for (user, expected) in [
            ("030456789", true),
            ("+49-30.456(789)", true),
            ("+4930;phone-context=x", true),
            ("*72", true),
            ("+", false),
            ("", false),
            ("alice", false),
            ("7a", false),
            ("%2B49", false),
        ] {
            assert_eq!(is_number(user), expected, "{user}");
        }
    }
}
