//! Keys are rotated while calls are up (rm.md §1.4, scenario 33).

use crate::node::{Node, objects};
use crate::peer::{Caller, lines, udp_media};
use std::fs;

const OLD: &str = "1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";
const NEW: &str = "2 ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n";

/// The key id of the token in the Record-Route of an answer: its second byte.
fn key_id(answer: &str) -> char {
    let routes = lines(answer, "Record-Route").concat();
    let token = routes.split("sip:rm-A").nth(1).unwrap();
    // `rm-` and base64url of 1, id …: `AQE` begins with key 1, `AQI` with key 2
    token.chars().nth(1).unwrap()
}

#[test]
fn scenario_33_a_rotation_during_calls_fails_no_request() {
    let (media, _seen) = udp_media();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    fs::write(&file, OLD).unwrap();
    let more = format!("  cluster: {{ key_file: {} }}\n", file.display());
    let node = Node::in_dir(dir, &objects(&[(media, "udp")], 100), &more);
    node.until_media(1);
    let mut number = 0;
    let mut call = |node: &Node| {
        number += 1;
        let mut caller = Caller::udp(node.udp(), &format!("key-{number}"));
        let answer = caller.invite("18005550100");
        assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
        (caller, key_id(&answer))
    };
    let mut calls = vec![call(&node).0];
    let end = |mut caller: Caller| {
        let bye = caller.bye();
        assert!(bye.starts_with("SIP/2.0 200 "), "{bye}");
    };
    for (text, signs) in [
        (format!("{OLD}{NEW}"), 'E'),
        // the new one signs
        (format!("{NEW}{OLD}"), 'I'),
        // calls under the old one have ended
        (NEW.to_owned(), 'I'),
    ] {
        if text == NEW {
            calls.drain(..).for_each(end);
        }
        fs::write(&file, &text).unwrap();
        node.rm.stopper().reload();
        // a call is placed until the file has been read; none of them may fail
        node.until("the key signs", || {
            let (caller, id) = call(&node);
            if text == NEW {
                end(caller);
            } else {
                calls.push(caller);
            }
            id == signs
        });
    }
    assert!(calls.is_empty());
    node.stop();
}
