//! Equality of SIP URIs by RFC 3261 §19.1.4.
//!
//! Used where two spellings of one resource must count as one (Contact against Request-URI).
//! Not a cache key: the relation is not transitive by design of the RFC.

use super::Uri;
use super::escape::hex;

/// The parameters that make a difference when only one of both URIs has them.
const STRICT: [&str; 4] = ["user", "ttl", "method", "maddr"];

/// True when both name the same resource.
pub(super) fn same(left: &Uri<'_>, right: &Uri<'_>) -> bool {
    // a parameter that stands twice is no reason not to be oneself
    if left.text == right.text {
        return true;
    }
    if !left.scheme.is_sip() || !right.scheme.is_sip() {
        return left.text.eq_ignore_ascii_case(right.text);
    }
    left.scheme == right.scheme
        && equal(left.user, right.user, false)
        && equal(left.password, right.password, false)
        && left.host.eq_ignore_ascii_case(right.host)
        && left.port == right.port
        && covers(left, right)
        && covers(right, left)
        && same_headers(left, right)
}

/// Every parameter of `left` that `right` has too is equal, and no strict one stands alone.
fn covers(left: &Uri<'_>, right: &Uri<'_>) -> bool {
    left.params().all(|(name, value)| match right.param(name) {
        Some(other) => equal(value, other, true),
        None => !STRICT.iter().any(|strict| strict.eq_ignore_ascii_case(name)),
    })
}

/// Headers are never ignored, but may come in any order.
fn same_headers(left: &Uri<'_>, right: &Uri<'_>) -> bool {
    let count = |uri: &Uri<'_>| headers(uri).count();
    let within = |some: &Uri<'_>, all: &Uri<'_>| {
        headers(some).all(|have| headers(all).any(|other| equal(Some(have), Some(other), true)))
    };
    count(left) == count(right) && within(left, right) && within(right, left)
}

fn headers<'a>(uri: &Uri<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    uri.headers.trim_start_matches('?').split('&').filter(|header| !header.is_empty())
}

fn equal(left: Option<&str>, right: Option<&str>, fold: bool) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => decoded(left, fold).eq(decoded(right, fold)),
        _ => false,
    }
}

/// The bytes of `text` with escapes replaced, in lower case when `fold`.
fn decoded(text: &str, fold: bool) -> impl Iterator<Item = u8> + '_ {
    let mut bytes = text.bytes();
    std::iter::from_fn(move || {
        let first = bytes.next()?;
        let mut ahead = bytes.clone();
        let escaped = match first {
            b'%' => ahead.next().and_then(hex).zip(ahead.next().and_then(hex)),
            _ => None,
        };
        let byte = match escaped {
            Some((high, low)) => {
                bytes = ahead;
                high << 4 | low
            }
            None => first,
        };
        Some(if fold { byte.to_ascii_lowercase() } else { byte })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(left: &str, right: &str, expected: bool) {
        let (a, b) = (Uri::parse(left).unwrap(), Uri::parse(right).unwrap());
        assert_eq!(same(&a, &b), expected, "{left} {right}");
        assert_eq!(same(&b, &a), expected, "{right} {left}");
    }

    #[test]
    fn equal_by_the_rfc() {
        for (left, right) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@b;twice=1;twice=2", "sip:a@b;twice=1;twice=2"),
            ("soap.beep://192.0.2.103:3002", "SOAP.beep://192.0.2.103:3002"),
        ] {
            check(left, right, true);
        }
    }

    #[test]
    fn different_by_the_rfc() {
        for (left, right) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com;transport=udp", "sip:bob@biloxi.com;transport=tcp"),
            ("sip:bob@biloxi.com;user=phone", "sip:bob@biloxi.com"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:a@b", "sips:a@b"),
            ("sip:a@b?x=1&x=1", "sip:a@b?x=1&y=2"),
        ] {
            check(left, right, false);
        }
    }
}
