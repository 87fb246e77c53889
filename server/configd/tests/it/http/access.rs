//! Who is let in, and as what.

use serde_json::json;

use super::house::House;

#[test]
fn a_wrong_token_is_401_and_a_small_role_403() {
    let mut house = House::open();
    let reader = house.token("eyes", "reader", &[]);
    let editor = house.token("ci", "editor", &[]);
    let admin = house.admin();
    house.restart("auth: { anonymous: none }");
    for path in ["/live", "/ready", "/metrics", "/openapi.json"] {
        assert_eq!(house.get(path).status, 200, "{path}");
    }
    let none = house.get("/v1/objects");
    assert_eq!((none.status, none.problem().as_str()), (401, "unauthenticated"));
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    let wrong = format!("{}x", &admin[..admin.len() - 1]);
    for token in [wrong.as_str(), "rmt_", "", "é"] {
        let asked = house.ask("GET", "/v1/objects");
        let answer = asked.header("Authorization", &format!("Bearer {token}")).send();
        assert_eq!(answer.status, 401, "{token}");
    }
    let basic = house.ask("GET", "/v1/objects").header("Authorization", "Basic YTpi").send();
    assert_eq!(basic.status, 401);
    let as_who = |token: &str, method: &str, path: &str| {
        let asked = house.ask(method, path).header("Authorization", &format!("bearer {token}"));
        let asked = if method == "GET" { asked } else { asked.json(&json!({ "spec": {} })) };
        asked.send().status
    };
    let cases = [
        ("GET", "/v1/objects", [200, 200, 200]),
        ("GET", "/v1/snapshot", [200, 200, 200]),
        ("GET", "/v1/schema/Tenant", [200, 200, 200]),
        ("PUT", "/v1/objects/Tenant/a", [403, 201, 200]),
        ("GET", "/v1/audit", [403, 403, 200]),
        ("GET", "/v1/tokens", [403, 403, 200]),
        ("GET", "/v1/backup", [403, 403, 200]),
        ("PUT", "/v1/log", [403, 403, 400]),
    ];
    for (method, path, expected) in cases {
        let found = [&reader, &editor, &admin].map(|token| as_who(token, method, path));
        assert_eq!(found, expected, "{method} {path}");
    }
    house.use_token(&admin);
    let audit = house.get("/v1/audit?limit=1000").json();
    let lines = audit["items"].as_array().unwrap();
    let has = |actor: &str, action: &str, outcome: &str| {
        lines.iter().any(|line| {
            line["actor"] == actor && line["action"] == action && line["outcome"] == outcome
        })
    };
    assert!(has("-", "login", "unauthenticated"), "{audit}");
    assert!(has("eyes", "transaction", "forbidden"), "{audit}");
    assert!(has("ci", "transaction", "ok"), "{audit}");
    assert!(!audit.to_string().contains(&admin), "no token is told");
}

#[test]
fn ten_failed_logins_are_enough_and_a_good_token_is_let_in_all_the_same() {
    let house = House::open();
    let ask = |token: &str| {
        let asked = house.ask("GET", "/v1/objects");
        asked.header("Authorization", &format!("Bearer {token}")).send()
    };
    let wrong = format!("rmt_12345678_{}", "a".repeat(43));
    for _ in 0..10 {
        assert_eq!(ask(&wrong).status, 401);
    }
    let answer = ask(&wrong);
    assert_eq!((answer.status, answer.problem().as_str()), (429, "too-many-requests"));
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(ask(&house.admin()).status, 200);
    let metrics = house.get("/metrics").text();
    for line in [
        "ringmaster_config_auth_failures_total{reason=\"unknown\"} 10",
        "ringmaster_config_auth_failures_total{reason=\"limited\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn tokens_are_made_listed_and_revoked_but_not_the_last_admin() {
    let house = House::open();
    let body = json!({ "name": "ci", "role": "editor", "expires_in": "90d" });
    let made = house.ask("POST", "/v1/tokens").json(&body).send();
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let list = house.get("/v1/tokens");
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    let (_, random) = secret.split_at(secret.len() - 43);
    assert!(!list.text().contains(random));
    let items = list.json()["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 2);
    let own = items.iter().find(|item| item["id"] == id.as_str()).unwrap();
    assert!(own["expires_at"].is_string() && own["role"] == "editor", "{own}");
    assert_eq!(house.ask("DELETE", &format!("/v1/tokens/{id}")).send().status, 204);
    assert_eq!(house.ask("DELETE", &format!("/v1/tokens/{id}")).send().status, 404);
    let asked = house.ask("GET", "/v1/objects");
    assert_eq!(asked.header("Authorization", &format!("Bearer {secret}")).send().status, 401);
    let admin = house.admin();
    let last = house.ask("DELETE", &format!("/v1/tokens/{}", &admin[4..12])).send();
    assert_eq!((last.status, last.problem().as_str()), (409, "conflict"));
    for body in [json!({}), json!({ "name": "x", "role": "none" }), json!({ "name": "x", "y": 1 })]
    {
        assert_eq!(house.ask("POST", "/v1/tokens").json(&body).send().status, 400, "{body}");
    }
}

#[test]
fn the_first_admin_may_be_handed_over_in_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    let token = format!("rmt_bootstrp_{}", "b".repeat(43));
    std::fs::write(&file, format!("{token}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let more = format!("auth: {{ anonymous: none, bootstrap_token_file: {} }}", file.display());
    let mut house = House::with(&more);
    assert!(!house.token_file().exists());
    house.use_token(&token);
    assert_eq!(house.get("/v1/tokens").status, 200);
}

#[test]
fn a_path_that_is_no_text_is_malformed() {
    let house = House::open();
    for path in ["/v1/objects/Tenant/%ff", "/v1/schema/%c3%28", "/v1/revisions/%ff"] {
        let answer = house.get(path);
        assert_eq!((answer.status, answer.problem().as_str()), (400, "malformed"), "{path}");
    }
}

#[test]
fn a_page_of_another_origin_is_nobody() {
    let house = House::open();
    let address = house.address().to_string();
    let ask = |host: &str, origin: &str| {
        let asked = house.ask("PUT", "/v1/objects/Tenant/a").json(&json!({ "spec": {} }));
        asked.header("Host", host).header("Origin", origin)
    };
    for (host, origin) in [
        (&*address, "http://evil.example"),
        (&*address, "null"),
        ("evil.example:80", "http://evil.example:80"),
        ("127.0.0.1:1", "http://127.0.0.1:2"),
    ] {
        let answer = ask(host, origin).send();
        assert_eq!((answer.status, answer.problem().as_str()), (403, "forbidden"), "{origin}");
    }
    assert_eq!(ask(&address, &format!("http://{address}")).send().status, 201);
    let bearer = format!("Bearer {}", house.admin());
    let shown = ask(&address, "http://console.example").header("Authorization", &bearer);
    assert_eq!(shown.send().status, 200, "who shows a token is somebody");
}
