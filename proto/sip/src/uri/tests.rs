//! Tables of URIs.

use super::*;

#[test]
fn sip_parts() {
    let uri = Uri::parse("sips:alice:secret@[2001:db8::1]:5061;transport=tcp;lr?to=a&b=c").unwrap();
    assert_eq!(uri.scheme, Scheme::Sips);
    assert_eq!(uri.user, Some("alice"));
    assert_eq!(uri.password, Some("secret"));
    assert_eq!(uri.host, "[2001:db8::1]");
    assert_eq!(uri.host_ip(), "2001:db8::1".parse().ok());
    assert_eq!(uri.port, Some(5061));
    assert_eq!(uri.param("TRANSPORT"), Some(Some("tcp")));
    assert_eq!(uri.param("lr"), Some(None));
    assert_eq!(uri.param("x"), None);
    assert_eq!(uri.headers, "?to=a&b=c");
}

#[test]
fn accepted() {
    for (text, user, host, port) in [
        ("sip:example.com", None, "example.com", None),
        ("sip:a;b=c?d/e@example.com", Some("a;b=c?d/e"), "example.com", None),
        (
            concat!(
                "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
                ":&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com"
            ),
            Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"),
            "example.com",
            None,
        ),
        ("sip:null-%00-null@example.com", Some("null-%00-null"), "example.com", None),
        (
            "sip:dialog@10.0.0.5:5070;voicexml=http://x/y.vxml",
            Some("dialog"),
            "10.0.0.5",
            Some(5070),
        ),
        ("SIP:*21#@my_host", Some("*21#"), "my_host", None),
        ("sip:a@[2001:db8:::192.0.2.1]", Some("a"), "[2001:db8:::192.0.2.1]", None),
        ("sip:rm-x@h:5060;lr;gvp.rm.datanodes=1|2", Some("rm-x"), "h", Some(5060)),
        ("tel:+49-30-123;phone-context=x", Some("+49-30-123"), "", None),
        ("urn:service:sos", None, "", None),
        ("nobodyKnowsThisScheme:totallyopaquecontent", None, "", None),
        ("s:p:x", None, "", None),
    ] {
        let uri = Uri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((uri.user, uri.host, uri.port), (user, host, port), "{text}");
        assert_eq!(uri.text, text);
    }
    assert_eq!(Uri::parse("http:x").unwrap().scheme, Scheme::Other("http"));
    assert_eq!(
        Uri::parse("tel:1;phone-context=+1").unwrap().param("phone-context"),
        Some(Some("+1"))
    );
}

/// The short way through `plain` must not be seen from outside.
#[test]
fn plain_gives_what_any_gives() {
    let mut plain = 0;
    for text in ["sip:h", "sip:+49@10.1.1.5:5060;transport=udp;lr", "sip:a@h:1", "sip:h:5060;lr"] {
        assert!(Uri::plain(text).is_some(), "{text}");
        for at in 0..=text.len() {
            for more in
                ["@", ":", ";", "?", "%", "%41", "[", "]", "<", " ", "\0", "=", "0", "a", "ü"]
            {
                let text = [&text[..at], more, &text[at..]].concat();
                if let Some(uri) = Uri::plain(&text) {
                    assert_eq!(Ok(uri), Uri::any(&text), "{text}");
                    plain += 1;
                }
            }
        }
    }
    assert!(plain > 100, "{plain}");
}

#[test]
fn refused() {
    for text in [
        "",
        "example.com",
        ":x",
        "1a:x",
        "sip:",
        "sip:@host",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@c",
        "sip:a@b:",
        "sip:a@b:0",
        "sip:a@b:65536",
        "sip:a@b:5o60",
        "sip:2001:db8::10",
        "sip:a@[::1",
        "sip:a@[]",
        "sip:a@[::1]x",
        "sip:a@b/c",
        "sip:%4@b",
        "sip:%zz@b",
        "sip:a@b;x=\"y\"",
        "sip:<a>@b",
        "sip:a\u{0}@b",
        "tel:",
        "tel:;x",
        "urn:",
    ] {
        assert!(Uri::parse(text).is_err(), "{text}");
    }
}
