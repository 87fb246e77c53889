//! What bound readers see of sessions, streams and figures, and to whom their tenants are bound.

use serde_json::{Value, json};

use super::{PASSWORD, asked, basic, lines, write};
use crate::api::house::{House, golden};

/// `eva` reads of acme, `bea` of beta.
fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let bound = |name: &str, tenant: &str| {
        rsd::user_line(name, "reporter", PASSWORD).unwrap() + &format!(" tenants={tenant}\n")
    };
    let text = lines() + &bound("eva", "acme") + &bound("bea", "200");
    let users = write(dir.path(), &text);
    House::in_dir(dir, |settings| settings.rs.auth.users_file = Some(users))
}

pub(super) const ACME: (&str, u32) = ("acme", 102);
pub(super) const BETA: (&str, u32) = ("beta", 200);

/// Start and end of a leg of a session, of a tenant below `Environment`.
pub(super) fn leg(session: u32, leg: u32, (tenant, dbid): (&str, u32), second: u32) -> [String; 2] {
    [0, 1].map(|line| {
        let mut record: Value = serde_json::from_str(&golden(&[line])[0]).unwrap();
        let guid = format!("01A202B2-C578-7487-A7D5-{session:012X}");
        let phase = record["phase"].as_str().unwrap();
        record["id"] = json!(format!("{guid}/{leg:08X}/cdr.{phase}/1.1"));
        record["leg"] = json!(format!("{leg:08X}"));
        record["session_id"] = json!(format!("{guid}.{leg:08X}"));
        record["guid"] = json!(guid);
        record["producer"] = json!({"name": "rm-1"});
        record["started_at"] = json!(format!("2026-11-22T10:00:{second:02}Z"));
        let root = json!({"name": "Environment", "dbid": 1});
        let own = json!({"name": tenant, "dbid": dbid});
        record["tenant"] = json!({"name": tenant, "dbid": dbid, "path": [root, own]});
        record["profile"] = json!({"name": format!("{tenant}-main"), "dbid": dbid + 1000});
        record.as_object_mut().unwrap().remove("usage");
        record.to_string()
    })
}

fn items(house: &House, user: &str, path: &str) -> Vec<Value> {
    let answer = asked(house, user, "GET", path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let list: Value = serde_json::from_str(&answer.body).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn told(house: &House, text: &str) -> bool {
    house.lines.lines().iter().any(|line| line.contains(text))
}

/// The session begins with beta and goes on with acme: each has its own leg of it.
#[test]
fn a_session_of_two_tenants_is_in_the_lists_of_both() {
    let mut house = house();
    house.send(&[leg(1, 1, BETA, 1), leg(1, 2, ACME, 5)].concat());
    let live = [leg(2, 1, ACME, 7), leg(2, 2, BETA, 9)].map(|[start, _]| start);
    house.send(&live);
    let shown = |user: &str| -> Vec<(String, u64, String)> {
        let items = items(&house, user, "/api/v1/calls?from=2026-11-22");
        let shown = items.iter().map(|item| {
            let tenant = item["tenant"]["name"].as_str().unwrap().to_owned();
            let started = item["started_at"].as_str().unwrap()[17..19].to_owned();
            (tenant, item["legs_count"].as_u64().unwrap(), started)
        });
        shown.collect()
    };
    let own = |tenant: &str, legs, second: &str| (tenant.to_owned(), legs, second.to_owned());
    assert_eq!(shown("root"), [own("acme", 2, "07"), own("beta", 2, "01")]);
    assert_eq!(shown("eva"), [own("acme", 1, "07"), own("acme", 1, "05")]);
    assert_eq!(shown("bea"), [own("beta", 1, "09"), own("beta", 1, "01")]);
    for user in ["root", "eva", "bea"] {
        let answer = asked(&house, user, "GET", "/api/v1/live/calls").body;
        let list: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!((&list["total"], list["items"].as_array().unwrap().len()), (&json!(1), 1));
    }
    // and so over pages
    let path = "/api/v1/calls?from=2026-11-22&limit=1";
    let answer = asked(&house, "bea", "GET", path).body;
    let list: Value = serde_json::from_str(&answer).unwrap();
    let next = list["next"].as_str().unwrap();
    assert_eq!(items(&house, "bea", &format!("{path}&cursor={next}"))[0]["legs_count"], 1);
}

/// Nobody learns whether there is another tenant of that number or name.
#[test]
fn tenants_of_others_are_not_asked_for() {
    let mut house = house();
    house.send(&[leg(1, 1, BETA, 1), leg(2, 1, ACME, 5)].concat());
    for (tenant, status) in [(102, 200), (1, 403), (200, 403), (999, 403)] {
        let path = format!("/ems-rs/HIST/CDRs/RM/details?tenant-id={tenant}");
        let answer = asked(&house, "eva", "GET", &path);
        assert_eq!(answer.status, status, "{path}");
        if status == 403 {
            assert_eq!(answer.code(), "outside-scope");
        }
        assert_eq!(asked(&house, "root", "GET", &path).status, 200, "{path}");
    }
    for (tenant, found) in [("acme", 1), ("102", 1), ("beta", 0), ("1", 0), ("Environment", 0)] {
        let path = format!("/api/v1/calls?from=2026-11-22&tenant={tenant}");
        assert_eq!(items(&house, "eva", &path).len(), found, "{path}");
    }
    for path in ["/ems-rs/HIST/CDRs/MCP/details", "/nothing", "/api/v1/audit2"] {
        let answer = asked(&house, "eva", "GET", path);
        assert_eq!((answer.status, &*answer.code()), (403, "scope-too-narrow"), "{path}");
    }
    for path in ["/", "/assets/app.js"] {
        assert_eq!(asked(&house, "eva", "GET", path).status, 200, "{path}");
    }
}

/// One batch tells of two legs of a session: each stream has those that its reader may see.
#[test]
fn a_stream_tells_of_no_other_tenant() {
    let mut house = house();
    let [bea, root] = ["bea", "root"].map(|user| basic(user, PASSWORD));
    let mut own = house.stream(&[("Authorization", &bea)]);
    let mut all = house.stream(&[("Authorization", &root)]);
    let starts = |session| {
        let legs = [leg(session, 1, ACME, 1), leg(session, 2, BETA, 3), leg(9, session, ACME, 5)];
        legs.map(|[start, _]| start)
    };
    for session in [1, 2] {
        house.send(&starts(session));
        let [(name, seen), (_, everything)] = [own.next(), all.next()];
        assert!(name == "calls" && everything.contains("acme") && everything.contains("beta"));
        let seen: Value = serde_json::from_str(&seen).unwrap();
        let seen = seen["items"].as_array().unwrap().iter();
        let tenants: Vec<_> = seen.map(|leg| leg["tenant"]["id"].clone()).collect();
        assert_eq!(tenants, [json!(200)], "the leg of beta and no other");
    }
}

/// What stands in the series of one tenant is not that of another.
#[test]
fn figures_of_a_bound_reader_are_those_of_the_tenant() {
    let mut house = house();
    let calls = [leg(1, 1, BETA, 1), leg(2, 1, BETA, 2), leg(3, 1, ACME, 3)];
    house.send(&calls.concat());
    let figures = |user: &str, figure: &str, dim: &str| -> Vec<(u64, u64)> {
        let span = "granularity=FIVE_MINUTES&from=2026-11-22T10:00:00Z&to=2026-11-22T10:05:00Z";
        let path = format!("/api/v1/series/{figure}?dim={dim}&{span}");
        // whoever asks too often is told to wait
        let answer = loop {
            let answer = asked(&house, user, "GET", &path);
            if answer.status != 429 {
                break answer;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        };
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let series = answer["series"].as_array().unwrap().iter();
        let shown = series
            .map(|one| (one["target"]["id"].as_u64().unwrap(), one["values"][0].as_u64().unwrap()));
        shown.collect()
    };
    house.until(|_| figures("root", "arrivals", "tenant") == [(1, 3), (102, 1), (200, 2)]);
    house.until(|_| figures("eva", "arrivals", "tenant") == [(102, 1)]);
    house.until(|_| figures("bea", "arrivals", "tenant") == [(200, 2)]);
    assert_eq!(figures("eva", "peaks", "tenant"), [(102, 1)]);
    assert_eq!(figures("bea", "peaks", "tenant"), [(200, 2)]);
    assert_eq!(figures("eva", "arrivals", "profile"), [(1102, 1)]);
    assert_eq!(figures("bea", "arrivals", "profile"), [(1200, 2)]);
}

/// A profile known by name alone has become another's: its figures are nobody's of the first any
/// more, and a union of nothing is not one of everything.
#[test]
fn a_union_of_a_bound_reader_has_nothing_of_others() {
    let mut house = house();
    let of = |session, tenant, profile: &Value| {
        leg(session, 1, tenant, 1).map(|line| {
            let mut record: Value = serde_json::from_str(&line).unwrap();
            record["profile"] = profile.clone();
            record.to_string()
        })
    };
    house.send(&of(1, ACME, &json!({"name": "shared"})));
    house.send(&[2, 3].map(|n| of(n, BETA, &json!({"name": "shared", "dbid": 1500}))).concat());
    let db = rusqlite::Connection::open(house.dir.path().join("rs/rs.db")).unwrap();
    let sql = "SELECT id FROM rs_dim_profile WHERE name = 'shared' AND synthetic";
    let id: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
    let peaks = |user: &str, id: i64| {
        let span = "granularity=FIVE_MINUTES&from=2026-11-22T10:00:00Z&to=2026-11-22T10:05:00Z";
        let path = format!("/api/v1/series/peaks?dim=profile&id={id}&combine=true&{span}");
        let answer = asked(&house, user, "GET", &path);
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap()["series"].clone()
    };
    house.until(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        peaks("root", 1500)[0]["values"] == json!([3])
    });
    assert_eq!(peaks("eva", id), json!([]));
}

/// A tenant is its number: neither a rename nor a new tenant of the old name moves what is seen.
#[test]
fn a_name_in_the_file_stays_with_its_tenant() {
    let mut house = house();
    let seen = |house: &House| {
        let items = items(house, "eva", "/api/v1/calls?from=2026-11-22");
        items.iter().map(|item| item["tenant"]["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    house.until(|house| told(house, " 36006 "));
    assert_eq!(seen(&house), [0_u64; 0]);
    house.send(&leg(1, 1, ACME, 1));
    assert_eq!(seen(&house), [102]);
    house.send(&leg(2, 1, ("acme-voice", 102), 2));
    house.send(&leg(3, 1, ("acme", 300), 3));
    assert_eq!(seen(&house), [102, 102]);
    let path = house.dir.path().join("users");
    let text = std::fs::read_to_string(&path).unwrap();
    write(house.dir.path(), &(text + "# read again\n"));
    house.until(|house| seen(house) == [300]);
}

/// With many guesses a hidden number would not be hidden.
#[test]
fn hidden_numbers_are_searched_for_one_at_a_time_and_not_often() {
    let dir = tempfile::tempdir().unwrap();
    let users = write(dir.path(), &lines());
    let mut house = House::in_dir(dir, |settings| {
        settings.rs.auth.users_file = Some(users);
        settings.rs.privacy.mask = config::settings::Mask::Reporter;
    });
    house.send(&leg(1, 1, ACME, 1));
    let report = "/ems-rs/HIST/CDRs/RM/details?started-from=2026-11-22T00:00:00Z";
    let figures = "/api/v1/series/arrivals?dim=dn&granularity=HOUR&from=2026-11-22T10:00:00Z\
        &to=2026-11-22T11:00:00Z";
    let many = [
        format!("{report}&dn=18005550100,18005550101"),
        format!("{report}&dn=18005550100&dn=18005550101"),
        format!("{report}&remote-uri=sip:a@b&remote-uri=sip:c@d"),
        format!("{figures}&id=18005550100&id=18005550101"),
    ];
    for path in &many {
        let answer = asked(&house, "anna", "GET", path);
        assert_eq!((answer.status, &*answer.code()), (403, "numbers-hidden"), "{path}");
        assert_eq!(asked(&house, "root", "GET", path).status, 200, "{path}");
    }
    let list = "/api/v1/calls?from=2026-11-22&dn=";
    let one = [format!("{report}&dn=18005550100"), format!("{figures}&id=18005550100")];
    for path in &one {
        assert_eq!(asked(&house, "anna", "GET", path).status, 200, "{path}");
    }
    for n in 0..58 {
        let path = format!("{list}1800555{n:04}");
        assert_eq!(asked(&house, "anna", "GET", &path).status, 200, "{path}");
    }
    for path in one.iter().chain([&format!("{list}18005550100")]) {
        let answer = asked(&house, "anna", "GET", path);
        assert_eq!((answer.status, &*answer.code()), (429, "rate-limit"), "{path}");
        assert!(answer.head.contains("retry-after: "), "{}", answer.head);
        assert_eq!(asked(&house, "root", "GET", path).status, 200, "{path}");
    }
    assert!(told(&house, " 36007 "));
    // what names no number goes on
    assert_eq!(asked(&house, "anna", "GET", "/api/v1/calls?from=2026-11-22").status, 200);
}
