//! The edges of TLS: other address families, several listeners, pings, those who never come to the
//! point, and what TLS 1.2 allows but Ringmaster does not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::node::{Node, objects};
use crate::peer::{Caller, header, lines, udp_media};
use crate::tls::{Desk, PATIENCE, caller, media, node, node_at, openssl, shake_at, tls};

/// How often streams under TLS ended for this reason.
fn errors(node: &Node, reason: &str) -> u64 {
    let name = "ringmaster_rm_transport_errors_total{transport=\"tls\",reason=";
    let metrics = node.get("/metrics").1;
    let line =
        metrics.lines().find_map(|line| line.strip_prefix(&format!("{name}\"{reason}\"}} ")));
    line.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn a_call_over_tls_and_ipv6() {
    let desk = Desk::open();
    desk.sign("rm", "IP:::1");
    let (media, seen) = udp_media();
    let node = node_at(&objects(&[(media, "udp")], 10), &["[::1]:0"], &desk.block("rm", "none"));
    node.until_media(1);
    assert!(tls(&node).is_ipv6());
    let options = "-verify_ip ::1 -verify_return_error";
    let (_process, mut caller) = caller(&node, &desk, options, "six");
    let answer = caller.invite("18005550100");
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    let at = tls(&node).to_string();
    let routes = lines(&answer, "Record-Route");
    assert!(routes[1].contains(&at) && routes[1].contains(";transport=tls"), "{answer}");
    assert!(caller.bye().starts_with("SIP/2.0 200 "));
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().filter(|request| request.starts_with("BYE ")).count(), 1);
    drop(seen);
    node.stop();
}

#[test]
fn several_listeners_show_the_certificate_of_the_name_that_is_asked_for() {
    let desk = Desk::open();
    for name in ["rm", "east", "west"] {
        desk.sign(name, &format!("DNS:{name}.example"));
    }
    let pair = |name: &str| {
        let [cert, key] = ["pem", "key"].map(|end| desk.path(&format!("{name}.{end}")));
        format!("{{ cert_file: {}, key_file: {} }}", cert.display(), key.display())
    };
    let more = format!("certificates: [{}, {}], client_auth", pair("east"), pair("west"));
    let block = desk.block("rm", "none").replace("client_auth", &more);
    let node = node_at(&objects(&[], 10), &["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"], &block);
    let all: Vec<SocketAddr> = node.rm.addresses().sip.iter().skip(2).map(|(_, at)| *at).collect();
    assert_eq!(all.len(), 3);
    for at in all {
        for (asked, shown) in [("east", "east"), ("west", "west"), ("nobody", "rm")] {
            let options = format!("-servername {asked}.example -verify_return_error");
            let (up, text) = shake_at(at, &desk, &options);
            assert!(up && text.contains(&format!("subject=CN = {shown}")), "{at} {asked}: {text}");
        }
    }
    node.stop();
}

#[test]
fn a_ping_is_answered_under_tls_and_a_call_still_passes() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    let node = node(&desk, &[], "none", "");
    let words = format!("s_client -quiet -connect {} -CAfile ca.pem", tls(&node));
    let (_process, mut stream) = openssl(&desk.path("."), &words);
    for _ in 0..3 {
        stream.send("\r\n\r\n");
        assert_eq!(stream.bytes(2), b"\r\n");
    }
    // a ping in two pieces is one ping, and a lone CRLF none
    stream.send("\r\n");
    stream.send("\r\n");
    assert_eq!(stream.bytes(2), b"\r\n");
    let answer = Caller::over(stream, "TLS", "after-pings").invite("4930");
    assert!(answer.starts_with("SIP/2.0 4"), "{answer}");
    node.stop();
}

#[test]
fn whoever_shakes_hands_byte_by_byte_is_closed_and_others_are_served() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    let (media, _) = udp_media();
    let node = node(&desk, &[(media, "udp")], "none", "");
    node.until_media(1);
    let at = tls(&node);
    // A ClientHello of 512 bytes, one byte at a time: each is heard, none brings it further.
    let slow: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(at).unwrap();
                stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                let hello = [&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0; 100]].concat();
                for byte in hello {
                    // Once it is closed there is nothing to write to.
                    let _ = stream.write_all(&[byte]);
                    match stream.read(&mut [0; 16]) {
                        Ok(0) => return true,
                        Ok(_) => {}
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(_) => return true,
                    }
                }
                false
            })
        })
        .collect();
    let (_process, mut caller) = caller(&node, &desk, "", "beside-the-slow");
    assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
    assert!(caller.bye().starts_with("SIP/2.0 200 "));
    for one in slow {
        assert!(one.join().unwrap(), "closed long before its ClientHello was whole");
    }
    node.until("each is counted", || errors(&node, "handshake-timeout") == 8);
    node.stop();
}

#[test]
fn a_message_byte_by_byte_under_tls_is_closed() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    let node = node(&desk, &[], "none", "");
    let words = format!("s_client -quiet -connect {} -CAfile ca.pem", tls(&node));
    let (_process, mut stream) = openssl(&desk.path("."), &words);
    let text = "OPTIONS sip:rm.example SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKslow";
    for byte in text.chars().take(40) {
        stream.send(&byte.to_string());
        thread::sleep(Duration::from_millis(200));
    }
    node.until("its time is over", || errors(&node, "message-timeout") == 1);
    assert_eq!(stream.bytes(1), b"", "closed without a word");
    node.stop();
}

#[test]
fn tls_1_2_is_not_negotiated_again_and_calls_go_on() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example");
    let (media, _) = udp_media();
    let node = node(&desk, &[(media, "udp")], "none", "");
    node.until_media(1);
    let (_process, mut caller) = caller(&node, &desk, "-tls1_2", "beside");
    assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
    // "R" asks for it, where -quiet is not said.
    let script = format!(
        "(sleep 1; echo R; sleep 2) | timeout {} openssl s_client -connect {} -tls1_2 \
         -CAfile ca.pem",
        PATIENCE.as_secs(),
        tls(&node)
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(text.contains("RENEGOTIATING") && text.contains("no renegotiation"), "{text}");
    assert!(caller.bye().starts_with("SIP/2.0 200 "));
    node.stop();
}

#[test]
fn a_media_server_that_asks_for_it_is_called_over_its_own_connection_if_it_proves_who_it_is() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example,IP:127.0.0.1");
    desk.sign("mcp", "IP:127.0.0.3");
    desk.sign("other", "IP:127.0.0.4");
    for (shown, reused) in [
        ("-cert mcp.pem -key mcp.key", true),
        ("-cert other.pem -key other.key", false),
        ("", false),
    ] {
        // Nobody listens there: only its own connection leads to it.
        let at = std::net::TcpListener::bind("127.0.0.3:0").unwrap().local_addr().unwrap();
        let objects = objects(&[(at, "tls")], 10).replace("method: options,", "method: none,");
        let node = node_at(&objects, &["127.0.0.1:0"], &desk.block("rm", "optional"));
        let words = format!(
            "s_client -quiet -connect {} -bind 127.0.0.3:0 -CAfile ca.pem {shown}",
            tls(&node)
        );
        let (_process, mut stream) = openssl(&desk.path("."), &words);
        stream.send(&format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS {at};alias;branch=z9hG4bKalias\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: alias\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ));
        assert!(stream.next().unwrap().starts_with("SIP/2.0 200 "));
        let mut caller = Caller::udp(node.udp(), "by-alias");
        if reused {
            let server = thread::spawn(move || {
                let mut seen = Vec::new();
                while seen.len() < 3 {
                    let request = stream.next().expect("INVITE, ACK and BYE");
                    if let Some(answer) = crate::peer::answer(&request, at, "tls") {
                        stream.send(&answer);
                    }
                    seen.push(request.split(' ').next().unwrap().to_owned());
                }
                seen
            });
            assert!(caller.invite("18005550100").starts_with("SIP/2.0 200 "));
            assert!(caller.bye().starts_with("SIP/2.0 200 "));
            assert_eq!(server.join().unwrap(), ["INVITE", "ACK", "BYE"]);
        } else {
            let refused = caller.invite("18005550100");
            assert!(
                refused.starts_with("SIP/2.0 4") || refused.starts_with("SIP/2.0 5"),
                "{refused}"
            );
            node.until("a connect was tried", || errors(&node, "refused") == 1);
        }
        node.stop();
    }
}

#[test]
fn sips_from_end_to_end_uses_tls_only() {
    let desk = Desk::open();
    desk.sign("rm", "DNS:rm.example,IP:127.0.0.1");
    desk.sign("mcp", "IP:127.0.0.3");
    let (_socat, address, seen) = media(&desk, "mcp", "verify=0");
    let (plain, untouched) = udp_media();
    let node = node(&desk, &[(plain, "udp"), (address, "tls")], "none", "");
    node.until_media(2);
    for call in ["one", "two", "three"] {
        let (_process, mut caller) = caller(&node, &desk, "", &format!("sips-{call}"));
        caller.secure();
        let answer = caller.invite("18005550100");
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        assert!(lines(&answer, "Record-Route")[0].contains("<sips:rm-"), "{answer}");
        assert!(caller.bye().starts_with("SIP/2.0 200 "));
    }
    let all = seen.lock().unwrap();
    let invites: Vec<_> =
        all.iter().filter(|request| request.starts_with("INVITE sips:")).collect();
    assert_eq!(invites.len(), 3);
    for invite in invites {
        assert!(lines(invite, "Via")[0].starts_with("SIP/2.0/TLS "), "{invite}");
        assert!(header(invite, "Contact").starts_with("<sips:"), "{invite}");
    }
    assert!(untouched.lock().unwrap().iter().all(|request| request.starts_with("OPTIONS ")));
    drop(all);
    node.stop();
}
