//! Response codes that options set (rm.md §1.10, §4.4): each for its refusals and for no other.

use rm::Options;
use serde_json::{Value, json};

use crate::platform::invite_to;
use crate::world::{CALLER, World, header, objects, reply, settings};

/// A condition, and the reason word of the answer to it.
const CONDITIONS: [(&str, &str, u16); 4] = [
    ("no profile", "no-profile", 404),
    ("nobody offers the service", "no-match", 480),
    ("nobody is at the strict location", "no-location", 480),
    ("the server of the conference is dead", "conference-dead", 503),
];

/// Lets a condition come about; gives back the answer.
fn answer(condition: &str, options: &Options) -> String {
    let mut documents = objects();
    documents[1]["spec"]["policy"] = Value::Null;
    let mut settings = settings();
    settings.options = options.clone();
    let tenant = "gvp-tenant-id=acme";
    let (uri, lines) = match condition {
        "no profile" => ("sip:5@10.0.0.5".to_owned(), ""),
        "nobody offers the service" => (format!("sip:record=7@10.0.0.5;{tenant}"), ""),
        "nobody is at the strict location" => (
            format!("sip:dialog@10.0.0.5;{tenant}"),
            "X-Genesys-geo-location: rome\r\nX-Genesys-strict-location: enforce\r\n",
        ),
        _ => (format!("sip:conf=team7@10.0.0.5;{tenant}"), ""),
    };
    let mut world = World::with(&documents, settings);
    if condition.contains("dead") {
        world.udp(CALLER, &invite_to(&uri, CALLER, "first", ""));
        let first = world.take_invite().unwrap();
        let at = first.flow.remote.to_string();
        let contact = format!("Contact: <sip:mcp@{at}>\r\n");
        world.udp(&at, &reply(&first.text, 200, "t", &contact));
        assert!(world.take(CALLER).starts_with("SIP/2.0 200 "));
        world.alive.retain(|alive| *alive != first.flow.remote);
        // dead, and not yet for so long that its calls are ended
        world.run(std::time::Duration::from_secs(13));
        world.wire.clear();
    }
    world.udp(CALLER, &invite_to(&uri, CALLER, "c", lines));
    assert!(world.take_invite().is_none(), "{condition}");
    world.take(CALLER)
}

#[test]
fn each_option_sets_the_code_of_its_refusals() {
    let own = Options::default;
    let set = [
        ("", own()),
        ("no-profile", Options { profile_not_found_respcode: 606, ..own() }),
        ("no-match no-location", Options { resource_no_match_respcode: 606, ..own() }),
        ("conference-dead", Options { conference_error_respcode: 606, ..own() }),
    ];
    for (reasons, options) in set {
        for (condition, reason, default) in CONDITIONS {
            let answer = answer(condition, &options);
            assert_eq!(header(&answer, "Warning"), format!("399 rm-1 \"{reason}\""), "{condition}");
            let code = if reasons.contains(reason) { 606 } else { default };
            assert!(answer.starts_with(&format!("SIP/2.0 {code} ")), "{reasons}: {answer}");
        }
    }
}

/// The code of a group goes before that of the options.
#[test]
fn the_code_of_a_group_for_its_own_refusals() {
    let mut documents = objects();
    documents[3]["spec"]["noresource_response_code"] = json!(603);
    documents[3]["spec"]["resources"][0]["state"] = "disabled".into();
    documents[3]["spec"]["resources"][1]["state"] = "disabled".into();
    let mut settings = settings();
    settings.options.resource_disabled_respcode = Some(606);
    let mut world = World::with(&documents, settings);
    world.udp(CALLER, &invite_to("sip:18005550100@10.0.0.5", CALLER, "c", ""));
    assert!(world.take(CALLER).starts_with("SIP/2.0 603 "));
}
