//! Keys are those of rs.md §3.1, byte by byte, and the same for every record of one call.

use model::record::{Arrived, Record};
use model::time::Millis;

use super::{Key, Keys, day, of_rm_session, session_key};

const GUID: [u8; 16] = [
    0x01, 0xA2, 0x02, 0xB2, 0xC5, 0x78, 0x74, 0x87, 0xA7, 0xD5, 0xBA, 0x32, 0xB2, 0x38, 0x86, 0xC4,
];

fn golden() -> Vec<Record> {
    let arrived = Arrived { at: Millis::parse("2026-11-22T12:00:00Z").unwrap(), message_id: None };
    include_str!("../../../model/tests/it/testdata/records.ndjson")
        .lines()
        .map(|line| Record::read(line.as_bytes(), &arrived).unwrap().0)
        .collect()
}

fn keys_of(id: &str) -> Keys {
    Keys::of(golden().iter().find(|record| record.id == id).unwrap())
}

fn expected(prefix: [u8; 4], bytes: &[u8]) -> Key {
    let hash = blake3::hash(bytes);
    let key: Vec<u8> = prefix.iter().chain(&hash.as_bytes()[..12]).copied().collect();
    key.try_into().unwrap()
}

/// The fields of a key in the ledger.
fn of_id(id: &str, more: &[u8]) -> Vec<u8> {
    let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    [field(id.as_bytes()), field(more)].concat()
}

#[test]
fn a_leg_of_rm() {
    let guid = "01A202B2-C578-7487-A7D5-BA32B23886C4/00690001";
    let start = keys_of(&format!("{guid}/cdr.start/1.1"));
    let end = keys_of(&format!("{guid}/cdr.end/1.1"));
    let bytes = [&[0, 0, 0, 16][..], &GUID, &[0, 0, 0, 4, 0x00, 0x69, 0x00, 0x01]].concat();
    assert_eq!(start.call_key, Some(expected([0x01, 0xA2, 0x02, 0xB2], &bytes)));
    assert_eq!(end.call_key, start.call_key);
    assert_eq!(of_rm_session("01a202b2-c578-7487-a7d5-ba32b23886c4.00690001"), end.call_key);
    assert_eq!(of_rm_session("E1DE00B6-1001D4A8"), None);

    let id = format!("{guid}/cdr.end/1.1");
    assert_eq!(end.id_key, expected([0x01, 0xA2, 0x02, 0xB2], &of_id(&id, &end.call_key.unwrap())));
    // the GUID's own time, not the record's
    assert_eq!(end.day, day(Millis(0x01A2_02B2_C578)));
}

#[test]
fn a_session_of_another_component() {
    let start = keys_of("mcp-1:E1DE00B6-1001D4A8/cdr.start/0");
    let end = keys_of("mcp-1:E1DE00B6-1001D4A8/cdr.end/0");
    let started = Millis::parse("2026-11-22T10:00:00.150Z").unwrap();
    let seconds = u32::try_from(started.0 / 1000).unwrap().to_be_bytes();
    let bytes = [
        &[0, 0, 0, 5][..],
        b"mcp-1",
        &[0, 0, 0, 17],
        b"E1DE00B6-1001D4A8",
        &[0, 0, 0, 8],
        &started.0.to_be_bytes(),
    ]
    .concat();
    assert_eq!(start.call_key, Some(expected(seconds, &bytes)));
    assert_eq!(end.call_key, start.call_key);
    // a session id that is used again after a restart is another call
    assert_ne!(
        end.call_key,
        Some(session_key("mcp-1", "E1DE00B6-1001D4A8", Millis(started.0 + 1)))
    );
    // the ledger's key begins as the call's, also where the GUID is known
    let id = "mcp-1:E1DE00B6-1001D4A8/cdr.start/0";
    assert_eq!(start.id_key, expected(seconds, &of_id(id, &start.call_key.unwrap())));
    let ccp = keys_of("ccp-1:7D21-0001-0002/cdr.start/0");
    let seconds = u32::try_from(Millis::parse("2026-11-22T10:02:00Z").unwrap().0 / 1000).unwrap();
    assert_eq!((&ccp.id_key[..4], ccp.day), (&seconds.to_be_bytes()[..], 20_261_122));
}

#[test]
fn records_of_no_call_begin_with_their_bin_or_their_time() {
    let bin = keys_of("ccp-1/9/or.arrivals/20261122T1000/0");
    let snmp = keys_of("mcp-1/7/or.snmp/20261122T1000/0");
    let second =
        |text: &str| u32::try_from(Millis::parse(text).unwrap().0 / 1000).unwrap().to_be_bytes();
    let fields = of_id("ccp-1/9/or.arrivals/20261122T1000/0", &[0]);
    assert_eq!(bin.id_key, expected(second("2026-11-22T10:00:00Z"), &fields));
    assert_eq!(snmp.id_key[..4], second("2026-11-22T10:01:00.010Z"));
    assert_eq!((bin.call_key, snmp.call_key), (None, None));
    // what hangs on a call is never the same record as a figure
    let told = golden().into_iter().find(|record| record.kind().as_str() == "call.event").unwrap();
    let key = Keys::of(&told).id_key;
    let [a, b, c, d, ..] = key;
    assert_eq!(key, expected([a, b, c, d], &of_id(&told.id, &[1])));
}
