//! The wall clock is set by people and by other machines: what measures time goes by the other one.

use std::time::Duration;

use configd::Who;
use configd::store::Store as _;
use configd::store::sqlite::Sqlite;
use model::time::Millis;
use serde_json::json;

use crate::house::{House, START, admin, sqlite, tenant};

const HOUR: Duration = Duration::from_secs(3_600);

/// An hour later, and an hour earlier.
const SET: [u64; 2] = [START + 3_600_000, START - 3_600_000];

#[test]
fn nobody_is_silent_or_stuck_because_the_clock_was_set() {
    for wall in SET {
        let house = House::new(&sqlite());
        house.apply(&tenant("acme", 1));
        let report = json!({"component": "rm"});
        let put = |who: &Who| house.books().put_client("rm-1", &report, who);
        put(&admin()).unwrap();
        house.set(Millis(wall));
        house.apply(&tenant("acme", 2));
        let heard = || house.books().silence(&house.books().clients()[0]);
        assert_eq!((heard(), house.books().age()), (Duration::ZERO, Duration::ZERO));
        // its name is its own for as long as it was, and no longer
        let other = Who { token: Some("otherone".to_owned()), ..admin() };
        house.pass(Duration::from_secs(89));
        assert_eq!(put(&other).unwrap_err().entry().name, "conflict");
        house.pass(Duration::from_secs(1));
        assert_eq!(heard(), Duration::from_secs(90));
        put(&other).unwrap();
    }
}

/// Nobody can be heard by a server that is away: after its start silence begins anew.
#[test]
fn a_server_that_was_away_calls_nobody_silent_for_it() {
    let mut house = House::new(&sqlite());
    house.books().put_client("rm-1", &json!({"component": "rm"}), &admin()).unwrap();
    house.pass(HOUR);
    house.reopen();
    let heard = |house: &House| {
        let client = &house.books().clients()[0];
        (house.books().silence(client), house.books().is_connected(client))
    };
    assert_eq!(heard(&house), (Duration::ZERO, false));
    house.set(Millis(START + 7 * 24 * 3_600_000));
    house.pass(Duration::from_secs(20));
    assert_eq!(heard(&house), (Duration::from_secs(20), false));
    house.books().put_client("rm-1", &json!({"component": "rm"}), &admin()).unwrap();
    assert_eq!(heard(&house), (Duration::ZERO, true));
    house.pass(Duration::from_secs(90));
    assert_eq!(heard(&house), (Duration::from_secs(90), false));
}

#[test]
fn what_has_time_is_written_in_time_and_the_history_is_shortened() {
    for wall in SET {
        let house = House::keeping(&sqlite(), 1, Duration::ZERO);
        let kept = || Sqlite::open(house.dir.path(), Millis(0)).unwrap().load().unwrap();
        for limit in 1..=3 {
            house.apply(&tenant("acme", limit));
        }
        house.books().put_client("rm-1", &json!({"component": "rm"}), &admin()).unwrap();
        house.set(Millis(wall));
        house.apply(&tenant("acme", 4));
        assert_eq!(kept().clients, [], "it is not time yet");
        house.pass(Duration::from_secs(10));
        house.apply(&tenant("acme", 5));
        assert_eq!(kept().clients.len(), 1);
        assert_eq!(house.books().now().oldest.0, 1, "it is not time yet");
        // by then the revisions are old by either clock
        house.pass(HOUR + HOUR);
        house.apply(&tenant("acme", 6));
        assert_eq!(house.books().now().oldest.0, 5);
    }
}
