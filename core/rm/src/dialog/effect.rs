//! What a failure inside a dialog means for the call (RFC 5057 §5): the session of a leg is one
//! usage of its dialog, and ends with it or by itself.
//!
//! Must not end anything: `relay` does. A BYE is not judged here, it ends the call however it ends.

use sip::method::Method;

/// How far a failure reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// No further than the request.
    Transaction,
    /// The usage of the dialog that the request belongs to is over.
    Usage,
    /// The dialog is over, and all its usages.
    Dialog,
    /// Nobody has answered: what a time-out means (§5.2).
    Silence,
}

/// The table of RFC 5057 §5.1; every other status says something about the request alone.
const TABLE: [(u16, Effect); 15] = [
    (404, Effect::Dialog),
    (405, Effect::Usage),
    (408, Effect::Silence),
    (410, Effect::Dialog),
    (416, Effect::Dialog),
    (480, Effect::Usage),
    (481, Effect::Usage),
    (482, Effect::Dialog),
    (483, Effect::Dialog),
    (484, Effect::Dialog),
    (485, Effect::Dialog),
    (489, Effect::Usage),
    (501, Effect::Usage),
    (502, Effect::Dialog),
    (604, Effect::Dialog),
];

/// How far a final status reaches.
pub(crate) fn effect(status: u16) -> Effect {
    TABLE.iter().find(|(row, _)| *row == status).map_or(Effect::Transaction, |(_, effect)| *effect)
}

/// What is left to say about the leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Lives,
    /// The side that was asked no longer has the dialog, or the session in it.
    Gone,
    /// It was asked whether it still has, and said nothing.
    Silent,
}

/// What becomes of the leg when a request of this method has failed with this status. `later`: with
/// Retry-After.
pub(crate) fn fate(method: Method<'_>, status: u16, later: bool) -> Fate {
    let of_method = match status {
        // it says when to ask again
        480 => later,
        // a method that is not understood, unless it is the one that made the session
        405 | 501 => method != Method::Invite,
        // an event: of subscriptions only
        489 => true,
        _ => false,
    };
    match effect(status) {
        // its answer speaks of whom it refers to, at too many user agents
        Effect::Dialog if method != Method::Refer => Fate::Gone,
        Effect::Usage if is_of_session(method) && !of_method => Fate::Gone,
        // only a refresh asks for the session; what else is lost is lost alone (rm.md §1.8)
        Effect::Silence if matches!(method, Method::Invite | Method::Update) => Fate::Silent,
        Effect::Transaction | Effect::Usage | Effect::Dialog | Effect::Silence => Fate::Lives,
    }
}

/// Whether a request belongs to the usage that its INVITE has made (RFC 5057 §5.3, RFC 6086). What
/// is asked about a subscription, and what belongs to no usage, ends it only with the dialog.
fn is_of_session(method: Method<'_>) -> bool {
    matches!(method, Method::Invite | Method::Update | Method::Prack | Method::Info)
}

#[cfg(test)]
mod tests {
    use super::{Effect, Fate, effect, fate};
    use sip::method::Method;

    #[test]
    fn every_status_has_its_row() {
        use Effect::{Dialog, Silence, Transaction, Usage};
        let rows = [
            (Dialog, &[404, 410, 416, 482, 483, 484, 485, 502, 604][..]),
            (Usage, &[405, 480, 481, 489, 501]),
            (Silence, &[408]),
        ];
        for status in 300..700 {
            let row = rows.iter().find(|(_, all)| all.contains(&status));
            assert_eq!(effect(status), row.map_or(Transaction, |(effect, _)| *effect), "{status}");
        }
    }

    #[test]
    fn who_is_away_for_a_while_keeps_the_session() {
        for (status, expected) in [(480, Fate::Lives), (481, Fate::Gone), (404, Fate::Gone)] {
            assert_eq!(fate(Method::Invite, status, true), expected, "{status}");
        }
    }

    #[test]
    fn what_ends_the_leg_depends_on_the_method() {
        let methods = ["INVITE", "UPDATE", "PRACK", "INFO", "REFER", "NOTIFY", "OPTIONS", "FOO"];
        // G: gone, S: silent, L: lives, one letter a method
        for (status, expected) in [
            (404, "GGGGLGGG"),
            (405, "GLLLLLLL"),
            (408, "SSLLLLLL"),
            (480, "GGGGLLLL"),
            (481, "GGGGLLLL"),
            (488, "LLLLLLLL"),
            (489, "LLLLLLLL"),
            (491, "LLLLLLLL"),
            (500, "LLLLLLLL"),
            (501, "GLLLLLLL"),
            (502, "GGGGLGGG"),
            (503, "LLLLLLLL"),
            (604, "GGGGLGGG"),
        ] {
            let found: String = methods
                .iter()
                .map(|method| match fate(Method::from_name(method), status, false) {
                    Fate::Gone => 'G',
                    Fate::Silent => 'S',
                    Fate::Lives => 'L',
                })
                .collect();
            assert_eq!(found, expected, "{status}");
        }
    }
}
