//! Names of the headers that some stage looks for; all others are `Other`.
//!
//! Compact forms are those of the IANA registry. An unknown header needs no name to pass: it is
//! found by its spelling with `Message::named`.

macro_rules! names {
    ($( $variant:ident $long:literal $(or $compact:literal)? ),* $(,)?) => {
        /// A header that Ringmaster knows by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Name {
            $(
                #[doc = concat!("`", $long, "`", $(", compact `", $compact, "`")?)]
                $variant,
            )*
            /// Any other header.
            Other,
        }

        impl Name {
            /// The usual long spelling; empty for `Other`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $long, )*
                    Self::Other => "",
                }
            }

            #[cfg(test)]
            const ALL: &'static [(Self, &'static str)] =
                &[$( (Self::$variant, $long), $( (Self::$variant, $compact), )? )*];
        }
    };
}

names! {
    Via "Via" or "v",
    From "From" or "f",
    To "To" or "t",
    CallId "Call-ID" or "i",
    CSeq "CSeq",
    MaxForwards "Max-Forwards",
    Route "Route",
    RecordRoute "Record-Route",
    Contact "Contact" or "m",
    ContentLength "Content-Length" or "l",
    ContentType "Content-Type" or "c",
    ContentEncoding "Content-Encoding" or "e",
    Expires "Expires",
    Require "Require",
    ProxyRequire "Proxy-Require",
    Supported "Supported" or "k",
    Unsupported "Unsupported",
    SessionExpires "Session-Expires" or "x",
    MinSe "Min-SE",
    MinExpires "Min-Expires",
    Reason "Reason",
    RetryAfter "Retry-After",
    Warning "Warning",
    Allow "Allow",
    AllowEvents "Allow-Events" or "u",
    Accept "Accept",
    Event "Event" or "o",
    SubscriptionState "Subscription-State",
    MaxBreadth "Max-Breadth",
    Replaces "Replaces",
    Join "Join",
    TargetDialog "Target-Dialog",
    ReferTo "Refer-To" or "r",
    ReferredBy "Referred-By" or "b",
    Authorization "Authorization",
    ProxyAuthorization "Proxy-Authorization",
    WwwAuthenticate "WWW-Authenticate",
    ProxyAuthenticate "Proxy-Authenticate",
    Path "Path",
    RSeq "RSeq",
    RAck "RAck",
    Timestamp "Timestamp",
    Subject "Subject" or "s",
    UserAgent "User-Agent",
    Server "Server",
    Privacy "Privacy",
    PAssertedIdentity "P-Asserted-Identity",
    Diversion "Diversion",
    HistoryInfo "History-Info",
    UserToUser "User-to-User",
}

/// Bytes of the longest known name.
const LONGEST: usize = 19;

impl Name {
    /// The header of this name in any spelling; `Other` when it is none of ours.
    pub fn of(spelled: &[u8]) -> Self {
        let mut lower = [0u8; LONGEST];
        let Some(lower) = lower.get_mut(..spelled.len()) else {
            return Self::Other;
        };
        lower.copy_from_slice(spelled);
        lower.make_ascii_lowercase();
        match lower {
            [letter] => compact(*letter),
            _ => long(lower),
        }
    }
}

fn compact(letter: u8) -> Name {
    match letter {
        b'v' => Name::Via,
        b'f' => Name::From,
        b't' => Name::To,
        b'i' => Name::CallId,
        b'm' => Name::Contact,
        b'l' => Name::ContentLength,
        b'c' => Name::ContentType,
        b'e' => Name::ContentEncoding,
        b'k' => Name::Supported,
        b'x' => Name::SessionExpires,
        b'u' => Name::AllowEvents,
        b'o' => Name::Event,
        b'r' => Name::ReferTo,
        b'b' => Name::ReferredBy,
        b's' => Name::Subject,
        _ => Name::Other,
    }
}

fn long(lower: &[u8]) -> Name {
    match lower {
        b"via" => Name::Via,
        b"from" => Name::From,
        b"to" => Name::To,
        b"call-id" => Name::CallId,
        b"cseq" => Name::CSeq,
        b"max-forwards" => Name::MaxForwards,
        b"route" => Name::Route,
        b"record-route" => Name::RecordRoute,
        b"contact" => Name::Contact,
        b"content-length" => Name::ContentLength,
        b"content-type" => Name::ContentType,
        b"content-encoding" => Name::ContentEncoding,
        b"expires" => Name::Expires,
        b"require" => Name::Require,
        b"proxy-require" => Name::ProxyRequire,
        b"supported" => Name::Supported,
        b"unsupported" => Name::Unsupported,
        b"session-expires" => Name::SessionExpires,
        b"min-se" => Name::MinSe,
        b"min-expires" => Name::MinExpires,
        b"reason" => Name::Reason,
        b"retry-after" => Name::RetryAfter,
        b"warning" => Name::Warning,
        b"allow" => Name::Allow,
        b"allow-events" => Name::AllowEvents,
        b"accept" => Name::Accept,
        b"event" => Name::Event,
        b"subscription-state" => Name::SubscriptionState,
        b"max-breadth" => Name::MaxBreadth,
        b"replaces" => Name::Replaces,
        b"join" => Name::Join,
        b"target-dialog" => Name::TargetDialog,
        b"refer-to" => Name::ReferTo,
        b"referred-by" => Name::ReferredBy,
        b"authorization" => Name::Authorization,
        b"proxy-authorization" => Name::ProxyAuthorization,
        b"www-authenticate" => Name::WwwAuthenticate,
        b"proxy-authenticate" => Name::ProxyAuthenticate,
        other => rare(other),
    }
}

fn rare(lower: &[u8]) -> Name {
    match lower {
        b"path" => Name::Path,
        b"rseq" => Name::RSeq,
        b"rack" => Name::RAck,
        b"timestamp" => Name::Timestamp,
        b"subject" => Name::Subject,
        b"user-agent" => Name::UserAgent,
        b"server" => Name::Server,
        b"privacy" => Name::Privacy,
        b"p-asserted-identity" => Name::PAssertedIdentity,
        b"diversion" => Name::Diversion,
        b"history-info" => Name::HistoryInfo,
        b"user-to-user" => Name::UserToUser,
        _ => Name::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_every_name() {
        for (name, spelled) in Name::ALL {
            for spelling in [(*spelled).to_owned(), spelled.to_uppercase(), spelled.to_lowercase()]
            {
                assert_eq!(Name::of(spelling.as_bytes()), *name, "{spelling}");
            }
            assert!(spelled.len() <= LONGEST);
        }
    }

    #[test]
    fn others() {
        for spelled in ["", "X", "Vi", "Vias", "z", "X-Genesys-GVP-Session-ID", "y"] {
            let expected = if spelled == "X" { Name::SessionExpires } else { Name::Other };
            assert_eq!(Name::of(spelled.as_bytes()), expected, "{spelled}");
        }
    }
}
