//! Numbers at their ends: revisions that cannot be, numbers of objects that are used up.

use serde_json::json;

use super::house::House;

/// 2^53 and the last one of 64 bits.
const BEYOND: [&str; 2] = ["9007199254740992", "18446744073709551615"];

#[test]
fn a_revision_that_cannot_be_is_malformed_and_the_writer_lives() {
    let house = House::open();
    house.applied("kind: Tenant\nname: acme\n");
    for number in BEYOND {
        for (method, path) in [
            ("POST", format!("/v1/revisions/{number}/rollback")),
            ("POST", format!("/v1/revisions/{number}/rollback?dry_run=true")),
            ("GET", format!("/v1/revisions/{number}")),
            ("GET", format!("/v1/revisions?before={number}")),
            ("GET", format!("/v1/objects?at={number}")),
            ("GET", format!("/v1/objects/Tenant/acme?at={number}")),
            ("GET", format!("/v1/objects?cursor={number}.0.1")),
            ("GET", format!("/v1/diff?from={number}")),
            ("GET", format!("/v1/diff?from=0&to={number}")),
        ] {
            let answer = house.ask(method, &path).header("Content-Length", "0").send();
            assert_eq!((answer.status, answer.problem().as_str()), (400, "malformed"), "{path}");
        }
    }
    let last = house.ask("POST", "/v1/revisions/9007199254740991/rollback");
    let last = last.header("Content-Length", "0").send();
    assert_eq!((last.status, last.problem().as_str()), (404, "not-found"));
    let next = house.applied("kind: Tenant\nname: acme-fr\n");
    assert_eq!(next["revision"], 2);
}

#[test]
fn numbers_that_an_import_took_are_passed_over() {
    let house = House::open();
    house.applied(
        "kind: Tenant\nname: high\ndbid: 0x40000001\n---\n\
         kind: Tenant\nname: low\ndbid: 0x3fffffff\n",
    );
    for (name, dbid) in [("a", 0x4000_0000_u32), ("b", 0x4000_0002)] {
        let made = house.applied(&format!("kind: Tenant\nname: {name}\n"));
        assert_eq!(made["diff"][0]["dbid"], json!(dbid), "{made}");
    }
    // also those of media servers and of the same transaction
    let server = |name: &str, dbid: &str| {
        format!("{{ name: {name}, {dbid} address: 'sip:127.0.0.1:{}', capacity: 1 }}", name.len())
    };
    let group = |name: &str, resources: &str| {
        format!(
            "kind: ResourceGroup\nname: {name}\n\
             spec: {{ services: [voicexml], resources: [{resources}] }}\n"
        )
    };
    let one = server("m", "dbid: 0x40000000,") + ", " + &server("mm", "dbid: 0x3fffffff,");
    house.applied(&group("g", &one));
    house.applied(&group("h", &server("mmm", "")));
    let shown = house.get("/v1/objects/ResourceGroup/h").json();
    assert_eq!(shown["spec"]["resources"][0]["dbid"], json!(0x4000_0001_u32), "{shown}");
}

#[test]
fn a_restore_that_was_killed_is_in_nobodys_way() {
    let house = House::open();
    house.applied("kind: Tenant\nname: acme\n");
    let backup = house.backup_with("none", |_| ());
    std::fs::write(house.dir.path().join("config").join("restore.part"), "half").unwrap();
    for _ in 0..2 {
        let restored = house.restore(&backup);
        assert_eq!(restored.status, 200, "{}", restored.text());
    }
}

#[test]
fn numbers_that_are_used_up_are_a_refusal() {
    let house = House::open();
    house.applied("kind: Tenant\nname: acme\n");
    for last in [2_147_483_648_u32, u32::MAX] {
        let backup = house.backup_with("dbid_counter", |row| {
            if row["kind"] == "Tenant" {
                row["next"] = json!(last);
            }
        });
        let restored = house.restore(&backup);
        assert_eq!(restored.status, 200, "{}", restored.text());
        let refused = house.apply("kind: Tenant\nname: other\n");
        assert_eq!((refused.status, refused.problem().as_str()), (409, "conflict"));
        assert!(refused.text().contains("no number left for a Tenant"), "{}", refused.text());
        house.applied(&format!(
            "kind: IvrProfile\nname: p{last}\ntenant: acme\n\
             spec: {{ service: voicexml, initial_page_url: 'http://a/' }}\n"
        ));
    }
}
