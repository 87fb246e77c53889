//! Options of an application: typed, lenient in form, and told when they have no effect.

use std::time::Duration;

use model::config::options::{DnisHeader, Keeping, Timers};
use model::config::{CtiAction, Options, StatusSet};
use model::did::Pattern;

use crate::{build, faults, line};

fn application(kind: &str, options: &str) -> String {
    format!("kind: Application\nname: rm\nspec: {{ type: {kind}, options: {{ {options} }} }}\n")
}

fn manager(options: &str) -> String {
    application("resource-manager", options)
}

fn read(options: &str) -> (Options, Vec<String>) {
    let (snapshot, warnings) = build(&manager(options)).unwrap();
    let options = snapshot.application("rm").unwrap().options.clone();
    (options, warnings.iter().map(line).collect())
}

#[test]
fn values_are_read_in_any_form() {
    let text = "rm: { \"sip-header-for-dnis\": To, max-tries: \"2\", max-hunt: 10s, \
                ignore-ruri-tenant-dbid: \"false\", refused-methods: \"REFER, INFO\", \
                sos-number: \"0112\", overload-respcode: 500, forward-503: true, \
                priority-numbers: [\"007\", \"1-800-555*\", \"100-199\"], \
                resource-full-respcode: 486, session-linger: 2s, \
                ignore-gw-lrg-configuration: true, \
                cti-unavailable-respcode: \"486;600\", \
                cti-unavailable-action: answer }, proxy: { \"sip.mtusize\": 1400, \
                \"sip.min_se\": 120, \"sip.timer.t1\": \"250\" }, \
                records: { trace-sample: 1 }";
    let (options, warnings) = read(text);
    assert!(warnings.is_empty(), "{warnings:?}");
    let expected = Options {
        dnis_header: DnisHeader::To,
        max_tries: 2,
        max_hunt: Duration::from_secs(10),
        ignore_ruri_tenant_dbid: false,
        refused_methods: vec!["REFER".to_owned(), "INFO".to_owned()],
        sos_number: Some("0112".to_owned()),
        forward_503: true,
        priority_numbers: ["007", "1800555*", "100-199"]
            .map(|text| Pattern::parse(text).unwrap())
            .to_vec(),
        overload_respcode: 500,
        resource_full_respcode: Some(486),
        session_linger: Duration::from_secs(2),
        ignore_gateway_group: true,
        cti_stops: StatusSet(vec![(486, 486), (600, 600)]),
        cti_stopped: CtiAction::Answer,
        mtu: 1400,
        min_se: 120,
        timers: Timers { t1: Some(Duration::from_millis(250)), ..Timers::default() },
        trace_sample: 1,
        ..Options::default()
    };
    assert_eq!(options, expected);
}

#[test]
fn days_of_a_reporting_server_by_the_names_of_gvp() {
    let lengths = ["5min", "30min", "hourly", "daily", "weekly", "monthly"];
    let of = |first: &str, lengths: &[&str]| -> Vec<String> {
        lengths.iter().map(|length| format!("{first}.{length}")).collect()
    };
    let names = [
        vec!["cdr".to_owned(), "events".to_owned(), "sq.failures".to_owned()],
        of("operations", &lengths),
        of("var", &lengths),
        of("latencies", &lengths[2..]),
        of("sq", &lengths[2..]),
    ];
    let days = names.concat().into_iter().zip(1..);
    let days = days.map(|(name, days)| format!("rs.db.retention.{name}.default: \"{days}\""));
    let days = days.collect::<Vec<_>>().join(", ");
    let more = "schedule: \"04:15\", window: 2h, emergency: \"true\"";
    let text = format!("dbmp: {{ {more}, {days} }}, cdr: {{ timeout: 12h }}");
    let (snapshot, warnings) = build(&application("reporting-server", &text)).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let expected = Keeping {
        cdr: Some(1),
        events: Some(2),
        failures: Some(3),
        operations: [4, 5, 6, 7, 8, 9].map(Some),
        var: [10, 11, 12, 13, 14, 15].map(Some),
        latencies: [16, 17, 18, 19].map(Some),
        sq: [20, 21, 22, 23].map(Some),
        at: Some(255),
        window: Some(Duration::from_secs(7200)),
        emergency: Some(true),
        timeout: Some(Duration::from_secs(12 * 3600)),
    };
    assert_eq!(snapshot.application("rm").unwrap().options.reporting.keeping, expected);
    let faulty = "dbmp: { rs.db.retention.cdr.default: 0, schedule: \"24:00\" }";
    assert_eq!(faults(&application("reporting-server", faulty)).len(), 2);
    let (_, warnings) = build(&application("reporting-server", "dbmp: { x: 1 }")).unwrap();
    assert!(line(&warnings[0]).contains("W602: unknown option \"dbmp/x\""));
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    let cases = [
        ("priority-numbers: [\"9*1\"]", "\"*\" is only allowed at the end"),
        ("priority-numbers: \"200-100\"", "a range starts above its end"),
        ("priority-numbers: [\"20-100\"]", "the ends of a range differ in length"),
        ("priority-numbers: [\"a b\"]", "a number has no blanks"),
        ("overload-respcode: 399", "must be between 400 and 699"),
        ("overload-respcode: 700", "must be between 400 and 699"),
        ("sos-number: \"+\"", "it is empty"),
    ];
    for (option, why) in cases {
        let told = faults(&manager(&format!("rm: {{ {option} }}")));
        assert!(told.len() == 1 && told[0].contains(why), "{option}: {told:?}");
        assert!(told[0].starts_with("o.yaml:3:"), "{told:?}");
    }
}

#[test]
fn unknown_and_absent_options_are_warnings() {
    let cases = [
        (
            "rm: { max-try: 1 }",
            "50: W602: unknown option \"rm/max-try\"; did you mean \"rm/max-tries\"?",
        ),
        (
            "ems: { \"rc.cdr.local_queue_path\": x }",
            "51: W602: unknown option \"ems/rc.cdr.local_queue_path\"",
        ),
        (
            "rm: { topology-hiding: full }",
            "50: W603: option \"rm/topology-hiding\" has no effect in this version",
        ),
        (
            "monitor: { \"sip.mtusize\": 1 }",
            "55: W603: option \"monitor/sip.mtusize\" has no effect in this version",
        ),
    ];
    for (options, expected) in cases {
        assert_eq!(read(options).1, [format!("o.yaml:3:{expected}")], "{options}");
    }
    let defaults = "rm: { priority-numbers: [], session-linger: 5s, topology-hiding: none, \
                    allow-direct-outbound: false, \
                    cti-unavailable-respcode: null }";
    assert!(read(defaults).1.is_empty());
}

#[test]
fn other_applications_keep_their_options() {
    let (_, warnings) = build(&application("reporting-server", "agentx: { x: 1 }")).unwrap();
    assert_eq!(
        line(&warnings[0]),
        "o.yaml:3:54: W603: option \"agentx/x\" has no effect in this version"
    );
    for (misspelt, column, near) in [
        ("https: { cert_fil: a }", 53, "https/cert_file"),
        ("persistence: { rs.databse: sqlite }", 59, "persistence/rs.database"),
        ("messaging: { activemq.prot: 1 }", 57, "messaging/activemq.port"),
    ] {
        let (_, warnings) = build(&application("reporting-server", misspelt)).unwrap();
        let told = format!("o.yaml:3:{column}: W602: unknown option ");
        assert!(line(&warnings[0]).starts_with(&told), "{}", line(&warnings[0]));
        assert!(line(&warnings[0]).ends_with(&format!("did you mean \"{near}\"?")));
    }
    let misspelt = "latency: { page.fetsch: 1 }";
    let (_, warnings) = build(&application("reporting-server", misspelt)).unwrap();
    let told = "unknown option \"latency/page.fetsch\"; did you mean \"latency/page.fetch\"?";
    assert_eq!(line(&warnings[0]), format!("o.yaml:3:55: W602: {told}"));
    let (_, warnings) = build(&application("media-server", "vxmli: { x: 1 }")).unwrap();
    assert!(warnings.is_empty());
    let told = faults(&application("media", "a: {}"));
    assert_eq!(
        told,
        [concat!(
            "o.yaml:3:15: E104: \"type\" must be one of resource-manager, reporting-server, ",
            "media-server, sip-server, snmp-master, config-server"
        )]
    );
}

/// What is said of a Reporting Server's machine is read by many: no secret is in it.
#[test]
fn where_a_database_is_has_no_password_and_there_is_one() {
    let of = |options: &str| faults(&application("reporting-server", options));
    for good in ["postgres://rs@db:5432/x?sslmode=require", "sqlserver://db/x", "sqlite"] {
        let told = of(&format!("persistence: {{ rs.database: \"{good}\" }}"));
        assert!(told.is_empty(), "{told:?}");
    }
    for (bad, why) in [
        ("rs.database: none", "must be sqlite (files, which need no server), "),
        ("rs.database: \"postgres://rs:s3cret@db/x\"", "must have no password: "),
        ("rs.database: \"postgres://db/x?Password=s3cret\"", "must have no password: "),
        ("rs.database_user: \"\"", "is not a valid name"),
        ("rs.nodb.enabled: \"true\"", "must be false: a Reporting Server has a database"),
    ] {
        let told = of(&format!("persistence: {{ {bad} }}"));
        assert!(told.len() == 1 && told[0].contains(why), "{bad}: {told:?}");
        assert!(!told[0].contains("s3cret"), "{told:?}");
    }
    assert!(
        of("persistence: { rs.nodb.enabled: false }, messaging: { activemq.port: \"7\" }")
            .is_empty()
    );
    assert_eq!(of("messaging: { activemq.port: 65536 }, https: { client_auth: x }").len(), 2);
    let secret = "persistence: { rs.database_password_file: a }";
    let (_, warnings) = build(&application("reporting-server", secret)).unwrap();
    let told = "option \"persistence/rs.database_password_file\" has no effect in this version: \
                set rs.database_password_file where it runs";
    assert!(line(&warnings[0]).ends_with(told), "{}", line(&warnings[0]));
}

fn named(name: &str, kind: &str, rest: &str) -> String {
    format!("---\nkind: Application\nname: {name}\nspec: {{ type: {kind}, {rest} }}\n")
}

#[test]
fn the_options_of_templates_lie_under_its_own() {
    let rm = |name: &str, rest: &str| named(name, "resource-manager", rest);
    let text = rm("rm-0", "template: shared, options: { rm: { max-tries: 5 } }")
        + &rm("shared", "template: base, options: { rm: { max-tries: 2, forward-503: true } }")
        + &rm("base", "options: { rm: { max-spirals: 9, forward-503: false } }")
        + &named(
            "rs",
            "reporting-server",
            "connections: [rm-0, rs], address: a.example, folder: a",
        );
    let (snapshot, _) = build(&text).unwrap();
    let of = |name: &str| snapshot.application(name).unwrap().options.clone();
    let base = Options { max_spirals: 9, ..Options::default() };
    let shared = Options { max_tries: 2, forward_503: true, ..base.clone() };
    assert_eq!(of("base"), base);
    assert_eq!(of("rm-0"), Options { max_tries: 5, ..shared.clone() });
    assert_eq!(of("shared"), shared);
    assert_eq!(of("rs"), Options::default());
}

#[test]
fn templates_and_connections_are_references() {
    let rm = |name: &str, rest: &str| named(name, "resource-manager", rest);
    let chain: String = (0..10)
        .map(|n| rm(&format!("rm-{n}"), &format!("template: rm-{}", n + 1)))
        .chain([rm("rm-10", "")])
        .collect();
    for (text, expected) in [
        (
            rm("a", "template: b"),
            vec![(4, "E201: Application \"b\" of tenant \"Environment\" does not exist")],
        ),
        (
            rm("a", "connections: [a, c]"),
            vec![(4, "E201: Application \"c\" of tenant \"Environment\" does not exist")],
        ),
        (
            rm("a", "template: b") + &named("b", "sip-server", ""),
            vec![(4, "E209: template \"b\" is of type sip-server, not resource-manager")],
        ),
        (
            rm("a", "template: b") + &rm("b", "template: a") + &rm("c", "template: a"),
            vec![
                (4, "E202: application \"a\": template chain forms a cycle"),
                (8, "E202: application \"b\": template chain forms a cycle"),
            ],
        ),
        (
            chain,
            vec![
                (3, "E501: templates above application \"rm-0\": 9 exceeds the limit of 8"),
                (7, "E501: templates above application \"rm-1\": 9 exceeds the limit of 8"),
            ],
        ),
        (rm("a", "address: \"a b\""), vec![(4, "E105: \"a b\" is not a valid address")]),
    ] {
        let told = faults(&text);
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, (line, text)) in told.iter().zip(expected) {
            assert!(told.starts_with(&format!("o.yaml:{line}:")) && told.contains(text), "{told}");
        }
    }
}
