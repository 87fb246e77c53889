//! One connection: what leaves it, what comes back, and when it is given up.

use std::thread;
use std::time::Duration;

use net::Clock;
use rsd::store::sqlserver::{Cells, Encrypt, Failure, Fit, Link, Statement, Target, Times};
use tiberius::error::Error;
use tiberius::{ColumnData, ToSql, TokenRow};

use crate::tds::{
    Answer, Column, Encryption, Endpoint, Identity, Request, Settings, Type, Value, What,
};

/// Any statement: the endpoint knows no T-SQL.
fn any() -> Statement {
    named("SERVER")
}

fn named(name: &str) -> Statement {
    *Statement::all().find(|statement| statement.name() == name).unwrap()
}

pub(super) fn target(endpoint: &Endpoint, encrypt: Encrypt) -> Target {
    Target {
        host: "localhost".to_owned(),
        port: endpoint.port(),
        database: "calls".to_owned(),
        user: "rs".to_owned(),
        password: "secret".to_owned(),
        encrypt,
        ca_file: None,
        name_in_certificate: None,
    }
}

async fn connect(target: &Target, times: Times) -> Result<Link, Failure> {
    Link::open(target, times, Clock::start()).await
}

async fn open(endpoint: &Endpoint) -> Link {
    let target = target(endpoint, Encrypt::Nothing);
    connect(&target, Times::default()).await.unwrap()
}

/// An endpoint that answers every statement but that of the session.
fn answers(settings: Settings, answer: Answer) -> Endpoint {
    Endpoint::start(settings, move |request| {
        let session = request.what.sql() == Some(named("SESSION").sql());
        (request.what.sql().is_some() && !session).then(|| answer.clone())
    })
}

fn number_of(failure: &Failure) -> Option<u32> {
    match failure {
        Failure::Unavailable(Error::Server(said)) | Failure::Rejected(Error::Server(said)) => {
            Some(said.code())
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_login_tells_who_and_where_and_sets_its_session() {
    let endpoint = Endpoint::start(Settings::default(), |_| None);
    let _link = open(&endpoint).await;
    let requests = endpoint.requests();
    let [Request { what: What::Login(login), .. }, set] = &requests[..] else {
        panic!("{requests:?}")
    };
    assert_eq!((login.user.as_str(), login.password.as_str()), ("rs", "secret"));
    assert_eq!((login.database.as_str(), login.application.as_str()), ("calls", "Ringmaster"));
    assert_eq!(login.server, "localhost");
    assert_eq!(set.what, What::Batch(named("SESSION").sql().to_owned()));
}

#[tokio::test]
async fn a_wrong_password_is_the_server_s_no() {
    let endpoint = Endpoint::start(Settings { password: "other", ..Settings::default() }, |_| None);
    let refused = connect(&target(&endpoint, Encrypt::Nothing), Times::default()).await;
    let failure = refused.unwrap_err();
    assert_eq!(number_of(&failure), Some(18456), "{failure:?}");
    assert!(!failure.is_poison(), "{failure:?}");
}

#[tokio::test]
async fn encryption_is_what_both_want_and_never_less_than_was_asked() {
    use Encrypt as Client;
    use Encryption as Server;
    // none: no login leaves the client
    for (asked, offered, expected) in [
        (Client::All, Server::On, true),
        (Client::All, Server::Off, false),
        (Client::All, Server::NotSupported, false),
        (Client::Login, Server::Off, true),
        (Client::Login, Server::On, true),
        (Client::Nothing, Server::NotSupported, true),
    ] {
        let settings = Settings {
            encryption: offered,
            identity: Some(Identity::new()),
            ..Settings::default()
        };
        let endpoint = answers(settings, Answer::count(3));
        let ca_file = Some(endpoint.authority());
        let target = Target { ca_file, ..target(&endpoint, asked) };
        let link = connect(&target, Times::default()).await;
        let case = format!("{asked:?} of {offered:?}");
        assert_eq!(link.is_ok(), expected, "{case}: {link:?}");
        match link {
            Ok(mut link) => assert_eq!(link.run(any(), &[]).await.unwrap(), 3, "{case}"),
            Err(_) => assert_eq!(endpoint.requests(), [], "{case}: the password has left"),
        }
    }
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_ends_the_handshake() {
    let endpoint = Endpoint::start(Settings::secure(Identity::new()), |_| None);
    let stranger = Identity::new();
    let trusting = |ca_file| Target { ca_file: Some(ca_file), ..target(&endpoint, Encrypt::All) };
    let refused = connect(&trusting(stranger.authority()), Times::default()).await;
    assert!(matches!(refused, Err(Failure::Unavailable(Error::Tls(_)))), "{refused:?}");
    // the right one, but a name that the certificate does not bear
    let named = Target {
        name_in_certificate: Some("db.example".to_owned()),
        ..trusting(endpoint.authority())
    };
    let refused = connect(&named, Times::default()).await;
    assert!(matches!(refused, Err(Failure::Unavailable(Error::Tls(_)))), "{refused:?}");
    assert_eq!(endpoint.requests(), []);
}

#[tokio::test]
async fn values_arrive_with_their_types_whatever_the_packets() {
    let long = "€ußerst lang ".repeat(1000);
    for (split, packet) in [(1, 512), (7, 1024), (4088, 4096)] {
        let settings = Settings { split, packet, ..Settings::default() };
        let endpoint = answers(settings, Answer::count(1));
        let mut link = open(&endpoint).await;
        let none: Option<i64> = None;
        let bytes = vec![0_u8, 255, 7];
        let values: [&dyn ToSql; 7] = [&1_i64, &none, &"𝄞 and é", &long, &bytes, &200_u8, &-5_i32];
        link.run(any(), &values).await.unwrap();
        let asked = endpoint.asked();
        let Some(What::Call { sql, types, values }) = asked.last() else { panic!("{asked:?}") };
        assert_eq!(sql, any().sql());
        assert_eq!(
            types,
            "@P1 bigint,@P2 bigint,@P3 nvarchar(4000),@P4 nvarchar(max),@P5 varbinary(8000),\
             @P6 tinyint,@P7 int"
        );
        let sent = [
            Value::Int(1),
            Value::Null,
            "𝄞 and é".into(),
            Value::Text(long.clone()),
            Value::Bytes(bytes.clone()),
            Value::Int(200),
            Value::Int(-5),
        ];
        assert_eq!(values[..], sent);
    }
}

#[tokio::test]
async fn rows_are_read_whatever_the_packets() {
    let columns = [
        Column::new("a", Type::Whole(8)),
        Column::new("b", Type::Int(4)),
        Column::new("c", Type::Text(512)),
        Column::new("d", Type::TEXT),
        Column::new("e", Type::Binary(16)),
        Column::new("f", Type::BYTES),
        Column::new("g", Type::Whole(1)),
        Column::new("h", Type::Bit),
    ];
    let key = Value::Bytes((0..16).collect());
    let long = Value::Text("x".repeat(9000));
    let full = vec![
        Value::Int(i64::MIN),
        Value::Int(-7),
        "é".into(),
        long.clone(),
        key,
        Value::Bytes(vec![1; 5000]),
        Value::Int(255),
        Value::Int(1),
    ];
    let null = Value::Null;
    let empty = vec![Value::Int(2), null.clone(), null.clone(), "".into(), null.clone()];
    let empty = [empty, vec![null.clone(), Value::Int(0), null]].concat();
    let rows = vec![full.clone(), empty.clone(), empty.clone(), full.clone()];
    for split in [1, 7, 4088] {
        let settings = Settings { split, ..Settings::default() };
        let endpoint = answers(settings, Answer::rows(&columns, rows.clone()).and_info(50, "fyi"));
        let mut link = open(&endpoint).await;
        let read = |cells: &Cells<'_>| {
            let number = |at| cells.number(at).map(|cell| cell.map_or(Value::Null, Value::Int));
            let text = |at| cells.text(at).map(|cell| cell.map_or(Value::Null, Value::Text));
            let bytes = |at| cells.bytes(at).map(|cell| cell.map_or(Value::Null, Value::Bytes));
            let numbers = [number(0)?, number(1)?];
            let rest = [text(2)?, text(3)?, bytes(4)?, bytes(5)?, number(6)?, number(7)?];
            Ok::<_, Failure>([&numbers[..], &rest[..]].concat())
        };
        assert_eq!(link.ask(any(), &[], read).await.unwrap(), rows);
        // another type, a null where none may be, a column too many
        for wrong in [
            link.ask(any(), &[], |cells| cells.text(0).map(drop)).await,
            link.ask(any(), &[], |cells| cells.some(1, Cells::number).map(drop)).await,
            link.ask(any(), &[], |cells| cells.number(8).map(drop)).await,
        ] {
            assert!(matches!(wrong, Err(Failure::Unexpected(_))), "{wrong:?}");
        }
    }
}

#[tokio::test]
async fn errors_are_sorted_by_blame() {
    for (number, poison) in [
        (1205, false),
        (1222, false),
        (3960, false),
        (208, false),
        (229, false),
        (9002, false),
        (515, true),
        (547, true),
        (2601, true),
        (2627, true),
        (2628, true),
        (8152, true),
        (8115, true),
    ] {
        let columns = [Column::new("a", Type::Int(8))];
        // in the middle: after the first rows
        let rows = Answer::rows(&columns, vec![vec![Value::Int(1)]]);
        let endpoint = answers(Settings::default(), rows.and_error(number, "no"));
        let mut link = open(&endpoint).await;
        let asked = link.ask(any(), &[], |cells| cells.number(0)).await;
        let failure = asked.unwrap_err();
        assert_eq!(number_of(&failure), Some(number), "{failure:?}");
        assert_eq!(failure.is_poison(), poison, "{number}");
        let mut link = open(&endpoint).await;
        let failure = link.run(any(), &[]).await.unwrap_err();
        assert_eq!(number_of(&failure), Some(number), "{failure:?}");
        let mut link = open(&endpoint).await;
        let failure = link.batch(any()).await.unwrap_err();
        assert_eq!(number_of(&failure), Some(number), "{failure:?}");
    }
}

#[tokio::test]
async fn rows_in_bulk_go_in_their_transaction() {
    let columns = [
        Column::new("day", Type::Whole(4)),
        Column::new("call_key", Type::Binary(16)),
        Column::new("reason", Type::Text(8)),
        Column::new("extra", Type::TEXT),
    ];
    let endpoint =
        answers(Settings { packet: 512, ..Settings::default() }, Answer::columns(&columns));
    let mut link = open(&endpoint).await;
    link.begin().await.unwrap();
    let row = |reason: &'static str| {
        let mut row = TokenRow::new();
        row.push(ColumnData::I32(Some(20_261_126)));
        row.push(ColumnData::Binary(Some(vec![7; 16].into())));
        row.push(ColumnData::String(Some(reason.into())));
        row.push(ColumnData::String(None));
        row
    };
    link.load("#rows", (0..100).map(|_| row("busy"))).await.unwrap();
    link.commit().await.unwrap();
    let asked = endpoint.asked();
    let [_, begin, look, insert, bulk, commit] = &asked[..] else { panic!("{asked:?}") };
    assert!(matches!(begin, What::Begin { .. }), "{begin:?}");
    assert_eq!(look.sql(), Some("SELECT TOP 0 * FROM #rows"));
    assert_eq!(
        insert.sql(),
        Some(
            "INSERT BULK #rows ([day] int, [call_key] binary(16), [reason] nvarchar(8), \
             [extra] nvarchar(max))"
        )
    );
    let What::Bulk { columns, rows } = bulk else { panic!("{bulk:?}") };
    assert_eq!(columns[..], ["day", "call_key", "reason", "extra"]);
    let sent = vec![Value::Int(20_261_126), Value::Bytes(vec![7; 16]), "busy".into(), Value::Null];
    assert_eq!(rows[..], vec![sent; 100]);
    assert_eq!(*commit, What::Commit);
    // a text that does not fit leaves the driver not at all
    let failure = link.load("#rows", [row("far too long")]).await.unwrap_err();
    assert!(failure.is_poison(), "{failure:?}");
}

#[tokio::test]
async fn silence_is_a_time_out_and_ends_the_connection() {
    let endpoint = answers(Settings::default(), Answer::stall());
    let target = target(&endpoint, Encrypt::Nothing);
    let times = Times { statement: Duration::from_secs(1), ..Times::default() };
    let mut link = connect(&target, times).await.unwrap();
    let failure = link.run(any(), &[]).await.unwrap_err();
    assert!(matches!(failure, Failure::TimeOut(_)), "{failure:?}");
    // the driver itself does not let it be used again
    assert!(link.run(any(), &[]).await.is_err());
    drop(link);
    let clock = Clock::start();
    while endpoint.left().is_empty() {
        assert!(clock.mono() < Duration::from_secs(60), "the connection stays");
        thread::yield_now();
    }
    // a login that is not answered
    let mute = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = mute.local_addr().unwrap().port();
    let times = Times { login: Duration::from_secs(1), ..Times::default() };
    let failure = connect(&Target { port, ..target }, times).await.unwrap_err();
    assert!(matches!(failure, Failure::TimeOut(_)), "{failure:?}");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_stopped_by_attention() {
    let columns = [Column::new("a", Type::Int(8))];
    let rows = vec![vec![Value::Int(1)], vec![Value::Int(2)]];
    let endpoint = answers(Settings::default(), Answer::rows(&columns, rows).then_stall());
    let target = target(&endpoint, Encrypt::Nothing);
    let times = Times { statement: Duration::from_secs(5), ..Times::default() };
    let mut link = connect(&target, times).await.unwrap();
    let slow = |_: &Cells<'_>| {
        thread::sleep(times.statement + Duration::from_millis(1));
        Ok(())
    };
    let failure = link.ask(any(), &[], slow).await.unwrap_err();
    assert!(matches!(failure, Failure::TimeOut("a statement")), "{failure:?}");
    // it was acknowledged, or the failure would be another
    assert_eq!(endpoint.asked().last(), Some(&What::Attention));
}

#[tokio::test]
async fn a_connection_that_ends_is_no_record_s_fault() {
    let endpoint = answers(Settings::default(), Answer::close());
    let mut link = open(&endpoint).await;
    let failure = link.run(any(), &[]).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable(_)), "{failure:?}");
    let target = target(&endpoint, Encrypt::Nothing);
    drop(endpoint);
    let failure = connect(&target, Times::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable(Error::Io { .. })), "{failure:?}");
}

#[tokio::test]
async fn a_server_that_will_not_do_is_told_what_it_lacks() {
    for (major, snapshot, level, missing) in [
        (13, 1, 130, None),
        (16, 1, 160, None),
        (12, 1, 120, Some("too old")),
        (15, 0, 150, Some("READ_COMMITTED_SNAPSHOT")),
        (15, 1, 120, Some("COMPATIBILITY_LEVEL")),
    ] {
        let columns = [
            Column::new("major", Type::Int(4)),
            Column::new("version", Type::Text(256)),
            Column::new("snapshot", Type::Bit),
            Column::new("compatibility", Type::Whole(1)),
        ];
        let row = vec![major.into(), "x.0.1".into(), snapshot.into(), level.into()];
        let endpoint = answers(Settings::default(), Answer::rows(&columns, vec![row]));
        let checked = Fit::check(&mut open(&endpoint).await).await;
        match (checked, missing) {
            (Ok(fit), None) => assert_eq!(fit.version, "x.0.1"),
            (Err(Failure::Unfit(text)), Some(word)) => assert!(text.contains(word), "{text}"),
            (checked, _) => panic!("{major} {snapshot} {level}: {checked:?}"),
        }
    }
}
