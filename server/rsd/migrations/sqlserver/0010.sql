-- What was written into files before it went (spec rs.md §3.2, §10): one row of each time that a kind
-- of a day was written. calls to times: what the day held then.

CREATE TABLE rs_export_run (
  no bigint IDENTITY(1, 1) NOT NULL,
  day int NOT NULL,
  kind nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL,
  rs_name nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  state nvarchar(16) COLLATE Latin1_General_100_BIN2 NOT NULL,
  calls bigint NOT NULL,
  versions bigint NOT NULL,
  events bigint NOT NULL,
  times bigint NOT NULL,
  rows bigint NOT NULL,
  blake3 nvarchar(64) COLLATE Latin1_General_100_BIN2,
  first_key nvarchar(300) COLLATE Latin1_General_100_BIN2,
  last_key nvarchar(300) COLLATE Latin1_General_100_BIN2,
  file_name nvarchar(128) COLLATE Latin1_General_100_BIN2,
  started_ms bigint NOT NULL,
  ended_ms bigint,
  CONSTRAINT rs_export_run_pk PRIMARY KEY CLUSTERED (no)
);
GO
CREATE INDEX rs_export_run_day ON rs_export_run (day, kind);
GO
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_export_run TO rs_writer;
GO
GRANT SELECT ON rs_export_run TO rs_reader;
