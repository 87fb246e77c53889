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
            /// The long spelling of each name, at the place of its number.
            const LONG: &'static [&'static str] = &[$( $long, )* ""];

            /// Every spelling of every name, in the order in which they are declared.
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
/// Known names of one length and one first letter, at most.
const SLOTS: usize = 2;

type Table = [[[Name; SLOTS]; 26]; LONGEST + 1];

/// Known spellings by length and first letter; empty places are `Other`.
static TABLE: Table = table();

impl Name {
    /// The usual long spelling; empty for `Other`.
    #[inline]
    pub fn as_str(self) -> &'static str {
        Self::LONG.get(self as usize).copied().unwrap_or_default()
    }

    /// The header of this name in any spelling; `Other` when it is none of ours.
    #[inline]
    pub fn of(spelled: &[u8]) -> Self {
        let Some(first) = spelled.first() else { return Self::Other };
        let letter = usize::from((first | 0x20).wrapping_sub(b'a'));
        let found = TABLE.get(spelled.len()).and_then(|row| row.get(letter));
        let Some(&names) = found else { return Self::Other };
        let [usual, _] = names;
        // Nearly everybody spells as the RFCs do, and equality is cheaper than what follows.
        if is_same(spelled, usual.as_str().as_bytes()) {
            usual
        } else {
            Self::among(names, spelled)
        }
    }

    /// The one of `names` that is spelled so, without case.
    #[inline(never)]
    fn among(names: [Self; SLOTS], spelled: &[u8]) -> Self {
        let [one, two] = names;
        let is = |name: Self| spelled.eq_ignore_ascii_case(name.as_str().as_bytes());
        // A compact name has its letter to itself.
        if spelled.len() == 1 || is(one) {
            one
        } else if is(two) {
            two
        } else {
            Self::Other
        }
    }
}

/// `left == right` for texts of at most 32 bytes: a call of `memcmp` costs more than it compares.
#[inline]
fn is_same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && match left.len() {
            0..4 => left.iter().eq(right),
            4..8 => have_same_ends::<4>(left, right),
            8..16 => have_same_ends::<8>(left, right),
            _ => have_same_ends::<16>(left, right),
        }
}

/// True when the first and the last `N` bytes are the same: all, of texts of up to `2 * N` bytes.
#[inline]
fn have_same_ends<const N: usize>(left: &[u8], right: &[u8]) -> bool {
    left.first_chunk::<N>() == right.first_chunk() && left.last_chunk::<N>() == right.last_chunk()
}

#[expect(
    clippy::indexing_slicing,
    reason = "runs at compile time: a name without place does not build"
)]
const fn table() -> Table {
    let mut table = [[[Name::Other; SLOTS]; 26]; LONGEST + 1];
    let mut index = 0;
    while index < Name::ALL.len() {
        let (name, spelled) = Name::ALL[index];
        let letter = spelled.as_bytes()[0].to_ascii_lowercase() - b'a';
        let mut slot = 0;
        while !matches!(table[spelled.len()][letter as usize][slot], Name::Other) {
            slot += 1;
        }
        table[spelled.len()][letter as usize][slot] = name;
        index += 1;
    }
    table
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
    fn every_byte_counts() {
        for (_, spelled) in Name::ALL {
            for at in 0..spelled.len() {
                let mut bytes = spelled.as_bytes().to_vec();
                bytes[at] = b'~';
                assert_eq!(Name::of(&bytes), Name::Other, "{spelled} {at}");
            }
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
