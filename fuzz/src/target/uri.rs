//! `sip::uri`: parts lie in the text, comparison is even-handed, escapes come back.

use sip::uri::{Uri, escape_param, unescape};

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, second) = text.split_once(' ').unwrap_or((&text, ""));
    let mut escaped = String::new();
    escape_param(first, &mut escaped);
    assert_eq!(unescape(&escaped), first, "what is escaped comes back");
    let escaped = format!("sip:a;p={escaped}");
    let value = Uri::parse(&escaped).ok().and_then(|uri| uri.param("p").flatten());
    assert!(first.is_empty() || value.is_some_and(|value| unescape(value) == first));
    let Ok(uri) = Uri::parse(first) else { return };
    parts(&uri);
    assert!(uri.same(&uri), "a URI is itself");
    if let Ok(other) = Uri::parse(second) {
        assert_eq!(uri.same(&other), other.same(&uri), "the same both ways");
    }
}

fn parts(uri: &Uri<'_>) {
    let mut rest = uri.text;
    let parts = [uri.user, uri.password, Some(uri.host), Some(uri.params), Some(uri.headers)];
    for part in parts.into_iter().flatten() {
        let at = rest.find(part);
        assert!(at.is_some(), "parts stand in order");
        rest = at.and_then(|at| rest.get(at + part.len()..)).unwrap_or_default();
    }
    assert!(uri.params.is_empty() || uri.params.starts_with(';'));
    assert!(uri.headers.is_empty() || uri.headers.starts_with('?'));
    assert!(uri.port != Some(0), "no port is 0");
    for (name, _) in uri.params() {
        assert!(uri.param(&unescape(name)).is_some(), "a parameter is found by its name");
    }
    let _ = uri.host_ip();
}
