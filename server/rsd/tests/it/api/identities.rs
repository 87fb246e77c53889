//! Who an object is (rs.md §3.2): records that tell only its name, and the configuration, which
//! has its DBID.

use std::fs;
use std::path::Path;

use model::time::Millis;
use serde_json::{Value, json};

use super::figures_house::{BASE_MS, Leg, comes_to, record_end, record_start, send, series};
use super::house::House;

/// The first id of a name without a DBID.
const SYNTHETIC: u32 = 3_000_000_000;

/// Nothing of what records name.
const NOBODY: &str = "kind: Tenant\nname: other\ndbid: 101\n";

/// A tenant, its profile, a media server of a group, and applications.
const PLATFORM: &str = "\
kind: Tenant
name: acme
dbid: 102
---
kind: IvrProfile
name: acme-main
tenant: acme
dbid: 189
spec: {service: voicexml, initial_page_url: 'http://a.example/'}
---
kind: IvrProfile
name: main
tenant: acme
dbid: 190
spec: {service: voicexml, initial_page_url: 'http://a.example/'}
---
kind: IvrProfile
name: main
dbid: 191
spec: {service: voicexml, initial_page_url: 'http://a.example/'}
---
kind: ResourceGroup
name: mcp
spec:
  services: [voicexml]
  resources: [{name: mcp-7, address: 'sip:10.0.0.11:5070', capacity: 500, dbid: 310}]
---
kind: Application
name: rm-1
dbid: 401
spec: {type: resource-manager}
---
kind: Application
name: mcp-7
dbid: 402
spec: {type: media-server}
";

/// A Reporting Server that follows a file.
fn house(dir: tempfile::TempDir) -> House {
    House::in_dir(dir, |settings| {
        let path = settings.data_dir.join("platform.yaml");
        if !path.exists() {
            write(&settings.data_dir, NOBODY);
        }
        settings.config_file = Some(path);
        settings.rs.rollup.delay = std::time::Duration::from_millis(50);
    })
}

fn write(dir: &Path, platform: &str) {
    fs::write(dir.join("new.yaml"), platform).unwrap();
    fs::rename(dir.join("new.yaml"), dir.join("platform.yaml")).unwrap();
}

/// A record that tells names only.
fn nameless(mut record: Value) -> Value {
    record["component"].as_object_mut().unwrap().remove("dbid");
    record["tenant"] = json!({"name": "acme", "path": [{"name": "acme"}]});
    record["profile"] = json!({"name": "acme-main", "service": "voicexml"});
    record
}

/// Both records of a leg that lasts a minute.
fn leg(session: u64) -> [Value; 2] {
    let start = BASE_MS + i64::try_from(session).unwrap() * 60_000;
    let leg = Leg::new(session, start);
    [record_start(&leg), record_end(&leg, start + 60_000)].map(nameless)
}

/// Both records of a session of a media server.
fn media(n: u64) -> [Value; 2] {
    ["start", "end"].map(|phase| {
        let mut record = nameless(record_end(&Leg::new(n, BASE_MS), BASE_MS + 30_000));
        record["id"] = json!(format!("mcp-7/{n}/cdr.{phase}/1"));
        record["phase"] = json!(phase);
        record["producer"] = json!({"name": "mcp-7"});
        record["component"] = json!({"name": "mcp-7", "type": "MCP"});
        record["session_id"] = json!(format!("S{n}"));
        record["leg"] = Value::Null;
        record
    })
}

/// How many legs are found of an object.
fn found(house: &House, of: &str) -> usize {
    let list = house.json(&format!("/api/v1/calls?from=2026-11-22T00:00:00Z&legs=true&{of}"));
    list["items"].as_array().unwrap().len()
}

const ASKED: [&str; 4] = ["tenant=102", "profile=189", "component=401", "component=310"];

#[test]
fn a_name_becomes_a_dbid_when_the_configuration_has_it() {
    let house = house(tempfile::tempdir().unwrap());
    send(&house, &[&leg(1)[..], &media(1)].concat());
    comes_to(&house, &2, |house| found(house, "tenant=acme"));
    assert_eq!(ASKED.map(|of| found(&house, of)), [0; 4]);
    write(house.dir.path(), PLATFORM);
    comes_to(&house, &[2, 2, 1, 1], |house| ASKED.map(|of| found(house, of)));
    // from here on facts tell the DBID themselves
    send(&house, &[&leg(2)[..], &media(2)].concat());
    comes_to(&house, &[4, 4, 2, 2], |house| ASKED.map(|of| found(house, of)));
    let list = house.json("/api/v1/calls?from=2026-11-22T00:00:00Z&component=401");
    let ids: Vec<&Value> =
        list["items"].as_array().unwrap().iter().map(|item| &item["tenant"]["id"]).collect();
    let expected = json!([102, SYNTHETIC]);
    assert_eq!(json!(ids), expected);
    // also of a process that has never seen the name
    let house = self::house(stopped(house));
    send(&house, &[&leg(3)[..], &media(3)].concat());
    comes_to(&house, &[6, 6, 3, 3], |house| ASKED.map(|of| found(house, of)));
}

fn stopped(house: House) -> tempfile::TempDir {
    let House { rs, dir, .. } = house;
    rs.stop();
    assert!(!rs.wait().failed);
    dir
}

/// A column of an object of a tenant in bins after [`BASE_MS`].
fn of_tenant(house: &House, id: u32, figure: &str, granularity: &str, ms: i64) -> Value {
    let asked = format!("{granularity}&dim=tenant&id={id}");
    let answer = series(house, figure, &asked, (BASE_MS, BASE_MS + ms));
    let one = &answer["series"][0];
    json!([answer["series"].as_array().unwrap().len(), one["target"]["id"], one["values"]])
}

#[test]
fn figures_follow_a_name_to_its_dbid() {
    let house = house(tempfile::tempdir().unwrap());
    let (done, under_way) = (leg(1), leg(3));
    send(&house, &[done[0].clone(), done[1].clone(), under_way[0].clone()]);
    let hour = |house: &House, id| of_tenant(house, id, "arrivals", "HOUR", 3_600_000);
    let peaks = |house: &House, id| of_tenant(house, id, "peaks", "FIVE_MINUTES", 600_000);
    comes_to(&house, &json!([1, SYNTHETIC, [2]]), |house| hour(house, SYNTHETIC));
    comes_to(&house, &json!([1, SYNTHETIC, [1, 1]]), |house| peaks(house, SYNTHETIC));
    write(house.dir.path(), PLATFORM);
    comes_to(&house, &json!([1, 102, [2]]), |house| hour(house, 102));
    // what began under the name ends under the DBID
    send(&house, &under_way[1..]);
    comes_to(&house, &json!([1, 102, [1, 0]]), |house| peaks(house, 102));
    // and the old id is that of the same object
    assert_eq!(hour(&house, SYNTHETIC), json!([1, 102, [2]]));
    assert_eq!(peaks(&house, SYNTHETIC), json!([1, 102, [1, 0]]));
    let all = series(&house, "arrivals", "HOUR&dim=tenant", (BASE_MS, BASE_MS + 1));
    assert_eq!(all["series"].as_array().unwrap().len(), 1, "{all}");
}

/// What a producer counted of a tenant by its name, in an hour.
fn counted(n: i64, count: u64) -> Value {
    let at = |ms: i64| json!(Millis(ms.cast_unsigned()));
    let begin_ms = BASE_MS + n * 3_600_000;
    json!({
        "schema": 1, "kind": "or.arrivals", "id": format!("ccp-1/1/or.arrivals/{n}"),
        "time": at(begin_ms), "producer": {"name": "ccp-1"},
        "component": {"name": "ccp-1", "type": "CCP"}, "basis": "own",
        "bin_start": at(begin_ms), "bin_seconds": 300, "values": [{"dim": "tenant",
            "name": "acme", "count": count, "rejected": 0, "duration_ms": 5}],
    })
}

#[test]
fn a_name_that_changes_hands_is_counted_for_its_new_object() {
    let house = house(tempfile::tempdir().unwrap());
    let hours = |house: &House, id| of_tenant(house, id, "arrivals", "HOUR", 7_200_000);
    write(house.dir.path(), PLATFORM);
    send(&house, &leg(1));
    comes_to(&house, &2, |house| found(house, "component=401") + found(house, "tenant=102"));
    send(&house, &[counted(0, 6)]);
    comes_to(&house, &json!([1, 102, [7, 0]]), |house| hours(house, 102));
    let other = PLATFORM.replace("dbid: 102", "dbid: 104");
    let before = "kind: Tenant\nname: former\ndbid: 102\n---\n";
    write(house.dir.path(), &format!("{before}{other}"));
    comes_to(&house, &"former".to_owned(), |house| {
        let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
        let sql = "SELECT name FROM rs_dim_tenant WHERE id = 102";
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    });
    send(&house, &[counted(1, 4)]);
    comes_to(&house, &json!([1, 104, [0, 4]]), |house| hours(house, 104));
    assert_eq!(hours(&house, 102), json!([1, 102, [7, 0]]));
}

#[test]
fn an_application_is_a_media_server_as_long_as_it_has_its_name() {
    let house = house(tempfile::tempdir().unwrap());
    write(house.dir.path(), PLATFORM);
    let both = |n: u64, dbid: u32| {
        media(n).map(|mut record| {
            record["component"]["dbid"] = json!(dbid);
            record
        })
    };
    send(&house, &[&both(1, 310)[..], &both(2, 402), &both(3, 402)].concat());
    let of = |house: &House| {
        let legs = [310, 402].map(|id| found(house, &format!("component={id}")));
        let arrivals = [310, 402].map(|id| {
            let asked = format!("HOUR&dim=component&id={id}");
            let answer = series(house, "arrivals", &asked, (BASE_MS, BASE_MS + 1));
            answer["series"][0]["values"][0].clone()
        });
        json!([legs, arrivals])
    };
    let (one, two) = (json!([[3, 2], [3, 3]]), json!([[1, 2], [1, 2]]));
    comes_to(&house, &one, of);
    for platform in [
        PLATFORM.replace("kind: Application\nname: mcp-7", "kind: Application\nname: mcp-8"),
        PLATFORM.to_owned(),
        PLATFORM.split("---\nkind: Application\nname: mcp-7").next().unwrap().to_owned(),
        PLATFORM.to_owned(),
    ] {
        write(house.dir.path(), &platform);
        comes_to(&house, if platform == PLATFORM { &one } else { &two }, of);
    }
}

/// A leg to a number, which begins then.
fn to(dn: &str, session: u64, start: i64) -> Value {
    let mut record = record_end(&Leg::new(session, start), start + 1000);
    record["dn"] = json!(dn);
    record
}

/// A Reporting Server with figures of so many numbers a day.
fn limited(dn_limit: u32) -> House {
    House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        settings.rs.rollup.dn_limit = dn_limit;
        settings.rs.rollup.delay = std::time::Duration::from_millis(50);
    })
}

#[test]
fn a_number_beyond_the_limit_is_counted_of_calls_and_says_so() {
    let house = limited(1);
    let asked = "HOUR&dim=dn&id=18005550100&id=18005550199";
    let of = |house: &House| {
        let found = series(house, "arrivals", asked, (BASE_MS, BASE_MS + 1));
        let mut all: Vec<Value> = found["series"].as_array().unwrap().clone();
        all.sort_by_key(|one| one["target"]["id"].to_string());
        let told = all.iter().map(|one| {
            json!([one["target"]["id"], one["values"], one["rejected"], one["beyond_limit"]])
        });
        told.collect::<Value>()
    };
    send(&house, &[to("18005550100", 1, BASE_MS)]);
    let first = json!(["18005550100", [1], [0], null]);
    comes_to(&house, &json!([first, ["18005550199", [0], [0], null]]), of);
    send(&house, &[to("18005550199", 2, BASE_MS + 5000)]);
    let beyond = json!(["18005550199", [1], [0], ["2026-11-22"]]);
    comes_to(&house, &json!([first, beyond]), of);
    // more than may be counted
    let month = house.get(
        "/api/v1/series/arrivals?granularity=MONTH&dim=dn&id=18005550199\
         &from=2026-11-01T00:00:00Z&to=2026-11-30T00:00:00Z",
    );
    assert_eq!((month.status, month.body.contains("too-many-bins")), (400, true));
    // its calls are gone
    let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    let frozen = ["rollup.frozen_ms".to_owned(), (BASE_MS + 3_600_000).to_string()];
    db.execute("INSERT INTO rs_meta VALUES (?1, ?2)", frozen).unwrap();
    let unknown = json!(["18005550199", [null], [null], ["2026-11-22"]]);
    assert_eq!(of(&house), json!([first, unknown]));
    assert!(!house.get("/api/v1/alarms").body.contains("RS-DN-LIMIT"), "not of today");
    let today = i64::try_from(super::house::now().0).unwrap();
    send(&house, &[to("1", 3, today), to("2", 4, today)]);
    house.until(|house| house.get("/api/v1/alarms").body.contains("RS-DN-LIMIT"));
}

#[test]
fn a_number_beyond_the_limit_has_the_figures_that_it_would_have() {
    let houses = [limited(1), limited(50_000)];
    let lasting = |session: u64, from: i64, length: i64| {
        let start = BASE_MS + from * 1000;
        let mut record = record_end(&Leg::new(session, start), start + length * 1000);
        record["dn"] = json!("18005550199");
        record
    };
    let records = [
        lasting(2, 5, 400),
        lasting(3, 100, 100),
        lasting(4, 3000, 4000),
        lasting(5, 7200, 1),
        lasting(6, 90_000, 30),
    ];
    let shown = |house: &House, figure: &str, granularity: &str, to_ms: i64| {
        let asked = format!("{granularity}&dim=dn&id=18005550199");
        let mut found = series(house, figure, &asked, (BASE_MS, BASE_MS + to_ms));
        let one = found["series"][0].as_object_mut().unwrap();
        one.remove("beyond_limit");
        found["series"].clone()
    };
    for house in &houses {
        send(house, &[to("18005550100", 1, BASE_MS)]);
        comes_to(house, &1, |house| found(house, "dn=18005550100"));
        comes_to(house, &json!([1]), |house| {
            let asked = "DAY&dim=dn&id=18005550100";
            series(house, "arrivals", asked, (BASE_MS, BASE_MS + 1))["series"][0]["values"].clone()
        });
        send(house, &records);
        comes_to(house, &json!([4, 1]), |house| {
            shown(house, "arrivals", "DAY", 100_000_000)[0]["values"].clone()
        });
        comes_to(house, &json!([5]), |house| {
            series(house, "arrivals", "WEEK", (BASE_MS, BASE_MS + 1))["series"][0]["values"].clone()
        });
    }
    let [limited, open] = &houses;
    for figure in ["arrivals", "durations", "peaks"] {
        for (granularity, to_ms) in
            [("FIVE_MINUTES", 100_000_000), ("HOUR", 100_000_000), ("DAY", 100_000_000)]
        {
            let of = |house: &House| shown(house, figure, granularity, to_ms);
            assert_eq!(of(limited), of(open), "{figure} {granularity}");
        }
    }
}

#[test]
fn bins_that_are_gone_are_not_known() {
    let house = House::open();
    send(&house, &[to("1", 1, BASE_MS), to("1", 2, BASE_MS + 3_600_000)]);
    let of = |house: &House| {
        let found = series(house, "arrivals", "HOUR", (BASE_MS, BASE_MS + 7_200_000));
        found["series"][0]["values"].clone()
    };
    comes_to(&house, &json!([1, 1]), of);
    let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    // hours of operations
    let gone = ["rollup.gone_ms.0.3".to_owned(), (BASE_MS + 3_600_000).to_string()];
    db.execute("INSERT INTO rs_meta VALUES (?1, ?2)", gone).unwrap();
    assert_eq!(of(&house), json!([null, 1]));
    // days have a time of their own
    comes_to(&house, &json!([2]), |house| {
        let day = series(house, "arrivals", "DAY", (BASE_MS, BASE_MS + 1));
        day["series"][0]["values"].clone()
    });
}

#[test]
fn quality_and_response_times_are_shown_by_hours_and_longer() {
    let house = House::open();
    for (figure, granularity, status) in [
        ("quality", "FIVE_MINUTES", 400),
        ("latency", "THIRTY_MINUTES", 400),
        ("latency", "HOUR", 200),
        ("arrivals", "FIVE_MINUTES", 200),
    ] {
        let path = format!(
            "/api/v1/series/{figure}?granularity={granularity}&from=2026-11-22T10:00:00Z\
             &to=2026-11-22T11:00:00Z"
        );
        assert_eq!(house.get(&path).status, status, "{path}");
    }
}
