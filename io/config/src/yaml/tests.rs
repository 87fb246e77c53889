//! Trees, places and refusals of the reader.

use model::tree::{Node, Position, Value};
use proptest::prelude::*;

use super::parse;

fn one(text: &str) -> Node {
    parse(text).unwrap().remove(0)
}

fn at(node: &Node) -> (u32, u32) {
    (node.at.line, node.at.column)
}

#[test]
fn values_and_places() {
    let node = one("a: 1\nb:\n  - true\n  - \"007\"\n  - 007\nc: {d: null, e: 1.5}\nf:\n");
    assert_eq!(at(&node), (1, 1));
    assert_eq!(node.get("a").unwrap().value, Value::Int(1));
    assert_eq!(at(node.get("a").unwrap()), (1, 4));
    let Value::Seq(items) = &node.get("b").unwrap().value else { panic!("a list") };
    let values: Vec<&Value> = items.iter().map(|item| &item.value).collect();
    let text = Value::Text("007".to_owned());
    assert_eq!(values, [&Value::Bool(true), &text, &Value::Float(7.0)]);
    assert_eq!(at(&items[1]), (4, 5));
    let c = node.get("c").unwrap();
    assert!(c.get("d").unwrap().is_null());
    assert_eq!(c.get("e").unwrap().value, Value::Float(1.5));
    assert!(node.get("f").unwrap().is_null());
    let Value::Map(entries) = &c.value else { panic!("a mapping") };
    assert_eq!(entries[1].0.at, Position { line: 6, column: 14 });
}

#[test]
fn scalars_that_look_like_something_else() {
    let cases = [
        ("yes", Value::Text("yes".to_owned())),
        ("12h", Value::Text("12h".to_owned())),
        ("200-299", Value::Text("200-299".to_owned())),
        ("1e3", Value::Float(1000.0)),
        ("-5", Value::Int(-5)),
        ("18446744073709551615", Value::Float(18_446_744_073_709_551_615.0)),
        ("'5'", Value::Text("5".to_owned())),
        ("~", Value::Null),
        ("udp:127.0.0.1:5060", Value::Text("udp:127.0.0.1:5060".to_owned())),
    ];
    for (text, value) in cases {
        assert_eq!(one(&format!("x: {text}")).get("x").unwrap().value, value, "{text}");
    }
}

#[test]
fn several_documents_and_none() {
    let nodes = parse("a: 1\n---\n---\nb: 2\n---\n# nothing\n").unwrap();
    assert_eq!(nodes.len(), 2);
    assert_eq!(at(&nodes[1]), (4, 1));
    assert!(parse("").unwrap().is_empty());
    assert!(parse("# only a comment\n").unwrap().is_empty());
}

#[test]
fn json_is_read_alike() {
    let node = one("{\n  \"kind\": \"Tenant\",\n  \"spec\": {\"n\": [1, 2.5, null, false]}\n}");
    assert_eq!(node.get("kind").unwrap().as_text(), Some("Tenant"));
    assert_eq!(at(node.get("spec").unwrap()), (3, 11));
    assert_eq!(one("\u{FEFF}{\"a\\u00e4\": \"\\n\"}").get("aä").unwrap().as_text(), Some("\n"));
}

#[test]
fn refusals_name_the_place() {
    let cases = [
        ("a: [1,\n", 2),
        ("a: 1\n b: 2\n", 2),
        ("a: 1\na: 2\n", 2),
        ("a: *nobody\n", 1),
        ("? [x]\n: 1\n", 1),
        ("a: \"open\n", 1),
        ("a: @b\n", 1),
        ("a: {b: 1, b: 2}\n", 1),
        ("a: .nan\n", 1),
        ("a: 1\n---\nb: [\n", 3),
    ];
    for (text, line) in cases {
        let problem = parse(text).unwrap_err();
        assert_eq!(problem.code, "E001");
        assert!(problem.message.starts_with("not valid YAML or JSON: "), "{text:?}: {problem}");
        assert!(problem.at.line >= 1 && problem.at.line <= line + 1, "{text:?}: {problem}");
        assert!(!problem.message.contains('\n') && !problem.message.contains("Policy"));
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    assert!(parse(&deep(31)).is_ok());
    assert!(parse(&deep(33)).is_err());
    assert!(parse(&deep(100_000)).is_err());
    let block: String = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert!(parse(&block).is_err());
}

#[test]
fn aliases_cannot_blow_up() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..10 {
        let again = format!("*a{}, ", n - 1).repeat(10);
        bomb.push_str(&format!("a{n}: &a{n} [{again}]\n"));
    }
    assert!(parse(&bomb).is_err());
    assert_eq!(
        one("a: &x {b: 1}\nc: *x\n").get("c").unwrap().get("b").unwrap().value,
        Value::Int(1)
    );
}

#[test]
fn a_limit_is_told_in_words() {
    let deep = format!("{}1{}", "[".repeat(33), "]".repeat(33));
    let block: String = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    let ratio = format!("a: &x 1\nb: [{}]\n", "*x, ".repeat(101));
    for (text, limit) in
        [(block, "nested deeper than 32 levels"), (ratio, "more than 10 aliases for each anchor")]
    {
        let problem = parse(&text).unwrap_err();
        assert!(problem.message.ends_with(limit), "{problem}");
    }
    assert!(!parse(&deep).unwrap_err().message.contains('{'), "{:?}", parse(&deep));
}

#[test]
fn a_hundred_thousand_numbers_are_read() {
    let numbers: Vec<String> = (0..100_000).map(|n| format!("\"{n:011}\"")).collect();
    let node = one(&format!("dids: [{}]", numbers.join(", ")));
    let Value::Seq(items) = &node.get("dids").unwrap().value else { panic!("a list") };
    assert_eq!(items.len(), 100_000);
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_yaml_like_text_panics(text in "[-a-c0-9:{}\\[\\]&*!|>'\"#%@, \n\t?]{0,120}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }
}
