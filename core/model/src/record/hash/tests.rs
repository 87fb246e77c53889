//! Vectors of RFC 8785 (appendix B, §3.2.2 and §3.2.3) and the rules of rs.md §2.8.

use serde_json::{Value, json};

use super::{canonical, content_hash};

fn double(bits: u64) -> String {
    canonical(&json!(f64::from_bits(bits)))
}

#[test]
fn numbers_are_printed_as_in_appendix_b() {
    for (bits, expected) in [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        assert_eq!(double(bits), expected, "{bits:#x}");
    }
    assert_eq!(canonical(&json!(u64::MAX)), "18446744073709552000");
    assert_eq!(canonical(&json!(-7)), "-7");
}

#[test]
fn keys_are_sorted_by_utf16_and_text_is_escaped() {
    let value: Value = serde_json::from_str(
        r#"{"€":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew","1":"One","😀":"Emoji",
            "\u0080":"Control","ö":"Latin"}"#,
    )
    .unwrap();
    assert_eq!(
        canonical(&value),
        concat!(
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin\",",
            "\"€\":\"Euro Sign\",\"😀\":\"Emoji\",\"\u{FB33}\":\"Hebrew\"}"
        )
    );
    let value = json!({"string": "€$\u{f}\nA'B\"\\\\\"/"});
    assert_eq!(canonical(&value), r#"{"string":"€$\u000f\nA'B\"\\\\\"/"}"#);
}

#[test]
fn hash_ignores_order_producer_and_nulls_only() {
    let hash = |text: &str| match serde_json::from_str(text).unwrap() {
        Value::Object(object) => content_hash(&object),
        _ => unreachable!("an object"),
    };
    let one = hash(r#"{"id":"a","n":1,"producer":{"seq":1}}"#);
    assert_eq!(one, hash(r#"{"producer":{"seq":2,"boot":9},"n":1.0,"x":null,"id":"a"}"#));
    assert_ne!(one, hash(r#"{"id":"a","n":2}"#));
    assert_ne!(one, hash(r#"{"id":"a","n":1,"deep":{"producer":{"seq":1}}}"#));
    assert_eq!(hash(r#"{"deep":{"producer":1,"no":null}}"#), hash(r#"{"deep":{"producer":1}}"#));
}
