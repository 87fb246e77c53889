//! Settings: defaults, every key, every refusal with its place, and the environment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::id::NodeId;

use super::{
    Access, ExportFormat, ExportKind, HostPort, Level, PeerMatch, Redact, Role, Settings,
    Transport, later,
};

fn read(text: &str) -> Result<Settings, String> {
    with_env(text, &[])
}

fn with_env(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let pairs = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let file = Some(Arc::from("s.yaml"));
    Settings::from_text(text, file, pairs).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

#[test]
fn nothing_is_all_defaults() {
    for text in ["", "rm:\n", "{}", "rm: {}\nrs: {}\nlog: {}\nconfig: {}\n"] {
        assert_eq!(read(text), Ok(Settings::default()), "{text:?}");
    }
    let settings = Settings::default();
    assert_eq!(settings.rs_spool_dir(), PathBuf::from("./ringmaster-data/rs/spool"));
    assert_eq!(settings.rm_key_file(), PathBuf::from("./ringmaster-data/cluster.key"));
}

#[test]
fn the_file_of_the_design_is_accepted() {
    let settings = read(include_str!("../../tests/it/fixtures/design.yaml")).unwrap();
    let expected = Settings {
        config_file: Some(PathBuf::from("platform.yaml")),
        origins: settings.origins.clone(),
        ..Settings::default()
    };
    assert_eq!(settings, expected);
}

/// The environment stands above the file, and flags above both; a section that a variable sets as a
/// whole has set its keys.
#[test]
fn who_has_said_what_is_known() {
    let text = "rs: { http: 127.0.0.1:1, name: x, rollup: { delay: 5s }, tls: null }\n";
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("s.yaml");
    std::fs::write(&file, text).unwrap();
    let environment = [
        pair("RINGMASTER_RS__NAME", "y"),
        pair("RINGMASTER_RS__ROLLUP", "{ delta_days: 3 }"),
        pair("RINGMASTER_RS__HTTP", "127.0.0.1:2"),
    ];
    let flags = [pair("RINGMASTER_RS__HTTP", "127.0.0.1:3")];
    let settings = Settings::load(Some(&file), environment, flags).unwrap();
    assert_eq!((settings.rs.http.port(), settings.rs.name.as_str()), (3, "y"));
    let of = |key: &str| settings.origins.of(key).to_string();
    assert_eq!(of("rs.http"), "command_line");
    assert_eq!(of("rs.name"), "environment");
    for key in ["rs.rollup", "rs.rollup.delay", "rs.rollup.delta_days"] {
        assert_eq!(of(key), "environment", "{key}");
    }
    assert_eq!((of("rs"), of("rs.names")), ("command_line".to_owned(), "default".to_owned()));
    assert_eq!((of("rs.tls"), of("data_dir")), ("default".to_owned(), "default".to_owned()));
    let settings = Settings::load(Some(&file), [], []).unwrap();
    assert_eq!(settings.origins.of("rs.rollup.delay").to_string(), "boot_file");
    assert!(!settings.origins.is_fixed("rs.rollup.delay"));
}

#[test]
fn every_key_is_read() {
    let settings = read(include_str!("../../tests/it/fixtures/full.yaml")).unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("/var/lib/ringmaster"));
    assert_eq!((settings.log.level, settings.log.redact), (Level::Debug, Redact::Full));
    assert_eq!(settings.log.file, Some(PathBuf::from("/var/log/rm.log")));
    let server = &settings.config_server;
    assert_eq!(server.listen, "[::]:8888".parse().unwrap());
    assert_eq!(server.client_roles[0].san, "rm.voice.svc");
    assert_eq!(server.tls.as_ref().unwrap().certificates.len(), 1);
    assert_eq!((server.anonymous(), server.keep_revisions), (Access::Reader, 50));
    assert!(server.http_metrics_auth && server.require_if_match && server.seed.is_some());
    let rm = &settings.rm;
    assert_eq!((rm.name.as_str(), rm.application.as_str()), ("rm-7", "rm"));
    assert_eq!(rm.node_id, NodeId(12));
    assert_eq!(rm.sip.listen[1].transport, Transport::Tcp);
    assert_eq!(rm.sip.listen[1].addr, "[::]:5060".parse().unwrap());
    let shown = HostPort { host: "sip.example".to_owned(), port: 5060 };
    assert_eq!(rm.sip.advertise, [shown]);
    assert_eq!(rm.sip.via.len(), 2);
    assert_eq!(rm.sip.via[1].to_string(), "[2001:db8::1]:5060");
    assert_eq!((rm.sip.dscp, rm.sip.domains[0].as_str()), (46, "rm.example"));
    let routes: Vec<_> = rm.sip.routes.iter().map(|r| (r.to.prefix, r.listener)).collect();
    assert_eq!(routes, [(24, 0), (128, 1)]);
    let [server, gateway] = rm.sip.peers.as_slice() else { panic!("two peers") };
    assert_eq!(
        (server.role, server.trust_headers, server.allow_route),
        (Role::SipServer, true, true)
    );
    assert_eq!(server.matches[0], PeerMatch::Endpoint("10.0.0.1:5060".parse().unwrap()));
    assert!(matches!(server.matches[1], PeerMatch::Network(n) if n.prefix == 24));
    assert_eq!((server.session_expires, gateway.session_expires), (Some(1800), None));
    assert_eq!((gateway.role, gateway.trust_headers), (Role::Gateway, false));
    assert!(matches!(gateway.matches[0], PeerMatch::Network(n) if n.prefix == 32));
    let servers = ["10.0.0.53:53", "[2001:db8::53]:5353"].map(|one| one.parse().unwrap());
    assert_eq!(rm.dns_servers, servers);
    assert_eq!(rm.monitor_listen, "127.0.0.1:6064".parse().unwrap());
    let hep = rm.hep.as_ref().unwrap();
    assert_eq!((hep.target.to_string().as_str(), hep.id), ("homer.example:9060", Some(2001)));
    assert_eq!(rm.brokers.to_string(), "ssl://mq.example:61617, tcp://b:1");
    assert_eq!(rm.broker_ca_file, Some(PathBuf::from("ca")));
    assert_eq!(rm.broker_user.as_deref(), Some("rm"));
    assert_eq!(rm.drain_timeout, Duration::from_secs(3600));
    assert_eq!(settings.rs.spool_limit, 2 << 30);
    assert_eq!((settings.rs.ui, settings.rs.reports.page_size), (false, 50));
    assert_eq!(settings.rs.http_cors_origins, ["https://desk.example", "http://[::1]:3000"]);
    let auth = &settings.rs.auth;
    assert_eq!((auth.anonymous, auth.anonymous_broker), (Some(true), Some(true)));
    assert_eq!(settings.rs.broker_limits.frame, 2 << 20);
    assert_eq!(settings.rs.broker_limits.inactivity, Duration::from_secs(60));
    assert_eq!(settings.rs_spool_dir(), PathBuf::from("/spool"));
}

#[test]
fn whoever_is_on_this_machine_is_an_admin_unless_there_is_tls() {
    let tls = "tls: { cert_file: a, key_file: b }";
    for (text, access) in [
        ("{}".to_owned(), Access::Admin),
        ("{ listen: \"[::1]:8888\" }".to_owned(), Access::Admin),
        ("{ listen: 0.0.0.0:8888 }".to_owned(), Access::None),
        (format!("{{ {tls} }}"), Access::None),
        (format!("{{ {tls}, auth: {{ anonymous: editor }} }}"), Access::Editor),
        ("{ auth: { anonymous: none } }".to_owned(), Access::None),
    ] {
        let settings = read(&format!("config_server: {text}")).unwrap();
        assert_eq!(settings.config_server.anonymous(), access, "{text}");
    }
}

#[test]
fn a_config_server_is_one_url_or_several() {
    let shown = |text: &str| {
        let config = read(text).unwrap().config;
        config.servers.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(shown(""), ["http://127.0.0.1:8888"]);
    assert_eq!(shown("config: { server: \"https://cs\" }"), ["https://cs"]);
    let two = "config: { server: [\"http://a:1\", \"https://[::1]:2/\"], token_file: t, \
               ca_file: c, cert_file: o, key_file: k, server_name: cs.voice }";
    assert_eq!(shown(two), ["http://a:1", "https://[::1]:2"]);
    let config = read(two).unwrap().config;
    let files = (config.token_file, config.ca_file);
    assert_eq!(files, (Some(PathBuf::from("t")), Some(PathBuf::from("c"))));
    let own = config.certificate.unwrap();
    assert_eq!((own.cert_file, own.key_file), (PathBuf::from("o"), PathBuf::from("k")));
    assert_eq!(config.server_name.as_deref(), Some("cs.voice"));
}

#[test]
fn response_times_have_thresholds_by_kind() {
    let text =
        "rs: { latency: { threshold: { page_fetch: 1500, tts.open: 700 }, percentile: 0.9 } }";
    let latency = read(text).unwrap().rs.latency;
    let of = |kind| latency.threshold_ms(kind);
    assert_eq!([of("PAGE_FETCH"), of("TTS_OPEN")], [Some(1500), Some(700)]);
    assert_eq!([of("TTS_STOP"), of("HOME_MADE")], [Some(500), None]);
    assert!((latency.part() - 0.9).abs() < 1e-12);
    let variable = [("RINGMASTER_RS__LATENCY__THRESHOLD__PAGE_FETCH", "1600")];
    assert_eq!(
        with_env(text, &variable).unwrap().rs.latency.threshold_ms("PAGE_FETCH"),
        Some(1600)
    );
    for (key, told) in [
        (
            "threshold: { page_fetches: 5 }",
            "E101: unknown field \"rs.latency.threshold.page_fetches\"",
        ),
        ("threshold: { page_fetch: 0 }", "E106: \"rs.latency.threshold.page_fetch\" must be"),
        ("threshold: 5", "E102: "),
        ("percentile: 0.4", "E106: \"rs.latency.percentile\" must be between 0.5 and 0.999"),
        ("percentiles: 0.9", "E101: unknown field \"percentiles\"; did you mean \"percentile\"?"),
    ] {
        let error = read(&format!("rs: {{ latency: {{ {key} }} }}")).unwrap_err();
        assert!(error.contains(told), "{key}: {error}");
    }
}

#[test]
fn names_follow() {
    let settings = read("rm: { name: rm-0 }\nrs: { name: rs-9 }\n").unwrap();
    assert_eq!(settings.rm.application, "rm-0");
    assert_eq!(settings.rm.node_id, NodeId(1001));
    assert_eq!((&*settings.rs.name, &*settings.rs.application), ("rs-9", "rs-9"));
    assert_eq!(read("rs: { application: my rs }").unwrap().rs.application, "my rs");
}

/// Holds the cases of a fixture against what is told of them.
fn check(fixture: &str, count: usize) {
    let cases: Vec<&str> = fixture.split("====\n").filter(|case| case.contains("--> ")).collect();
    assert_eq!(cases.len(), count, "cases in the fixture");
    for case in cases {
        let lines = || case.lines().filter(|line| !line.starts_with('#'));
        let text: Vec<&str> = lines().filter(|line| !line.starts_with("--> ")).collect();
        let told = lines().filter_map(|line| line.strip_prefix("--> "));
        let told: Vec<String> = told.map(|line| format!("s.yaml:{line}")).collect();
        assert_eq!(read(&text.join("\n")).unwrap_err(), told.join("\n"), "{case}");
    }
}

#[test]
fn faults_are_told_with_their_place() {
    check(include_str!("../../tests/it/fixtures/faults/settings.txt"), 68);
}

#[test]
fn settings_that_do_not_agree_are_told_with_their_place() {
    check(include_str!("../../tests/it/fixtures/faults/settings-agree.txt"), 22);
}

#[test]
fn what_only_looks_like_a_clash_is_accepted() {
    for text in [
        "rm: { sip: { listen: [\"udp:127.0.0.1:0\", \"udp:127.0.0.1:0\"] }, http: 127.0.0.1:0 }\n\
         rs: { http: 127.0.0.1:0, broker: 127.0.0.1:0 }",
        // an RM on a machine of its own
        "rm: { http: 127.0.0.1:8080 }",
        "rm: { sip: { listen: [\"tcp:127.0.0.1:5064\"] }, http: \"[::1]:8080\" }\nrs: {}",
        "rm: { sip: { listen: [\"udp:127.0.0.1:5060\", \"udp:127.0.0.2:5060\"] } }",
    ] {
        assert!(read(text).is_ok(), "{text}: {:?}", read(text));
    }
}

#[test]
fn files_that_keys_name_are_looked_for_when_a_file_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.yaml");
    let (file, there) = (path.display(), dir.path().display());
    let told = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let problems = Settings::load(Some(&path), [], []).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let missing = "No such file or directory (os error 2)";
    let expected = [
        format!("{file}:2:21: E105: \"rm.http_tokens_file\": cannot read tokens: {missing}"),
        format!("{file}:3:24: E105: \"rm.cluster.key_file\": cannot read ./key: {missing}"),
        format!(
            "{file}:4:31: E105: \"rm.reporting.password_file\": cannot read {there}: is a directory"
        ),
    ];
    let text = format!(
        "rm:\n  http_tokens_file: tokens\n  cluster: {{ key_file: ./key }}\n  \
         reporting: {{ password_file: \"{there}\" }}\n"
    );
    assert_eq!(told(&text), expected);
    assert!(read(&text).is_ok(), "a text is no file");
    // relative to the working directory: of tests, that of the package
    assert_eq!(told("rm: { http_tokens_file: Cargo.toml, cluster: { key_file: null } }"), [""; 0]);
    let variable = ("RINGMASTER_RM__HTTP_TOKENS_FILE".to_owned(), "/no/tokens".to_owned());
    std::fs::write(&path, "").unwrap();
    let problems = Settings::load(Some(&path), [variable], []).unwrap_err();
    let expected = "RINGMASTER_RM__HTTP_TOKENS_FILE: E105: \"rm.http_tokens_file\": cannot read";
    assert!(problems[0].to_string().starts_with(expected), "{}", problems[0]);
}

#[test]
fn a_settings_file_that_is_not_there_is_not_called_bad_yaml() {
    let problems = Settings::load(Some(std::path::Path::new("/no/s.yaml")), [], []).unwrap_err();
    let told = "/no/s.yaml: E001: cannot read the file: No such file or directory (os error 2)";
    assert_eq!(problems[0].to_string(), told);
}

#[test]
fn all_faults_are_told_at_once() {
    let told = read("rm: { htp: 1, sip: { dscp: x } }\nlog: { level: loud }\nx: 1\n").unwrap_err();
    assert_eq!(told.lines().count(), 4, "{told}");
}

#[test]
fn origins_are_as_browsers_send_them_and_not_without_end() {
    let listed = |origins: &[String]| read(&format!("rs: {{ http_cors_origins: {origins:?} }}"));
    for good in ["https://a", "http://a-b.example:8443", "http://127.0.0.1:1", "http://[::1]"] {
        let settings = listed(&[good.to_owned()]).unwrap();
        assert_eq!(settings.rs.http_cors_origins, [good]);
    }
    let many: Vec<String> = (0..65).map(|n| format!("https://d{n}.example")).collect();
    assert_eq!(listed(&many[1..]).unwrap().rs.http_cors_origins, many[1..]);
    let told = listed(&many).unwrap_err();
    assert!(told.ends_with("E106: \"rs.http_cors_origins\" must be at most 64 origins"), "{told}");
}

#[test]
fn what_is_not_built_is_refused() {
    check(include_str!("../../tests/it/fixtures/faults/settings-later.txt"), 9);
}

#[test]
fn the_defaults_of_all_absent_keys_are_accepted_and_nothing_else() {
    for (section, key, default) in later::rows() {
        let nested = |value: &str| {
            let open: String = section.split('.').map(|part| format!("{{{part}: ")).collect();
            let close = "}".repeat(section.split('.').count() + 1);
            format!("{open}{{{key}: {value}{close}")
        };
        assert!(read(&nested(default)).is_ok(), "{section}.{key}");
        assert!(read(&nested("null")).is_ok(), "{section}.{key}");
        let told = read(&nested("[other]")).unwrap_err();
        assert!(
            told.ends_with(&format!("E107: \"{section}.{key}\" is not available in this version")),
            "{told}"
        );
    }
}

#[test]
fn the_environment_wins_and_is_named() {
    let file = "rm: { http: \"127.0.0.1:1\", sip: { dscp: 0 } }";
    let environment = [
        ("RINGMASTER_RM__HTTP", "127.0.0.2:8300"),
        ("RINGMASTER_RM__SIP__LISTEN", "[udp:127.0.0.1:5070]"),
        ("RINGMASTER_RS__UI", "false"),
        ("RINGMASTER_DATA_DIR", "/data"),
        ("RINGMASTER_TOKEN_FILE", "/x"),
        ("RINGMASTER_PORT_5060_UDP", "udp://10.0.0.1:5060"),
        ("RINGMASTER_RM_PORT", "tcp://10.0.0.1:8300"),
        ("PATH", "/bin"),
        ("RINGMASTER_RS__UI", "true"),
    ];
    let settings = with_env(file, &environment).unwrap();
    assert_eq!(settings.rm.http, "127.0.0.2:8300".parse().unwrap());
    assert_eq!(settings.rm.sip.listen.len(), 1);
    assert_eq!(settings.rm.sip.dscp, 0);
    assert!(settings.rs.ui);
    assert_eq!(settings.data_dir, PathBuf::from("/data"));
    let cases = [
        (
            ("RINGMASTER_RM__SIP__DSCP", "99"),
            "RINGMASTER_RM__SIP__DSCP: E106: \"rm.sip.dscp\" must be between 0 and 63",
        ),
        (
            ("RINGMASTER_RS__HTTP", "0.0.0.0:8080"),
            concat!(
                "RINGMASTER_RS__HTTP: E103: rs.http: 0.0.0.0:8080 is not loopback: ",
                "without users it needs rs.auth.anonymous: true"
            ),
        ),
        (
            ("RINGMASTER_RM__HTPP", "1.2.3.4:5"),
            "RINGMASTER_RM__HTPP: E101: unknown field \"htpp\"; did you mean \"http\"?",
        ),
        (
            ("RINGMASTER_RMM__HTTP", "1.2.3.4:5"),
            "RINGMASTER_RMM__HTTP: E101: unknown field \"rmm\"; did you mean \"rm\"?",
        ),
        (
            ("RINGMASTER_RM__SIP__LISTEN", "[udp:1]"),
            concat!(
                "RINGMASTER_RM__SIP__LISTEN: E105: \"udp:1\" is not a valid SIP listener: ",
                "expected udp:IP:port, tcp:IP:port or tls:IP:port"
            ),
        ),
    ];
    for (pair, expected) in cases {
        assert_eq!(with_env("", &[pair]).unwrap_err(), expected);
    }
}

#[test]
fn what_is_written_down_before_it_goes() {
    let export = |text: &str| {
        let read = read(&format!("rs: {{ export: {{ before_purge: {text} }} }}"));
        read.map(|settings| settings.rs.retention.export)
    };
    assert_eq!(export("null").unwrap(), None);
    let plain = export("{ dir: /e }").unwrap().unwrap();
    assert_eq!((plain.format, plain.zstd), (ExportFormat::Ndjson, false));
    assert_eq!(plain.kinds, ExportKind::ALL);
    let csv = "{ dir: /e, format: csv, kinds: [cdr, dead_letters], compress: zstd }";
    let csv = export(csv).unwrap().unwrap();
    assert_eq!((csv.format, csv.zstd), (ExportFormat::Csv, true));
    assert_eq!(csv.kinds, [ExportKind::Cdr, ExportKind::DeadLetters]);
    for (wrong, told) in [
        ("{ format: csv }", "E103"),
        ("{ dir: /e, format: xml }", "must be one of ndjson, csv"),
        ("{ dir: /e, kinds: [calls] }", "must be one of cdr, events, var, dead_letters"),
        ("{ dir: /e, compress: gzip }", "must be one of zstd, none"),
    ] {
        let refused = export(wrong).unwrap_err();
        assert!(refused.contains(told), "{wrong}: {refused}");
    }
}

#[test]
fn how_long_what_is_kept() {
    let file =
        "rs: { retention: { cdr: 90, at: \"23:59\", sq: { failures: 7 } }, cdr: { timeout: 2h } }";
    let kept = read(file).unwrap().rs.retention;
    assert_eq!((kept.cdr, kept.events, kept.failures), (90, 14, 7));
    assert_eq!((kept.at, kept.timeout.as_secs()), (23 * 60 + 59, 7200));
    let plain = read("rs: {}").unwrap().rs.retention;
    assert_eq!((plain.at, plain.window.as_secs(), plain.emergency), (190, 14_400, false));
    for wrong in ["at: \"24:00\"", "at: \"3:10\"", "at: \"03:60\"", "at: midnight"] {
        let told = read(&format!("rs: {{ retention: {{ {wrong} }} }}")).unwrap_err();
        assert!(told.contains("E104: \"rs.retention.at\" must be a time of day"), "{told}");
    }
    assert_eq!(plain.bins.operations, [7, 31, 93, 400, 1095, 3650]);
    assert_eq!(plain.bins.sq, [93, 400, 1095, 3650]);
    let bins = "operations: { 5min: 9, monthly: 4000 }, var: { 30min: 5 }, sq: { hourly: 6 }, \
                latencies: { weekly: 8 }";
    let bins = read(&format!("rs: {{ retention: {{ {bins} }} }}")).unwrap().rs.retention.bins;
    assert_eq!(bins.operations, [9, 31, 93, 400, 1095, 4000]);
    assert_eq!((bins.var[1], bins.sq[0], bins.latencies[2]), (5, 6, 8));
    let wrong = ["cdr: 0", "events: 36501", "sq: { failures: 0 }", "window: 1s"];
    for wrong in wrong.into_iter().chain(["var: { daily: 0 }"]) {
        let told = read(&format!("rs: {{ retention: {{ {wrong} }} }}")).unwrap_err();
        assert!(told.contains("E106"), "{told}");
    }
    let told = read("rs: { retention: { latencies: { 5min: 7 } } }").unwrap_err();
    assert!(told.contains("E101: unknown field \"5min\""), "{told}");
}
