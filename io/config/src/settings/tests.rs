//! Settings: defaults, every key, every refusal with its place, and the environment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::id::NodeId;

use super::{HostPort, Level, PeerMatch, Redact, Role, Settings, Transport, later};

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
    let settings = read(include_str!("../../tests/fixtures/design.yaml")).unwrap();
    let expected =
        Settings { config_file: Some(PathBuf::from("platform.yaml")), ..Settings::default() };
    assert_eq!(settings, expected);
}

#[test]
fn every_key_is_read() {
    let settings = read(include_str!("../../tests/fixtures/full.yaml")).unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("/var/lib/ringmaster"));
    assert_eq!((settings.log.level, settings.log.redact), (Level::Debug, Redact::Full));
    assert_eq!(settings.log.file, Some(PathBuf::from("/var/log/rm.log")));
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
    let [server, gateway] = rm.sip.peers.as_slice() else { panic!("two peers") };
    assert_eq!(
        (server.role, server.trust_headers, server.allow_route),
        (Role::SipServer, true, true)
    );
    assert_eq!(server.matches[0], PeerMatch::Endpoint("10.0.0.1:5060".parse().unwrap()));
    assert!(matches!(server.matches[1], PeerMatch::Network(n) if n.prefix == 24));
    assert_eq!((gateway.role, gateway.trust_headers), (Role::Gateway, false));
    assert!(matches!(gateway.matches[0], PeerMatch::Network(n) if n.prefix == 32));
    assert_eq!(rm.monitor_listen, "127.0.0.1:6064".parse().unwrap());
    assert_eq!(rm.broker.to_string(), "mq.example:61617");
    assert_eq!(rm.broker_user.as_deref(), Some("rm"));
    assert_eq!(rm.drain_timeout, Duration::from_secs(3600));
    assert_eq!(settings.rs.spool_limit, 2 << 30);
    assert_eq!((settings.rs.ui, settings.rs.reports.page_size), (false, 50));
    assert_eq!(settings.rs.broker_limits.frame, 1 << 20);
    assert_eq!(settings.rs.broker_limits.inactivity, Duration::from_secs(60));
    assert_eq!(settings.rs_spool_dir(), PathBuf::from("/spool"));
}

#[test]
fn names_follow() {
    let settings = read("rm: { name: rm-0 }\nrs: { name: rs-9 }\n").unwrap();
    assert_eq!(settings.rm.application, "rm-0");
    assert_eq!(settings.rm.node_id, NodeId(1001));
    assert_eq!(settings.rs.application, "rs-9");
}

#[test]
fn faults_are_told_with_their_place() {
    let cases = [
        ("rmx: {}", "s.yaml:1:1: E101: unknown field \"rmx\"; did you mean \"rm\"?"),
        ("rm:\n  htp: x", "s.yaml:2:3: E101: unknown field \"htp\"; did you mean \"http\"?"),
        ("rm: { sip: { zzzzzz: 1 } }", "s.yaml:1:14: E101: unknown field \"zzzzzz\""),
        ("rm: 5", "s.yaml:1:5: E102: \"rm\" must be a mapping, found the number 5"),
        ("[1]", "s.yaml:1:1: E102: \"document\" must be a mapping, found a list"),
        ("rm: { name: 007 }", "s.yaml:1:13: E102: \"rm.name\" must be text, found the number 7.0"),
        (
            "rm: { http: 8300 }",
            "s.yaml:1:13: E102: \"rm.http\" must be text, found the number 8300",
        ),
        (
            "rm: { http: localhost }",
            "s.yaml:1:13: E105: \"localhost\" is not a valid address to listen on: expected IP:port",
        ),
        (
            "log: { level: loud }",
            "s.yaml:1:15: E104: \"log.level\" must be one of critical, error, warn, notice, info, debug, trace, off",
        ),
        ("rm: { node_id: 1024 }", "s.yaml:1:16: E106: \"rm.node_id\" must be between 1 and 1023"),
        (
            "rm: { name: rm-2024 }",
            "s.yaml:1:5: E103: \"rm.node_id\" is required with the name rm-2024: its number is above 1023",
        ),
        (
            "rm: { sip: { listen: [\"udp:0.0.0.0:5060\"] } }",
            "s.yaml:1:12: E103: rm.sip.advertise is required with a wildcard listener",
        ),
        (
            "rm: { sip: { listen: [\"sctp:1.2.3.4:5\"] } }",
            "s.yaml:1:23: E105: \"sctp:1.2.3.4:5\" is not a valid SIP listener: expected udp:IP:port or tcp:IP:port",
        ),
        (
            "rm: { sip: { advertise: [a:1, b:1, c:1] } }",
            "s.yaml:1:25: E102: \"rm.sip.advertise\" must be one address or one per listener (2), found 3",
        ),
        (
            "rm: { sip: { dscp: 64 } }",
            "s.yaml:1:20: E106: \"rm.sip.dscp\" must be between 0 and 63",
        ),
        (
            "rm: { drain_delay: 5 }",
            "s.yaml:1:20: E102: \"rm.drain_delay\" must be a duration such as 5s, found the number 5",
        ),
        (
            "rm: { drain_delay: 5sec }",
            "s.yaml:1:20: E105: \"5sec\" is not a valid duration: expected a number with ms, s, m, h or d, such as 5s",
        ),
        (
            "rm: { drain_delay: 2d }",
            "s.yaml:1:20: E106: \"rm.drain_delay\" must be between 0s and 1d",
        ),
        (
            "rs: { spool: { limit: 1GB } }",
            "s.yaml:1:23: E105: \"1GB\" is not a valid size: expected a number with B, KiB, MiB, GiB or TiB, such as 64KiB",
        ),
        (
            "rs: { spool: { limit: 1MiB } }",
            "s.yaml:1:23: E106: \"rs.spool.limit\" must be between 64MiB and 1024TiB",
        ),
        (
            "rm: { reporting: { broker: \"http://x\" } }",
            "s.yaml:1:28: E105: \"http://x\" is not a valid broker: expected tcp://host:port",
        ),
        (
            "rm: { sip: { peers: [{ name: a, role: gateway }] } }",
            "s.yaml:1:22: E103: \"rm.sip.peers[0].match\" is required for kind peer",
        ),
        (
            "rm: { sip: { peers: [{ name: a, role: boss, match: 1.2.3.4 }] } }",
            "s.yaml:1:39: E104: \"rm.sip.peers[0].role\" must be one of sip-server, gateway, media, probe",
        ),
        (
            "rs: { reports: { page_size: 500, page_size_max: 100 } }",
            "s.yaml:1:16: E106: \"rs.reports.page_size\" must be between 1 and 100",
        ),
        (
            "rs: { database: mysql }",
            "s.yaml:1:17: E104: \"rs.database\" must be one of sqlite, postgres://…, sqlserver://…, none",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "s.yaml:3:1: E001: not valid YAML or JSON: settings are one document, here is another",
        ),
        ("rm: [", "s.yaml:1:5: E001: not valid YAML or JSON: unclosed bracket '['"),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let told = read("rm: { htp: 1, sip: { dscp: x } }\nlog: { level: loud }\nx: 1\n").unwrap_err();
    assert_eq!(told.lines().count(), 4, "{told}");
}

#[test]
fn what_is_not_built_is_refused_unless_it_is_the_default() {
    let cases = [
        ("rm: { snmp: { master: \"tcp:127.0.0.1:1705\" } }", "1:15", "rm.snmp.master"),
        ("rm: { cluster: { peers: [\"10.0.0.2:9801\"] } }", "1:18", "rm.cluster.peers"),
        ("rm: { sip: { tls: { cert_file: x } } }", "1:14", "rm.sip.tls"),
        (
            "rm: { sip: { listen: [\"tls:1.2.3.4:5061\"] } }",
            "1:23",
            "rm.sip.listen[0]: tls:1.2.3.4:5061",
        ),
        (
            "rm: { monitor: { listen: \"tcp:1.2.3.4:5064\" } }",
            "1:26",
            "rm.monitor.listen: tcp:1.2.3.4:5064",
        ),
        (
            "rm: { reporting: { broker: \"failover:(tcp://a:1)\" } }",
            "1:28",
            "rm.reporting.broker: failover:(tcp://a:1)",
        ),
        ("config: { server: \"http://cs:8888\" }", "1:11", "config.server"),
        ("config_server: { listen: \"0.0.0.0:8888\" }", "1:18", "config_server.listen"),
        ("rs: { database: \"postgres://db/x\" }", "1:17", "rs.database other than sqlite"),
        (
            "rs: { retention: { operations: { hourly: 5 } } }",
            "1:34",
            "rs.retention.operations.hourly",
        ),
        (
            "rm: { sip: { peers: [{ name: a, role: probe, match: x.example }] } }",
            "1:53",
            "rm.sip.peers[0].match by TLS name",
        ),
        (
            "rm: { sip: { peers: [{ name: a, role: probe, match: 1.2.3.4, rate: 5 }] } }",
            "1:62",
            "rm.sip.peers[0].rate",
        ),
    ];
    for (text, at, what) in cases {
        let expected = format!("s.yaml:{at}: E107: \"{what}\" is not available in this version");
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
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
            ("RINGMASTER_RM__HTPP", "1.2.3.4:5"),
            "RINGMASTER_RM__HTPP: E101: unknown field \"htpp\"; did you mean \"http\"?",
        ),
        (
            ("RINGMASTER_RMM__HTTP", "1.2.3.4:5"),
            "RINGMASTER_RMM__HTTP: E101: unknown field \"rmm\"; did you mean \"rm\"?",
        ),
        (
            ("RINGMASTER_RM__SIP__LISTEN", "[udp:1]"),
            "RINGMASTER_RM__SIP__LISTEN: E105: \"udp:1\" is not a valid SIP listener: expected udp:IP:port or tcp:IP:port",
        ),
    ];
    for (pair, expected) in cases {
        assert_eq!(with_env("", &[pair]).unwrap_err(), expected);
    }
}
