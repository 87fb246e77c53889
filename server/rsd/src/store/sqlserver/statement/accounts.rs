//! Statements of `rs-init`: the database and who may do what in it. Names cannot be values in
//! T-SQL; they are quoted by the server and run as text.

use super::Statement;

/// Builds a text from `@P1` and `@P2` and runs it if a condition holds.
macro_rules! built {
    ($text:literal, $condition:literal) => {
        concat!(
            "DECLARE @text nvarchar(max) = ",
            $text,
            ";\nIF ",
            $condition,
            "\nBEGIN\n  EXEC sp_executesql @text;\nEND"
        )
    };
}

statements! {
    /// The database, unless it is there.
    DATABASE = built!("N'CREATE DATABASE ' + QUOTENAME(@P1)", "DB_ID(@P1) IS NULL");

    /// Readers that do not wait for writers; whoever is in a transaction is sent away.
    SNAPSHOT = built!(
        "N'ALTER DATABASE ' + QUOTENAME(@P1)
  + N' SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE'",
        "EXISTS (SELECT 1 FROM sys.databases AS d
  WHERE d.name = @P1 AND d.is_read_committed_snapshot_on = 0)"
    );

    /// A login, unless it is there.
    LOGIN = built!(
        "N'CREATE LOGIN ' + QUOTENAME(@P1) + N' WITH PASSWORD = ' + QUOTENAME(@P2, '''')",
        "SUSER_ID(@P1) IS NULL"
    );

    /// Its password.
    PASSWORD = built!(
        "N'ALTER LOGIN ' + QUOTENAME(@P1) + N' WITH PASSWORD = ' + QUOTENAME(@P2, '''')",
        "SUSER_ID(@P1) IS NOT NULL"
    );

    /// The user of a login in this database, unless it has one there.
    USER = built!(
        "N'CREATE USER ' + QUOTENAME(@P1) + N' FOR LOGIN ' + QUOTENAME(@P1)",
        "NOT EXISTS (SELECT 1 FROM sys.database_principals AS p WHERE p.sid = SUSER_SID(@P1))"
    );

    /// A user of a role.
    MEMBER = built!(
        "N'ALTER ROLE ' + QUOTENAME(@P2) + N' ADD MEMBER ' + QUOTENAME(@P1)",
        "IS_ROLEMEMBER(@P2, @P1) = 0"
    );

    /// A note of `rs-init`.
    NOTE = "SELECT value FROM rs_meta WHERE name = @P1";
    /// Another.
    NOTE_UPDATE = "UPDATE rs_meta SET value = @P2 WHERE name = @P1";
    /// The first.
    NOTE_INSERT = "INSERT INTO rs_meta (name, value)
SELECT @P1, @P2
WHERE NOT EXISTS (SELECT 1 FROM rs_meta AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.name = @P1)";
}
