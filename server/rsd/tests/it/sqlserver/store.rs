//! The whole store over the wire: what SQLite answers, SQL Server's dialect answers too, and what
//! goes wrong on the way leaves a batch whole or absent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use model::record::{CallGuid, CallType, ComponentType, EndState};
use model::time::Millis;
use net::Clock;
use rs::Filter;
use rs::query::{Number, Party, Progress, Uri};
use rs::share::ObjectKind;
use rsd::store::sqlite::Sqlite;
use rsd::store::sqlserver::{
    Accounts, Encrypt, Failure, Login, Parts, SqlServer, Target, Times, batches, init,
};
use rsd::store::{Books, BooksAsked, CallName, FIGURES, Position, Store, StoreError, Unit};

use super::link::target;
use super::story::{at, frame, guid, rm, story};
use crate::conformance::{SECRET, changed};
use crate::tds::{Answer, Endpoint, Identity, Request, Settings, StandIn, What};

const NOW: Millis = Millis(1_795_520_000_000);

/// An endpoint with a stand-in behind it; what `first` answers does not come there.
fn engine(
    settings: Settings,
    first: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
) -> (Endpoint, Arc<StandIn>) {
    let engine = Arc::new(StandIn::new());
    let behind = Arc::clone(&engine);
    let script = move |request: &Request| first(request).or_else(|| behind.answer(request));
    (Endpoint::start(settings, script), engine)
}

fn open(endpoint: &Endpoint, times: Times) -> SqlServer {
    let encrypted = endpoint.is_secure();
    let encrypt = if encrypted { Encrypt::All } else { Encrypt::Nothing };
    let mut target = target(endpoint, encrypt);
    target.ca_file = encrypted.then(|| endpoint.authority());
    SqlServer::new(parts(target, times)).unwrap()
}

fn parts(target: Target, times: Times) -> Parts {
    let (name, spool, clock) = ("rs-1".to_owned(), "s1".to_owned(), Clock::start());
    Parts { target, times, writers: 2, readers: 2, name, spool, clock, secret: SECRET }
}

/// What `rs-init` does where the logins are there.
fn migrate(target: &Target) -> Result<(), Failure> {
    let owner = target.clone();
    let accounts = Accounts { owner, admin: None, writer: None, reader: None };
    init(&accounts, Clock::start())
}

fn is_sql(request: &Request, part: &str) -> bool {
    request.what.sql().is_some_and(|sql| sql.contains(part))
}

/// An answer for the first request of this text, none for later ones.
fn once(part: &'static str, answer: Answer) -> impl Fn(&Request) -> Option<Answer> {
    let met = AtomicUsize::new(0);
    move |request| {
        let hit = is_sql(request, part) && met.fetch_add(1, Ordering::SeqCst) == 0;
        hit.then(|| answer.clone())
    }
}

/// All books, of minutes in `[from, to)`.
fn books(store: &dyn Store, from: Millis, to: Millis) -> Books {
    let ms = |time: Millis| i64::try_from(time.0).unwrap_or(i64::MAX);
    let (minutes, heard_ms) = ((ms(from), ms(to)), Some(i64::MIN));
    store.books(&BooksAsked { producer: None, minutes, heard_ms, figures: &FIGURES }).unwrap()
}

/// All that the questions answer, as text.
fn said(store: &dyn Store) -> Vec<String> {
    let mut said = Vec::new();
    let mut tell = |what: String| said.push(what);
    for filter in filters() {
        tell(format!("{filter:?}"));
        tell(format!("{:?}", store.page(&filter, 1, 2, NOW).unwrap()));
        tell(format!("{:?}", store.page(&filter, 2, 2, NOW).unwrap()));
        for unit in [Unit::Guid, Unit::Leg] {
            tell(format!("{:?}", store.count(&filter, unit, NOW).unwrap()));
            let mut after: Option<Position> = None;
            loop {
                let items = store.list(&filter, unit, after, 2, NOW).unwrap();
                let Some(last) = items.last() else { break };
                after = Some(last.position);
                tell(format!("{items:?}"));
            }
        }
    }
    for number in [guid(1, 10), guid(2, 200), guid(9, 9)] {
        let name = CallName::Guid(CallGuid::new(&number));
        tell(format!("{:?}", store.call(&name, true).unwrap()));
    }
    for kind in ObjectKind::ALL {
        tell(format!("{:?}", store.objects(kind).unwrap()));
    }
    tell(format!("{:?}", store.dead_letters().unwrap()));
    tell(format!("{:?}", books(store, at(0), NOW)));
    tell(format!("{:?}", store.applied_seq().unwrap()));
    said
}

/// Each field once.
fn filters() -> Vec<Filter> {
    let all = Filter::default;
    let uri = |text: &str, prefix| vec![Uri { text: text.to_owned(), prefix }];
    let party = |number: &str, prefix| Some(Party { number: number.to_owned(), prefix });
    let range = Number::Range { from: "18005550000".to_owned(), to: "18005559999".to_owned() };
    vec![
        all(),
        Filter { progress: Progress::Live, ..all() },
        Filter { progress: Progress::Completed, ..all() },
        Filter { component_type: Some(ComponentType::Mcp), ..all() },
        Filter { started_after: Some(at(10)), ..all() },
        Filter { started_before: Some(at(200)), ..all() },
        Filter { ended_after: Some(at(69)), ended_before: Some(at(71)), ..all() },
        Filter { profiles: vec![189], ..all() },
        Filter { tenants: vec![1], ..all() },
        Filter { scope: Some(vec![1]), ..all() },
        Filter { scope: Some(Vec::new()), ..all() },
        Filter { tenants: vec![3_000_000_000], ..all() },
        Filter { components: vec![3_000_000_000, 5], ..all() },
        Filter { numbers: vec![Number::Exact("18005550100".to_owned()), range], ..all() },
        Filter { numbers: vec![Number::Prefix("1900".to_owned())], ..all() },
        Filter { remote_uris: uri("sip:+4930123@gw.example", false), ..all() },
        Filter { local_uris: uri("sip:dialog", true), ..all() },
        Filter { session_id: Some("E0000001".to_owned()), ..all() },
        Filter { guid: Some(CallGuid::new(&guid(1, 10))), ..all() },
        Filter { call_uuid: Some("UUID2".to_owned()), ..all() },
        Filter { call_id: Some("1@gw".to_owned()), ..all() },
        Filter { sip_status: Some(200), ..all() },
        Filter { party: party("4930123", false), ..all() },
        Filter { party: party("1800", true), ..all() },
        Filter { call_types: vec![CallType::Inbound, CallType::Bridged], ..all() },
        Filter { end_states: vec![EndState::AppEnd], ..all() },
        Filter { duration_min: Some(59_500), duration_max: Some(1_000_000), ..all() },
    ]
}

#[test]
fn it_answers_as_sqlite_does() {
    let (endpoint, _engine) = engine(Settings::secure(Identity::new()), |_| None);
    let store = open(&endpoint, Times::default());
    let dir = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::new(dir.path().to_owned(), NOW);
    for batch in story() {
        let (here, there) = (store.apply(&batch, NOW).unwrap(), sqlite.apply(&batch, NOW).unwrap());
        let counts = |applied: &rsd::store::Applied| {
            (applied.seq, applied.stored, applied.duplicates, applied.dead)
        };
        assert_eq!(counts(&here), counts(&there));
        assert_eq!(changed(&store, &here), changed(&sqlite, &there));
        assert_eq!(here.ended, there.ended);
        let in_progress = |store: &dyn Store| {
            let mut keys = store.in_progress(100).unwrap();
            keys.sort_unstable();
            keys
        };
        assert_eq!(in_progress(&store), in_progress(&sqlite));
        assert!(!in_progress(&store).is_empty() && store.in_progress(1).unwrap().len() == 1);
    }
    let (here, there) = (said(&store), said(&sqlite));
    for (here, there) in here.iter().zip(&there) {
        assert_eq!(here, there);
    }
    assert_eq!(here.len(), there.len());
    let told = |word: &str| here.iter().filter(|line| line.contains(word)).count();
    assert!(told("E0000001") > 10 && told("UUID2") > 10, "the questions meet the calls");
    // a replay of all changes nothing
    for batch in story() {
        let again = store.apply(&batch, NOW).unwrap();
        assert_eq!((again.seq, again.stored), (6, 0));
    }
    assert_eq!(said(&store), here);
}

#[test]
fn a_deadlock_leaves_nothing_and_the_same_again_works() {
    let deadlock = Answer::default().and_error(1205, "deadlock victim");
    let first = once("INSERT INTO rs_call_event", deadlock);
    let (endpoint, engine) = engine(Settings::default(), first);
    let store = open(&endpoint, Times::default());
    let batch = &story()[0];
    let failure = store.apply(batch, NOW).unwrap_err();
    assert!(matches!(failure, StoreError::Unavailable(_)), "{failure:?}");
    // the connection that was the victim is not used again
    let applied = store.apply(batch, NOW).unwrap();
    assert_eq!((applied.seq, applied.stored, applied.dead), (2, 3, 1));
    let waiting = store.connections();
    assert_eq!((waiting.busy, waiting.idle), (0, 1), "the one that wrote");
    let rows = ["rs_call", "rs_call_event", "rs_fact_ledger", "rs_dead_letter"];
    assert_eq!(rows.map(|table| engine.rows(table)), [2, 1, 3, 1]);
}

#[test]
fn a_connection_that_ends_in_the_middle_is_made_anew() {
    for part in ["INSERT INTO rs_fact_ledger", "INSERT BULK #rs_call ", "UPDATE rs_spool_cursor"] {
        let (endpoint, engine) = engine(Settings::default(), once(part, Answer::close()));
        let store = open(&endpoint, Times::default());
        let batch = &story()[0];
        let failure = store.apply(batch, NOW).unwrap_err();
        assert!(matches!(failure, StoreError::Unavailable(_)), "{part}: {failure:?}");
        assert_eq!(store.apply(batch, NOW).unwrap().stored, 3, "{part}");
        assert_eq!(engine.rows("rs_call"), 2, "{part}");
    }
}

#[test]
fn silence_in_the_middle_is_given_up() {
    let (endpoint, engine) =
        engine(Settings::default(), once("INSERT INTO rs_fact_ledger", Answer::stall()));
    let times = Times { statement: Duration::from_secs(3), ..Times::default() };
    let store = open(&endpoint, times);
    let failure = store.apply(&story()[0], NOW).unwrap_err();
    assert!(matches!(failure, StoreError::Unavailable(_)), "{failure:?}");
    assert!(!failure.is_poison(), "{failure:?}");
    assert_eq!(store.apply(&story()[0], NOW).unwrap().stored, 3);
    assert_eq!(engine.rows("rs_call"), 2);
}

#[test]
fn a_record_that_is_refused_becomes_a_letter_and_the_rest_is_stored() {
    // refuses every bulk that brings the session
    let refuse = |request: &Request| match &request.what {
        What::Bulk { rows, .. } => {
            let bad = |row: &Vec<crate::tds::Value>| format!("{row:?}").contains("UUID7");
            rows.iter().any(bad).then(|| Answer::default().and_error(8152, "truncated"))
        }
        _ => None,
    };
    let (endpoint, engine) = engine(Settings::default(), refuse);
    let store = open(&endpoint, Times::default());
    let calls = (1..=12).flat_map(|number| rm(number, number * 10, "acme"));
    let bodies: Vec<String> = calls.collect();
    let applied = store.apply(&[frame(1, &bodies)], NOW).unwrap();
    assert_eq!((applied.stored, applied.dead, applied.changed.len()), (22, 2, 11));
    assert_eq!(store.dead_letters().unwrap()["db_rejected"], 2);
    assert_eq!((engine.rows("rs_call"), engine.rows("rs_fact_ledger")), (11, 22));
    assert_eq!(store.applied_seq().unwrap(), 1);
}

#[test]
fn a_login_that_may_not_make_the_schema_waits_for_rs_init() {
    let may = Arc::new(AtomicBool::new(false));
    let owner = Arc::clone(&may);
    let (endpoint, engine) = engine(Settings::default(), move |request| {
        let denied = is_sql(request, "CREATE TABLE") && !owner.load(Ordering::SeqCst);
        denied.then(|| Answer::default().and_error(262, "CREATE TABLE permission denied"))
    });
    let target = target(&endpoint, Encrypt::Nothing);
    let store = SqlServer::new(parts(target.clone(), Times::default())).unwrap();
    let failure = store.applied_seq().unwrap_err();
    assert!(matches!(failure, StoreError::Unavailable(_)), "{failure:?}");
    assert!(failure.reason().contains("rs-init"), "{}", failure.reason());
    may.store(true, Ordering::SeqCst);
    migrate(&target).unwrap();
    migrate(&target).unwrap();
    assert_eq!(engine.rows("rs_schema_version"), batches().last().unwrap().0);
    assert_eq!(store.applied_seq().unwrap(), 0);
}

#[test]
fn a_schema_of_a_later_version_is_refused() {
    let (endpoint, _engine) = engine(Settings::default(), |request| {
        let columns = [
            crate::tds::Column::new("version", crate::tds::Type::Whole(8)),
            crate::tds::Column::new("checksum", crate::tds::Type::Text(128)),
            crate::tds::Column::new("rs_version", crate::tds::Type::Text(128)),
        ];
        let rows = vec![vec![99.into(), "x".into(), "99.0.0".into()]];
        is_sql(request, "SELECT version, checksum").then(|| Answer::rows(&columns, rows))
    });
    let failure = migrate(&target(&endpoint, Encrypt::Nothing)).unwrap_err();
    assert!(matches!(&failure, Failure::Newer(99)), "{failure:?}");
    assert!(matches!(StoreError::from(failure), StoreError::Newer { version: 99, .. }));
}

#[test]
fn statements_of_a_batch_share_one_transaction() {
    let (endpoint, _engine) = engine(Settings::default(), |_| None);
    let store = open(&endpoint, Times::default());
    store.apply(&story()[0], NOW).unwrap();
    let requests = endpoint.requests();
    let writes = |request: &&Request| {
        ["INSERT INTO rs_call ", "INSERT INTO rs_fact_ledger", "UPDATE rs_spool_cursor"]
            .iter()
            .any(|part| is_sql(request, part))
    };
    let transactions: Vec<u64> =
        requests.iter().filter(writes).map(|request| request.transaction).collect();
    assert_eq!(transactions.len(), 3, "{transactions:?}");
    assert!(transactions[0] != 0, "{transactions:?}");
    assert!(transactions.iter().all(|number| *number == transactions[0]), "{transactions:?}");
}

#[test]
fn rs_init_makes_what_is_missing_and_sets_a_password_once() {
    let (endpoint, _engine) = engine(Settings::default(), |_| None);
    let login = |user: &str, password: &str| {
        Some(Login { user: user.to_owned(), password: password.to_owned() })
    };
    let mut accounts = Accounts {
        owner: target(&endpoint, Encrypt::Nothing),
        admin: login("sa", "secret"),
        writer: login("rs_app", "first"),
        reader: Some("mssqlreader".to_owned()),
    };
    let made = |part: &str| {
        let requests = endpoint.requests().into_iter().map(|request| request.what);
        let mut made = Vec::new();
        for what in requests {
            if let What::Call { sql, values, .. } = what
                && sql.contains(part)
            {
                made.push(format!("{values:?}"));
            }
        }
        made
    };
    init(&accounts, Clock::start()).unwrap();
    assert_eq!(made("CREATE DATABASE"), [r#"[Text("calls")]"#]);
    assert_eq!(made("READ_COMMITTED_SNAPSHOT ON"), [r#"[Text("calls")]"#]);
    let logins = made("CREATE LOGIN");
    let known = [r#"[Text("rs"), Text("secret")]"#, r#"[Text("rs_app"), Text("first")]"#];
    assert_eq!(logins[..2], known);
    // a reader's is nobody's, and later its own
    assert!(logins[2].starts_with(r#"[Text("mssqlreader"), Text("R!"#), "{logins:?}");
    assert!(logins.len() == 3 && logins[2].len() > 70, "{logins:?}");
    let roles = [
        r#"[Text("rs"), Text("db_owner")]"#,
        r#"[Text("rs_app"), Text("rs_writer")]"#,
        r#"[Text("mssqlreader"), Text("rs_reader")]"#,
    ];
    assert_eq!(made("ALTER ROLE"), roles);
    // what was made with a login needs no change
    assert_eq!(made("ALTER LOGIN"), [""; 0]);
    accounts.writer = login("rs_app", "second");
    init(&accounts, Clock::start()).unwrap();
    init(&accounts, Clock::start()).unwrap();
    assert_eq!(made("ALTER LOGIN"), [r#"[Text("rs_app"), Text("second")]"#]);
    // the administrator makes logins before the database is theirs
    let logins = endpoint.requests().into_iter().filter_map(|request| match request.what {
        What::Login(login) => Some((login.user, login.database)),
        _ => None,
    });
    let logins: Vec<_> = logins.take(2).collect();
    assert_eq!(logins[0], ("sa".to_owned(), "master".to_owned()));
    assert_eq!(logins[1], ("sa".to_owned(), "calls".to_owned()));
}
