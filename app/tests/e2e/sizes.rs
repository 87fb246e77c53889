//! Requests that are too large for a datagram, to a media server that takes TCP and to one that
//! does not (rm.md §1.2).

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use crate::calls::objects_at;
use crate::platform::{CALLER, MEDIA, Site, eventually, free_port};

/// A message without a call, of more than 1,300 bytes.
fn message(site: &Site, from: SocketAddr, name: &str) -> String {
    format!(
        "MESSAGE sip:18005550100@{} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{name}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@{from}>;tag=1\r\nTo: <sip:b@{}>\r\nCall-ID: {name}\r\n\
         CSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 2000\r\n\r\n{}",
        site.sip(),
        site.sip(),
        "x".repeat(2000)
    )
}

/// The 200 to a request, with its Vias.
fn ok(request: &str) -> String {
    let mut out = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines().take_while(|line| !line.is_empty()) {
        let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        if kept.iter().any(|name| line.starts_with(name)) {
            out += &format!("{line}\r\n");
        }
    }
    out + "Content-Length: 0\r\n\r\n"
}

fn heard(socket: &UdpSocket) -> String {
    let mut bytes = [0; 65_536];
    let len = socket.recv(&mut bytes).expect("a datagram comes");
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

#[test]
fn a_large_message_goes_by_tcp_and_by_udp_where_tcp_is_refused() {
    let place = SocketAddr::new(MEDIA, free_port(MEDIA));
    let (udp, tcp) = (UdpSocket::bind(place).unwrap(), TcpListener::bind(place).unwrap());
    let objects = objects_at(&[place], "{}")
        .replace("interval: 1s, timeout: 500ms, down_after: 5", "method: none");
    let site = Site::new(&objects);
    let rm = site.start_rm();
    let caller = UdpSocket::bind((CALLER, 0)).unwrap();
    for socket in [&udp, &caller] {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    let own = caller.local_addr().unwrap();

    caller.send_to(message(&site, own, "tcp").as_bytes(), site.sip()).unwrap();
    let (mut stream, _) = tcp.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut request, mut bytes) = (String::new(), [0; 4096]);
    while !request.ends_with(&"x".repeat(2000)) {
        let len = stream.read(&mut bytes).unwrap();
        assert!(len > 0, "closed after {request}");
        request += &String::from_utf8_lossy(&bytes[..len]);
    }
    assert!(request.contains("Via: SIP/2.0/TCP "), "{request}");
    stream.write_all(ok(&request).as_bytes()).unwrap();
    assert!(heard(&caller).starts_with("SIP/2.0 200 "));

    // A stream that breaks under a request is no refusal: RM has to have seen its end before.
    drop(tcp);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut bytes).unwrap(), 0, "RM closes it too");
    drop(stream);
    let refused = || std::net::TcpStream::connect(place).is_err();
    eventually("the port is closed", refused, |refused| *refused);
    caller.send_to(message(&site, own, "udp").as_bytes(), site.sip()).unwrap();
    let request = heard(&udp);
    assert!(request.contains("Via: SIP/2.0/UDP ") && request.ends_with(&"x".repeat(2000)));
    udp.send_to(ok(&request).as_bytes(), site.sip()).unwrap();
    assert!(heard(&caller).starts_with("SIP/2.0 200 "));
    let line = rm.line_with(" 20117 ");
    assert!(line.contains("mcp-1"), "{line}");
}
