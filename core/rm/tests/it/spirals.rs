//! A call that passes through RM more than once: each pass is a leg, and all of them hear what
//! happens inside its dialog (RFC 3261 §16.6 step 4, §16.12).

use crate::world::{
    CALLER, Dialog, MCP1, MCP2, World, all, header, invite, objects, reply, settings,
};

/// RM's own address: what it sends there comes in again.
const OWN: &str = "10.0.0.5:5060";

/// What RM has sent to itself comes in.
fn around(world: &mut World) {
    while let Some(text) = world.try_take(OWN) {
        world.udp(OWN, &text);
    }
}

/// An answer as a proxy passes it back: without its own Via.
fn passed_back(answer: &str) -> String {
    let (head, tail) = answer.split_once("Via: ").unwrap();
    format!("{head}{}", tail.split_once("\r\n").unwrap().1)
}

#[test]
fn both_legs_of_a_call_that_comes_back_hear_its_bye() {
    both_legs_hear_it("udp", 2);
}

/// Two transports, so each leg has two entries.
#[test]
fn both_legs_hear_it_with_double_entries_too() {
    both_legs_hear_it("tcp", 4);
}

fn both_legs_hear_it(transport: &str, entries: usize) {
    let mut documents = objects();
    for (at, server) in [MCP1, MCP2].into_iter().enumerate() {
        let address = format!("sip:{server};transport={transport}");
        documents[3]["spec"]["resources"][at]["address"] = address.into();
    }
    let mut world = World::with(&documents, settings());
    let first = invite("18005550100", "spiral");
    world.udp(CALLER, &first);
    let forwarded = world.take(MCP1);
    // a proxy behind RM changes the number, stays out of the route and sends the call back
    let routes = all(&forwarded, "Record-Route");
    let routes: String = routes.iter().map(|one| format!("Record-Route: {one}\r\n")).collect();
    let vias = all(&forwarded, "Via");
    let vias: String = vias.iter().map(|one| format!("Via: {one}\r\n")).collect();
    let (line, rest) = first.split_once("\r\n").unwrap();
    let rest = rest.split_once("Via: ").unwrap().1.split_once("\r\n").unwrap().1;
    let line = line.replace("18005550100", "18005550200");
    let own = format!("Via: SIP/2.0/UDP {MCP1};branch=z9hG4bKproxy\r\n");
    world.udp(MCP1, &format!("{line}\r\n{own}{vias}{routes}{rest}"));
    let second = world.take(MCP2);
    assert_eq!(all(&second, "Record-Route").len(), entries, "{second}");
    world.udp(MCP2, &reply(&second, 200, "t", "Contact: <sip:mcp@10.0.0.12:5070>\r\n"));
    let answer = world.take(MCP1);
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    world.udp(MCP1, &passed_back(&answer));
    let answer = world.take(CALLER);
    let mut caller = Dialog::of_caller(&answer);
    world.udp(CALLER, &caller.request("ACK", CALLER, "ack"));
    around(&mut world);
    assert!(world.take(MCP2).starts_with("ACK "));
    assert_eq!(world.proxy.resources().iter().map(|one| one.used).sum::<usize>(), 2);
    // the callee sends through both legs too
    let mut callee = Dialog::of_callee(&second, "t", "<sip:mcp@10.0.0.12:5070>");
    world.udp(MCP2, &callee.request("INFO", MCP2, "info"));
    around(&mut world);
    let info = world.take(CALLER);
    world.udp(CALLER, &reply(&info, 200, "", ""));
    around(&mut world);
    assert_eq!(header(&world.take(MCP2), "CSeq"), "1 INFO");
    // and the caller, whose outbound proxy RM is, ends the call
    caller.routes.insert(0, "sip:10.0.0.5;lr".to_owned());
    world.udp(CALLER, &caller.request("BYE", CALLER, "bye"));
    around(&mut world);
    let bye = world.take(MCP2);
    assert!(bye.starts_with("BYE sip:mcp@10.0.0.12:5070 ") && !bye.contains("\r\nRoute:"), "{bye}");
    world.udp(MCP2, &reply(&bye, 200, "", ""));
    around(&mut world);
    assert_eq!(header(&world.take(CALLER), "CSeq"), "2 BYE");
    assert_eq!(world.proxy.resources().iter().map(|one| one.used).sum::<usize>(), 0);
    assert_eq!(world.ends().len(), 2, "{:#?}", world.ends());
}
