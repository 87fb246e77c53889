//! Settings and objects that are refused: the exit code, the place, what was expected.

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
