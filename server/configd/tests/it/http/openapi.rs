//! The OpenAPI document against the server.

use serde_json::Value;

use super::house::House;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

fn document() -> Value {
    serde_json::from_str(include_str!("../../../../../docs/reference/openapi-config.json")).unwrap()
}

#[test]
fn it_is_served_as_it_is_checked_in() {
    let house = House::open();
    let served: Value = serde_json::from_slice(&house.get("/openapi.json").body).unwrap();
    assert_eq!(served, document());
}

#[test]
fn every_path_and_method_of_it_is_a_route_and_no_other() {
    let house = House::open();
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let path = path.replace("{kind}", "Tenant").replace("{name}", "n").replace("{rev}", "1");
        let path = path.replace("{id}", "i");
        for method in METHODS {
            let asked = house.ask(&method.to_uppercase(), &path).header("Content-Length", "0");
            let answer = if path == "/v1/watch" && method == "get" {
                // it would not end
                asked.header("Last-Event-ID", "x").send()
            } else {
                asked.send()
            };
            let known = methods.get(method).is_some();
            assert_eq!(answer.status == 405, !known, "{method} {path}: {}", answer.status);
            if answer.status == 404 {
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert_ne!(detail, "there is no such route", "{method} {path}");
            }
        }
    }
}
