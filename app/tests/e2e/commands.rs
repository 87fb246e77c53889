//! The commands that speak with the Config Server, as a provisioner uses them: what they print, and
//! how they end.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::center::{Center, told};
use crate::platform::Process;

const ACME: &str = "kind: Tenant
name: acme
spec: { policy: { usage_limit: 100 } }
---
kind: IvrProfile
name: acme-main
tenant: acme
labels: { team: a }
spec: { service: voicexml, initial_page_url: \"http://acme.example/\", policy: { usage_limit: 50 } }
---
kind: DidGroup
name: acme-numbers
tenant: acme
labels: { team: a }
spec: { profile: acme-main, dids: [\"18005550100\"] }
";

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_file_is_applied_compared_and_applied_again() {
    let center = Center::new("");
    let _server = center.start();
    center.write("acme.yaml", ACME);
    let dry = center.ok(&["apply", "-f", "acme.yaml", "--dry-run"]);
    let expected = "+ Tenant acme\n+ IvrProfile acme/acme-main\n+ DidGroup acme/acme-numbers\n\
                    3 create; would be revision 1 (dry run, nothing changed)\n";
    assert_eq!(dry, expected);
    let (code, out, _) = center.run(&["diff", "-f", "acme.yaml", "-q"]);
    assert_eq!((code, out.lines().count()), (1, 3), "{out}");
    let done = center.ok(&["apply", "-f", "acme.yaml", "--message", "first"]);
    assert!(done.ends_with("3 create; revision 1\n"), "{done}");
    let again = center.ok(&["apply", "-f", "acme.yaml"]);
    assert_eq!(again, "no change; revision 1\n");
    assert_eq!(center.ok(&["diff", "-f", "acme.yaml", "-q"]), "");

    center.write("acme.yaml", &ACME.replace("usage_limit: 100", "usage_limit: 80"));
    let changed = center.ok(&["apply", "-f", "acme.yaml", "-m", "less", "--base", "1"]);
    let expected = "~ Tenant acme (101)\n    spec.policy.usage_limit: 100 -> 80\n\
                    1 update; revision 2\n";
    assert_eq!(changed, expected);
    let (code, _, err) = center.run(&["apply", "-f", "acme.yaml", "--base", "1"]);
    assert_eq!(code, 5, "{err}");

    let history = parsed(&center.ok(&["history", "-o", "json"]));
    let told: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["revision"].as_u64().unwrap(), one["message"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(&told[..2], &[(2, "less"), (1, "first")], "{history}");
    let back = center.ok(&["rollback", "1"]);
    assert!(back.contains("spec.policy.usage_limit: 80 -> 100"), "{back}");
    assert!(back.ends_with("1 update; revision 3\n"), "{back}");
    let of_one = center.ok(&["history", "profile", "acme-main", "-o", "name"]);
    assert_eq!(of_one, "1\n");
    for (words, told) in [
        (&["rollback", "99"][..], "revision 99 does not exist"),
        (&["get", "profiles", "--tenant", "nope"], "tenant \"nope\" does not exist"),
        (&["export", "--tenant", "nope"], "tenant \"nope\" does not exist"),
        (&["history", "profile", "acme-main", "--tenant", "nope"], "of tenant \"nope\" does not"),
        (&["history", "profile", "never"], "the history knows none"),
    ] {
        let (code, out, err) = center.run(words);
        assert_eq!((code, out.as_str()), (4, ""), "{words:?}: {err}");
        assert!(err.contains(told), "{words:?}: {err}");
    }
}

#[test]
fn objects_are_shown_as_tables_documents_json_and_names() {
    let center = Center::new("");
    let _server = center.start();
    center.write("acme.yaml", ACME);
    center.ok(&["apply", "-f", "acme.yaml", "-q"]);
    let table = center.ok(&["get", "profiles", "--tenant", "acme"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "TENANT  NAME       DBID  SERVICE   STATE    LIMIT  REV  UPDATED");
    let row = "acme    acme-main  101   voicexml  enabled  50     1    20";
    assert!(lines.len() == 2 && lines[1].starts_with(row) && lines[1].ends_with('Z'), "{table}");
    for words in [["did", "acme-numbers"], ["dids", "dbid:101"], ["DidGroup", "acme-numbers"]] {
        let one = parsed(&center.ok(&["get", words[0], words[1], "-o", "json"]));
        assert_eq!(one["spec"]["dids"][0], "18005550100", "{words:?}");
    }
    assert_eq!(center.ok(&["get", "tenants", "-o", "name"]), "Environment\nacme\n");
    assert_eq!(center.ok(&["get", "apps"]).lines().count(), 1);
    let by_label = center.ok(&["get", "profiles", "-l", "team=a", "-o", "name"]);
    assert_eq!(by_label, "acme-main\n");
    let before = center.ok(&["get", "tenants", "--at", "0", "-o", "name"]);
    assert_eq!(before, "Environment\n");
    let (code, _, err) = center.run(&["get", "tenant", "nobody"]);
    assert_eq!(code, 4, "{err}");
    for name in ["..", "../Tenant/acme", "acme-main/x"] {
        let (code, _, err) = center.run(&["get", "profile", name]);
        assert_eq!(code, 4, "a name leads nowhere else: {err}");
    }
    let (code, _, err) = center.run(&["get", "number"]);
    assert!(code == 2 && err.contains("expected tenant, profile, did, group"), "{code} {err}");

    // what is printed can be applied, and changes nothing
    let text = center.ok(&["get", "profile", "acme-main", "-o", "yaml"]);
    center.write("again.yaml", &text);
    assert_eq!(center.ok(&["apply", "-f", "again.yaml"]), "no change; revision 1\n");
    let all = center.ok(&["export"]);
    assert!(!all.contains("created_at") && all.contains("dbid: 101"), "{all}");
    let mut import = center.command(&["import", "-"]);
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(all.as_bytes()).unwrap();
    let (code, out, err) = told(import.wait_with_output().unwrap());
    assert_eq!((code, out.as_str()), (0, "no change; revision 1\n"), "{err}");
}

#[test]
fn a_fault_is_told_with_its_file_and_line() {
    let center = Center::new("");
    let _server = center.start();
    center.write("a.yaml", ACME);
    center.write("b.yaml", "# theirs\nkind: Tenant\nname: b\nspec:\n  polcy: {}\n");
    let (code, out, err) = center.run(&["apply", "-f", "a.yaml", "b.yaml"]);
    assert_eq!(code, 3, "{out}{err}");
    let expected = "b.yaml:5:3: E101: unknown field \"polcy\"; did you mean \"policy\"?";
    assert!(err.contains(expected), "{err}");
    center.write("c.yaml", "kind: Tenant\nname: [c\n");
    for files in [vec!["c.yaml"], vec!["a.yaml", "c.yaml"]] {
        let (code, _, err) = center.run(&[&["apply", "-f"][..], &files].concat());
        assert!(code == 3 && err.contains("c.yaml:") && err.contains(": E001: "), "{code} {err}");
    }
    let (code, _, err) = center.run(&["apply", "-f", "none.yaml"]);
    assert!(code == 3 && err.contains("none.yaml: "), "{code} {err}");
    assert_eq!(center.ok(&["get", "tenants", "-o", "name"]), "Environment\n");
}

#[test]
fn what_others_need_stays_or_goes_with_them() {
    let center = Center::new("");
    let _server = center.start();
    center.write("acme.yaml", ACME);
    center.ok(&["apply", "-f", "acme.yaml", "-q"]);
    let (code, _, err) = center.run(&["delete", "profile", "acme-main", "--tenant", "acme"]);
    assert!(code == 5 && err.contains("still referenced by"), "{code} {err}");
    let args = ["delete", "tenant", "acme", "--cascade"];
    let dry = center.ok(&[&args[..], &["--dry-run"]].concat());
    assert!(dry.contains("- DidGroup acme/acme-numbers (101)\n"), "{dry}");
    assert!(dry.ends_with("3 delete; would be revision 2 (dry run, nothing changed)\n"), "{dry}");
    let gone = center.ok(&args);
    assert!(gone.ends_with("3 delete; revision 2\n"), "{gone}");
    // one label's objects are those of the files, and no others
    center.ok(&["apply", "-f", "acme.yaml", "-q"]);
    let (_, profile) = ACME.split_once("---\n").unwrap();
    let (profile, _) = profile.split_once("---\n").unwrap();
    center.write("less.yaml", profile);
    let pruned = center.ok(&["apply", "-f", "less.yaml", "--prune", "team=a"]);
    assert!(pruned.ends_with("1 delete; revision 4\n"), "{pruned}");
    center.write("none.yaml", "# all of it has moved\n---\n");
    let all = ["apply", "-f", "none.yaml", "--prune", "team=a"];
    let (code, out, err) = center.run(&all);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("every object with team=a") && err.contains("--allow-empty"), "{err}");
    assert_eq!(center.ok(&["get", "profiles", "-o", "name"]), "acme-main\n");
    let gone = center.ok(&[&all[..], &["--allow-empty"]].concat());
    assert!(gone.ends_with("1 delete; revision 5\n"), "{gone}");
}

#[test]
fn tokens_say_who_may_do_what() {
    let mut center = Center::new("  auth: { anonymous: none }\n");
    let _server = center.start();
    let (code, _, err) = center.run(&["get", "tenants"]);
    assert_eq!(code, 6, "{err}");
    center.token = Some(center.path("data/config/admin.token"));
    center.ok(&["get", "tenants"]);
    center.ok(&["token", "create", "anna", "--role", "reader", "--out", "anna.token"]);
    let mode = std::fs::metadata(center.path("anna.token")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    let (code, _, err) =
        center.run(&["token", "create", "x", "--role", "reader", "--out", "anna.token"]);
    assert_eq!(code, 8, "{err}");
    let (name, out) = ("bob", "bob.token");
    let made =
        center.ok(&["token", "create", name, "--role", "reader", "--out", out, "-o", "json"]);
    let made = parsed(&made);
    assert_eq!((&made["name"], &made["token"]), (&json!("bob"), &Value::Null), "{made}");
    let secret = std::fs::read_to_string(center.path("bob.token")).unwrap();
    assert!(secret.starts_with("rmt_"), "the secret is in the file alone");
    let listed = parsed(&center.ok(&["token", "list", "-o", "json"]));
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"anna") && !names.contains(&"x"), "{listed}");
    let id = listed.as_array().unwrap().iter().find(|one| one["name"] == "anna").unwrap();
    let id = id["id"].as_str().unwrap().to_owned();

    let admin = center.token.replace(center.path("anna.token"));
    center.ok(&["get", "tenants"]);
    center.write("acme.yaml", ACME);
    let (code, _, err) = center.run(&["apply", "-f", "acme.yaml"]);
    assert_eq!(code, 6, "{err}");
    center.token = admin;
    center.ok(&["token", "revoke", &id]);
    let secret = center.ok(&["token", "create", "ci", "--role", "editor"]);
    assert!(secret.starts_with("rmt_") && secret.lines().count() == 1, "a secret, and no more");
    center.token = Some(center.path("anna.token"));
    let (code, _, err) = center.run(&["get", "tenants"]);
    assert_eq!(code, 6, "{err}");
}

#[test]
fn a_backup_comes_back_whole() {
    let center = Center::new("");
    let server = center.start();
    center.write("acme.yaml", ACME);
    center.ok(&["apply", "-f", "acme.yaml", "-q"]);
    assert_eq!(center.ok(&["export", "--full", "--out", "backup.ndjson"]), "");
    let mode = std::fs::metadata(center.path("backup.ndjson")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
    let backup = std::fs::read_to_string(center.path("backup.ndjson")).unwrap();
    let objects = center.ok(&["export"]);
    let (code, _, err) = center.run(&["import", "backup.ndjson", "--full"]);
    assert_eq!(code, 5, "a store that is not empty: {err}");
    assert!(err.contains("import --full --replace") && !err.contains("replace=true"), "{err}");
    drop(server);

    let other = Center::new("");
    let _server = other.start();
    other.write("backup.ndjson", &backup);
    other.ok(&["import", "backup.ndjson", "--full"]);
    assert_eq!(other.ok(&["export"]), objects);
    let broken = backup.replacen("acme", "acne", 1);
    other.write("broken.ndjson", &broken);
    let (code, _, err) = other.run(&["import", "broken.ndjson", "--full", "--replace"]);
    assert_ne!(code, 0, "a damaged backup is refused: {err}");
    assert_eq!(other.ok(&["export"]), objects);
}

#[test]
fn a_reader_that_goes_and_a_full_disk_are_no_panic() {
    let center = Center::new("");
    let _server = center.start();
    let tenants = (0..1500).map(|n| format!("kind: Tenant\nname: tenant-{n}\nspec: {{}}\n---\n"));
    center.write("many.yaml", &tenants.collect::<String>());
    center.ok(&["apply", "-f", "many.yaml", "-q", "-o", "name"]);
    for args in [&["get", "tenants"][..], &["get", "tenants", "-o", "yaml"], &["export"]] {
        let mut command = center.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // gone before a word was read
        drop(child.stdout.take());
        let (code, _, err) = told(child.wait_with_output().unwrap());
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}");
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (code, _, err) = told(center.command(args).stdout(full).output().unwrap());
        assert!(code == 8 && err.contains("No space left"), "{args:?}: {code} {err}");
    }
}

#[test]
fn waiting_for_nobody_is_told() {
    let center = Center::new("");
    let _server = center.start();
    center.write("acme.yaml", ACME);
    let args = ["apply", "-f", "acme.yaml", "--wait", "--timeout", "1s", "-o", "json"];
    let (code, out, err) = center.run(&args);
    assert_eq!(code, 7, "{err}");
    assert!(err.contains("revision 1 is stored, but no RM and no RS is connected"), "{err}");
    assert_eq!(parsed(&out)["revision"], 1, "what is printed is JSON and nothing else");
}

#[test]
fn changes_are_watched_across_a_restart_of_the_server() {
    let center = Center::new("");
    let server = center.start();
    center.write("acme.yaml", ACME);
    center.ok(&["apply", "-f", "acme.yaml", "-q", "-m", "first"]);
    let watching = Process::of(center.command(&["watch", "--since", "0"]));
    let first = watching.line_with("put Tenant acme");
    assert!(first.starts_with("1  ") && first.ends_with("first"), "{first}");
    drop(server);
    // away for longer than the first tries
    std::thread::sleep(Duration::from_secs(3));
    let _server = center.start();
    center.ok(&["delete", "did", "acme-numbers", "--tenant", "acme", "-q"]);
    let second = watching.line_with("delete DidGroup acme/acme-numbers");
    assert!(second.starts_with("2  "), "{second}");
    assert_eq!(watching.output().lines().count(), 2, "each change once");
}

#[test]
fn nobody_there_is_told_and_ends_with_7() {
    let center = Center::new("");
    let (code, _, err) = center.run(&["get", "tenants"]);
    assert!(code == 7 && err.contains("Connection refused"), "{code} {err}");
}
