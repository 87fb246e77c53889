//! `sip::header`: one address, its parameters, and lists of values.

use sip::header::{Header, Name, NameAddr};

pub(super) fn run(data: &[u8]) {
    let header = Header { name: Name::Other, spelled: b"X", value: data, line: data, index: 0 };
    let mut sum = 0;
    for value in header.values() {
        assert!(!value.is_empty(), "empty values are left out");
        sum += value.len();
    }
    assert!(sum <= data.len());
    let _ = (header.number(), header.text());
    let Ok(address) = NameAddr::parse(data) else { return };
    let params = address.params;
    assert_eq!(address.tag().is_some(), params.get("tag").flatten().is_some());
    for param in params.iter() {
        assert!(params.get(param.name).is_some(), "a parameter is found by its name");
    }
    if address.is_star() {
        return;
    }
    let uri = address.parsed_uri();
    assert!(uri.is_none_or(|uri| uri.text == address.uri), "the URI is all that was read");
    if address.is_bracketed() {
        let again = format!("<{}>{}", address.uri, params.as_str());
        let again = NameAddr::parse(again.as_bytes()).ok().map(|again| again.uri.to_owned());
        assert_eq!(again.as_deref(), Some(address.uri));
    }
}
