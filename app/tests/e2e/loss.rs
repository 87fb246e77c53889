//! A network that loses every fifth packet and doubles some: calls take longer, and none is lost,
//! left behind or counted twice. Retransmission is SIPp's and RM's own.

use crate::flows::nothing_is_left;
use crate::line::Line;
use crate::platform::{CALLER, MEDIA, Site};
use crate::player::Play;
use crate::sipp::Via;
use crate::{http, report};

const CALLS: u32 = 30;

/// What is not sent again may be missing: 100, and an ACK, in whose place the BYE comes. The server
/// sends no 180, behind which SIPp would not know a repeated INVITE again, and stays for a while
/// behind its last word, to say it again.
const CALL: &str = "> INVITE; < 200; > ACK; wait 200; > BYE; < 200";
const ANSWER: &str = "< INVITE; > 200; < ACK maybe; < BYE; > 200; stay 60000";

#[test]
fn calls_end_as_they_should_while_every_fifth_packet_is_lost() {
    let play = |script| Play { calls: CALLS, lossy: true, ..Play::new("loss", script, Via::Udp) };
    let media = Play::reserve();
    let behind = Line::new(MEDIA, media, 20);
    let media = play(ANSWER).answer_at(media, behind.near);
    // A resource that is slow to answer is no dead one here.
    let objects = format!(
        "kind: IvrProfile\nname: main\nspec: {{ service: voicexml, \
         initial_page_url: \"http://a.example/\" }}\n---\n\
         kind: DidGroup\nname: numbers\nspec: {{ profile: main, dids: [\"18005550100\"] }}\n---\n\
         kind: ResourceGroup\nname: mcp\nspec:\n  services: [voicexml]\n  \
           monitor: {{ method: none }}\n  try_timeout: 32s\n  resources:\n    \
           - {{ name: mcp-1, address: \"sip:{}\" }}\n",
        behind.near
    );
    let site = Site::new(&objects);
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    let in_front = Line::new(CALLER, site.sip(), 20);
    let mut caller = play(CALL).call_by(in_front.near, in_front.far, "18005550100");
    caller.wait();

    // What SIP cannot save is a request of which every repetition got lost: rare, and told as such.
    let timed_out = caller.figure("FailedMaxUDPRetrans(C)");
    let failed = caller.figure("FailedCall(C)");
    let good = caller.figure("SuccessfulCall(C)");
    let errors = || format!("{}\n{}", caller.log("errors.log"), media.log("errors.log"));
    assert_eq!((good + failed, failed), (CALLS, timed_out), "{}", errors());
    assert!(timed_out <= 2, "{timed_out} of {CALLS}");
    assert!(!media.log("errors.log").contains("unexpected"), "{}", errors());
    for (place, line) in [("in front", &in_front), ("behind", &behind)] {
        assert!(line.lost() > CALLS / 2, "{} lost {place}", line.lost());
    }
    for direction in ["in", "out"] {
        let name = format!("ringmaster_rm_retransmissions_total{{direction=\"{direction}\"}}");
        assert!(http::metric(site.rm_http(), &name) > 0.0, "{direction}");
    }

    nothing_is_left(&site, CALLS as usize);
    let cdrs = report::exactly(site.rm_http(), site.rs_http(), CALLS as usize);
    let normal = cdrs.iter().filter(|cdr| {
        [&cdr["end-state"], &cdr["reason"], &cdr["sip-status"]] == ["USER_END", "normal", "200"]
    });
    let normal = u32::try_from(normal.count()).unwrap();
    assert!(normal >= good, "{normal} of {good}: {cdrs:#?}");
    let calls: std::collections::BTreeSet<&str> = cdrs.iter().map(|cdr| &*cdr["call-id"]).collect();
    assert_eq!(calls.len(), CALLS as usize, "none twice");
}
