//! Two Resource Managers in a row over real sockets, UDP on both ends and TCP between them: exactly
//! what stands in Via, Route and Record-Route of what arrives (RFC 5658, rm.md §1.4).

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::calls::{healthy, objects_at};
use crate::platform::{CALLER, MEDIA, Site, eventually};

/// The head of what arrives next and begins like this; OPTIONS are answered on the way.
pub(crate) fn next(socket: &UdpSocket, beginning: &str) -> (String, SocketAddr) {
    let mut found = None;
    let look = || {
        let mut buffer = [0; 8192];
        let Ok((len, from)) = socket.recv_from(&mut buffer) else { return false };
        let text = String::from_utf8(buffer[..len].to_vec()).unwrap();
        if text.starts_with("OPTIONS ") {
            socket.send_to(answer(&text, "").as_bytes(), from).unwrap();
        }
        let wanted = text.starts_with(beginning);
        found = wanted.then_some((text, from));
        wanted
    };
    eventually(beginning, look, |found| *found);
    found.unwrap()
}

fn all<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let start = format!("{name}: ");
    let values = text.split("\r\n").filter_map(|line| line.strip_prefix(&start));
    values.flat_map(|value| value.split(", ")).collect()
}

/// A 200 with what a user agent repeats, and these lines.
fn answer(request: &str, lines: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
        for value in all(request, name) {
            let tag = if name == "To" && !value.contains(";tag=") { ";tag=called" } else { "" };
            text += &format!("{name}: {value}{tag}\r\n");
        }
    }
    text + lines + "Content-Length: 0\r\n\r\n"
}

fn request(method: &str, uri: &str, own: SocketAddr, lines: &str, cseq: u32) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}\r\n{lines}\
         Max-Forwards: 70\r\nCall-ID: two@hops\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:{own}>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Values up to what differs from call to call: branch and token.
fn hops(values: &[&str], differs: &str) -> Vec<String> {
    let cut = |value: &&str| match value.split_once(differs) {
        Some((before, after)) => {
            let rest = after.find([';', '@']).map_or("", |at| &after[at..]);
            let rest = rest.split(";gvp.rm.").next().unwrap();
            format!("{before}…{rest}")
        }
        None => (*value).to_owned(),
    };
    values.iter().map(cut).collect()
}

#[test]
fn via_and_routes_through_two_resource_managers() {
    let [caller, media] = [CALLER, MEDIA].map(|ip| {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        socket
    });
    let [from, to] = [&caller, &media].map(|socket| socket.local_addr().unwrap());
    // the number is gone with the Request-URI: what has none goes to a default profile
    let any = "---\nkind: Tenant\nname: Environment\nspec: { default_profile: any }\n---\n\
               kind: IvrProfile\nname: any\ntenant: Environment\nspec:\n  service: voicexml\n  \
                 initial_page_url: \"http://a.example/x.vxml\"\n";
    let second = Site::new(&format!("{}{any}", objects_at(&[format!("{to};transport=udp")], "{}")));
    let _second = second.start_rm();
    next(&media, "OPTIONS ");
    healthy(&second, 1);
    let b = second.sip();
    let site = Site::new(&objects_at(&[format!("{b};transport=tcp")], "{}"));
    let _first = site.start_rm();
    healthy(&site, 1);
    let first = site.sip();

    let parties = format!("From: <sip:c@{from}>;tag=caller\r\nTo: <sip:18005550100@{first}>\r\n");
    let text = request("INVITE", &format!("sip:18005550100@{first}"), from, &parties, 1);
    caller.send_to(text.as_bytes(), first).unwrap();
    let (invite, source) = next(&media, "INVITE ");
    assert_eq!(source, b);
    let own = format!("SIP/2.0/UDP {from};branch=z9hG4bKINVITE;received={}", from.ip());
    assert_eq!(
        hops(&all(&invite, "Via"), "z9hG4bK-rm"),
        [
            format!("SIP/2.0/UDP {b};branch=…"),
            format!("SIP/2.0/TCP {first};branch=…;received={}", first.ip()),
            own.clone(),
        ]
    );
    let routes = all(&invite, "Record-Route");
    let expected = [
        format!("<sip:…@{b};lr"),
        format!("<sip:rm-0@{b};lr;transport=tcp>"),
        format!("<sip:…@{first};lr;transport=tcp"),
        format!("<sip:rm-0@{first};lr>"),
    ];
    assert_eq!(hops(&routes, "rm-A"), expected);
    let contact = format!("Contact: <sip:{to}>\r\n");
    media.send_to(answer(&invite, &contact).as_bytes(), source).unwrap();
    let (ok, source) = next(&caller, "SIP/2.0 200 ");
    assert_eq!((source, all(&ok, "Via")), (first, vec![own.as_str()]));
    assert_eq!(all(&ok, "Record-Route"), routes, "as the media server has got them");

    let there: String = routes.iter().rev().map(|one| format!("Route: {one}\r\n")).collect();
    let parties = format!("{there}{};tag=called\r\n", parties.trim_end());
    let ack = request("ACK", &format!("sip:{to}"), from, &parties, 1);
    caller.send_to(ack.as_bytes(), first).unwrap();
    let (ack, _) = next(&media, "ACK ");
    assert!(ack.starts_with(&format!("ACK sip:{to} SIP/2.0\r\n")), "{ack}");
    assert_eq!((all(&ack, "Route").len(), all(&ack, "Via").len()), (0, 3));

    // and back
    let there: String = routes.iter().map(|one| format!("Route: {one}\r\n")).collect();
    let parties = format!(
        "{there}From: <sip:18005550100@{first}>;tag=called\r\nTo: <sip:c@{from}>;tag=caller\r\n"
    );
    let bye = request("BYE", &format!("sip:{from}"), to, &parties, 1);
    media.send_to(bye.as_bytes(), b).unwrap();
    let (bye, source) = next(&caller, "BYE ");
    assert_eq!((source, all(&bye, "Route").len()), (first, 0));
    assert_eq!(
        hops(&all(&bye, "Via")[..2], "z9hG4bK-rm"),
        [
            format!("SIP/2.0/UDP {first};branch=…"),
            format!("SIP/2.0/TCP {b};branch=…;received={}", b.ip()),
        ]
    );
    caller.send_to(answer(&bye, "").as_bytes(), source).unwrap();
    let (ok, _) = next(&media, "SIP/2.0 200 ");
    assert_eq!(all(&ok, "Via").len(), 1);
}
