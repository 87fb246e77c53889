//! Limits with real callers: scenario 57 of the specification of the Resource Manager.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::calls::{healthy, objects};
use crate::crowd::overrun;
use crate::platform::{Site, free_port};
use crate::player::Play;
use crate::sipp::{Media, Plan, Via};

/// Scenario 57: a full profile takes calls to numbers of priority, of a peer of priority and to
/// emergencies, also while new calls are shed; where no number is set for emergencies, there is
/// nowhere to take them.
#[test]
fn scenario_57_priority_passes_a_full_profile_and_an_overload() {
    const PRIORITY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 12));
    for sos in [None, Some("18005550100")] {
        let media = Media::start();
        let number = sos.map(|number| format!(", sos-number: \"{number}\"")).unwrap_or_default();
        let application = format!(
            "---\nkind: Application\nname: rm-1\nspec:\n  type: resource-manager\n  \
             options:\n    rm: {{ priority-numbers: [\"1900*\"]{number} }}\n"
        );
        let objects = objects(&[&media], "{ usage_limit: 0 }") + &application;
        let site = Site::new(&objects);
        let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
        let peers = format!(
            "peers: [{{ name: s, match: [\"127.0.0.0/8\"], role: sip-server }}, \
             {{ name: p, match: [\"{PRIORITY}\"], role: sip-server, priority: true }}]"
        );
        let settings = settings.replace("sip: { listen", &format!("sip: {{ {peers}, listen"));
        site.write("settings.yaml", &settings);
        let _rs = site.start_rs();
        let _rm = site.start_rm();
        healthy(&site, 1);
        let dir = site.path(".");
        Plan::new(site.sip(), &["18005550234"], 1).refused(&dir, 480).run();
        if sos.is_some() {
            overrun(&site);
        }
        Plan::new(site.sip(), &["19001234567"], 2).run();
        let script = "> INVITE; < 180 maybe; < 200; > ACK; > BYE; < 200";
        let own = SocketAddr::new(PRIORITY, free_port(PRIORITY));
        let peer = Play::new("peer", script, Via::Udp);
        peer.call_from(own, site.sip(), "18005550234").finish();
        let emergency = Plan::new(site.sip(), &["urn"], 1);
        match sos {
            Some(_) => emergency.dialling_sos(&dir).run(),
            None => emergency.refused(&dir, 416).dialling_sos(&dir).run(),
        }
        let placed = if sos.is_some() { 4 } else { 3 };
        assert_eq!(media.answered().len(), placed);
    }
}
