//! Accounts at a real server: what `rs-init` makes, what a writer needs and a reader may see, and
//! that a Reporting Server waits for it.

use std::fs;
use std::path::Path;

use config::Settings;
use rsd::init_database;
use rsd::store::Store;
use rsd::store::postgres::{Account, Accounts, Beside, Parts, Postgres, Target, init};

use super::Server;
use crate::api::house::{House, RM, golden, settings};
use crate::conformance::{NOW, SECRET, postgres, run};

/// Tables that hold whole messages, what operators did, who is forgotten, and notes.
const KEPT_BACK: [&str; 4] = ["rs_dead_letter", "rs_audit_log", "rs_erasure", "rs_meta"];

fn account(user: &str) -> Account {
    Account { user: user.to_owned(), password: None }
}

fn target(server: &Server, user: &str, schema: &str) -> Target {
    let (user, schema) = (Some(user.to_owned()), Some(schema.to_owned()));
    Target::read(&server.url(), Beside { user, schema, ..Beside::default() }).unwrap()
}

/// As often as it is called.
pub(super) fn make(server: &Server, schema: &str) {
    let accounts = Accounts {
        owner: target(server, "owner", schema),
        admin: Some(account("rs")),
        writer: account("writer"),
        reader: Some(account("reader")),
        uri_indexes: true,
    };
    init(&accounts, NOW).unwrap();
}

fn open(target: Target) -> Box<dyn Store> {
    let (rs_name, spool_id) = ("rs-1".to_owned(), "1".to_owned());
    let parts = Parts { target, rs_name, spool_id, readers: 8, secret: SECRET };
    Box::new(Postgres::new(parts, NOW).unwrap())
}

#[test]
fn a_writer_answers_the_whole_suite() {
    let server = Server::start();
    run(&|story| {
        let schema = format!("story_{story}");
        make(&server, &schema);
        open(target(&server, "writer", &schema))
    });
    let owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'rs\\_%'";
    assert_eq!(server.sql(owners), "owner", "partitions too");
}

#[test]
fn a_reader_sees_all_but_what_is_kept_back_and_nobody_makes_tables() {
    let server = Server::start();
    make(&server, "public");
    let may = |user: &str, sql: &str| server.sql_as((user, ""), "postgres", sql);
    let names = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relkind IN ('r', 'p', 'v') AND NOT relispartition";
    let names = server.sql(names);
    let names: Vec<&str> = names.lines().collect();
    assert!(names.contains(&"v_calls") && names.contains(&"rs_audit_log"), "{names:?}");
    for name in names {
        let seen = may("reader", &format!("SELECT count(*) FROM {name}"));
        assert_eq!(seen.is_ok(), !KEPT_BACK.contains(&name), "{name}: {seen:?}");
        assert!(may("writer", &format!("SELECT count(*) FROM {name}")).is_ok(), "{name}");
        assert!(may("reader", &format!("DELETE FROM {name}")).is_err(), "{name}");
    }
    for sql in [
        "CREATE TABLE mine (a int)",
        "DROP TABLE rs_call",
        "DELETE FROM rs_schema_version",
        "UPDATE rs_audit_log SET user_name = 'somebody'",
        "DELETE FROM rs_audit_log",
        "SELECT rs_write_anew('pg_class', 0, 0)",
    ] {
        assert!(may("writer", sql).unwrap_err().contains("ERROR"), "{sql}");
    }
    assert!(may("reader", "SELECT rs_make_day(20261122)").is_err());
    // a line goes when it is old enough by the server's clock, whatever a writer asks for
    may(
        "owner",
        "INSERT INTO rs_audit_log (day, time_ms, address, action, object, detail, outcome)
         SELECT 0, (extract(epoch FROM now() - days * interval '1 day') * 1000)::bigint,
           '', '', '', '', '' FROM unnest(ARRAY[1, 398, 401]) days",
    )
    .unwrap();
    assert_eq!(may("writer", "SELECT rs_trim_audit(9223372036854775807, 5000)").unwrap(), "1");
    assert_eq!(may("writer", "SELECT count(*) FROM rs_audit_log").unwrap(), "2");
    // what a later step makes is theirs as well
    may("owner", "CREATE TABLE rs_later (a int)").unwrap();
    assert!(may("writer", "INSERT INTO rs_later VALUES (1)").is_ok());
    assert_eq!(may("reader", "SELECT a FROM rs_later").unwrap(), "1");
    let open = "SELECT p.proname FROM pg_proc p, aclexplode(coalesce(p.proacl,
          acldefault('f', p.proowner))) a
        WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND a.grantee = 0";
    assert_eq!(server.sql(open), "", "what runs as the owner is not for everybody");
}

/// What runs as the owner must not find a table that its caller has made.
#[test]
fn nothing_of_a_writer_s_own_runs_as_the_owner() {
    const TRAP: &str = "CREATE TEMP TABLE rs_audit_log AS SELECT 1 AS no, 0 AS time_ms;
        CREATE FUNCTION pg_temp.trap() RETURNS trigger LANGUAGE plpgsql
          AS $$ BEGIN RAISE EXCEPTION 'as %', current_user; END $$;
        CREATE TRIGGER trap BEFORE DELETE ON rs_audit_log
          FOR EACH ROW EXECUTE FUNCTION pg_temp.trap();
        GRANT ALL ON rs_audit_log TO PUBLIC;
        SELECT rs_trim_audit(9223372036854775807, 5000)";
    let server = Server::start();
    make(&server, "public");
    let trapped = || server.sql_as(("writer", ""), "postgres", TRAP);
    let refused = trapped().unwrap_err();
    assert!(refused.contains("permission denied to create temporary tables"), "{refused}");
    server.sql("GRANT TEMPORARY ON DATABASE postgres TO writer");
    let answer = trapped().unwrap();
    assert!(answer.ends_with('0'), "{answer}");
    let first = "SELECT proname FROM pg_proc WHERE prosecdef AND proname LIKE 'rs\\_%'
        AND NOT coalesce('search_path=public, pg_temp' = ANY(proconfig), false)";
    assert_eq!(server.sql(first), "", "each has the caller's own last");
    let owners = "SELECT count(*) FROM pg_proc WHERE prosecdef AND proname LIKE 'rs\\_%'";
    assert_ne!(server.sql(owners), "0");
}

/// The first two steps, and rights as the documents of that time gave them.
#[test]
fn accounts_of_an_older_schema_keep_their_rights_and_get_the_new_ones() {
    let server = Server::start();
    server.sql("CREATE ROLE old_writer LOGIN");
    server.sql("CREATE ROLE old_reader LOGIN");
    server.sql(
        "CREATE TABLE rs_schema_version (version integer PRIMARY KEY, applied_ms bigint NOT NULL,
           checksum text NOT NULL, rs_version text NOT NULL)",
    );
    let steps = [
        include_str!("../../../migrations/postgres/0001.sql"),
        include_str!("../../../migrations/postgres/0002.sql"),
    ];
    for (number, step) in (1..).zip(steps) {
        server.sql(step);
        let checksum = blake3::hash(step.as_bytes()).to_hex();
        server
            .sql(&format!("INSERT INTO rs_schema_version VALUES ({number}, 0, '{checksum}', 'x')"));
        if number == 1 {
            server.sql(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO old_writer;
                 GRANT SELECT ON v_calls, v_call_tenants TO old_reader;
                 CREATE VIEW own_calls AS SELECT guid FROM v_calls",
            );
        }
    }
    let may = |user: &str, sql: &str| server.sql_as((user, ""), "postgres", sql);
    assert!(may("old_writer", "DELETE FROM rs_sq_failure").is_err(), "as it was forgotten");
    postgres(&server.url(), "public").applied_seq().unwrap();
    assert!(may("old_writer", "DELETE FROM rs_sq_failure").is_ok());
    assert!(may("old_writer", "SELECT rs_make_day(20261122)").is_ok());
    assert!(may("old_writer", "DELETE FROM rs_schema_version").is_err());
    assert!(may("old_reader", "SELECT count(*) FROM v_calls, v_call_tenants, v_version").is_ok());
    assert!(may("old_reader", "SELECT count(*) FROM v_events").is_err(), "as it was given");
    // views of the operator's own go on
    assert_eq!(server.sql("SELECT count(*) FROM own_calls"), "0");
    assert!(may("old_reader", "SELECT count(*) FROM rs_sq_failure").is_err(), "as it was given");
    assert!(may("old_reader", "INSERT INTO rs_figure VALUES ('a', 'b', 1)").is_err());
}

/// Settings of an RS with a writer's account, and of rs-init with owner and administrator.
fn set(settings: &mut Settings, server: &Server, dir: &Path, schema: &str) {
    let file = |name: &str, password: &str| {
        let path = dir.join(name);
        fs::write(&path, format!("{password}\n")).unwrap();
        Some(path)
    };
    let url = format!("postgres://writer@127.0.0.1:{}/calls?sslmode=disable", server.port);
    settings.rs.database.url = Some(url);
    settings.rs.database.password_file = file("writer", "of the writer");
    settings.rs.database.schema = Some(schema.to_owned());
    let init = &mut settings.rs_init.database;
    init.user = Some("owner".to_owned());
    init.password_file = file("owner", "of the 'owner'");
    init.admin_password_file = file("admin", "of the administrator");
}

#[test]
fn rs_waits_for_rs_init_takes_records_meanwhile_and_stores_them_then() {
    let server = Server::strict();
    let admin = "CREATE ROLE postgres LOGIN PASSWORD 'of the administrator' CREATEDB CREATEROLE";
    for sql in [
        admin,
        "CREATE ROLE writer LOGIN PASSWORD 'of the writer'",
        "CREATE DATABASE calls OWNER rs",
    ] {
        server.sql(sql);
    }
    let dir = tempfile::tempdir().unwrap();
    let house = House::in_dir(tempfile::tempdir().unwrap(), |settings| {
        set(settings, &server, dir.path(), "facts");
    });
    let records = format!("[{}]", golden(&RM).join(","));
    let json = [("Content-Type", "application/json")];
    let answer = house.post("/api/v1/records", &json, records.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    let waits = |line: &String| line.contains(" 33101 ") && line.contains("rs-init");
    house.until(|house| house.lines.lines().iter().any(waits));
    assert_ne!(house.metric("rsQueueSize"), "0");
    // an administrator who may make accounts, but nothing in another's database
    let mut init = settings(dir.path());
    set(&mut init, &server, dir.path(), "facts");
    assert!(init_database(&init).is_err());
    server.sql("ALTER DATABASE calls OWNER TO postgres");
    assert!(init_database(&init).unwrap());
    house.until(|house| house.metric("rsQueueSize") == "0");
    let writer = ("writer", "of the writer");
    let stored = "SELECT count(*) FROM facts.rs_fact_ledger";
    assert_eq!(server.sql_as(writer, "calls", stored).unwrap(), "4");
    assert!(init_database(&init).unwrap(), "as often as it is run");
}

#[test]
fn rs_init_makes_database_and_accounts_and_follows_their_passwords() {
    let server = Server::strict();
    server.sql("CREATE ROLE postgres LOGIN PASSWORD 'of the administrator' CREATEDB CREATEROLE");
    let dir = tempfile::tempdir().unwrap();
    let mut init = settings(dir.path());
    set(&mut init, &server, dir.path(), "public");
    assert!(init_database(&init).unwrap());
    let may = |user: &str, password: &str, sql: &str| server.sql_as((user, password), "calls", sql);
    assert!(may("writer", "of the writer", "SELECT count(*) FROM rs_call").is_ok());
    let none = "SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'rs_reader'";
    assert_eq!(server.sql(none), "t", "who reads has no password of the owner's");
    assert!(may("writer", "of another", "SELECT 1").is_err());
    fs::write(dir.path().join("writer"), "of another\n").unwrap();
    server.sql("ALTER ROLE rs_reader PASSWORD 'its own'");
    assert!(init_database(&init).unwrap());
    assert!(may("writer", "of another", "SELECT 1").is_ok());
    let seen = may("rs_reader", "its own", "SELECT count(*) FROM v_calls");
    assert!(seen.is_ok(), "a reader's password stays");
    let kept = "SELECT DISTINCT left(rolpassword, 14) FROM pg_authid WHERE rolname <> 'rs'
        AND rolpassword IS NOT NULL";
    assert_eq!(server.sql(kept), "SCRAM-SHA-256$");
}

/// What `docs/operate/databases.md` tells an operator to run.
#[test]
fn the_statements_of_the_page_set_up_a_database_and_its_accounts() {
    const PAGE: &str = include_str!("../../../../../docs/operate/databases.md");
    let blocks: Vec<&str> =
        PAGE.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    let server = Server::start();
    for statement in blocks[0].split_inclusive(";\n") {
        server.sql(statement);
    }
    let url = server.url().replace("rs@", "rs_owner@").replace("/postgres?", "/ringmaster?");
    let target = Target::read(&url, Beside::default()).unwrap();
    assert_eq!(open(target.clone()).applied_seq().unwrap(), 0);
    server.sql("CREATE ROLE rs_writer LOGIN");
    server.sql("CREATE ROLE rs_reader LOGIN");
    server.sql_as(("rs_owner", ""), "ringmaster", blocks[1]).unwrap();
    let writer = open(target.of(&account("rs_writer")));
    let batch = crate::conformance::story();
    assert_ne!(writer.apply(&batch, NOW).unwrap().stored, 0);
    let seen = server.sql_as(("rs_reader", ""), "ringmaster", "SELECT count(*) > 0 FROM v_calls");
    assert_eq!(seen.unwrap(), "t");
}
