//! The views are the contract for whoever reads the tables by SQL: the same names, times and words
//! in all databases (spec rs.md §3.1). What is shown of SQL Server is the text of its steps only.

use std::collections::{BTreeMap, BTreeSet};

use rsd::store::sqlite::Sqlite;
use rsd::store::sqlserver::batches;
use rsd::store::words::words;
use rusqlite::Connection;

use super::{NOW, Store, made, postgres};
use crate::postgres::Server;

/// Columns of views in their order.
type Views = BTreeMap<String, Vec<String>>;

/// Names of objects are in the main file only, and so a day's file shows their ids alone.
const NOT_BY_DAY: [&str; 4] = ["day", "component", "tenant", "profile"];

fn of_postgres(server: &Server) -> Views {
    let sql = "SELECT table_name || ' ' || column_name FROM information_schema.columns
        WHERE table_name LIKE 'v\\_%' ORDER BY table_name, ordinal_position";
    let mut views = Views::new();
    for line in server.sql(sql).lines() {
        let (view, column) = line.split_once(' ').unwrap();
        views.entry(view.to_owned()).or_default().push(column.to_owned());
    }
    views
}

fn of_file(db: &Connection) -> Views {
    let sql = "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
        WHERE m.type = 'view' AND m.name LIKE 'v\\_%' ESCAPE '\\' ORDER BY m.name, c.cid";
    let mut views = Views::new();
    let mut columns = db.prepare(sql).unwrap();
    let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    for (view, column) in columns.map(Result::<(String, String), _>::unwrap) {
        views.entry(view).or_default().push(column);
    }
    views
}

/// What the steps of SQL Server leave: of each view the last that they make, none after its DROP.
fn of_sql_server() -> Views {
    let mut views = Views::new();
    for statement in batches().into_iter().flat_map(|(_, batch)| batch.split(';')) {
        let statement = statement.trim_start();
        if let Some(view) = statement.strip_prefix("DROP VIEW ") {
            views.remove(view).unwrap();
        }
        let made = statement.find("CREATE VIEW ").map(|at| &statement[at..]);
        let Some((view, body)) = made.and_then(|made| made[12..].split_once(" AS\nSELECT ")) else {
            continue;
        };
        if view.starts_with("v_") {
            let body = body.split("\nFROM ").next().unwrap();
            views.insert(view.to_owned(), columns(body));
        }
    }
    views
}

/// Names of what is selected: behind the last word, or behind the last dot.
fn columns(selected: &str) -> Vec<String> {
    let mut depth = 0;
    let split = selected.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    split.map(|one| one.trim().rsplit([' ', '.']).next().unwrap().to_owned()).collect()
}

#[test]
fn the_views_have_the_same_columns_in_all_dialects() {
    let server = Server::start();
    assert_eq!(postgres(&server.url(), "public").applied_seq().unwrap(), 0);
    let of_postgres = of_postgres(&server);
    let all = "v_arrivals v_call_tenants v_calls v_events v_latencies v_peaks v_var_action_bins
        v_var_actions v_var_calls v_version";
    assert!(of_postgres.keys().map(|view| &**view).eq(all.split_whitespace()), "{of_postgres:?}");
    assert_eq!(of_sql_server(), of_postgres);
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::new(dir.path().to_owned(), NOW);
    store.apply(&made::arrivals(&[made::rm(9, 5).start()], 1, 1), NOW).unwrap();
    let mut of_files = of_file(&Connection::open(dir.path().join("rs.db")).unwrap());
    let day = of_file(&Connection::open(dir.path().join("days/20261122.db")).unwrap());
    let by_day: BTreeSet<_> = day.keys().cloned().collect();
    of_files.extend(day);
    let mut expected = of_postgres;
    for (view, columns) in &mut expected {
        if by_day.contains(view) {
            columns.retain(|column| !NOT_BY_DAY.contains(&&**column));
        }
    }
    assert_eq!(of_files, expected);
}

#[test]
fn the_views_show_the_same_times_and_words() {
    let story = made::arrivals(
        &[made::rm(1, 5).start(), made::rm(1, 5).end(65), made::rm(2, 7).dn("49").start()],
        1,
        1,
    );
    let server = Server::start();
    let store = postgres(&server.url(), "public");
    store.apply(&story, NOW).unwrap();
    let instant = |column: &str| {
        format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    };
    let columns = "duration_ms, component_type, component_id, call_type, end_state, dn FROM v_calls
        ORDER BY started_at";
    let (started, ended) = (instant("started_at"), instant("ended_at"));
    let of_server = server.sql(&format!("SELECT {started}, {ended}, {columns}"));

    let dir = tempfile::tempdir().unwrap();
    Sqlite::new(dir.path().to_owned(), NOW).apply(&story, NOW).unwrap();
    let day = Connection::open(dir.path().join("days/20261122.db")).unwrap();
    let mut of_file = day.prepare(&format!("SELECT started_at, ended_at, {columns}")).unwrap();
    let rows = of_file.query_map([], |row| {
        let cells = (0..8).map(|at| match row.get_ref(at)? {
            rusqlite::types::ValueRef::Null => Ok(String::new()),
            rusqlite::types::ValueRef::Integer(number) => Ok(number.to_string()),
            text => Ok(text.as_str()?.to_owned()),
        });
        Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
    });
    let rows: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
    assert_eq!(of_server.trim().lines().collect::<Vec<_>>(), rows);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].contains("|RM|") && rows[0].contains("Z|2026-11-22T"), "{rows:?}");

    // names are in the main file, as the page says
    let main = Connection::open(dir.path().join("rs.db")).unwrap();
    main.execute("ATTACH ?1 AS one", [dir.path().join("days/20261122.db").to_str().unwrap()])
        .unwrap();
    let named = "SELECT count(DISTINCT n.name) FROM one.v_calls c
        JOIN rs_dim_component n ON n.id = c.component_id";
    assert_eq!(main.query_row(named, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    drop(main);

    let mut expected: Vec<_> =
        words().into_iter().map(|(kind, number, word)| format!("{kind}|{number}|{word}")).collect();
    expected.sort();
    let sql = "SELECT kind || '|' || number || '|' || word FROM rs_word";
    let mut of_server: Vec<_> = server.sql(sql).lines().map(ToOwned::to_owned).collect();
    of_server.sort();
    assert_eq!(of_server, expected);
    for file in ["rs.db", "days/20261122.db"] {
        let db = Connection::open(dir.path().join(file)).unwrap();
        let mut rows = db.prepare(sql).unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        let mut rows: Vec<String> = rows.map(Result::unwrap).collect();
        rows.sort();
        assert_eq!(rows, expected, "{file}");
    }
}
