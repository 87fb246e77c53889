//! Every statement and every migration of the dialect is T-SQL to an independent parser (sqlglot,
//! from PyPI). That is grammar: whether SQL Server does with it what we mean, only it can tell.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rsd::store::sqlserver::{Statement, batches};

/// The version that `deploy/tools.sh` installs.
const VERSION: &str = "30.30.0";

/// Statements that sqlglot takes by their first word alone, and why they are needed.
const UNKNOWN: &[(&str, &str)] = &[
    ("CREATE ROLE rs_writer;", "it knows roles of no dialect"),
    ("CREATE ROLE rs_reader;", "it knows roles of no dialect"),
];

fn parse(statements: &[(String, &str, usize)]) -> String {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/sqlglot/bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sqlserver/grammar.py");
    let mut parser = Command::new(python)
        .arg(script)
        .arg(VERSION)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sqlglot is installed (test.sh does it)");
    let mut stdin = parser.stdin.take().unwrap();
    stdin.write_all(&serde_json::to_vec(statements).unwrap()).unwrap();
    drop(stdin);
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Without the comments in front, by which a statement is found in [`UNKNOWN`].
fn bare(sql: &str) -> &str {
    let mut sql = sql.trim();
    while sql.starts_with("--") {
        sql = sql.split_once('\n').map_or("", |(_, rest)| rest.trim_start());
    }
    sql
}

#[test]
fn all_statements_and_migrations_are_t_sql() {
    let statements = Statement::all();
    let statements = statements.map(|statement| (statement.name().to_owned(), statement.sql()));
    let steps = batches().into_iter().map(|(step, batch)| (format!("migration {step}"), batch));
    let all: Vec<_> = statements
        .chain(steps)
        .map(|(name, sql)| {
            let unknown = UNKNOWN.iter().filter(|(known, _)| *known == bare(sql)).count();
            (name, sql, unknown)
        })
        .collect();
    let met: usize = all.iter().map(|(.., unknown)| unknown).sum();
    assert_eq!(met, UNKNOWN.len(), "a row of UNKNOWN is of no statement");
    assert_eq!(parse(&all), "");
}

#[test]
fn the_parser_tells_what_is_none() {
    let bad = [
        ("torn".to_owned(), "SELECT a FROM", 0),
        ("command".to_owned(), "CREATE ROLE a", 0),
        ("listed".to_owned(), "SELECT 1", 1),
        ("empty".to_owned(), "-- nothing", 0),
        ("word".to_owned(), "IF a = 0 EXEC b", 0),
        ("good".to_owned(), "SELECT TOP (5) a FROM b WITH (UPDLOCK, HOLDLOCK)", 0),
    ];
    let told = parse(&bad);
    for name in ["torn", "command", "listed", "empty", "word"] {
        assert!(told.contains(&format!("{name}:")), "{name}: {told}");
    }
    assert!(!told.contains("good"), "{told}");
}

#[test]
fn names_of_statements_are_their_own() {
    let mut names: Vec<_> = Statement::all().map(Statement::name).collect();
    names.sort_unstable();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
}

#[test]
fn no_column_is_too_wide_for_the_driver_s_bulk() {
    // it tells the server twice the width, which may be 4000
    for (step, batch) in batches() {
        for width in batch.split("nvarchar(").skip(1).filter_map(|rest| rest.split_once(')')) {
            let narrow =
                width.0 == "max" || width.0.parse::<u32>().is_ok_and(|width| width <= 2000);
            assert!(narrow, "migration {step}: nvarchar({})", width.0);
        }
    }
}
