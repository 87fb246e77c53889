//! Tokens that another process makes beside a server that runs (`--new-admin-token`).

use configd::books::{Books, FirstAdmin, History, Parts};
use configd::store::sqlite::Sqlite;
use model::time::Millis;
use telemetry::Log;

use crate::house::{House, START, admin, sqlite, still};

#[test]
fn a_token_made_beside_the_server_is_listed_and_revoked_before_it_was_ever_used() {
    let house = House::new(&sqlite());
    let dir = house.dir.path();
    let (log, _lines) = Log::capture(|| Millis(START));
    let beside = Books::open(Parts {
        store: Box::new(Sqlite::open(dir, Millis(0)).unwrap()),
        history: History { revisions: 10, age: std::time::Duration::from_secs(60) },
        clocks: still(START),
        log,
    });
    let beside = beside.unwrap();
    let mut secrets = Vec::new();
    for _ in 0..2 {
        let FirstAdmin::Made(path) = house.run(beside.new_admin(dir)).unwrap() else {
            panic!("no token")
        };
        secrets.push(std::fs::read_to_string(path).unwrap().trim().to_owned());
    }
    drop(beside);
    let books = house.books();
    let id = secrets[0][4..12].to_owned();
    // the one that is not the last admin goes without having been listed or used
    house.run(books.revoke_token(&id, &admin())).unwrap();
    assert_eq!(house.run(books.find_token(&secrets[0])), None);
    let listed: Vec<String> =
        house.run(books.tokens(&admin())).unwrap().into_iter().map(|token| token.id).collect();
    assert_eq!(listed, [secrets[1][4..12].to_owned()]);
}
