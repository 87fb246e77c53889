//! Every call flow of RFC 3261 and its updates through the Proxy: once on a good network, where the
//! story is told word by word, and on a bad one from many seeds, where both sides must agree in the
//! end and nothing may be left anywhere.
//!
//! RFC 3665 §3 has them as: 3.1 "answered …", 3.3 "… wants credentials", 3.4 "out of order …", 3.6
//! "redirected", 3.7 "re-INVITE …", 3.8 "given up …", 3.9 "busy", 3.10 "nobody says anything", 3.11
//! "not there …"; 3.2 and 3.5, further proxies on the way, are played with a real one in `app`.

use std::time::Duration;

use crate::network::{Net, Network};
use crate::party::{Manner, Party};
use crate::world::invite;

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Caller,
    Called,
    /// Both at the same instant.
    Both,
}
use Who::{Both, Called, Caller};

/// One call.
struct Flow {
    name: &'static str,
    manner: Manner,
    /// The caller gives up so many ms after its INVITE.
    cancel: Option<u64>,
    /// What happens inside the dialog: ms after the one before, who, method.
    acts: &'static [(u64, Who, &'static str)],
    /// What the caller hears on a good network, and the media server that got the call last.
    caller: &'static str,
    called: &'static str,
}

const fn manner(rings: Option<u16>, after: u64, code: u16) -> Manner {
    Manner { rings, answers: Some((after, code)) }
}

const RINGS: Manner = manner(Some(180), 300, 200);
const AT_ONCE: Manner = manner(None, 0, 200);
const SILENT: Manner = Manner { rings: None, answers: None };
const HANG_UP: &[(u64, Who, &str)] = &[(500, Caller, "BYE")];

const fn refused(name: &'static str, code: u16, caller: &'static str) -> Flow {
    let manner = manner(None, 200, code);
    Flow { name, manner, cancel: None, acts: &[], caller, called: "INVITE" }
}

const fn up(
    name: &'static str,
    acts: &'static [(u64, Who, &'static str)],
    caller: &'static str,
    called: &'static str,
) -> Flow {
    Flow { name, manner: RINGS, cancel: None, acts, caller, called }
}

const FLOWS: &[Flow] = &[
    up(
        "answered, the caller hangs up",
        HANG_UP,
        "180 INVITE, 200 INVITE, 200 BYE",
        "INVITE, ACK, BYE",
    ),
    up(
        "answered, the called side hangs up",
        &[(500, Called, "BYE")],
        "180 INVITE, 200 INVITE, BYE",
        "INVITE, ACK, 200 BYE",
    ),
    up(
        "both hang up at once",
        &[(500, Both, "BYE")],
        "180 INVITE, 200 INVITE, BYE, 481 BYE",
        "INVITE, ACK, BYE, 481 BYE",
    ),
    Flow {
        name: "answered without ringing",
        manner: AT_ONCE,
        cancel: None,
        acts: HANG_UP,
        caller: "200 INVITE, 200 BYE",
        called: "INVITE, ACK, BYE",
    },
    Flow {
        name: "early media with 100rel",
        manner: manner(Some(183), 800, 200),
        cancel: None,
        acts: HANG_UP,
        caller: "183 INVITE, 200 PRACK, 200 INVITE, 200 BYE",
        called: "INVITE, PRACK, ACK, BYE",
    },
    refused("redirected", 302, "302 INVITE"),
    refused("the called side wants credentials", 401, "401 INVITE"),
    refused("a proxy behind wants credentials", 407, "407 INVITE"),
    refused("no such number", 404, "404 INVITE"),
    refused("not there for the moment", 480, "480 INVITE"),
    refused("busy", 486, "486 INVITE"),
    refused("out of order on both servers", 503, "480 INVITE"),
    refused("declined everywhere", 603, "603 INVITE"),
    Flow {
        name: "given up after ringing",
        manner: manner(Some(180), 20_000, 200),
        cancel: Some(2_500),
        acts: &[],
        caller: "180 INVITE, 487 INVITE",
        called: "INVITE, CANCEL",
    },
    Flow {
        name: "given up before anybody said anything",
        manner: SILENT,
        cancel: Some(100),
        acts: &[],
        caller: "487 INVITE",
        called: "INVITE",
    },
    Flow {
        name: "the answer crosses the CANCEL",
        manner: manner(Some(180), 2_500, 200),
        cancel: Some(2_505),
        acts: &[],
        caller: "180 INVITE, 200 INVITE, 200 BYE",
        called: "INVITE, ACK, BYE",
    },
    Flow {
        name: "nobody says anything",
        manner: SILENT,
        cancel: None,
        acts: &[],
        caller: "480 INVITE",
        called: "INVITE",
    },
    Flow {
        name: "100 and nothing more",
        manner: Manner { rings: Some(100), answers: None },
        cancel: None,
        acts: &[],
        caller: "480 INVITE",
        called: "INVITE, CANCEL",
    },
    Flow {
        name: "it rings and nobody answers: timer C",
        manner: Manner { rings: Some(180), answers: None },
        cancel: None,
        acts: &[],
        caller: "180 INVITE, 408 INVITE",
        called: "INVITE, CANCEL",
    },
    up(
        "re-INVITE by the caller",
        &[(500, Caller, "INVITE"), (500, Caller, "BYE")],
        "180 INVITE, 200 INVITE, 200 INVITE, 200 BYE",
        "INVITE, ACK, INVITE, ACK, BYE",
    ),
    up(
        "re-INVITE by the called side",
        &[(500, Called, "INVITE"), (500, Caller, "BYE")],
        "180 INVITE, 200 INVITE, INVITE, ACK, 200 BYE",
        "INVITE, ACK, 200 INVITE, BYE",
    ),
    up(
        "re-INVITE by both: glare",
        &[(500, Both, "INVITE"), (500, Caller, "BYE")],
        "180 INVITE, 200 INVITE, INVITE, 491 INVITE, 200 BYE",
        "INVITE, ACK, INVITE, 491 INVITE, BYE",
    ),
    up(
        "UPDATE, INFO and REFER both ways",
        &[
            (500, Caller, "UPDATE"),
            (100, Called, "UPDATE"),
            (100, Caller, "INFO"),
            (100, Called, "INFO"),
            (100, Called, "REFER"),
            (500, Called, "BYE"),
        ],
        "180 INVITE, 200 INVITE, 200 UPDATE, UPDATE, 200 INFO, INFO, REFER, BYE",
        "INVITE, ACK, UPDATE, 200 UPDATE, INFO, 200 INFO, 200 REFER, 200 BYE",
    ),
];

/// One life of the flow: everything happens, then everybody hangs up, then time passes.
fn play(flow: &Flow, net: Net, seed: u64) -> Network {
    let mut network = Network::new(net, flow.manner, seed);
    let now = network.now();
    network.parties[0].ask(now, invite("18005550100", "flow"));
    if let Some(after) = flow.cancel {
        network.run(Duration::from_millis(after));
        let now = network.now();
        network.parties[0].cancel(now);
    }
    if !flow.acts.is_empty() {
        wait_until_up(&mut network);
    }
    for (after, who, method) in flow.acts {
        network.run(Duration::from_millis(*after));
        let now = network.now();
        for at in 0..3 {
            let acts = match who {
                Caller => at == 0,
                Called => at > 0,
                Both => true,
            };
            if let Some(talk) = network.parties[at].live().filter(|_| acts) {
                network.parties[at].say(now, &talk, method, "");
            }
        }
    }
    network.run(Duration::from_secs(90));
    // on a bad network the BYE may have come before the dialog: whoever still has one hangs up
    for at in 0..3 {
        while let Some(talk) = network.parties[at].live() {
            let now = network.now();
            network.parties[at].say(now, &talk, "BYE", "");
        }
    }
    network.net = Net::GOOD;
    network.run(Duration::from_secs(250));
    // a probe may just be under way
    if network.proxy().status().transactions_pending > 0 {
        network.run(Duration::from_millis(100));
    }
    network
}

/// The caller has its answer and the called side its ACK, or both have failed by now.
fn wait_until_up(network: &mut Network) {
    for _ in 0..400 {
        network.run(Duration::from_millis(100));
        let acknowledged = network.parties.iter().any(|one| one.heard.iter().any(|x| x == "ACK"));
        if network.parties[0].live().is_some() && acknowledged {
            return;
        }
    }
}

/// What holds whatever happened.
fn judge(flow: &Flow, network: &Network, seed: u64) {
    let at = format!("{}, seed {seed}: {:?}", flow.name, stories(network));
    let proxy = network.proxy();
    assert_eq!(proxy.invariant(), Ok(()), "{at}");
    let status = proxy.status();
    assert_eq!((status.sessions, status.legs), (0, 0), "{at}");
    assert_eq!(status.transactions_pending, 0, "{at}");
    assert_eq!(proxy.resources().iter().map(|one| one.used).sum::<usize>(), 0, "{at}");
    assert_eq!(network.ends, 1, "one call has one end record: {at}");
    for party in &network.parties {
        assert!(party.talks.values().all(|talk| talk.over), "a dialog stays: {at}");
        assert_eq!(party.endpoint.pending(), party.silence(), "{at}");
    }
    // the caller talks with at most one, and whom it talks with knows it
    let caller = &network.parties[0];
    assert!(caller.talks.len() <= 1, "{at}");
    if let Some(talk) = caller.talks.values().next() {
        let remote = &talk.dialog.remote;
        let knows = |party: &Party| party.talks.values().any(|one| one.dialog.local == *remote);
        assert!(network.parties[1..].iter().any(knows), "{at}");
    }
    let finals = |word: &&String| word.ends_with(" INVITE") && !word.starts_with('1');
    assert!(caller.heard.iter().any(|word| finals(&word)), "the caller is told: {at}");
}

fn stories(network: &Network) -> [String; 3] {
    network.parties.each_ref().map(|party| party.heard.join(", "))
}

#[test]
fn on_a_good_network_each_hears_its_story() {
    let mut wrong = Vec::new();
    for flow in FLOWS {
        let network = play(flow, Net::GOOD, 1);
        judge(flow, &network, 1);
        let [caller, first, second] = stories(&network);
        let called = if second.is_empty() { &first } else { &second };
        if caller != flow.caller || *called != flow.called {
            wrong.push(format!("{}\n  caller: {caller}\n  called: {called}", flow.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn on_a_bad_network_both_sides_agree() {
    let mut trouble = 0;
    for flow in FLOWS {
        for seed in 1..=6 {
            let network = play(flow, Net::BAD, seed);
            judge(flow, &network, seed);
            trouble += network.trouble;
        }
    }
    assert!(trouble > 500, "the network was too good to prove anything: {trouble}");
}
