//! Scenarios of rm.md §14 about who takes a call: 17, 22, 23 and 24.

use crate::http;
use crate::platform::eventually;
use crate::player::Play;
use crate::scenarios_stage::{Stage, assert_refused, stage};
use crate::sipp::{Media, Plan, Via};
use crate::wire::first;

/// What each has answered since the last time.
fn shares(servers: &[Media], before: &mut Vec<usize>) -> Vec<usize> {
    let all: Vec<usize> = servers.iter().map(|one| one.answered().len()).collect();
    let shares = all.iter().zip(&*before).map(|(all, before)| all - before).collect();
    *before = all;
    shares
}

#[test]
fn scenario_17_round_robin_gives_each_the_same() {
    let stage = stage();
    let names = ["turns-1", "turns-2", "turns-3", "turns-4"];
    let mut servers = names.map(|name| stage.serve(name)).into_iter().collect::<Vec<_>>();
    let states = || stage.states("turns");
    let healthy = |states: &Vec<String>| states.iter().filter(|one| *one == "healthy").count();
    eventually("four are healthy", states, |states| healthy(states) == 4);
    let (numbers, mut answered) = (["18005551700"], vec![0; 4]);
    Plan::new(stage.sip, &numbers, 400).run();
    assert_eq!(shares(&servers, &mut answered), [100; 4]);

    // dropped, it is gone
    servers.pop();
    answered.pop();
    let dead = |states: &Vec<String>| healthy(states) == 3 && states[3] == "dead";
    eventually("one is dead", states, dead);
    Plan::new(stage.sip, &numbers, 300).run();
    assert_eq!(shares(&servers, &mut answered), [100; 3]);
}

#[test]
fn scenario_22_a_refusal_is_no_reason_to_try_another() {
    let stage = stage();
    let server = |name: &str, code: u16| {
        let script = format!("< INVITE; > {code}; < ACK");
        Play::new(name, &script, Via::Udp).answer_at(stage.at(name), stage.at(name))
    };
    // they take turns
    let servers = [server("refusing-1", 404), server("refusing-2", 603)];
    let codes = [404, 603];
    for code in codes {
        let name = format!("refused-{code}");
        let script = format!("> INVITE; < {code}; > ACK");
        let got = stage.call(&name, &script, "18005552200");
        let answer = first(&got, &format!("SIP/2.0 {code} "));
        assert_eq!(answer.header("Warning"), None, "it is the server's own");
        let leg = stage.leg(&name);
        let found = [&leg["end_state"], &leg["reason"], &leg["sip_status"]];
        assert_eq!(found, [&"REJECTED".into(), &"forwarded".into(), &serde_json::json!(code)]);
        let tries = leg["extra"]["tries"].as_array().unwrap();
        assert_eq!((tries.len(), &tries[0]["sip_status"]), (1, &code.into()), "{leg:#}");
    }
    for (server, code) in servers.into_iter().zip(codes) {
        let heard = server.played();
        let invites: Vec<_> = heard.iter().filter(|one| one.is("INVITE ")).collect();
        assert_eq!(invites.len(), 1, "{invites:#?}");
        let call = format!("refused-{code}-1@127.0.0.2");
        assert_eq!(invites[0].header("Call-ID"), Some(call.as_str()));
    }
    assert_eq!(stage.states("refusing"), ["healthy", "healthy"]);
}

/// A call that stays up until an operator ends it.
const HELD: &str = "> INVITE; < 180; < 200; > ACK; < BYE; > 200";
const HOLDING: &str = "< INVITE; > 180; > 200; < ACK; < BYE; > 200";

/// Four groups of the same tenant: in each both servers are of no use, always for the same reason.
const GROUPS: [(&str, &str, bool); 4] = [
    ("full", "18005552301", true),
    ("draining", "18005552302", true),
    ("dead", "18005552303", false),
    ("disabled", "18005552304", false),
];

/// The answer, the record, the API, explain and the log have the same word.
fn has_nobody(stage: &Stage, group: &str, number: &str, again: bool) {
    let states = || stage.states(group);
    eventually(group, states, |states| states.iter().all(|one| one == group));
    assert_eq!(states().len(), 2);
    let word = format!("resource-{group}");
    let got = stage.call(group, "> INVITE; < 480; > ACK", number);
    assert_refused(stage, group, &got, 480, &word);
    let retry_after = first(&got, "SIP/2.0 480 ").header("Retry-After");
    assert_eq!(retry_after, again.then_some("2"), "{group}");
    let leg = stage.leg(group);
    let lines = stage.logged(20401, &format!("group={group}"));
    assert!(lines.iter().all(|line| line.contains(&format!("reason={word}"))), "{lines:#?}");
    let steps = leg["trace"].as_array().unwrap().iter();
    let skipped: Vec<_> = steps.filter(|step| step["reason"] == group).collect();
    assert_eq!(skipped.len(), 2, "{leg:#}");
    let uri = format!("sip:{number}@rm");
    let explained = stage.command(&["explain", &uri, "-o", "name"]);
    assert_eq!(explained, (1, format!("{word}\n")));
    let count = format!("ringmaster_rm_answers_total{{code=\"480\",reason=\"{word}\"}}");
    assert_eq!(http::counted(stage.rm_http, &count), Some(1.0));
    // for a minute from now on; that of a full group and of dead servers as long as they are so
    let alarms = stage.alarms();
    let raised = |name: &str, object: &str| alarms.contains(&format!("{name} {object}"));
    assert!(raised("RMResourceAllocationFailed", group), "{group}: {alarms:?}");
    assert_eq!(raised("MCPPortsExceeded", group), group == "full", "{alarms:?}");
    for server in [1, 2].map(|number| format!("{group}-{number}")) {
        assert_eq!(raised("RMResourceDown", &server), group == "dead", "{alarms:?}");
    }
}

#[test]
fn scenario_23_four_ways_of_having_nobody() {
    let stage = stage();
    let at = ["full-1", "full-2"].map(|name| stage.at(name));
    let servers = at.map(|own| Play::new("holding", HOLDING, Via::Udp).answer_at(own, own));
    let callers = ["held-1", "held-2"]
        .map(|name| Play::new(name, HELD, Via::Udp).call(stage.sip, "18005552301"));
    let list = || stage.command(&["calls", "--tenant", "nobody", "--state", "up", "-o", "name"]).1;
    let up = eventually("two calls up", list, |calls| calls.lines().count() == 2);
    for (group, number, again) in GROUPS {
        has_nobody(&stage, group, number, again);
    }
    for guid in up.lines() {
        let ended = stage.command(&["calls", guid, "--end"]);
        assert_eq!(ended, (0, format!("{guid}: 1 leg ended\n")));
    }
    for player in callers.into_iter().chain(servers) {
        player.finish();
    }
}

/// What the API, GVP's metrics, ours, and the list of alarms say of a server at one time: whether
/// it takes calls.
fn said(stage: &Stage, group: &str, name: &str) -> (String, [bool; 4]) {
    let state = stage.states(group).remove(0);
    let own = format!("group=\"{group}\",resource=\"{name}\"");
    let is = |series: String| http::counted(stage.rm_http, &series) == Some(1.0);
    let available = format!("rmPRStatus{{rmPRName=\"{name}\",rmPRStatus=\"AVAILABLE\"}}");
    let unavailable = format!("rmPRStatus{{rmPRName=\"{name}\",rmPRStatus=\"UNAVAILABLE\"}}");
    let shown = format!("ringmaster_rm_resource_state{{{own},state=\"{state}\"}}");
    let down = stage.alarms().contains(&format!("RMResourceDown {name}"));
    (state, [is(available), !is(unavailable), is(shown), !down])
}

/// That it is found within so many seconds is shown in `sim/`.
#[test]
fn scenario_24_the_metrics_agree_with_the_api_and_the_alarm() {
    let stage = stage();
    let agree = |state: &str, takes_calls: bool| {
        let expected = (state.to_owned(), [takes_calls, takes_calls, true, takes_calls]);
        eventually(state, || said(&stage, "probed", "probed-1"), |said| *said == expected);
    };
    let server = stage.serve("probed-1");
    agree("healthy", true);
    let line = "group=probed";
    // its OPTIONS stop
    drop(server);
    agree("dead", false);
    let lost = stage.logged(20402, "resource=probed-1");
    assert!(lost[0].contains("EROR") && lost[0].contains("alarm=RMResourceDown"), "{lost:#?}");
    let server = stage.serve("probed-1");
    agree("healthy", true);
    assert!(stage.logged(20403, "resource=probed-1")[0].contains(line));
    drop(server);
}
