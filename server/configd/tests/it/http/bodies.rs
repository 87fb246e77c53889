//! What comes in: huge, nested, packed, slow, of another type.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use net::Clock;
use serde_json::json;

use super::house::{Answer, House, connect};

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_huge_body_is_refused_before_it_comes() {
    let house = House::open();
    for (method, path) in [
        ("POST", "/v1/transactions"),
        ("PUT", "/v1/objects/Tenant/a"),
        ("POST", "/v1/tokens"),
        ("PUT", "/v1/clients/rm-1"),
    ] {
        let asked = house.ask(method, path).header("Content-Type", "application/json");
        let asked = asked.header("Content-Length", "999999999999");
        // not one byte of it is sent
        let mut stream = connect(house.address());
        stream.write_all(asked.head().as_bytes()).unwrap();
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).unwrap();
        let answer = Answer::parse(&piece[..read]);
        assert_eq!((answer.status, answer.problem().as_str()), (413, "too-large"), "{path}");
    }
}

#[test]
fn a_body_without_an_end_is_cut() {
    let house = House::open();
    let asked = house.ask("PUT", "/v1/clients/rm-1").header("Content-Type", "application/json");
    let asked = asked.header("Transfer-Encoding", "chunked");
    let mut stream = connect(house.address());
    stream.write_all(asked.head().as_bytes()).unwrap();
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let mut sent = 0;
    while sent < 64 << 20 && stream.write_all(chunk.as_bytes()).is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 64 << 20, "it took everything");
    assert_eq!(house.get("/v1/clients").json()["items"], json!([]));
}

#[test]
fn strangers_send_heads_and_nothing_more() {
    let house = House::with("auth: { anonymous: none }");
    // refused by its head alone
    let asked = house.ask("POST", "/v1/transactions").header("Content-Type", "application/json");
    let asked = asked.header("Content-Length", "1000000");
    let mut stream = connect(house.address());
    stream.write_all(asked.head().as_bytes()).unwrap();
    let mut piece = [0; 4096];
    let read = stream.read(&mut piece).unwrap();
    assert_eq!(Answer::parse(&piece[..read]).status, 401);
    // and a head has its end
    let mut stream = connect(house.address());
    let _sent = stream
        .write_all(format!("GET /v1/objects HTTP/1.1\r\nX: {}", "x".repeat(1 << 20)).as_bytes());
    let _shut = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _end = stream.read_to_end(&mut answer);
    let status = String::from_utf8_lossy(&answer).split(' ').nth(1).map(str::to_owned);
    assert!(status.as_deref().is_none_or(|status| status == "431"), "{status:?}");
    assert_eq!(house.get("/live").status, 200);
}

#[test]
fn a_nest_is_refused_and_does_not_break_anything() {
    let house = House::open();
    let nest = |open: &str, close: &str, depth| open.repeat(depth) + &close.repeat(depth);
    for depth in [40, 200, 1_000_000] {
        let json = nest("[", "]", depth);
        let object = format!("{{\"operations\":[{{\"op\":\"put\",\"object\":{{\"a\":{json}}}}}]}}");
        for (kind, text) in [
            ("application/json", object.as_str()),
            ("application/x-ndjson", json.as_str()),
            ("application/yaml", json.as_str()),
        ] {
            let begun = Clock::start();
            let answer = house.ask("POST", "/v1/transactions").body(kind, text.as_bytes()).send();
            assert_eq!((answer.status, answer.problem().as_str()), (400, "malformed"), "{kind}");
            assert!(begun.mono() < Duration::from_secs(30), "{kind} {depth}");
        }
    }
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
                e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
    assert_eq!(house.apply(bomb).status, 400);
    assert_eq!(house.get("/v1/objects").json()["revision"], 0);
}

#[test]
fn bodies_and_answers_may_be_packed() {
    let house = House::open();
    let text = "kind: Tenant\nname: acme\n";
    let asked =
        house.ask("POST", "/v1/transactions").body("application/yaml", &packed(text.as_bytes()));
    let answer = asked.header("Content-Encoding", "gzip").send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let bomb = packed(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let asked = house.ask("POST", "/v1/transactions").body("application/yaml", &bomb);
    assert_eq!(asked.header("Content-Encoding", "gzip").send().status, 413);
    let asked = house.ask("POST", "/v1/transactions").yaml(text);
    assert_eq!(asked.header("Content-Encoding", "br").send().status, 415);
    for path in ["/v1/snapshot", "/v1/objects?limit=1000", "/metrics", "/openapi.json"] {
        let plain = house.get(path);
        let answer = house.ask("GET", path).header("Accept-Encoding", "gzip").send();
        if plain.body.len() >= 1024 || path == "/v1/snapshot" {
            assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
            let mut inflated = String::new();
            GzDecoder::new(&*answer.body).read_to_string(&mut inflated).unwrap();
            let known = path == "/metrics" || inflated == plain.text();
            assert!(known, "{path}");
        } else {
            assert_eq!(answer.header("content-encoding"), None, "{path}");
        }
    }
}

#[test]
fn types_are_named_and_answers_may_be_yaml() {
    let house = House::open();
    for kind in ["text/plain", "application/xml", ""] {
        let asked = house.ask("POST", "/v1/transactions").body(kind, b"kind: Tenant\n");
        let answer = asked.send();
        assert_eq!(answer.problem(), "unsupported-media-type", "{kind}");
    }
    let lines = "{\"kind\":\"Tenant\",\"name\":\"a\"}\n{\"kind\":\"tenant\",\"name\":\"b\"}\n";
    let asked =
        house.ask("POST", "/v1/transactions").body("application/x-ndjson", lines.as_bytes());
    assert_eq!(asked.send().json()["changed"], 2);
    let asked = house.ask("GET", "/v1/objects/Tenant/a").header("Accept", "application/yaml");
    let answer = asked.send();
    assert_eq!(answer.header("content-type"), Some("application/yaml"));
    // what is answered can be put again
    let put = house.ask("PUT", "/v1/objects/Tenant/a").yaml(&answer.text()).send();
    assert_eq!((put.status, put.header("etag")), (200, Some("\"1\"")), "{}", put.text());
    for (text, told) in [
        ("kind: Tenant\nname: b\n", "the address is of \"a\", the body of \"b\""),
        ("kind: DidGroup\nname: a\n", "the address is of a Tenant, the body of a DidGroup"),
        ("a: 1\n---\nb: 1\n", "expected one document"),
        ("a: [\n", "1:4: E001: not valid YAML or JSON"),
    ] {
        let answer = house.ask("PUT", "/v1/objects/Tenant/a").yaml(text).send();
        assert_eq!(answer.status, 400, "{text}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(told), "{detail}");
    }
}
