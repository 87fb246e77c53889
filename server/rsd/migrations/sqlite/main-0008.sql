-- What was written into files before it went (spec rs.md §3.2, §10): one row of each time that a kind
-- of a day was written. calls to times: what the day held then.

CREATE TABLE rs_export_run (
  no INTEGER PRIMARY KEY,
  day INTEGER NOT NULL,
  kind TEXT NOT NULL,
  rs_name TEXT NOT NULL,
  state TEXT NOT NULL,
  calls INTEGER NOT NULL,
  versions INTEGER NOT NULL,
  events INTEGER NOT NULL,
  times INTEGER NOT NULL,
  rows INTEGER NOT NULL,
  blake3 TEXT,
  first_key TEXT,
  last_key TEXT,
  file_name TEXT,
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER
) STRICT;
CREATE INDEX rs_export_run_day ON rs_export_run (day, kind);
