//! Vectors and tables for the ids.

use super::{BootEpoch, Dbid, Guid, LegId, NodeId, dbid_of, dbid_of_resource};
use crate::chance::Chance;
use crate::time::Millis;

#[test]
fn guid_prints_and_reads_upper_case() {
    let text = "0193F2A0-7C5B-7D3E-9A44-11D2C3B4A596";
    let guid = Guid::parse(text).unwrap();
    assert_eq!(guid.to_string(), text);
    assert_eq!(Guid::parse(&text.to_lowercase()), Some(guid));
    assert!(guid.is_v7());
    assert_eq!(guid.time(), Some(Millis(0x0193_F2A0_7C5B)));
    let json = serde_json::to_string(&guid).unwrap();
    assert_eq!(serde_json::from_str::<Guid>(&json).unwrap(), guid);
}

#[test]
fn guid_refuses_other_forms() {
    for text in [
        "",
        "0193F2A07C5B7D3E9A4411D2C3B4A596",
        "0193F2A0-7C5B-7D3E-9A44-11D2C3B4A59",
        "0193F2A0-7C5B-7D3E-9A44-11D2C3B4A59G",
        "0193F2A0 7C5B-7D3E-9A44-11D2C3B4A596",
        "{193F2A0-7C5B-7D3E-9A44-11D2C3B4A59}",
    ] {
        assert_eq!(Guid::parse(text), None, "{text}");
    }
    assert!(serde_json::from_str::<Guid>("\"x\"").is_err());
}

#[test]
fn guid_v7_carries_its_time_and_differs() {
    let mut chance = Chance::new([1; 4]);
    let time = Millis(1_767_225_600_123);
    let (a, b) = (Guid::v7(time, &mut chance), Guid::v7(time, &mut chance));
    assert_ne!(a, b);
    assert!(a.is_v7() && b.is_v7());
    assert_eq!(a.time(), Some(time));
    assert!(Guid::v7(time, &mut chance) < Guid::v7(Millis(time.0 + 1), &mut chance));
    assert_eq!(Guid([0; 16]).time(), None);
}

#[test]
fn leg_id_has_the_layout_of_the_specification() {
    let leg = LegId::new(NodeId(1), BootEpoch(1), 1);
    assert_eq!(leg.to_string(), "00410001");
    assert_eq!(LegId::parse("00410001"), Some(leg));
    let leg = LegId::new(NodeId(1023), BootEpoch(64 + 63), 0xFFFF);
    assert_eq!((leg.to_string().as_str(), leg.node()), ("FFFFFFFF", NodeId(1023)));
    for text in ["", "0041000", "004100011", "0041000g", "+0410001"] {
        assert_eq!(LegId::parse(text), None, "{text}");
    }
}

#[test]
fn node_id_comes_from_the_name() {
    let cases = [
        ("rm-1", Some(1)),
        ("rm-0", Some(1001)),
        ("rm", Some(1)),
        ("rm2b", Some(1)),
        ("2b7", Some(7)),
        ("rm-007", Some(7)),
        ("rm-1023", Some(1023)),
        ("rm-1024", None),
        ("rm-99999999999", None),
        ("", Some(1)),
    ];
    for (name, id) in cases {
        assert_eq!(NodeId::of_name(name), id.map(NodeId), "{name}");
    }
}

#[test]
fn computed_dbids() {
    assert_eq!(dbid_of("Tenant", "Environment", "acme"), Dbid(1_232_636_818));
    let (a, b) = (dbid_of_resource("t", "g", "n"), dbid_of("Resource", "t/g", "n"));
    assert_eq!(a, b);
    assert!(a.0 >= 0x4000_0000 && a.0 <= 0x7FFF_FFFF);
}
