//! Internal headers between those who are trusted and those who are not (rm.md §13.4): every kind
//! of message, both ways, as a table (testdata/trust.txt).

use crate::tables::cases;
use crate::world::{CALLER, Dialog, MCP1, World, all, invite, objects, reply, settings};
use model::id::BootEpoch;
use rm::{FrameKind, Role};

/// Every spelling that a parser meets.
const LINES: &str = "X-Genesys-GVP-Session-ID: forged\r\nx-genesys-GEO-location : berlin\r\n\
    X-GENESYS-RM-Any:\r\n folded\r\nX-Genesys-UData_A: said\r\nX-Any: kept\r\n";
const MARKS: [(char, &str); 5] =
    [('S', "forged"), ('G', "berlin"), ('R', "folded"), ('U', "said"), ('O', "kept")];
const HOST: &str = "10.0.0.2:5090";

fn marked(text: &str) -> String {
    text.replacen("Content-Length", &format!("{LINES}Content-Length"), 1)
}

/// The marks that are left.
fn left(text: &str) -> String {
    let mut found: String =
        MARKS.iter().filter(|(_, value)| text.contains(value)).map(|(mark, _)| *mark).collect();
    let own = all(text, "X-Genesys-GVP-Session-ID").iter().any(|value| value.contains(";gvp.rm."));
    if own {
        found.push('*');
    }
    if found.is_empty() { "-".to_owned() } else { found }
}

/// What was seen: message, who sent it, and what was left of the headers.
type Seen = Vec<(&'static str, &'static str, String)>;

fn configured(trusted: bool) -> (serde_json::Value, rm::Settings) {
    let (mut documents, mut own) = (objects(), settings());
    documents[3]["spec"]["resources"] = serde_json::json!([
        {"name": "mcp-1", "address": "sip:10.0.0.11:5070", "capacity": 500, "dbid": 310}]);
    if !trusted {
        own.peers[0].role = Role::Gateway;
        own.peers[0].trusted_headers = false;
    }
    (documents, own)
}

/// A request of one side and its answer, both marked.
fn both_ways(
    world: &mut World,
    seen: &mut Seen,
    dialog: &mut Dialog,
    from_caller: bool,
    (method, branch): (&'static str, &str),
    names: [&'static str; 2],
) {
    let (from, to) = if from_caller { (CALLER, MCP1) } else { (MCP1, CALLER) };
    let (asks, answers) = if from_caller { ("caller", "server") } else { ("server", "caller") };
    world.udp(from, &marked(&dialog.request(method, from, branch)));
    let sent = world.take(to);
    assert!(sent.starts_with(method), "{sent}");
    seen.push((names[0], asks, left(&sent)));
    if method == "INVITE" {
        world.udp(to, &marked(&reply(&sent, 183, "", "")));
        seen.push(("183-to-reINVITE", answers, left(&world.take(from))));
    }
    world.udp(to, &marked(&reply(&sent, 200, "", &format!("Contact: <sip:x@{to}>\r\n"))));
    let answer = world.take(from);
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    seen.push((names[1], answers, left(&answer)));
}

fn outside(world: &mut World, seen: &mut Seen) {
    for method in ["MESSAGE", "FOO"] {
        let text = invite("18005550100", method).replace("INVITE", method);
        world.udp(CALLER, &marked(&text));
        let at = world.wire.iter().position(|sent| sent.text.starts_with(method));
        let sent = world.wire.remove(at.expect("it goes on")).unwrap().text;
        seen.push((method, "caller", left(&sent)));
        if method == "MESSAGE" {
            world.udp(MCP1, &marked(&reply(&sent, 200, "t", "")));
            seen.push(("200-to-MESSAGE", "server", left(&world.take(CALLER))));
        }
    }
    world.udp(CALLER, &marked(&invite("18005550100", "no")));
    let sent = world.take(MCP1);
    world.udp(MCP1, &marked(&reply(&sent, 404, "t", "")));
    assert!(world.take(MCP1).starts_with("ACK "));
    seen.push(("404", "server", left(&world.take(CALLER))));

    world.udp(CALLER, &marked(&invite("18005550100", "c")));
    let sent = world.take(MCP1);
    world.udp(MCP1, &reply(&sent, 180, "t", ""));
    world.take(CALLER);
    world.udp(CALLER, &marked(&invite("18005550100", "c").replace("INVITE", "CANCEL")));
    let cancel = world.take(MCP1);
    assert!(cancel.starts_with("CANCEL "), "{cancel}");
    seen.push(("CANCEL", "caller", left(&cancel)));
    world.udp(MCP1, &reply(&cancel, 200, "t", ""));
    world.udp(MCP1, &reply(&sent, 487, "t", ""));
    assert!(world.take(MCP1).starts_with("ACK "));
    while world.try_take(CALLER).is_some() {}
}

/// Everything that happens to calls of such a caller.
fn seen(trusted: bool) -> Seen {
    let (documents, own) = configured(trusted);
    let mut world = World::with(&documents, own.clone());
    let mut seen = Seen::new();
    outside(&mut world, &mut seen);

    world.udp(CALLER, &marked(&invite("18005550100", "up")));
    let sent = world.take(MCP1);
    seen.push(("INVITE", "caller", left(&sent)));
    let contact = format!("Contact: <sip:mcp@{MCP1}>\r\n");
    world.udp(MCP1, &marked(&reply(&sent, 183, "t", &contact)));
    seen.push(("183", "server", left(&world.take(CALLER))));
    let ok = marked(&reply(&sent, 200, "t", &contact));
    world.udp(MCP1, &ok);
    let answer = world.take(CALLER);
    seen.push(("200", "server", left(&answer)));
    world.udp(MCP1, &ok);
    seen.push(("200-again", "server", left(&world.take(CALLER))));
    let mut one = Dialog::of_caller(&answer);
    let mut other = Dialog::of_callee(&sent, "t", &format!("<sip:mcp@{MCP1}>"));
    world.udp(CALLER, &marked(&one.request("ACK", HOST, "ack")));
    seen.push(("ACK", "caller", left(&world.take(MCP1))));

    let info = ["INFO", "200-to-INFO"];
    both_ways(&mut world, &mut seen, &mut one, true, ("INFO", "i1"), info);
    both_ways(&mut world, &mut seen, &mut other, false, ("INFO", "i2"), info);
    let again = ["reINVITE", "200-to-reINVITE"];
    both_ways(&mut world, &mut seen, &mut one, true, ("INVITE", "r1"), again);
    world.udp(CALLER, &one.request("ACK", HOST, "ra1"));
    world.take(MCP1);
    both_ways(&mut world, &mut seen, &mut other, false, ("INVITE", "r2"), again);
    world.udp(MCP1, &marked(&other.request("ACK", MCP1, "ra2")));
    seen.push(("ACK", "server", left(&world.take(CALLER))));

    let open = world.records.iter().rev().find(|one| one.frame == FrameKind::Open).unwrap();
    let block = open.block.clone();
    let again = |blocks: &[&[u8]]| {
        let mut second = own.clone();
        (second.boot, second.seed) = (BootEpoch(2), [9; 4]);
        let mut world = World::cold(&documents, second);
        world.proxy.restore(world.now, blocks.iter().copied());
        world.ready();
        world
    };
    let (mut first, mut last) = (one.clone(), other.clone());
    let mut restored = again(&[&block]);
    let info = ["INFO-restored", "200-to-INFO-restored"];
    both_ways(&mut restored, &mut seen, &mut first, true, ("INFO", "i3"), info);
    both_ways(&mut restored, &mut seen, &mut last, false, ("INFO", "i4"), info);
    let info = ["INFO-rebuilt", "200-to-INFO-rebuilt"];
    both_ways(&mut again(&[]), &mut seen, &mut last, false, ("INFO", "i5"), info);

    both_ways(&mut world, &mut seen, &mut one, true, ("BYE", "b"), ["BYE", "200-to-BYE"]);
    seen
}

#[test]
fn nobody_says_or_sees_what_he_may_not() {
    let table = cases(include_str!("testdata/trust.txt"), 29);
    for (column, trusted) in [(2, true), (3, false)] {
        let seen = seen(trusted);
        for case in &table {
            assert_eq!(case.len(), 4, "{case:?}");
            let mut found = seen.iter().filter(|(name, from, _)| [*name, *from] == case[..2]);
            let (_, _, first) = found.next().unwrap_or_else(|| panic!("nothing for {case:?}"));
            assert_eq!(first, case[column], "{case:?} trusted: {trusted}");
            assert!(found.all(|(_, _, other)| other == first), "{case:?}");
        }
        for (name, from, _) in &seen {
            assert!(table.iter().any(|case| case[..2] == [*name, *from]), "{name} {from}");
        }
    }
}

/// What a party at an address nobody has declared may see is what who began the call may, as long
/// as that is remembered; a stranger who only has a token sees nothing.
#[test]
fn a_contact_nobody_has_declared_is_as_good_as_its_caller() {
    for (trusted, expected) in [(true, "SGRUO"), (false, "O")] {
        let (documents, own) = configured(trusted);
        let mut world = World::with(&documents, own);
        let elsewhere = "198.51.100.7:5090";
        let text =
            invite("18005550100", "e").replace("<sip:10.0.0.2:5090>", "<sip:198.51.100.7:5090>");
        world.udp(CALLER, &text);
        let sent = world.take(MCP1);
        let contact = format!("<sip:mcp@{MCP1}>");
        world.udp(MCP1, &reply(&sent, 200, "t", &format!("Contact: {contact}\r\n")));
        let mut caller = Dialog::of_caller(&world.take(CALLER));
        let mut callee = Dialog::of_callee(&sent, "t", &contact);
        world.udp(MCP1, &marked(&callee.request("INFO", MCP1, "i")));
        assert_eq!(left(&world.take(elsewhere)), expected, "{trusted}");
        // from there it says nothing internal, and is told nothing
        world.udp(elsewhere, &marked(&caller.request("INFO", elsewhere, "j")));
        let sent = world.take(MCP1);
        assert_eq!(left(&sent), "UO");
        world.udp(MCP1, &marked(&reply(&sent, 200, "", "")));
        assert_eq!(left(&world.take(elsewhere)), "O");
    }
}
