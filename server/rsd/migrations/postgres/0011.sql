-- What was written into files before it went (spec rs.md §3.2, §10): one row of each time that a kind
-- of a day was written. calls to times: what the day held then.

CREATE TABLE rs_export_run (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  day integer NOT NULL,
  kind text COLLATE "C" NOT NULL,
  rs_name text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  calls bigint NOT NULL,
  versions bigint NOT NULL,
  events bigint NOT NULL,
  times bigint NOT NULL,
  rows bigint NOT NULL,
  blake3 text COLLATE "C",
  first_key text COLLATE "C",
  last_key text COLLATE "C",
  file_name text COLLATE "C",
  started_ms bigint NOT NULL,
  ended_ms bigint
);
CREATE INDEX rs_export_run_day ON rs_export_run (day, kind);
