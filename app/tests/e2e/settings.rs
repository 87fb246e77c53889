//! Settings and objects that are refused: the exit code, the place, what was expected.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::platform::{Site, run};
use crate::sipsak::sipsak;

/// Every file in `deploy/samples`; tidy sees to it that each is named here.
const SAMPLES: &[&str] = &[
    "deploy/samples/settings.yaml",
    "deploy/samples/settings-full.yaml",
    "deploy/samples/platform.yaml",
    "deploy/samples/two-tenants.yaml",
];

fn site() -> Site {
    Site::new("kind: Tenant\nname: acme\nspec: {}\n")
}

fn nothing_started(site: &Site) {
    assert!(!site.path("data").exists(), "a refused start leaves nothing behind");
}

#[test]
fn the_samples_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for sample in SAMPLES {
        let (code, out, err) = run(root, &["check", "--strict", sample]);
        assert_eq!(code, 0, "{sample}: {out}{err}");
    }
}

#[test]
fn a_malformed_settings_file_ends_with_78_and_its_place() {
    for (text, expected) in [
        (
            "rm:\n  nmae: rm-1\n",
            "settings.yaml:2:3: E101: unknown field \"nmae\"; did you mean \"name\"?",
        ),
        ("rm:\n  node_id: zwei\n", "settings.yaml:2:12: E102: "),
        ("rm: { name: [\n", "settings.yaml:"),
        ("rm:\n  drain_timeout: 5 parsecs\n", "settings.yaml:2:18: E105: "),
    ] {
        let site = site();
        site.write("settings.yaml", text);
        for daemon in ["rm", "rs"] {
            let (code, out, err) = run(&site.path("."), &[daemon, "-c", "settings.yaml"]);
            assert_eq!(code, 78, "{text}: {out}{err}");
            assert!(err.contains(expected), "{expected} in {err}");
            assert!(!out.contains("listening"), "{out}");
        }
        nothing_started(&site);
    }
}

#[test]
fn a_malformed_object_file_ends_with_3_and_its_place() {
    for (text, expected) in [
        (
            "kind: Tenant\nname: acme\nspec:\n  polcy: {}\n",
            "platform.yaml:4:3: E101: unknown field \"polcy\"; did you mean \"policy\"?",
        ),
        (
            "kind: DidGroup\nname: d\nspec: { profile: nobody, dids: [\"1\"] }\n",
            "platform.yaml:3:18: E205: profile \"nobody\" not found in tenant \"Environment\" \
             or its parents",
        ),
        ("kind: [Tenant\n", "platform.yaml:"),
    ] {
        let site = Site::new(text);
        let (code, out, err) = run(&site.path("."), &["rm", "-c", "settings.yaml"]);
        assert_eq!(code, 3, "{text}: {out}{err}");
        assert!(err.contains(expected), "{expected} in {err}");
        assert!(!out.contains("listening"), "{out}");
        nothing_started(&site);
        let (code, out, _) = run(&site.path("."), &["check", "platform.yaml"]);
        assert_eq!(code, 3);
        assert!(out.contains(expected), "{expected} in {out}");
    }
}

#[test]
fn a_part_of_a_later_version_is_refused_by_name() {
    let site = site();
    site.write("settings.yaml", "rm:\n  cluster: { peers: [\"10.0.0.2:9801\"] }\n");
    let (code, _, err) = run(&site.path("."), &["rm", "-c", "settings.yaml"]);
    assert_eq!(code, 78);
    assert!(
        err.contains("settings.yaml:2:") && err.contains("not available in this version"),
        "{err}"
    );
    nothing_started(&site);
}

#[test]
fn an_address_in_use_and_a_locked_directory_end_with_8() {
    let site = site();
    let _rm = site.start_rm();
    let (ping, said) = sipsak(&site, "", &[]);
    assert!(ping.status.success(), "{said}");
    let (code, _, err) = run(&site.path("."), &["rm", "-c", "settings.yaml"]);
    assert_eq!(code, 8, "{err}");
    assert!(err.contains("locked"), "{err}");
    let text = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    site.write("other.yaml", &text.replace("data_dir: data", "data_dir: other"));
    let (code, _, err) = run(&site.path("."), &["rm", "-c", "other.yaml"]);
    assert_eq!(code, 8, "{err}");
    assert!(err.contains("in use"), "{err}");
}

/// Lines below `rs:` (or a section of their own), and what a start of RS says of them.
const REFUSED: [(&str, &str); 17] = [
    ("  time_zone: Middle/Earth\n", "rs.time_zone: Middle/Earth is not known here: "),
    ("  database: postgres://rs@db\n", "rs.database: user, host and database are needed"),
    ("  database: postgres://rs:x@db/calls\n", "rs.database: a password stands in "),
    ("  database: postgres://rs@db/calls?sslmode=yes\n", "rs.database: sslmode is disable, "),
    ("  database: postgres://rs@db/calls?color=red\n", "rs.database: not a URL that libpq "),
    (
        "  database: \"postgres://rs@db/calls?sslmode=verify-full&sslrootcert=no.pem\"\n",
        "rs.database: sslrootcert: no.pem: No such file",
    ),
    (
        "  database: postgres://rs@db/calls\n  database_schema: Calls\n",
        "rs.database: rs.database_schema has lower-case letters, digits and _",
    ),
    (
        "  database: postgres://rs@db/calls\n  database_password_file: none\n",
        "rs.database_password_file: none: No such file",
    ),
    (
        "  database: postgres://rs@db/calls\n  database_password_file: open\n",
        "rs.database_password_file: open: others than its owner may write it (mode 622)",
    ),
    ("  database: sqlserver://rs@db/calls?color=red\n", "rs.database: sqlserver://…?color=red: "),
    (
        "  database: sqlserver://rs@db/calls?caFile=no.pem\n",
        "rs.database: caFile: no.pem: No such file",
    ),
    (
        "  database: sqlserver://rs@db/calls\n  database_schema: calls\n",
        "rs.database_schema: SQL Server takes the default schema of the login",
    ),
    ("  proof_key_file: none\n", "rs.proof_key_file: none: No such file"),
    ("  proof_key_file: open\n", "rs.proof_key_file: open: others than its owner may write it "),
    ("  auth: { users_file: open }\n", "rs.auth.users_file: open: others than its owner may "),
    (
        "  strict_limits: true\n  spool: { limit: 1024TiB }\n",
        "rs.strict_limits: rs.spool.limit is 1125899906842624",
    ),
    ("  tls: { cert_file: open, key_file: open }\n", "rs.tls: open: no certificate in it"),
];

#[test]
fn what_a_start_of_rs_refuses_is_told_by_check_in_the_same_words() {
    let site = site();
    site.write("open", "x");
    let mode = Permissions::from_mode(0o622);
    std::fs::set_permissions(site.path("open"), mode).unwrap();
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    for (lines, expected) in REFUSED {
        site.write("settings.yaml", &format!("{settings}{lines}"));
        let (code, out, said) = run(&site.path("."), &["rs", "-c", "settings.yaml"]);
        assert_eq!((code, &*out), (78, ""), "{lines}: {said}");
        let said = said.lines().last().unwrap_or_default();
        assert!(said.starts_with(expected), "{lines}: {said}");
        nothing_started(&site);
        let told = run(&site.path("."), &["check", "settings.yaml"]);
        let same = format!("settings.yaml: E105: {said}\n");
        assert_eq!(told, (3, same, "1 error\n".to_owned()), "{lines}");
    }
    // a start says the first, check all
    let all = format!("{settings}{}{}", REFUSED[0].0, REFUSED[12].0);
    site.write("settings.yaml", &all);
    let (_, out, err) = run(&site.path("."), &["check", "settings.yaml"]);
    assert_eq!((out.lines().count(), &*err), (2, "2 errors\n"), "{out}");
}

#[test]
fn what_a_start_of_rm_refuses_of_its_files_is_told_by_check() {
    let site = site();
    site.write("odd", "256 00\n");
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    for (line, expected) in
        [("cluster: { key_file: odd }", "odd:1: "), ("http_tokens_file: odd", "cannot use odd: ")]
    {
        let text = settings.replacen("rm-1\n", &format!("rm-1\n  {line}\n"), 1);
        site.write("settings.yaml", &text);
        let (code, _, said) = run(&site.path("."), &["rm", "-c", "settings.yaml"]);
        assert!(code == 78 || code == 8, "{line}: {code} {said}");
        assert!(said.starts_with(expected), "{line}: {said}");
        let told = run(&site.path("."), &["check", "settings.yaml"]);
        assert_eq!(told, (3, format!("settings.yaml: E105: {said}"), "1 error\n".to_owned()));
    }
}
