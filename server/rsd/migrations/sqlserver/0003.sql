-- What operators did (spec rs.md §6, §8); append only, but for its retention.
CREATE TABLE rs_audit_log (
  no bigint IDENTITY(1, 1) NOT NULL,
  day int NOT NULL,
  time_ms bigint NOT NULL,
  user_name nvarchar(256) COLLATE Latin1_General_100_BIN2,
  address nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  action nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  object nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  detail nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  outcome nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  CONSTRAINT rs_audit_log_pk PRIMARY KEY CLUSTERED (no)
);

CREATE INDEX rs_audit_log_time ON rs_audit_log (time_ms, no);

CREATE INDEX rs_audit_log_user ON rs_audit_log (user_name, time_ms);

GO
GRANT SELECT, INSERT, DELETE ON rs_audit_log TO rs_writer;
