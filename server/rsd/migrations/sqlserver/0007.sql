-- Erasures (spec rs.md §8): numbers by their hashes, with how far each has come. The audit log is
-- append only for writers: what is over goes by a procedure of the owner's.

CREATE TABLE rs_erasure (
  no bigint IDENTITY(1, 1) NOT NULL,
  digits tinyint NOT NULL,
  hash binary(16) NOT NULL,
  requested_ms bigint NOT NULL,
  ended_ms bigint,
  calls bigint NOT NULL,
  rows bigint NOT NULL,
  day int NOT NULL,
  stage int NOT NULL,
  after varbinary(max) NOT NULL,
  changed bigint NOT NULL,
  CONSTRAINT rs_erasure_pk PRIMARY KEY CLUSTERED (no)
);
GO
GRANT SELECT, INSERT, UPDATE ON rs_erasure TO rs_writer;
GO
-- Lines that are older than the log is kept (400 days), by the server's own clock, whatever it is
-- asked for.
CREATE PROCEDURE rs_trim_audit @before_ms bigint, @most bigint AS
BEGIN
  WITH t AS (SELECT TOP (@most) time_ms FROM rs_audit_log WHERE time_ms < @before_ms
    AND time_ms < CAST(DATEDIFF(day, '1970-01-01', SYSUTCDATETIME()) - 399 AS bigint) * 86400000)
  DELETE FROM t;
END
GO
GRANT EXECUTE ON rs_trim_audit TO rs_writer;
REVOKE DELETE ON rs_audit_log FROM rs_writer;
