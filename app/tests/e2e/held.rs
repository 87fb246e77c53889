//! Calls that stay up until the test has seen what it wants: each is told when to hang up.

use crate::http;
use crate::platform::{Site, eventually};
use crate::player::{Play, Player};
use crate::report::{self, Cdr};
use crate::sipp::Via;

/// A media server that answers.
pub(crate) const ANSWERS: &str = "< INVITE; > 180; > 200; < ACK; < BYE; > 200";
/// A caller that hangs up when it is told to.
const STAYS: &str = "> INVITE; < 180; < 200; > ACK; < CUE; > BYE; < 200";
/// A caller that hangs up at once.
pub(crate) const SHORT: &str = "> INVITE; < 180; < 200; > ACK; > BYE; < 200";

/// A call that is up.
pub(crate) struct Held {
    pub(crate) player: Player,
    /// RM's own view of it.
    pub(crate) session: String,
    /// Group and name of its media server.
    pub(crate) resource: String,
}

/// Calls `number`, and stays up.
pub(crate) fn hold(site: &Site, play: &Play<'_>, number: &str) -> Held {
    let player = Play { script: STAYS, ..*play }.call(site.sip(), number);
    let path = format!("/v1/calls?state=up&call_id={}", player.call_id);
    let up = || http::json(site.rm_http(), &path)["calls"].as_array().unwrap().clone();
    let found = eventually("the call is up", up, |calls| calls.len() == 1);
    let session = found[0]["session"].as_str().unwrap().to_owned();
    let call = http::json(site.rm_http(), &format!("/v1/calls/{session}"));
    let resource = call["leg"][0]["resource"].as_str().unwrap().to_owned();
    Held { player, session, resource }
}

impl Held {
    /// Name of its media server.
    pub(crate) fn server(&self) -> &str {
        self.resource.rsplit('/').next().unwrap()
    }

    /// The caller hangs up, gets its 200, and the record says so.
    pub(crate) fn hang_up(self, site: &Site) -> Cdr {
        let call_id = self.player.call_id.clone();
        self.player.cue();
        self.player.finish();
        let cdr = report::of_call(site.rs_http(), &call_id);
        assert_eq!((&*cdr["end-state"], &*cdr["reason"]), ("USER_END", "normal"), "{cdr:#?}");
        cdr
    }
}

/// A call that ends as its script says; its record.
pub(crate) fn call(site: &Site, play: &Play<'_>, number: &str) -> Cdr {
    ended(site, play.call(site.sip(), number))
}

/// The record of a caller's call, when that has ended as its script says.
pub(crate) fn ended(site: &Site, player: Player) -> Cdr {
    let call_id = player.call_id.clone();
    player.finish();
    report::of_call(site.rs_http(), &call_id)
}

/// A call that is answered and ended at once; its record.
pub(crate) fn short(site: &Site, name: &str, number: &str) -> Cdr {
    call(site, &Play::new(name, SHORT, Via::Udp), number)
}

/// The value of a header, of the first line with this name.
pub(crate) fn header<'t>(text: &'t str, name: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("{name} in {text}"))
}
