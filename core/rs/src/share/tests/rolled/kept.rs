//! What producers counted themselves: found again when the job reads it from the tables, and gone
//! from every bin when its record loses its id.

use super::*;

fn rolled(messages: &[&Message]) -> Rolled {
    let rolled = Rolled::default();
    for message in messages {
        rolled.apply(&[message]);
        rolled.roll(&zone(), 1000);
    }
    rolled
}

fn arrivals(n: u64, more: Value) -> Message {
    let values = json!([{"dim": "component", "call_type": "NEWCALL", "count": 6, "rejected": 1}]);
    let mut record = json!({"basis": "own", "values": values});
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    own(n, "or.arrivals", record)
}

fn peaks(n: u64, more: Value) -> Message {
    let values = json!([{"dim": "component", "level_start": 3, "peak": 4, "deltas": [[2000, 1]]}]);
    let mut record = json!({"basis": "own", "measure": "calls", "values": values});
    for (key, value) in more.as_object().unwrap() {
        record[key] = value.clone();
    }
    own(n, "or.peaks", record)
}

fn samples(n: u64) -> Message {
    own(n, "sq.latency", json!({"type": "PAGE_FETCH", "samples": [81, 95, 240]}))
}

/// The id may come with the message (rs.md §2.1): the body that is kept has none then.
#[test]
fn a_record_that_its_message_names_counts_like_any_other() {
    for told in [arrivals(1, json!({})), peaks(1, json!({})), samples(1)] {
        let expected = rolled(&[&told]).rows();
        assert!(!expected.is_empty());
        let rolled = rolled(&[&named_by(&told, "ccp-1/9/by-message")]);
        assert_eq!(rolled.rows(), expected);
        assert_eq!(rolled.anew(&zone()).rows(), expected);
    }
}

/// The two contents of an id mark different bins: of the one that loses nothing stays counted.
#[test]
fn the_loser_of_a_conflict_leaves_the_bins_that_it_has_marked() {
    let cdr = json!({"basis": "cdr"});
    let short = json!({"bin_seconds": 60});
    let peak = peaks(1, json!({"id": "ccp-1/9/or.arrivals/1"}));
    let pairs = [
        [arrivals(1, json!({})), arrivals(1, cdr.clone())],
        [peaks(1, json!({})), peaks(1, cdr)],
        [peaks(1, json!({})), peaks(1, short)],
        [arrivals(1, json!({})), peak],
    ];
    let by_message = |of: &Message| named_by(of, "ccp-1/9/by-message");
    let named = pairs.each_ref().map(|pair| pair.each_ref().map(by_message));
    for [one, other] in pairs.iter().chain(&named) {
        let rows = [rolled(&[one, other]), rolled(&[other, one])].map(|rolled| {
            assert_eq!(rolled.rows(), rolled.anew(&zone()).rows(), "{one:?} {other:?}");
            rolled.rows()
        });
        assert_eq!(rows[0], rows[1], "{one:?} {other:?}");
        let alone = [one, other].map(|of| rolled(&[of]).rows());
        assert!(alone.contains(&rows[0]), "{one:?} {other:?}");
        assert_ne!(alone[0], alone[1]);
    }
}

/// Such a list was left out once where it was empty, and is required since.
#[test]
fn a_level_that_was_stored_without_a_list_of_changes_is_there_still() {
    let still = json!([{"dim": "component", "level_start": 3, "peak": 3, "deltas": []}]);
    let rolled = rolled(&[&peaks(1, json!({ "values": still }))]);
    let expected = rolled.rows();
    assert!(!expected.is_empty());
    for row in rolled.0.borrow_mut().tables.kept.values_mut() {
        let without = row.body.replace(r#""deltas":[],"#, "");
        assert_ne!(without, row.body);
        row.body = without;
    }
    assert_eq!(rolled.anew(&zone()).rows(), expected);
}
