//! Heads of messages as they may be shown (rm.md §13.5): no token, no credentials, users masked as
//! in the log. Whatever shows a message over HTTP goes through here.
//!
//! What is hidden inside of URIs, tokens of our Record-Route too, the log knows.

use telemetry::Log;

/// Lines with CR LF, as they may be shown.
pub(super) fn shown(head: &str, log: &Log) -> String {
    let mut out = String::with_capacity(head.len());
    let mut secret = false;
    for line in head.split_inclusive("\r\n") {
        // a line that continues another is of its kind
        if !line.starts_with([' ', '\t']) {
            secret = is_secret(line);
        }
        if !secret {
            out.push_str(&log.masked(line));
        }
    }
    out
}

fn is_secret(line: &str) -> bool {
    const SECRET: [&str; 3] = ["authorization", "proxy-authorization", "x-genesys-udata_"];
    let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
    SECRET.iter().any(|secret| name.starts_with(secret))
}

#[cfg(test)]
mod tests {
    use super::shown;
    use model::time::Millis;
    use telemetry::Log;

    fn silent(text: &str) -> String {
        shown(text, &Log::silent(|| Millis(0)))
    }

    #[test]
    fn no_token_no_credentials_and_masked_users() {
        let text = "INVITE sip:dialog@10.0.0.11 SIP/2.0\r\n\
                    Record-Route: <sip:rm-AQEBk_KgfFt9@10.0.0.5:5060;lr>\r\n\
                    authorization : Digest username=\"a\"\r\n\
                    X-Genesys-UData_pin: 4711\r\n\
                    From: <sip:+4930123@x>;tag=1\r\n\r\n";
        let expected = "INVITE sip:dialog@10.0.0.11 SIP/2.0\r\n\
                        Record-Route: <sip:rm-***@10.0.0.5:5060;lr>\r\n\
                        From: <sip:+4***23@x>;tag=1\r\n\r\n";
        assert_eq!(silent(text), expected);
    }

    #[test]
    fn secrets_that_are_folded_or_stand_in_uris() {
        for (text, expected) in [
            (
                "Authorization: Digest\r\n username=\"a\",\r\n\tresponse=\"b\"\r\nA: b\r\n",
                "A: b\r\n",
            ),
            ("X-Genesys-UData_pin:\r\n 4711\r\n\r\n", "\r\n"),
            ("BYE sips:rm-AQEB@h:5061;lr SIP/2.0\r\n", "BYE sips:rm-***@h:5061;lr SIP/2.0\r\n"),
            (
                "Route: <sip:rm-AQEB@h;lr>, <sip:rm-AQEC@i;lr>,<sip:j;lr>\r\n",
                "Route: <sip:rm-***@h;lr>, <sip:rm-***@i;lr>,<sip:j;lr>\r\n",
            ),
            ("To: <sip:rm-1:5060>\r\n", "To: <sip:rm-1:5060>\r\n"),
            ("To: <SIP:alexandra:sec,ret@h>\r\n", "To: <SIP:al***ra:***@h>\r\n"),
            ("Refer-To: <sip:a@h?Authorization=Digest%20X>\r\n", "Refer-To: <sip:***@h?***>\r\n"),
            ("To: <sips:a:b@h>, sip:h:5060;x=a@b\r\n", "To: <sips:***:***@h>, sip:***:***@b\r\n"),
            ("To: sip:h:5060\r\n", "To: sip:h:5060\r\n"),
        ] {
            let shown = silent(text);
            assert_eq!(shown, expected, "{text}");
            for secret in ["sec,ret", "AQE", "4711", "Digest", "response"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
