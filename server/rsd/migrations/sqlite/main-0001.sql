-- The main file of an RS on SQLite ({data_dir}/rs/rs.db): what is not by day (spec rs.md §3.2, §3.3).
-- Times are UTC ms, days yyyymmdd in UTC, enumerations the numbers of the record's word lists.

-- its applied_seq: every frame of the spool up to spool_seq is in this file
CREATE TABLE rs_spool_cursor (
  spool_seq INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;
INSERT INTO rs_spool_cursor VALUES (0, 0);

-- objects; ids from 3 000 000 000 on are synthetic: only the name is known
CREATE TABLE rs_dim_component (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  type INTEGER NOT NULL,
  synthetic INTEGER NOT NULL,
  alias_of INTEGER,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX rs_dim_component_name ON rs_dim_component (name, synthetic);
CREATE TABLE rs_dim_tenant (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  parent_id INTEGER,
  path TEXT NOT NULL,
  synthetic INTEGER NOT NULL,
  alias_of INTEGER,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX rs_dim_tenant_name ON rs_dim_tenant (name, synthetic);
CREATE TABLE rs_dim_profile (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  tenant_id INTEGER,
  service INTEGER,
  synthetic INTEGER NOT NULL,
  alias_of INTEGER,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX rs_dim_profile_name ON rs_dim_profile (name, synthetic);

-- ledger of the records that hang on no call
CREATE TABLE rs_fact_ledger (
  id_key BLOB PRIMARY KEY,
  content_hash BLOB NOT NULL,
  received_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- records of kinds that no table of this version takes: whole, for a later one
CREATE TABLE rs_kept_record (
  no INTEGER PRIMARY KEY,
  id_key BLOB NOT NULL UNIQUE,
  kind INTEGER NOT NULL,
  id TEXT NOT NULL,
  component_id INTEGER,
  time_ms INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX rs_kept_record_kind ON rs_kept_record (kind, time_ms);

CREATE TABLE rs_dead_letter (
  no INTEGER PRIMARY KEY,
  seq INTEGER NOT NULL,
  received_ms INTEGER NOT NULL,
  queue TEXT NOT NULL,
  transport TEXT NOT NULL,
  user TEXT,
  peer TEXT NOT NULL,
  message_id TEXT,
  properties TEXT NOT NULL,
  body BLOB NOT NULL,
  code TEXT NOT NULL,
  field TEXT NOT NULL,
  text TEXT NOT NULL,
  producer TEXT,
  retries INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'open'
) STRICT;
CREATE INDEX rs_dead_letter_state ON rs_dead_letter (state, received_ms);
CREATE INDEX rs_dead_letter_code ON rs_dead_letter (code);
CREATE INDEX rs_dead_letter_producer ON rs_dead_letter (producer);

-- received: interval set of sequences, pairs (first, last) of u64 big-endian
CREATE TABLE rs_producer_stream (
  producer TEXT NOT NULL,
  boot INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  received BLOB NOT NULL,
  max_seq INTEGER NOT NULL,
  announced_seq INTEGER NOT NULL,
  duplicates INTEGER NOT NULL,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (producer, boot, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_producer_stream_last ON rs_producer_stream (last_ms);

-- books of the producers; the stored side is counted in the files that stored
CREATE TABLE rs_integrity_minute (
  producer TEXT NOT NULL,
  minute_ms INTEGER NOT NULL,
  calls_in INTEGER NOT NULL,
  records_out INTEGER NOT NULL,
  adopted_in INTEGER NOT NULL,
  handed_out INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  in_progress INTEGER NOT NULL,
  PRIMARY KEY (producer, minute_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_integrity_minute_time ON rs_integrity_minute (minute_ms);

-- what was counted while it was stored: added up over all files
CREATE TABLE rs_figure (
  name TEXT NOT NULL,
  producer TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (name, producer)
) STRICT, WITHOUT ROWID;

-- live calls and where they are; made again from the day files at start
CREATE TABLE rs_live_key (
  call_key BLOB PRIMARY KEY,
  day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- GUIDs that do not carry their time
CREATE TABLE rs_call_day (
  guid TEXT NOT NULL,
  day INTEGER NOT NULL,
  PRIMARY KEY (guid, day)
) STRICT, WITHOUT ROWID;

-- started_ms of a day's first and last call; made again from the day files at start
CREATE TABLE rs_day_span (
  day INTEGER PRIMARY KEY,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT;
