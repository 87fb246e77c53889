//! Our T-SQL in the words of SQLite: only what our statements use, as they write it.

use super::Type;

/// What is the same but for a word.
const WORDS: &[(&str, &str)] = &[
    (" WITH (UPDLOCK, HOLDLOCK)", ""),
    (" WITH (TABLOCKX, HOLDLOCK)", ""),
    (" WITH (XLOCK, HOLDLOCK)", ""),
    (" WITH (HOLDLOCK)", ""),
    (
        "EXEC rs_trim_audit @P1, @P2",
        "DELETE FROM rs_audit_log WHERE no IN
          (SELECT no FROM rs_audit_log WHERE time_ms < ?1 LIMIT ?2)",
    ),
    ("\nOPTION (FORCE ORDER, LOOP JOIN)", ""),
    ("\nOPTION (RECOMPILE)", ""),
    (" COLLATE Latin1_General_100_BIN2", ""),
    ("N'", "'"),
    ("'%[^0-9]%'", "'*[^0-9]*'"),
    (" NOT LIKE ", " NOT GLOB "),
    ("COUNT_BIG(", "count("),
    ("ISNULL(", "ifnull("),
    ("DATALENGTH(j.a) / 2", "length(j.a)"),
    ("DATALENGTH(", "length("),
    ("LEFT(", "left_of("),
    ("TRUNCATE TABLE ", "DELETE FROM "),
    (
        "IF OBJECT_ID('rs_schema_version') IS NULL\nBEGIN\n  CREATE TABLE",
        "CREATE TABLE IF NOT EXISTS",
    ),
    (");\nEND", ");"),
    (
        "OBJECT_ID('rs_schema_version')",
        "(SELECT name FROM sqlite_master WHERE name = 'rs_schema_version')",
    ),
    ("PRIMARY KEY CLUSTERED", "PRIMARY KEY"),
    ("bigint IDENTITY(1, 1) NOT NULL", "INTEGER"),
    ("ISJSON(", "json_valid("),
    ("CAST(0x AS varbinary(max))", "x''"),
    ("CAST(NULL AS varbinary(max))", "NULL"),
    ("(max)", ""),
    ("CONVERT(binary(16), j.k, 2)", "unhex(j.k)"),
    (
        "OPENJSON(@P1) WITH (d int '$.d', k char(32) '$.k') AS j",
        "(SELECT value ->> '$.d' AS d, value ->> '$.k' AS k FROM json_each(?1)) AS j",
    ),
    (
        "OPENJSON(@P1) WITH (d int '$.d', g nvarchar(128) '$.g') AS j",
        "(SELECT value ->> '$.d' AS d, value ->> '$.g' AS g FROM json_each(?1)) AS j",
    ),
    (
        "OPENJSON(@P1) WITH (d int '$.d', c bigint '$.c', s nvarchar(256) '$.s') AS j",
        "(SELECT value ->> '$.d' AS d, value ->> '$.c' AS c, value ->> '$.s' AS s
          FROM json_each(?1)) AS j",
    ),
    (
        "OPENJSON(@P1) WITH (c bigint '$.c', s nvarchar(256) '$.s', f bigint '$.f', \
          u bigint '$.u') AS j",
        "(SELECT value ->> '$.c' AS c, value ->> '$.s' AS s, value ->> '$.f' AS f,
          value ->> '$.u' AS u FROM json_each(?1)) AS j",
    ),
    (
        "OPENJSON(@P1) WITH (j tinyint '$.j', b bigint '$.b', d int '$.d', v bigint '$.v') AS m",
        "(SELECT value ->> '$.j' AS j, value ->> '$.b' AS b, value ->> '$.d' AS d, \
          value ->> '$.v' AS v FROM json_each(?1)) AS m",
    ),
    (
        "OPENJSON(@P1) WITH (d int '$.d', i bigint '$.i', m int '$.m', s int '$.s') AS k",
        "(SELECT value ->> '$.d' AS d, value ->> '$.i' AS i, value ->> '$.m' AS m, \
          value ->> '$.s' AS s FROM json_each(?1)) AS k",
    ),
    ("@P", "?"),
    ("#rs_", "tmp_rs_"),
];

/// A statement for SQLite; `None`: it has nothing to do.
pub(super) fn sqlite(sql: &str) -> Option<String> {
    let bare = bare(sql);
    let nothing = [
        "SET ",
        "EXEC sp_getapplock",
        "DECLARE @text",
        "CREATE VIEW",
        "DROP VIEW",
        "CREATE ROLE",
        "GRANT ",
        "CREATE PROCEDURE",
        // of rows that were stored before the step: there are none
        "UPDATE rs_kept_record SET bin_ms",
    ];
    if nothing.iter().any(|word| bare.starts_with(word)) {
        return None;
    }
    if bare.contains("SERVERPROPERTY") {
        return Some(
            "SELECT 13 AS major, '13.0' AS version, 1 AS snapshot, 130 AS level".to_owned(),
        );
    }
    let mut sql = lists(bare);
    for (theirs, ours) in WORDS {
        sql = sql.replace(theirs, ours);
    }
    sql = calls(&sql);
    sql = sliced(&sql).unwrap_or(sql);
    sql = made(&sql)
        .or_else(|| updated(&sql))
        .or_else(|| deleted(&sql))
        .or_else(|| cut(&sql))
        .unwrap_or(sql);
    if let Some((before, behind)) = sql.split_once("\nOUTPUT inserted.day, inserted.id_key") {
        sql = format!("{before}{behind}\nRETURNING day, id_key");
    }
    for most in ["1", "?1", "?2", "?3", "?4", "?5", "?6", "?7", "?8"] {
        if let Some(rest) = sql.strip_prefix(&format!("SELECT TOP ({most}) ")) {
            sql = format!("SELECT {rest}\nLIMIT {most}");
        }
    }
    let fetch = "OFFSET ?30 ROWS FETCH NEXT ?31 ROWS ONLY";
    Some(sql.replace(fetch, "LIMIT ?31 OFFSET ?30"))
}

/// Without comments in front.
fn bare(sql: &str) -> &str {
    let mut sql = sql.trim();
    while sql.starts_with("--") {
        sql = sql.split_once('\n').map_or("", |(_, rest)| rest.trim_start());
    }
    sql
}

/// Lists of a filter, whose value may be any.
fn lists(sql: &str) -> String {
    let mut sql = sql.to_owned();
    let texts = ") WITH (k tinyint '$.k',\n    a nvarchar(1100) '$.a', b nvarchar(128) '$.b') AS j";
    let rows = [
        (") WITH (id bigint '$') AS j", "(SELECT value AS id FROM json_each(", ")) AS j"),
        (
            texts,
            "(SELECT value ->> '$.k' AS k, value ->> '$.a' AS a, value ->> '$.b' AS b \
             FROM json_each(",
            ")) AS j",
        ),
    ];
    for (end, before, behind) in rows {
        while let Some(at) = sql.find(end) {
            let start = sql[..at].rfind("OPENJSON(").unwrap();
            let value = sql[start + "OPENJSON(".len()..at].to_owned();
            sql.replace_range(start..at + end.len(), &format!("{before}{value}{behind}"));
        }
    }
    sql
}

/// `left_of(text, n)` is `substr(text, 1, n)`.
fn calls(sql: &str) -> String {
    let mut sql = sql.to_owned();
    while let Some(at) = sql.find("left_of(") {
        let comma = at + sql[at..].find(", length(j.a)").unwrap();
        sql.insert_str(comma, ", 1");
        sql.replace_range(at..at + "left_of(".len(), "substr(");
    }
    sql
}

/// `SELECT TOP (0) … INTO t FROM u`
fn made(sql: &str) -> Option<String> {
    let (columns, rest) = sql.strip_prefix("SELECT TOP (0) ")?.split_once("\nINTO ")?;
    let (table, from) = rest.split_once(" FROM ")?;
    Some(format!("CREATE TEMP TABLE IF NOT EXISTS {table} AS SELECT {columns} FROM {from} LIMIT 0"))
}

/// `WITH t AS (SELECT TOP (n) c FROM u WHERE …) DELETE FROM t`
fn sliced(sql: &str) -> Option<String> {
    let inner = sql.strip_suffix(")\nDELETE FROM t")?;
    let (most, rest) = inner.strip_prefix("WITH t AS (SELECT TOP (")?.split_once(") ")?;
    let (_, rest) = rest.split_once(" FROM ")?;
    let (table, which) = rest.split_once(" WHERE ")?;
    let rows = format!("SELECT rowid FROM {table} WHERE {which} LIMIT {most}");
    Some(format!("DELETE FROM {table} WHERE rowid IN ({rows})"))
}

/// `UPDATE t SET … FROM u AS t JOIN s ON …`
fn updated(sql: &str) -> Option<String> {
    let (values, rest) = sql.strip_prefix("UPDATE t SET ")?.split_once("\nFROM ")?;
    let (table, rest) = rest.split_once(" AS t\nJOIN ")?;
    let (staged, on) = rest.split_once(" ON ")?;
    Some(format!("UPDATE {table} AS t SET {values} FROM {staged} WHERE {on}"))
}

/// `DELETE t FROM u AS t JOIN s ON …`
fn deleted(sql: &str) -> Option<String> {
    let (table, rest) = sql.strip_prefix("DELETE t FROM ")?.split_once(" AS t\nJOIN ")?;
    let (staged, on) = rest.split_once(" ON ")?;
    Some(format!("DELETE FROM {table} AS t WHERE EXISTS (SELECT 1 FROM {staged} WHERE {on})"))
}

/// `DELETE FROM t WHERE … IN (SELECT TOP (n) …)`
fn cut(sql: &str) -> Option<String> {
    let (before, rest) = sql.split_once(" IN (SELECT TOP (")?;
    let (most, rest) = rest.split_once(") ")?;
    let rows = before.starts_with("DELETE FROM ").then(|| rest.strip_suffix(')'))??;
    Some(format!("{before} IN (SELECT {rows} LIMIT {most})"))
}

/// The columns that a batch of a migration declares.
pub(super) fn columns(batch: &str) -> Vec<((String, String), Type)> {
    let mut all = Vec::new();
    let mut table = None;
    for line in batch.lines() {
        if let Some(name) = line.strip_prefix("CREATE TABLE ") {
            table = Some(name.trim_end_matches(" (").to_owned());
        } else if line.starts_with(");") {
            table = None;
        } else if let Some((table, column)) =
            line.strip_prefix("ALTER TABLE ").and_then(|added| added.split_once(" ADD "))
            && let Some((name, kind)) = column.split_once(' ')
        {
            all.push(((table.to_owned(), name.to_owned()), declared(kind)));
        } else if let (Some(table), Some(column)) = (&table, line.strip_prefix("  "))
            && let Some((name, kind)) = column.split_once(' ')
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            all.push(((table.clone(), name.to_owned()), declared(kind)));
        }
    }
    all
}

fn declared(kind: &str) -> Type {
    let size = match kind {
        _ if kind.starts_with("tinyint") => 1,
        _ if kind.starts_with("int") => 4,
        _ if kind.starts_with("bigint") => 8,
        _ if kind.starts_with("bit") => return Type::Bit,
        _ if kind.starts_with("binary(16)") => return Type::Binary(16),
        _ if kind.starts_with("varbinary(max)") => return Type::BYTES,
        _ if kind.starts_with("nvarchar(max)") => return Type::TEXT,
        _ => {
            let width = kind.split(['(', ')']).nth(1).unwrap();
            return Type::Text(width.parse::<u16>().unwrap() * 2);
        }
    };
    if kind.contains("NOT NULL") { Type::Whole(size) } else { Type::Int(size) }
}
