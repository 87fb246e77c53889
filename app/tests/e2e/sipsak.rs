//! sipsak, the knife of SIP: pings, refusals, a bounded flood, requests with wrong characters.

use std::process::{Command, Output};
use std::time::Duration;

use crate::calls::{healthy, objects};
use crate::capture::Watch;
use crate::flows::nothing_is_left;
use crate::http;
use crate::platform::{Site, eventually};
use crate::sipp::{Media, Plan};

/// Runs it against RM. Both what it prints and what it complains of.
pub(crate) fn sipsak(site: &Site, user: &str, args: &[&str]) -> (Output, String) {
    let output = Command::new("sipsak")
        .args(args)
        .args(["-s", &format!("sip:{user}{}", site.sip())])
        .output()
        .expect("sipsak is installed (test.sh does it)");
    let text = [&output.stdout, &output.stderr].map(|part| String::from_utf8_lossy(part));
    let text = text.concat();
    (output, text)
}

#[test]
fn sipsak_gets_the_answers_that_it_should() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 1);
    let wrong = site.write(
        "wrong",
        "OPTIONS sip:here SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1;rport\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\
         Proxy-Require: foo\r\nContent-Length: 0\r\n\r\n",
    );
    let wrong = wrong.display().to_string();
    // Which URI, how, what comes back.
    let cases: [(&str, &[&str], &[&str]); 6] = [
        ("", &["-vv"], &["SIP/2.0 200", "Allow: INVITE", "X-Ringmaster-State: healthy"]),
        ("rm@", &["-vv", "--transport", "tcp"], &["SIP/2.0 200", "Supported: timer, uui"]),
        // OPTIONS whose hops are used up is answered as if it were to RM (RFC 3261 §11).
        ("18005550100@", &["-vv", "-m", "0"], &["SIP/2.0 200"]),
        ("15550000000@", &["-vv"], &["SIP/2.0 404", "\"no-profile\""]),
        ("bob@", &["-vv", "-U"], &["SIP/2.0 405", "Allow: INVITE", "\"method\""]),
        ("", &["-vv", "-f", &wrong], &["SIP/2.0 420", "Unsupported: foo"]),
    ];
    for (user, args, parts) in cases {
        let (_, text) = sipsak(&site, user, args);
        for part in parts {
            assert!(text.contains(part), "{user} {args:?}: no {part} in {text}");
        }
    }
    let (ping, text) = sipsak(&site, "", &[]);
    assert!(ping.status.success(), "{text}");
}

/// The answer to what is malformed repeats its Via and the others as they came (RFC 3261 8.2.6.2).
const REPEATED: &[&str] = &["\tStatus: 400 Bad Request"];

#[test]
fn sipsak_floods_and_garbles_and_calls_go_on() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    let _rs = site.start_rs();
    let _rm = site.start_rm_watched(Watch { odd: REPEATED, ..Watch::default() });
    healthy(&site, 1);
    let hold = Duration::from_secs(10);
    let calls = Plan { hold, ..Plan::new(site.sip(), &["18005550100"], 20) }.start();
    let up = || http::json(site.rm_http(), "/v1/calls")["calls"].as_array().unwrap().len();
    eventually("20 calls up", up, |calls| *calls == 20);
    let (flood, text) = sipsak(&site, "", &["-F", "-e", "1000"]);
    assert!(flood.status.success(), "{text}");
    let metric =
        |name: &str| http::counted(site.rm_http(), &format!("ringmaster_rm_{name}")).unwrap_or(0.0);
    let answered = || metric("answers_total{code=\"200\",reason=\"ok\"}");
    eventually("the flood is answered", answered, |answers| *answers >= 1000.0);
    // Each run sends requests with more and more wrong characters until one stays unanswered.
    for _ in 0..3 {
        sipsak(&site, "", &["-R", "-t", "40", "--timer-t1", "20"]);
    }
    assert!(metric("parse_errors_total{transport=\"UDP\"}") > 0.0);
    calls.finish();
    // what comes while it is overloaded may be sent away
    let overload = || metric("overload_state");
    eventually("the flood is over", overload, |state| *state < 1.0);
    Plan::new(site.sip(), &["18005550100"], 5).run();
    nothing_is_left(&site, 25);
}
