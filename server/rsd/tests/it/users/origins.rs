//! Pages of other origins (rs.md §8): what browsers are told of those that are listed, and that
//! nothing is told of all others.

use super::{PASSWORD, asked, basic, open};
use crate::api::house::{Answer, House, RM, golden};

const DESK: &str = "https://desk.example";
const LOCAL: &str = "http://[::1]:3000";
/// All that resemble the listed ones, and are others.
const OTHERS: [&str; 9] = [
    "https://evil.example",
    "null",
    "*",
    "",
    "http://desk.example",
    "https://desk.example:8443",
    "https://desk.example.evil.example",
    "https://DESK.example",
    "https://desk.example, https://evil.example",
];

fn house() -> House {
    open(|settings| settings.rs.http_cors_origins = vec![DESK.to_owned(), LOCAL.to_owned()])
}

/// The lines of the head that are for browsers, in order.
fn shared(answer: &Answer) -> Vec<String> {
    let told = |line: &&str| line.starts_with("access-control-") || line.starts_with("vary:");
    let mut lines: Vec<_> = answer.head.lines().filter(told).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// What an answer for a listed page has.
fn readable(origin: &str) -> Vec<String> {
    vec![
        format!("access-control-allow-origin: {origin}"),
        "access-control-expose-headers: Retry-After, WWW-Authenticate".to_owned(),
        "vary: Origin".to_owned(),
    ]
}

fn preflight(house: &House, origin: &str, path: &str) -> Answer {
    let asks = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    house.ask("OPTIONS", path, &asks)
}

/// With a login and an origin.
fn of(house: &House, origin: &str, user: &str, (method, path): (&str, &str)) -> Answer {
    house.ask(method, path, &[("Authorization", &basic(user, PASSWORD)), ("Origin", origin)])
}

const END: (&str, &str) = ("DELETE", "/api/v1/alarms/RS-SPOOL-SYNC");

#[test]
fn browsers_ask_without_a_login_whether_a_listed_page_may() {
    let house = house();
    let path = "/api/v1/retention/tenant/102";
    for origin in [DESK, LOCAL] {
        for path in [path, "/api/v1/records", "/api/v1/calls", "/ems-rs/HIST/CDRs/RM/details"] {
            let answer = preflight(&house, origin, path);
            assert_eq!((answer.status, &*answer.body), (204, ""), "{path}");
            let headers = "Authorization, Content-Encoding, Content-Type, Last-Event-ID";
            let mut expected = readable(origin);
            expected.extend([
                format!("access-control-allow-headers: {headers}"),
                "access-control-allow-methods: GET, HEAD, POST, PUT, DELETE".to_owned(),
                "access-control-max-age: 600".to_owned(),
            ]);
            expected.sort();
            assert_eq!(shared(&answer), expected, "{path}");
        }
    }
    for other in OTHERS {
        let answer = preflight(&house, other, path);
        assert_eq!((answer.status, &*answer.code()), (401, "login-required"), "{other}");
        assert_eq!(shared(&answer), ["vary: Origin"], "{other}");
    }
    // nobody's page, or no question of a browser
    let method = [("Access-Control-Request-Method", "PUT")];
    let (nobody, plain) = (house.ask("OPTIONS", path, &method), [("Origin", DESK)]);
    assert_eq!((nobody.status, shared(&nobody)), (401, vec!["vary: Origin".to_owned()]));
    let plain = house.ask("OPTIONS", path, &plain);
    assert_eq!((plain.status, shared(&plain)), (401, readable(DESK)));
    let twice = [("Origin", DESK), ("Origin", "https://evil.example"), method[0]];
    assert_eq!(shared(&house.ask("OPTIONS", path, &twice)), ["vary: Origin"]);
}

#[test]
fn a_listed_page_reads_answers_and_refusals() {
    let mut house = house();
    house.send(&golden(&RM));
    let long = format!("/api/v1/calls?x={}", "x".repeat(16 << 10));
    let calls = "/api/v1/calls?from=2026-11-22";
    for (user, method, path, status) in [
        ("anna", "GET", calls, 200),
        ("anna", "HEAD", calls, 200),
        ("anna", "GET", "/ems-rs/HIST/CDRs/RM/details", 200),
        ("anna", "GET", "/ems-rs/HIST/CDRs/XYZ/details", 404),
        ("anna", "GET", "/api/v1/calls?from=x", 400),
        ("anna", "GET", "/api/v1/audit", 403),
        ("root", "PATCH", "/api/v1/calls", 405),
        ("root", "POST", "/api/v1/records", 415),
        ("nobody", "GET", calls, 401),
        ("nobody", "GET", "/live", 200),
        ("nobody", "GET", "/metrics", 200),
        ("anna", "GET", &long, 414),
    ] {
        for origin in [DESK, LOCAL] {
            let answer = of(&house, origin, user, (method, path));
            assert_eq!((answer.status, shared(&answer)), (status, readable(origin)), "{path}");
        }
        let other = of(&house, OTHERS[0], user, ("GET", path));
        assert_eq!(shared(&other), ["vary: Origin"], "{path}");
        assert_eq!(shared(&asked(&house, user, "GET", path)), ["vary: Origin"], "{path}");
    }
    let headers = [("X-Long", &*"x".repeat(33 << 10)), ("Origin", DESK)];
    let refused = house.ask("GET", calls, &headers);
    assert_eq!((refused.status, shared(&refused)), (431, readable(DESK)));
    // ten wrong passwords, and the next has to wait
    let wrong = [("Authorization", &*basic("otto", "guess")), ("Origin", DESK)];
    let guess = || house.ask("GET", calls, &wrong);
    let waits = (0..11).map(|_| guess()).find(|answer| answer.status == 429).unwrap();
    assert!(waits.head.contains("retry-after: "), "{}", waits.head);
    assert_eq!(shared(&waits), readable(DESK));
}

#[test]
fn a_listed_page_changes_what_its_login_may_and_no_other_page_does() {
    let house = house();
    let listed = of(&house, DESK, "root", END);
    assert_eq!((listed.status, shared(&listed)), (204, readable(DESK)));
    let may_not = of(&house, DESK, "anna", END);
    assert_eq!((may_not.status, &*may_not.code()), (403, "role-needed"));
    // its own page needs no leave; the tests ask at this host
    let own = of(&house, "http://rs:8080", "root", END);
    assert_eq!((own.status, shared(&own)), (204, vec!["vary: Origin".to_owned()]));
    for other in OTHERS {
        let refused = of(&house, other, "root", END);
        assert_eq!((refused.status, &*refused.code()), (403, "foreign-origin"), "{other}");
        assert_eq!(shared(&refused), ["vary: Origin"], "{other}");
    }
}

#[test]
fn nothing_is_told_to_browsers_unless_origins_are_listed() {
    let house = open(|_| {});
    let asked = preflight(&house, DESK, "/api/v1/calls");
    assert_eq!((asked.status, &*asked.code()), (401, "login-required"));
    let read = of(&house, DESK, "anna", ("GET", "/api/v1/calls"));
    let refused = of(&house, DESK, "root", END);
    assert_eq!((read.status, refused.status, &*refused.code()), (200, 403, "foreign-origin"));
    for answer in [asked, read, refused] {
        assert!(shared(&answer).is_empty(), "{}", answer.head);
    }
}
