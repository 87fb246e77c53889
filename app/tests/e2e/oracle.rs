//! A second reader: Wireshark's dissector reads every torture message that our parser takes for
//! one, and both find the same in it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use sip::header::Name;
use sip::limits::Limits;
use sip::message::Message;
use sip::parse::parse;

const FOLDER: &str = "../proto/sip/tests/it/testdata/torture";

/// What both are asked about, as Wireshark names it.
const FIELDS: [&str; 7] = [
    "sip.Method",
    "sip.Status-Code",
    "sip.Call-ID",
    "sip.CSeq.seq",
    "sip.CSeq.method",
    "sip.Content-Length",
    "sip.Via.transport",
];

/// Where Wireshark sees less than the RFC's own words on the message say.
const BLIND: [(&str, &str, &str); 5] = [
    ("wsinv", "sip.Via.transport", "blanks and a line end within `SIP / 2.0 / UDP`"),
    ("wsinv", "sip.Content-Length", "blanks before the colon"),
    ("intmeth", "sip.Content-Length", "stands behind a header name of every token character"),
    ("intmeth", "sip.CSeq.method", "the widest range of characters of a token"),
    ("longreq", "sip.Via.transport", "several of its Via lines have many values"),
];

/// A capture file of these messages, each in a UDP packet: one that no network has seen.
fn capture(messages: &[Vec<u8>]) -> Vec<u8> {
    // magic number, version 2.4, snapshot length, link type 101: IP without a frame
    let header = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101];
    let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    for message in messages {
        let len = u16::try_from(message.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend((len + 28).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        for word in [5060, 5060, len + 8, 0] {
            packet.extend(word.to_be_bytes());
        }
        packet.extend(message);
        let len = u32::try_from(packet.len()).unwrap();
        file.extend([0, 0, len, len].iter().flat_map(|word| word.to_le_bytes()));
        file.extend(packet);
    }
    file
}

/// What Wireshark finds: a line per message, the fields between tabs.
fn dissected(messages: &[Vec<u8>]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("messages.pcap");
    std::fs::write(&file, capture(messages)).unwrap();
    let output = Command::new("tshark")
        .args(["-n", "-Q", "-d", "udp.port==5060,sip", "-T", "fields", "-E", "aggregator=~"])
        .args(FIELDS.iter().flat_map(|field| ["-e", field]))
        .arg("-r")
        .arg(&file)
        .output()
        .expect("tshark is installed (test.sh does it)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tshark: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What our parser finds, in the same order; of several Vias their transports.
fn read(message: &Message<'_>) -> [String; FIELDS.len()] {
    let length = message.header(Name::ContentLength);
    let transports: Vec<&str> = message.vias().map(|via| via.transport).collect();
    [
        if message.is_request() { message.method().as_str().to_owned() } else { String::new() },
        message.status().map(|status| status.to_string()).unwrap_or_default(),
        message.call_id().to_owned(),
        message.cseq().to_string(),
        message.method().as_str().to_owned(),
        length.map(|length| length.text_lossy().into_owned()).unwrap_or_default(),
        transports.join("~"),
    ]
}

fn torture() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let mut all = Vec::new();
    for rfc in ["rfc4475", "rfc5118"] {
        for entry in std::fs::read_dir(folder.join(rfc)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            all.push((name, std::fs::read(path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn wireshark_reads_the_same_in_every_message() {
    let good = |(_, bytes): &(String, Vec<u8>)| parse(bytes, &Limits::DEFAULT).is_ok();
    let (names, messages): (Vec<_>, Vec<_>) = torture().into_iter().filter(good).unzip();
    assert!(messages.len() > 35, "{} of the messages are read", messages.len());
    let lines = dissected(&messages);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), messages.len());
    let (mut wrong, mut blind) = (Vec::new(), BTreeSet::new());
    for ((name, bytes), line) in names.iter().zip(&messages).zip(lines) {
        let ours = read(&parse(bytes, &Limits::DEFAULT).unwrap());
        for ((field, ours), theirs) in FIELDS.iter().zip(&ours).zip(line.split('\t')) {
            if ours == theirs {
                continue;
            }
            match BLIND.iter().find(|row| (row.0, row.1) == (name.as_str(), *field)) {
                Some(row) => drop(blind.insert(row)),
                None => wrong.push(format!("{name} {field}: {ours:?}, Wireshark {theirs:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(blind.len(), BLIND.len(), "Wireshark has learnt: {blind:?}");
}
