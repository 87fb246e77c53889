//! Calls that belong to the resource of another one (rm.md §7.7): the table testdata/affinity.txt.

use std::time::Duration;

use serde_json::{Value, json};

use crate::joining::{SESSION_ID, answered};
use crate::platform::{caller, invite_to, platform};
use crate::tables::{cases, with_headers};
use crate::world::{Dialog, World, address, header, reply, settings, snapshot};

const CALL_UUID: &str = "0UJDMQHH2O8QV3P8P8R2LDAES0000001";

/// The platform with two connectors and two recorders.
fn documents(same_gateway: Option<&str>) -> Value {
    let mut all = platform();
    if let Some(said) = same_gateway {
        all[1]["spec"]["policy"]["use_same_gateway"] = said.into();
    }
    let list = all.as_array_mut().unwrap();
    for (group, second) in [
        ("ctic", json!({"name": "ctic-2", "address": "sip:10.0.0.32:5080"})),
        ("recorders", json!({"name": "rec-2", "address": "sip:10.0.0.42:5060"})),
    ] {
        let group = list.iter_mut().find(|one| one["name"] == group).unwrap();
        group["spec"]["resources"].as_array_mut().unwrap().push(second);
    }
    all
}

/// Lets this become of a resource.
fn becomes(world: &mut World, documents: &mut Value, name: &str, what: &str) {
    let all = documents.as_array_mut().unwrap().iter_mut();
    let groups = all.filter(|one| one["kind"] == "ResourceGroup");
    let lists = groups.filter_map(|group| group["spec"]["resources"].as_array_mut());
    let mut resources = lists.flatten();
    let resource = resources.find(|one| one["name"] == name).unwrap();
    match what {
        "up" => return,
        "dead" => {
            let at = resource["address"].as_str().unwrap().trim_start_matches("sip:").to_owned();
            world.alive.retain(|alive| *alive != address(&at));
            return world.run(Duration::from_secs(13));
        }
        "full" => resource["capacity"] = 1.into(),
        state => resource["state"] = state.into(),
    }
    world.input(rm::Input::Snapshot(snapshot(documents)));
}

/// The header by which the second call names the dialog of the first.
fn naming(name: &str, dialog: &Dialog) -> String {
    let tag = |address: &str| address.split(";tag=").nth(1).unwrap().to_owned();
    let (remote, local) = (tag(&dialog.local), tag(&dialog.remote));
    let call_id = &dialog.call_id;
    match name {
        "Target-Dialog" => format!("{name}: {call_id};local-tag={local};remote-tag={remote}\r\n"),
        "nobody" => format!("Replaces: somebody@else;to-tag={local};from-tag={remote}\r\n"),
        _ => format!("{name}: {call_id};to-tag={local};from-tag={remote}\r\n"),
    }
}

#[test]
fn the_table_of_affinity() {
    let mut wrong = Vec::new();
    for case in cases(include_str!("testdata/affinity.txt"), 47) {
        let [link, from, first, said, again_from, second, said_again, what, to, by] = case[..]
        else {
            panic!("{case:?}")
        };
        let (link, same_gateway) = match link.split_once('+') {
            Some((link, said)) => (link, Some(said)),
            None => (link, None),
        };
        let mut documents = documents(same_gateway);
        let mut world = World::with(&documents, settings());
        let from = caller(from);
        let text = with_headers(invite_to(first, from, "first", ""), said);
        world.udp(from, &text);
        let (_, asked, up) = answered(&mut world, from);
        let held = world.phase("start")[0]["resource"]["name"].as_str().unwrap().to_owned();
        match what.strip_prefix("gateway-") {
            Some(what) => becomes(&mut world, &mut documents, "gw-env", what),
            None => becomes(&mut world, &mut documents, &held, what),
        }
        world.wire.clear();

        let line = match link {
            "-" | "uuid" => String::new(),
            "session" => format!("{SESSION_ID}: {}\r\n", header(&asked, SESSION_ID)),
            _ => naming(link, &up.caller),
        };
        let from = caller(again_from);
        let mut text = with_headers(invite_to(second, from, "second", &line), said_again);
        if link != "uuid" {
            text = text.replace(CALL_UUID, "1UJDMQHH2O8QV3P8P8R2LDAES0000002");
        }
        world.udp(from, &text);
        let told = match world.take_invite() {
            Some(sent) => {
                let at = sent.flow.remote.to_string();
                let contact = format!("Contact: <sip:x@{at}>\r\n");
                world.udp(&at, &reply(&sent.text, 200, "again", &contact));
                let start = *world.phase("start").last().unwrap();
                (start["resource"]["name"].clone(), start["placed_by"].clone())
            }
            None => (json!("-"), world.ends().last().unwrap()["reason"].clone()),
        };
        if told != (json!(to), json!(by)) {
            wrong.push((case, told));
        }
        world.proxy.invariant().unwrap();
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
