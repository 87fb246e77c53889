//! The views are the contract for whoever reads the tables by SQL: the same names, times and words
//! in all databases (spec rs.md §3.1). What is shown of SQL Server is the text of its steps only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rsd::store::Arrival;
use rsd::store::sqlite::{Sqlite, sql_views};
use rsd::store::sqlserver::batches;
use rsd::store::words::words;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use super::{NOW, Store, made, postgres};
use crate::postgres::Server;

/// Columns of views in their order.
type Views = BTreeMap<String, Vec<String>>;

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

/// As a reader has them: its own before those of the main file.
fn of_files(reader: &Connection) -> Views {
    let names = "SELECT name FROM temp.sqlite_schema WHERE type = 'view'
        UNION SELECT name FROM main.sqlite_schema
        WHERE type = 'view' AND name LIKE 'v\\_%' ESCAPE '\\'";
    let mut names = reader.prepare(names).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let columns = |view: &str| {
        let all = reader.prepare(&format!("SELECT * FROM {view}")).unwrap();
        all.column_names().map(ToOwned::to_owned).collect()
    };
    names.map(Result::unwrap).map(|view| (view.clone(), columns(&view))).collect()
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
    assert_eq!(of_files(&reader(dir.path())), of_postgres);
}

/// A foreign program: it opens the main file, reads only, and runs the script.
fn reader(dir: &Path) -> Connection {
    let script = sql_views(dir, None, None).unwrap();
    let only = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let reader = Connection::open_with_flags(dir.join("rs.db"), only).unwrap();
    reader.execute_batch(&script).unwrap();
    reader
}

/// What hangs on calls of two days: all of it goes into the views.
fn story() -> Vec<Arrival> {
    let told = |time: u64, fields: Value| {
        let mut record = serde_json::json!({
            "schema": 1, "kind": "var", "id": format!("mcp-1:B1/var/0.{time}"),
            "time": made::at(time), "producer": {"name": "mcp-1"}, "session_id": "B1",
            "component": {"name": "mcp-1", "type": "MCP"},
        });
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        made::Made::of(&record)
    };
    let mut all = made::midnight();
    all.extend([
        told(86_412, serde_json::json!({"verb": "action_start", "action": "pin"})),
        told(86_413, serde_json::json!({"verb": "action_start", "action": "ask", "parent": "pin"})),
        told(
            86_414,
            serde_json::json!({"verb": "action_end", "action": "ask", "result": "FAILED",
            "reason": "two tries"}),
        ),
        made::rm(9, 40).dn("49").start(),
    ]);
    made::arrivals(&all, 1, 8)
}

/// Rows as JSON, of the types that the columns have at PostgreSQL.
fn rows_of_postgres(server: &Server, view: &str, columns: &[(String, String)]) -> Vec<Value> {
    let columns = columns.iter().map(|(name, kind)| match &**kind {
        "timestamp with time zone" => {
            format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
        }
        "uuid" => format!("upper(replace({name}::text, '-', ''))"),
        "boolean" => format!("{name}::int"),
        _ => name.clone(),
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let lines = server.sql(&format!("SELECT jsonb_build_array({columns}) FROM {view}"));
    sorted(lines.lines().map(ToOwned::to_owned))
}

fn rows_of_files(reader: &Connection, view: &str, columns: &[(String, String)]) -> Vec<Value> {
    let columns = columns.iter().map(|(name, kind)| match &**kind {
        "uuid" => format!("CASE WHEN {name} IS NOT NULL THEN hex({name}) END"),
        "jsonb" => format!("json({name})"),
        _ => name.clone(),
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let mut rows = reader.prepare(&format!("SELECT json_array({columns}) FROM {view}")).unwrap();
    let rows = rows.query_map([], |row| row.get(0)).unwrap();
    sorted(rows.map(Result::unwrap))
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<Value> {
    let mut rows: Vec<Value> = lines.map(|line| serde_json::from_str(&line).unwrap()).collect();
    rows.sort_by_key(Value::to_string);
    rows
}

#[test]
fn the_script_of_the_files_shows_the_rows_of_the_servers() {
    let story = story();
    let server = Server::start();
    postgres(&server.url(), "public").apply(&story, NOW).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::new(dir.path().to_owned(), NOW);
    store.apply(&story, NOW).unwrap();
    let reader = reader(dir.path());
    let mut days = BTreeSet::new();
    for view in ["v_calls", "v_call_tenants", "v_events", "v_var_calls", "v_var_actions"] {
        let sql = format!(
            "SELECT column_name || ' ' || data_type FROM information_schema.columns
             WHERE table_name = '{view}' ORDER BY ordinal_position"
        );
        let columns: Vec<(String, String)> = server
            .sql(&sql)
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
            .collect();
        let of_files = rows_of_files(&reader, view, &columns);
        assert!(!of_files.is_empty(), "{view}");
        assert_eq!(of_files, rows_of_postgres(&server, view, &columns), "{view}");
        days.extend(of_files.iter().map(|row| row[0].clone().as_u64()));
    }
    assert_eq!(days, BTreeSet::from([Some(20_261_122), Some(20_261_123)]));
    let named = "SELECT group_concat(DISTINCT tenant || '/' || profile || '/' || component)
        FROM v_calls WHERE dn IS NULL AND profile = 'beta-main' AND component_type = 'RM'";
    let named: String = reader.query_row(named, [], |row| row.get(0)).unwrap();
    assert_eq!(named, "beta/beta-main/rm-1");
    // an index of the day's file answers for a GUID
    let plan = "EXPLAIN QUERY PLAN SELECT tenant FROM v_calls WHERE guid = '?'";
    let mut plan = reader.prepare(plan).unwrap();
    let plan = plan.query_map([], |row| row.get::<_, String>(3)).unwrap();
    let plan: Vec<String> = plan.map(Result::unwrap).collect();
    let found = plan.iter().filter(|step| step.contains("INDEX rs_call_guid"));
    assert_eq!(found.count(), 2, "{plan:?}");
    // the server goes on beside it
    store.apply(&made::arrivals(&[made::rm(9, 40).dn("49").end(50)], 90, 1), NOW).unwrap();
    let ended = "SELECT count(*) FROM v_calls WHERE dn = '49' AND ended_at IS NOT NULL";
    assert_eq!(reader.query_row(ended, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
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
