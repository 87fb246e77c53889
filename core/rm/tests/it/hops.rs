//! Two nodes in a row, with another transport on either side of each: exactly what stands in Via,
//! Route and Record-Route at every hop, there and back (rm.md §1.4, §1.6; RFC 5658).

use rm::{Keys, Match, Settings};
use sip::transport::{ConnId, Flow, Transport};

use crate::world::{CALLER, Dialog, MCP1, World, address, all, invite, objects, reply, settings};

const A: &str = "10.0.0.5:5060";
const B: &str = "10.0.0.6:5060";

/// The second node, another cluster: it knows the first one as a SIP Server.
fn second() -> Settings {
    let mut own = settings();
    own.name = "rm-2".to_owned();
    for listener in &mut own.listeners {
        listener.bound.set_ip([10, 0, 0, 6].into());
        let shown = ("10.0.0.6".to_owned(), listener.bound.port());
        (listener.advertise, listener.via) = (shown.clone(), shown);
    }
    own.peers[0].matches = vec![Match::parse("10.0.0.5").unwrap()];
    own.node_id = model::id::NodeId(2);
    own.keys = Keys::new(&[(7, [9; 32])]).unwrap();
    own.seed = [5, 6, 7, 8];
    own
}

struct Row {
    a: World,
    b: World,
}

impl Row {
    /// The first node takes the second one for a media server, which it reaches by TCP.
    fn new() -> Self {
        let mut documents = objects();
        documents[3]["spec"]["monitor"] = serde_json::json!({"method": "none"});
        documents[3]["spec"]["resources"] = serde_json::json!([
            {"name": "next", "address": format!("sip:{B};transport=tcp"), "dbid": 310}]);
        let a = World::with(&documents, settings());
        // the number is gone with the Request-URI: what has none goes to a default profile
        let mut documents = objects();
        for one in documents[3]["spec"]["resources"].as_array_mut().unwrap() {
            one["address"] = format!("{};transport=udp", one["address"].as_str().unwrap()).into();
        }
        let list = documents.as_array_mut().unwrap();
        list.push(serde_json::json!(
            {"kind": "Tenant", "name": "Environment", "spec": {"default_profile": "any"}}));
        list.push(serde_json::json!(
            {"kind": "IvrProfile", "name": "any", "tenant": "Environment", "spec": {
                "service": "voicexml", "initial_page_url": "http://a.example/x.vxml"}}));
        Self { a, b: World::with(&documents, second()) }
    }

    /// What A has sent to B goes there, over one connection.
    fn there(&mut self) -> String {
        let sent = self.a.take_flow(B).unwrap();
        assert_eq!((sent.flow.transport, sent.flow.listener), (Transport::Tcp, 1));
        self.b.packet(wire(A, 1), &sent.text);
        sent.text
    }

    /// And back: answers over the connection of their request, requests to A's address.
    fn back(&mut self) -> String {
        let sent = self.b.take_flow(A).unwrap();
        assert_eq!(sent.flow.transport, Transport::Tcp);
        self.a.packet(wire(B, 2), &sent.text);
        sent.text
    }
}

fn wire(from: &str, conn: u64) -> Flow {
    let remote = address(from);
    Flow { transport: Transport::Tcp, listener: 1, remote, conn: Some(ConnId(conn)) }
}

/// Via values without the part of a branch that differs from call to call.
fn vias(text: &str) -> Vec<String> {
    let cut = |via: &str| match via.split_once("branch=z9hG4bK-rm") {
        Some((before, after)) => {
            assert!(after.as_bytes()[..28].iter().all(u8::is_ascii_hexdigit), "{via}");
            format!("{before}branch=…{}", &after[28..])
        }
        None => via.to_owned(),
    };
    all(text, "Via").into_iter().map(cut).collect()
}

/// Record-Route values with a word for each token, and of a leg's id only whose it is: B makes the
/// session of A again, and counts its legs as it likes.
fn record_routes(text: &str) -> Vec<String> {
    let cut = |route: &str| match route.split_once("rm-A") {
        Some((before, after)) => {
            let shown = after.find('@').unwrap()..after.find("idtag=").unwrap() + 10;
            format!("{before}TOKEN{}>", &after[shown])
        }
        None => route.to_owned(),
    };
    all(text, "Record-Route").into_iter().map(cut).collect()
}

#[test]
fn via_and_record_route_at_every_hop() {
    let mut row = Row::new();
    row.a.udp(CALLER, &invite("18005550100", "r"));
    let (own, own_a, own_b) = (
        "SIP/2.0/UDP 10.0.0.2:5090;branch=z9hG4bKr;received=10.0.0.2",
        "SIP/2.0/TCP 10.0.0.5:5060;branch=…",
        "SIP/2.0/UDP 10.0.0.6:5060;branch=…",
    );
    let leg = "gvp.rm.datanodes=1;idtag=0041>";
    let of_a = [
        format!("<sip:TOKEN@10.0.0.5:5060;lr;transport=tcp;{leg}"),
        "<sip:rm-0@10.0.0.5:5060;lr>".to_owned(),
    ];
    let of_b = [
        "<sip:TOKEN@10.0.0.6:5060;lr;gvp.rm.datanodes=2;idtag=0081>".to_owned(),
        "<sip:rm-0@10.0.0.6:5060;lr;transport=tcp>".to_owned(),
    ];
    let sent = row.there();
    assert_eq!(vias(&sent), [own_a, own]);
    assert_eq!(record_routes(&sent), of_a);
    let sent = row.b.take(MCP1);
    assert_eq!(vias(&sent), [own_b, &format!("{own_a};received=10.0.0.5"), own]);
    assert_eq!(record_routes(&sent), [of_b.clone(), of_a.clone()].concat());

    // each takes its own Via off, and nobody touches the routes
    let contact = "Contact: <sip:mcp@10.0.0.11:5070>\r\n";
    row.b.udp(MCP1, &reply(&sent, 200, "t", contact));
    let answer = row.back();
    assert_eq!(vias(&answer), [&format!("{own_a};received=10.0.0.5"), own]);
    let answer = row.a.take(CALLER);
    assert_eq!(vias(&answer), [own]);
    assert_eq!(record_routes(&answer), [of_b, of_a].concat());

    let mut caller = Dialog::of_caller(&answer);
    let mut callee = Dialog::of_callee(&sent, "t", "<sip:mcp@10.0.0.11:5070>");
    assert_eq!((caller.routes.len(), callee.routes.len()), (4, 4));
    for method in ["ACK", "INFO"] {
        row.a.udp(CALLER, &caller.request(method, "10.0.0.2:5090", method));
        let sent = row.there();
        let line = format!("{method} sip:mcp@10.0.0.11:5070 SIP/2.0");
        assert_eq!(sent.lines().next(), Some(line.as_str()));
        let left: Vec<String> = caller.routes[2..].iter().map(|one| format!("<{one}>")).collect();
        assert_eq!(all(&sent, "Route"), left, "the first half of the routes is A's");
        assert!(record_routes(&sent).is_empty());
        let sent = row.b.take(MCP1);
        assert_eq!(sent.lines().next(), Some(line.as_str()));
        assert!(all(&sent, "Route").is_empty(), "{sent}");
        assert_eq!(vias(&sent).len(), 3);
        if method == "INFO" {
            row.b.udp(MCP1, &reply(&sent, 200, "", ""));
            row.back();
            assert!(row.a.take(CALLER).starts_with("SIP/2.0 200 "));
        }
    }

    // the other way round, by the other transports
    row.b.udp(MCP1, &callee.request("BYE", MCP1, "bye"));
    let sent = row.back();
    let left: Vec<String> = callee.routes[2..].iter().map(|one| format!("<{one}>")).collect();
    assert_eq!(all(&sent, "Route"), left, "the first half of the routes is B's");
    assert_eq!(vias(&sent)[0], "SIP/2.0/TCP 10.0.0.6:5060;branch=…");
    let sent = row.a.take_flow(CALLER).unwrap();
    assert_eq!((sent.flow.transport, sent.flow.listener), (Transport::Udp, 0));
    assert_eq!(sent.text.lines().next(), Some("BYE sip:10.0.0.2:5090 SIP/2.0"));
    assert!(all(&sent.text, "Route").is_empty(), "{}", sent.text);
    row.a.udp(CALLER, &reply(&sent.text, 200, "", ""));
    let answer = row.there();
    assert_eq!(vias(&answer).len(), 2);
    assert_eq!(
        vias(&row.b.take(MCP1)),
        ["SIP/2.0/UDP 10.0.0.11:5070;branch=z9hG4bKbye;received=10.0.0.11"]
    );
    assert_eq!((row.a.ends().len(), row.b.ends().len()), (1, 1));
}
