//! A method that a path does not have.

use std::collections::BTreeSet;

use super::house::House;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

const READ: &str = "GET, HEAD";
/// Every path, with what it offers.
const PATHS: [(&str, &str); 39] = [
    ("/", READ),
    ("/assets/app.js", READ),
    ("/assets/style.css", READ),
    ("/assets/icon.svg", READ),
    ("/live", READ),
    ("/ready", READ),
    ("/metrics", READ),
    ("/ems-rs/readiness", READ),
    ("/ems-rs/{*report}", READ),
    ("/api/v1/calls", READ),
    ("/api/v1/calls/{name}", "GET, HEAD, DELETE"),
    ("/api/v1/live/calls", READ),
    ("/api/v1/live/stream", READ),
    ("/api/v1/queues", READ),
    ("/api/v1/queues/{name}", READ),
    ("/api/v1/queues/{name}/messages", READ),
    ("/api/v1/connections", READ),
    ("/api/v1/connections/{id}", "DELETE"),
    ("/api/v1/alarms", READ),
    ("/api/v1/alarms/{name}", "DELETE"),
    ("/api/v1/erasures", "GET, HEAD, POST"),
    ("/api/v1/dead-letters", READ),
    ("/api/v1/dead-letters/retry", "POST"),
    ("/api/v1/dead-letters/{no}", "GET, HEAD, DELETE"),
    ("/api/v1/dead-letters/{no}/retry", "POST"),
    ("/api/v1/integrity", READ),
    ("/api/v1/integrity/minutes", READ),
    ("/api/v1/integrity/proof", READ),
    ("/api/v1/rollups/rebuild", "POST"),
    ("/api/v1/series/{figure}", READ),
    ("/api/v1/audit", READ),
    ("/api/v1/retention", "GET, HEAD, PUT"),
    ("/api/v1/retention/run", "POST"),
    ("/api/v1/retention/{scope}/{id}", "DELETE"),
    ("/api/v1/jobs", READ),
    ("/api/v1/jobs/{id}", READ),
    ("/api/v1/settings", READ),
    ("/api/v1/health", READ),
    ("/api/v1/records", "POST"),
];

/// The paths that the program has.
fn routed() -> BTreeSet<&'static str> {
    let sources = [include_str!("../../../src/api.rs"), include_str!("../../../src/dashboard.rs")];
    let routes = sources.into_iter().flat_map(|source| source.split(".route(").skip(1));
    routes.map(|route| route.split('"').nth(1).unwrap()).collect()
}

#[test]
fn each_path_tells_the_methods_that_it_has() {
    assert_eq!(PATHS.iter().map(|(path, _)| *path).collect::<BTreeSet<_>>(), routed());
    let house = House::open();
    for (path, offered) in PATHS {
        let methods: Vec<&str> = offered.split(", ").collect();
        let path: String = path.split('/').map(filled).collect::<Vec<_>>().join("/");
        for method in METHODS {
            if methods.contains(&method) {
                // the stream ends with the server
                let is_endless = method == "GET" && path.ends_with("/stream");
                assert!(is_endless || house.ask(method, &path, &[]).status != 405, "{path}");
                continue;
            }
            let refused = house.ask(method, &path, &[]);
            assert_eq!(refused.status, 405, "{method} {path}");
            let allow: Vec<_> =
                refused.head.lines().filter_map(|line| line.strip_prefix("allow: ")).collect();
            assert_eq!(allow, [offered], "{method} {path}");
            if method == "HEAD" {
                continue;
            }
            let text = match &*methods {
                [one] => format!("{one} is offered here"),
                ["GET", "HEAD"] => "GET and HEAD are offered here".to_owned(),
                ["GET", "HEAD", third] => format!("GET, HEAD and {third} are offered here"),
                other => panic!("no text for {other:?}"),
            };
            assert_eq!(refused.code(), "method");
            assert!(refused.body.contains(&text), "{method} {path}: {}", refused.body);
        }
    }
}

/// A word of a path, for any that may stand there.
fn filled(word: &str) -> &str {
    if word.starts_with('{') { "7" } else { word }
}
