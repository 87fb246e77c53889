//! `docs/reference/settings.md` says of every boot setting whether it changes without a restart.

use std::collections::BTreeSet;

/// Every key of the full sample, those in comments too, as `section.key`.
fn keys() -> BTreeSet<String> {
    let text = include_str!("../../../../deploy/samples/settings-full.yaml");
    let (mut above, mut all): (Vec<(usize, String)>, _) = (Vec::new(), BTreeSet::new());
    for line in text.lines() {
        let line = line.replacen("# ", "", usize::from(line.trim_start().starts_with("# ")));
        let indent = line.len() - line.trim_start().len();
        let Some((key, rest)) = line.trim_start().split_once(':') else { continue };
        let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if key.is_empty() || !key.chars().all(is_key) || !(rest.is_empty() || rest.starts_with(' '))
        {
            continue;
        }
        above.retain(|(other, _)| *other < indent);
        let path: Vec<&str> = above.iter().map(|(_, key)| key.as_str()).chain([key]).collect();
        all.insert(path.join("."));
        above.push((indent, key.to_owned()));
    }
    let sections: Vec<String> = all.iter().cloned().collect();
    let is_section = |key: &String| sections.iter().any(|one| one.starts_with(&format!("{key}.")));
    all.into_iter().filter(|key| !is_section(key)).collect()
}

/// What the page has in this list: keys, and sections with a dot at the end.
fn listed(title: &str) -> Vec<String> {
    let page = include_str!("../../../../docs/reference/settings.md");
    let row = page.lines().find(|line| line.starts_with(title)).unwrap();
    let cell = row.split(" | ").next().unwrap_or_default();
    let named = cell.split('`').skip(1).step_by(2);
    named.map(str::to_owned).collect()
}

/// Those that change while a daemon runs.
fn live() -> Vec<String> {
    [listed("| boot settings, live: "), listed("| boot settings, live by their files: ")].concat()
}

#[test]
fn every_boot_setting_is_in_one_of_the_lists() {
    let (live, restart) = (live(), listed("| boot settings, restart: "));
    let keys = keys();
    assert!(keys.contains("rm.sip.tls.cert_file") && keys.contains("rs.spool.limit"), "{keys:?}");
    let in_section = |key: &str| {
        restart.iter().any(|one| key == one || one.ends_with('.') && key.starts_with(one.as_str()))
    };
    let below = |key: &str, one: &str| {
        key.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    for key in &keys {
        assert!(live.iter().any(|one| below(key, one)) || in_section(key), "{key} is in no list");
    }
    for one in &live {
        assert!(keys.iter().any(|key| below(key, one)), "{one} is no boot setting");
    }
    for one in &restart {
        assert!(keys.iter().any(|key| key.starts_with(one.as_str())), "{one} is no boot setting");
    }
}

/// Settings, the file of a test that changes them under a running daemon, and its name.
const SHOWN: &[(&[&str], &str, &str)] = &[
    (&["log.level"], OPTIONS, "what_rm_takes_at_once_and_what_it_tells_to_wait"),
    (&["rs.reports", "rs.spool.limit", "rs.retention"], OPTIONS, "what_rs_takes_at_once"),
    (&["rs.broker_limits"], OF_RS, "limits_of_the_broker_follow_their_options"),
    (
        &["rs.rollup", "rs.cdr", "rs.queue_high"],
        OF_RS,
        "the_rollup_job_and_the_alarm_of_the_queue_follow_their_options",
    ),
    (
        &["rs.latency"],
        include_str!("../../../../server/rsd/tests/it/api/acceptance.rs"),
        "thresholds_and_the_part_follow_their_options_at_once",
    ),
    (
        &["config.token_file"],
        include_str!("../../src/source/tests.rs"),
        "a_token_comes_from_its_file_again_and_again",
    ),
    (
        &["config.ca_file", "config.cert_file", "config.key_file"],
        include_str!("../../../../app/tests/e2e/config_tls.rs"),
        "a_server_that_cannot_be_trusted_changes_nothing_and_is_told",
    ),
    (
        &["config_server.tls.cert_file", "config_server.tls.key_file", "config_server.tls.ca_file"],
        include_str!("../../../../server/configd/tests/it/http/secure.rs"),
        "a_new_pair_counts_from_now_on_and_a_bad_one_never",
    ),
    (
        &[
            "rm.sip.tls.cert_file",
            "rm.sip.tls.key_file",
            "rm.sip.tls.ca_file",
            "rm.sip.tls.certificates",
        ],
        include_str!("../../../../server/rmd/tests/it/tls.rs"),
        "new_files_are_for_new_handshakes_and_bad_ones_change_nothing",
    ),
    (
        &["rm.http_tokens_file"],
        include_str!("../../../../server/rmd/src/http/access.rs"),
        "tokens_have_roles_and_follow_their_file",
    ),
    (
        &["rm.cluster.key_file"],
        include_str!("../../../../server/rmd/tests/it/keys.rs"),
        "scenario_33_a_rotation_during_calls_fails_no_request",
    ),
    (
        &["rm.reporting.ca_file"],
        include_str!("../../../../app/tests/e2e/publisher.rs"),
        "an_activemq_behind_tls_is_who_its_certificate_says",
    ),
    (
        &["rs.tls.cert_file", "rs.tls.key_file", "rs.tls.ca_file"],
        include_str!("../../../../app/tests/e2e/producers.rs"),
        "tls_is_spoken_on_the_same_port",
    ),
    (
        &["rs.auth.users_file"],
        include_str!("../../../../server/rsd/tests/it/users.rs"),
        "the_file_is_followed_and_a_bad_one_changes_nothing",
    ),
    (
        &["rs.auth.tokens_file"],
        include_str!("../../../../server/rsd/tests/it/users.rs"),
        "tokens_let_in_and_logins_are_in_the_audit",
    ),
    (
        &["rs.auth.jwks_file"],
        include_str!("../../../../server/rsd/tests/it/users/provider.rs"),
        "the_file_of_keys_is_followed_and_a_bad_one_changes_nothing",
    ),
];

const OPTIONS: &str = include_str!("../../../../app/tests/e2e/config_options.rs");

const OF_RS: &str = include_str!("../../../../server/rsd/tests/it/api/options.rs");

/// The view of a Reporting Server's settings has every key of the sample.
#[test]
fn every_setting_of_rs_is_in_its_view() {
    let shown = config::settings::shown(&config::Settings::default());
    let of_rs = |key: &String| {
        ["data_dir", "log.", "config.", "rs."].iter().any(|section| key.starts_with(section))
    };
    for key in keys().iter().filter(|key| of_rs(key)) {
        let is = |(one, _): &(String, _)| {
            let below = |key: &str, one: &str| key.starts_with(&format!("{one}."));
            one == key || below(key, one) || below(one, key)
        };
        // one of the two sources of objects is read
        assert!(shown.iter().any(is) || key == "config.file", "{key} is not shown");
    }
}

#[test]
fn what_changes_without_a_restart_is_shown_by_a_test() {
    let shown = SHOWN.iter().flat_map(|(keys, ..)| keys.iter().map(|key| (*key).to_owned()));
    assert_eq!(live().into_iter().collect::<BTreeSet<_>>(), shown.collect());
    for (keys, file, test) in SHOWN {
        let stands = format!("#[test]\nfn {test}(");
        assert!(file.replace("    ", "").contains(&stands), "{keys:?}: no {test}");
    }
}
