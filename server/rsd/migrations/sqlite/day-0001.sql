-- A day's file ({data_dir}/rs/days/YYYYMMDD.db): ledger, facts and calls of one UTC day, with its
-- own applied_seq; exact by itself (spec rs.md §3.2, §3.3). Live and ended calls share a table.

CREATE TABLE rs_spool_cursor (
  spool_seq INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;
INSERT INTO rs_spool_cursor VALUES (0, 0);

CREATE TABLE rs_fact_ledger (
  id_key BLOB PRIMARY KEY,
  content_hash BLOB NOT NULL,
  received_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rs_call (
  call_key BLOB PRIMARY KEY,
  live INTEGER NOT NULL,
  row_version INTEGER NOT NULL,
  last_fact_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  answered_ms INTEGER,
  ended_ms INTEGER,
  duration_ms INTEGER,
  component_type INTEGER NOT NULL,
  component_id INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  guid TEXT,
  leg INTEGER,
  epoch INTEGER NOT NULL,
  call_type INTEGER NOT NULL,
  tenant_id INTEGER,
  profile_id INTEGER,
  service INTEGER,
  dn TEXT,
  local_uri TEXT NOT NULL,
  remote_uri TEXT NOT NULL,
  call_id TEXT,
  call_uuid TEXT,
  resource_group TEXT,
  resource_name TEXT,
  resource_dbid INTEGER,
  resource_address TEXT,
  attempts INTEGER,
  end_state INTEGER,
  sip_status INTEGER,
  reason TEXT,
  policy TEXT,
  profile_usage INTEGER,
  profile_burst INTEGER,
  asr_used INTEGER,
  tts_used INTEGER,
  media TEXT,
  origin TEXT,
  parent_key BLOB,
  sq_failed INTEGER,
  config_rev INTEGER,
  flags INTEGER NOT NULL,
  extra TEXT
) STRICT;
CREATE INDEX rs_call_started ON rs_call (started_ms, call_key);
CREATE INDEX rs_call_type_started ON rs_call (component_type, started_ms, call_key);
CREATE INDEX rs_call_profile ON rs_call (profile_id, started_ms);
CREATE INDEX rs_call_dn ON rs_call (dn, started_ms);
CREATE INDEX rs_call_guid ON rs_call (guid, started_ms, call_key);
CREATE INDEX rs_call_session ON rs_call (component_id, session_id);
CREATE INDEX rs_call_uuid ON rs_call (call_uuid) WHERE call_uuid IS NOT NULL;
CREATE INDEX rs_call_live ON rs_call (started_ms, call_key) WHERE live = 1;

CREATE TABLE rs_call_tenant (
  call_key BLOB NOT NULL,
  tenant_id INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  depth INTEGER NOT NULL,
  usage INTEGER,
  burst INTEGER,
  PRIMARY KEY (call_key, tenant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_call_tenant_started ON rs_call_tenant (tenant_id, started_ms, call_key);

CREATE TABLE rs_call_owner (
  call_key BLOB NOT NULL,
  n INTEGER NOT NULL,
  component_id INTEGER NOT NULL,
  from_ms INTEGER NOT NULL,
  PRIMARY KEY (call_key, n)
) STRICT, WITHOUT ROWID;

-- the outcome that a media server computed itself
CREATE TABLE rs_var_call (
  call_key BLOB PRIMARY KEY,
  result INTEGER,
  reason TEXT,
  notes TEXT
) STRICT, WITHOUT ROWID;

-- what the merge needs of the facts, as core/rs writes it
CREATE TABLE rs_call_fact_state (
  call_key BLOB PRIMARY KEY,
  state BLOB NOT NULL
) STRICT;

-- zstd of the steps as JSON
CREATE TABLE rs_call_trace (
  call_key BLOB PRIMARY KEY,
  steps BLOB NOT NULL
) STRICT;

-- call_ref: key of component and session
CREATE TABLE rs_call_event (
  no INTEGER PRIMARY KEY,
  id_key BLOB NOT NULL UNIQUE,
  call_ref BLOB NOT NULL,
  guid TEXT,
  component_id INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  time_ms INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  level INTEGER NOT NULL,
  log_id TEXT NOT NULL,
  label TEXT,
  text TEXT
) STRICT;
CREATE INDEX rs_call_event_session ON rs_call_event (component_id, session_id, time_ms, seq);
CREATE INDEX rs_call_event_guid ON rs_call_event (guid, time_ms, seq) WHERE session_id = '';
CREATE INDEX rs_call_event_log ON rs_call_event (log_id, time_ms);

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

-- losers of an id conflict, and what the database refused; numbers begin with the day
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

-- ends stored in this file by producer and minute of their time
CREATE TABLE rs_stored_minute (
  producer TEXT NOT NULL,
  minute_ms INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  PRIMARY KEY (producer, minute_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE rs_figure (
  name TEXT NOT NULL,
  producer TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (name, producer)
) STRICT, WITHOUT ROWID;
