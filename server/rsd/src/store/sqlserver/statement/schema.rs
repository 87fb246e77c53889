//! Statements about the session, the server and the schema.

use super::Statement;

statements! {
    /// How every session is set: an error undoes its transaction, a lock is not waited for as long
    /// as an answer; the rest is what indexes over a part of a table demand.
    SESSION = "SET XACT_ABORT ON;
SET LOCK_TIMEOUT 20000;
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
SET ANSI_NULLS ON;
SET ANSI_PADDING ON;
SET ANSI_WARNINGS ON;
SET ARITHABORT ON;
SET CONCAT_NULL_YIELDS_NULL ON;
SET QUOTED_IDENTIFIER ON;
SET NUMERIC_ROUNDABORT OFF;";

    /// Version of the server and settings of the database.
    SERVER = "SELECT CAST(SERVERPROPERTY('ProductMajorVersion') AS int) AS major,
  CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS version,
  d.is_read_committed_snapshot_on AS snapshot, d.compatibility_level AS compatibility
FROM sys.databases AS d WHERE d.database_id = DB_ID()";

    /// Whether the table of schema steps is there.
    SCHEMA_THERE = "SELECT CASE WHEN OBJECT_ID(N'rs_schema_version') IS NULL THEN 0 ELSE 1 END";

    /// Who brings the schema up to date waits for others that do, up to ten minutes; until the
    /// transaction ends.
    SCHEMA_LOCK = "EXEC sp_getapplock @Resource = N'ringmaster schema', @LockMode = 'Exclusive',
  @LockOwner = 'Transaction', @LockTimeout = 600000";

    /// The table of schema steps.
    SCHEMA_TABLE = "IF OBJECT_ID(N'rs_schema_version') IS NULL
BEGIN
  CREATE TABLE rs_schema_version (
    version bigint NOT NULL,
    applied_ms bigint NOT NULL,
    checksum nvarchar(64) NOT NULL,
    rs_version nvarchar(64) NOT NULL,
    CONSTRAINT rs_schema_version_pk PRIMARY KEY CLUSTERED (version)
  );
END";

    /// Steps that were taken.
    SCHEMA = "SELECT version, checksum, rs_version FROM rs_schema_version ORDER BY version";

    /// A step was taken.
    SCHEMA_NOTE = "INSERT INTO rs_schema_version (version, applied_ms, checksum, rs_version)
VALUES (@P1, @P2, @P3, @P4)";

    /// What a number means, unless it stands there.
    WORD = "INSERT INTO rs_word (kind, number, word)
SELECT @P1, @P2, @P3
WHERE NOT EXISTS (SELECT 1 FROM rs_word AS w WHERE w.kind = @P1 AND w.number = @P2)";
}
