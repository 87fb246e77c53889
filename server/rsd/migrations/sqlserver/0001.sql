-- The store on SQL Server: one database, what is by day has the day first in its key (spec rs.md
-- §3.2, §3.3). Times are UTC ms, days yyyymmdd in UTC, enumerations the numbers of rs_word. Texts
-- compare by their code units; a column has two of them for each character that it may hold.
-- GO ends a batch, as in the server's own tools.

-- what the numbers of enumerations mean
CREATE TABLE rs_word (
  kind varchar(16) NOT NULL,
  number tinyint NOT NULL,
  word varchar(32) NOT NULL,
  CONSTRAINT rs_word_pk PRIMARY KEY CLUSTERED (kind, number)
);

-- notes of rs-init
CREATE TABLE rs_meta (
  name nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  value nvarchar(max) NOT NULL,
  CONSTRAINT rs_meta_pk PRIMARY KEY CLUSTERED (name)
);

-- every frame of that spool up to spool_seq is in the database
CREATE TABLE rs_spool_cursor (
  rs_name nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  spool_id nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  spool_seq bigint NOT NULL,
  updated_ms bigint NOT NULL,
  CONSTRAINT rs_spool_cursor_pk PRIMARY KEY CLUSTERED (rs_name, spool_id)
);

-- objects; ids from 3 000 000 000 on are synthetic: only the name is known
CREATE TABLE rs_dim_component (
  id bigint NOT NULL,
  name nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  type tinyint NOT NULL,
  synthetic bit NOT NULL,
  alias_of bigint,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL,
  CONSTRAINT rs_dim_component_pk PRIMARY KEY CLUSTERED (id)
);

CREATE INDEX rs_dim_component_name ON rs_dim_component (name, synthetic);

CREATE INDEX rs_dim_component_alias ON rs_dim_component (alias_of)
  WHERE alias_of IS NOT NULL;

CREATE TABLE rs_dim_tenant (
  id bigint NOT NULL,
  name nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  parent_id bigint,
  path nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  synthetic bit NOT NULL,
  alias_of bigint,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL,
  CONSTRAINT rs_dim_tenant_pk PRIMARY KEY CLUSTERED (id)
);

CREATE INDEX rs_dim_tenant_name ON rs_dim_tenant (name, synthetic);

CREATE INDEX rs_dim_tenant_alias ON rs_dim_tenant (alias_of)
  WHERE alias_of IS NOT NULL;

CREATE TABLE rs_dim_profile (
  id bigint NOT NULL,
  name nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  tenant_id bigint,
  service tinyint,
  synthetic bit NOT NULL,
  alias_of bigint,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL,
  CONSTRAINT rs_dim_profile_pk PRIMARY KEY CLUSTERED (id)
);

CREATE INDEX rs_dim_profile_name ON rs_dim_profile (name, synthetic);

CREATE INDEX rs_dim_profile_alias ON rs_dim_profile (alias_of)
  WHERE alias_of IS NOT NULL;

-- every record once, whatever arrives how often
CREATE TABLE rs_fact_ledger (
  day int NOT NULL,
  id_key binary(16) NOT NULL,
  content_hash binary(16) NOT NULL,
  received_ms bigint NOT NULL,
  CONSTRAINT rs_fact_ledger_pk PRIMARY KEY CLUSTERED (day, id_key)
);

-- live and ended calls
CREATE TABLE rs_call (
  day int NOT NULL,
  call_key binary(16) NOT NULL,
  live bit NOT NULL,
  row_version bigint NOT NULL,
  last_fact_ms bigint NOT NULL,
  started_ms bigint NOT NULL,
  answered_ms bigint,
  ended_ms bigint,
  duration_ms bigint,
  component_type tinyint NOT NULL,
  component_id bigint NOT NULL,
  session_id nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  guid nvarchar(128) COLLATE Latin1_General_100_BIN2,
  leg bigint,
  epoch bigint NOT NULL,
  call_type tinyint NOT NULL,
  tenant_id bigint,
  profile_id bigint,
  service tinyint,
  dn nvarchar(128) COLLATE Latin1_General_100_BIN2,
  local_uri nvarchar(1024) COLLATE Latin1_General_100_BIN2 NOT NULL,
  remote_uri nvarchar(1024) COLLATE Latin1_General_100_BIN2 NOT NULL,
  call_id nvarchar(512) COLLATE Latin1_General_100_BIN2,
  call_uuid nvarchar(512) COLLATE Latin1_General_100_BIN2,
  resource_group nvarchar(256) COLLATE Latin1_General_100_BIN2,
  resource_name nvarchar(256) COLLATE Latin1_General_100_BIN2,
  resource_dbid bigint,
  resource_address nvarchar(1024) COLLATE Latin1_General_100_BIN2,
  attempts bigint,
  end_state tinyint,
  sip_status int,
  reason nvarchar(512) COLLATE Latin1_General_100_BIN2,
  policy nvarchar(max) COLLATE Latin1_General_100_BIN2
    CHECK (ISJSON(policy) = 1),
  profile_usage bigint,
  profile_burst tinyint,
  asr_used bit,
  tts_used bit,
  media nvarchar(max) COLLATE Latin1_General_100_BIN2
    CHECK (ISJSON(media) = 1),
  origin nvarchar(512) COLLATE Latin1_General_100_BIN2,
  parent_key binary(16),
  sq_failed bit,
  config_rev bigint,
  flags bigint NOT NULL,
  extra nvarchar(max) COLLATE Latin1_General_100_BIN2
    CHECK (ISJSON(extra) = 1),
  CONSTRAINT rs_call_pk PRIMARY KEY CLUSTERED (day, call_key)
);

CREATE INDEX rs_call_started ON rs_call (started_ms, call_key);

CREATE INDEX rs_call_type_started ON rs_call (component_type, started_ms, call_key);

CREATE INDEX rs_call_profile ON rs_call (profile_id, started_ms);

CREATE INDEX rs_call_dn ON rs_call (dn, started_ms);

CREATE INDEX rs_call_guid ON rs_call (guid, started_ms, call_key);

CREATE INDEX rs_call_session ON rs_call (component_id, session_id);

CREATE INDEX rs_call_uuid ON rs_call (call_uuid)
  WHERE call_uuid IS NOT NULL;

CREATE INDEX rs_call_live ON rs_call (started_ms, call_key)
  WHERE live = 1;

CREATE TABLE rs_call_tenant (
  day int NOT NULL,
  call_key binary(16) NOT NULL,
  tenant_id bigint NOT NULL,
  started_ms bigint NOT NULL,
  depth int NOT NULL,
  usage bigint,
  burst tinyint,
  CONSTRAINT rs_call_tenant_pk PRIMARY KEY CLUSTERED (day, call_key, tenant_id)
);

CREATE INDEX rs_call_tenant_started ON rs_call_tenant (tenant_id, started_ms, call_key);

CREATE TABLE rs_call_owner (
  day int NOT NULL,
  call_key binary(16) NOT NULL,
  n int NOT NULL,
  component_id bigint NOT NULL,
  from_ms bigint NOT NULL,
  CONSTRAINT rs_call_owner_pk PRIMARY KEY CLUSTERED (day, call_key, n)
);

-- the outcome that a media server computed itself
CREATE TABLE rs_var_call (
  day int NOT NULL,
  call_key binary(16) NOT NULL,
  result tinyint,
  reason nvarchar(512) COLLATE Latin1_General_100_BIN2,
  notes nvarchar(max) COLLATE Latin1_General_100_BIN2,
  CONSTRAINT rs_var_call_pk PRIMARY KEY CLUSTERED (day, call_key)
);

-- what the merge needs of the facts, as core/rs writes it
CREATE TABLE rs_call_fact_state (
  day int NOT NULL,
  call_key binary(16) NOT NULL,
  state varbinary(max) NOT NULL,
  CONSTRAINT rs_call_fact_state_pk PRIMARY KEY CLUSTERED (day, call_key)
);

-- zstd of the steps as JSON
CREATE TABLE rs_call_trace (
  day int NOT NULL,
  call_key binary(16) NOT NULL,
  steps varbinary(max) NOT NULL,
  CONSTRAINT rs_call_trace_pk PRIMARY KEY CLUSTERED (day, call_key)
);

-- call_ref: key of component and session
CREATE TABLE rs_call_event (
  day int NOT NULL,
  id_key binary(16) NOT NULL,
  call_ref binary(16) NOT NULL,
  guid nvarchar(128) COLLATE Latin1_General_100_BIN2,
  component_id bigint NOT NULL,
  session_id nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  time_ms bigint NOT NULL,
  seq bigint NOT NULL,
  level tinyint NOT NULL,
  log_id nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  label nvarchar(256) COLLATE Latin1_General_100_BIN2,
  text nvarchar(max) COLLATE Latin1_General_100_BIN2,
  CONSTRAINT rs_call_event_pk PRIMARY KEY CLUSTERED (day, id_key)
);

CREATE INDEX rs_call_event_session ON rs_call_event (component_id, session_id, time_ms, seq);

CREATE INDEX rs_call_event_guid ON rs_call_event (guid, time_ms, seq)
  WHERE session_id = N'';

CREATE INDEX rs_call_event_log ON rs_call_event (log_id, time_ms);

-- records of kinds that no table of this version takes: whole, for a later one
CREATE TABLE rs_kept_record (
  day int NOT NULL,
  id_key binary(16) NOT NULL,
  kind tinyint NOT NULL,
  id nvarchar(600) COLLATE Latin1_General_100_BIN2 NOT NULL,
  component_id bigint NOT NULL,
  time_ms bigint NOT NULL,
  received_ms bigint NOT NULL,
  body nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  CONSTRAINT rs_kept_record_pk PRIMARY KEY CLUSTERED (day, id_key)
);

CREATE INDEX rs_kept_record_kind ON rs_kept_record (kind, time_ms);

-- what could not be stored, kept whole
CREATE TABLE rs_dead_letter (
  no bigint IDENTITY(1, 1) NOT NULL,
  seq bigint NOT NULL,
  received_ms bigint NOT NULL,
  queue nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  transport nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  user_name nvarchar(max) COLLATE Latin1_General_100_BIN2,
  peer nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  message_id nvarchar(max) COLLATE Latin1_General_100_BIN2,
  properties nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  body varbinary(max) NOT NULL,
  code nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  field nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  text nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  producer nvarchar(256) COLLATE Latin1_General_100_BIN2,
  retries int NOT NULL
    CONSTRAINT rs_dead_letter_retries DEFAULT 0,
  state nvarchar(32) COLLATE Latin1_General_100_BIN2 NOT NULL
    CONSTRAINT rs_dead_letter_open DEFAULT N'open',
  CONSTRAINT rs_dead_letter_pk PRIMARY KEY CLUSTERED (no)
);

CREATE INDEX rs_dead_letter_state ON rs_dead_letter (state, received_ms);

CREATE INDEX rs_dead_letter_code ON rs_dead_letter (code);

CREATE INDEX rs_dead_letter_producer ON rs_dead_letter (producer);

-- received: interval set of sequences, pairs (first, last) of 64 bits, big-endian
CREATE TABLE rs_producer_stream (
  producer nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  boot bigint NOT NULL,
  stream tinyint NOT NULL,
  received varbinary(max) NOT NULL,
  max_seq bigint NOT NULL,
  announced_seq bigint NOT NULL,
  duplicates bigint NOT NULL,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL,
  CONSTRAINT rs_producer_stream_pk PRIMARY KEY CLUSTERED (producer, boot, stream)
);

CREATE INDEX rs_producer_stream_last ON rs_producer_stream (last_ms);

-- books of the producers
CREATE TABLE rs_integrity_minute (
  producer nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  minute_ms bigint NOT NULL,
  calls_in bigint NOT NULL,
  records_out bigint NOT NULL,
  adopted_in bigint NOT NULL,
  handed_out bigint NOT NULL,
  rejected bigint NOT NULL,
  in_progress bigint NOT NULL,
  CONSTRAINT rs_integrity_minute_pk PRIMARY KEY CLUSTERED (producer, minute_ms)
);

CREATE INDEX rs_integrity_minute_time ON rs_integrity_minute (minute_ms);

-- ends stored, by producer and minute of their time
CREATE TABLE rs_stored_minute (
  producer nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  minute_ms bigint NOT NULL,
  stored bigint NOT NULL,
  CONSTRAINT rs_stored_minute_pk PRIMARY KEY CLUSTERED (producer, minute_ms)
);

-- what was counted while it was stored
CREATE TABLE rs_figure (
  name nvarchar(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  producer nvarchar(256) COLLATE Latin1_General_100_BIN2 NOT NULL,
  value bigint NOT NULL,
  CONSTRAINT rs_figure_pk PRIMARY KEY CLUSTERED (name, producer)
);

-- GUIDs that do not carry their time
CREATE TABLE rs_call_day (
  guid nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  day int NOT NULL,
  CONSTRAINT rs_call_day_pk PRIMARY KEY CLUSTERED (guid, day)
);
GO
-- The views are what readers of SQL may rely on: native times, names, words.
CREATE VIEW v_calls AS
SELECT c.day, c.call_key, c.live,
  DATEADD(millisecond, c.started_ms % 86400000,
    DATEADD(day, c.started_ms / 86400000, CAST('1970-01-01' AS datetime2(3)))) AS started_at,
  DATEADD(millisecond, c.answered_ms % 86400000,
    DATEADD(day, c.answered_ms / 86400000, CAST('1970-01-01' AS datetime2(3)))) AS answered_at,
  DATEADD(millisecond, c.ended_ms % 86400000,
    DATEADD(day, c.ended_ms / 86400000, CAST('1970-01-01' AS datetime2(3)))) AS ended_at,
  c.duration_ms, k.word AS component_type, m.name AS component, c.component_id, c.session_id,
  c.guid, c.leg, c.epoch, y.word AS call_type, t.name AS tenant, c.tenant_id, p.name AS profile,
  c.profile_id, s.word AS service, c.dn, c.local_uri, c.remote_uri, c.call_id, c.call_uuid,
  c.resource_group, c.resource_name, c.resource_dbid, c.resource_address, c.attempts,
  e.word AS end_state, c.sip_status, c.reason, c.policy, c.profile_usage, c.profile_burst,
  c.asr_used, c.tts_used, c.media, c.origin, c.parent_key, c.sq_failed, c.config_rev, c.flags,
  c.extra
FROM rs_call AS c
LEFT JOIN rs_dim_component AS m ON m.id = c.component_id
LEFT JOIN rs_dim_tenant AS t ON t.id = c.tenant_id
LEFT JOIN rs_dim_profile AS p ON p.id = c.profile_id
LEFT JOIN rs_word AS k ON k.kind = 'component_type' AND k.number = c.component_type
LEFT JOIN rs_word AS y ON y.kind = 'call_type' AND y.number = c.call_type
LEFT JOIN rs_word AS s ON s.kind = 'service' AND s.number = c.service
LEFT JOIN rs_word AS e ON e.kind = 'end_state' AND e.number = c.end_state;
GO
CREATE VIEW v_call_tenants AS
SELECT c.day, c.call_key, c.tenant_id, t.name AS tenant, c.depth, c.usage, c.burst,
  DATEADD(millisecond, c.started_ms % 86400000,
    DATEADD(day, c.started_ms / 86400000, CAST('1970-01-01' AS datetime2(3)))) AS started_at
FROM rs_call_tenant AS c
LEFT JOIN rs_dim_tenant AS t ON t.id = c.tenant_id;
GO
CREATE VIEW v_events AS
SELECT v.day, v.call_ref, v.guid, v.component_id, m.name AS component, v.session_id,
  DATEADD(millisecond, v.time_ms % 86400000,
    DATEADD(day, v.time_ms / 86400000, CAST('1970-01-01' AS datetime2(3)))) AS happened_at,
  v.seq, l.word AS level, v.log_id, v.label, v.text
FROM rs_call_event AS v
LEFT JOIN rs_dim_component AS m ON m.id = v.component_id
LEFT JOIN rs_word AS l ON l.kind = 'level' AND l.number = v.level;
GO
CREATE VIEW v_var_calls AS
SELECT v.day, v.call_key, r.word AS result, v.reason, v.notes
FROM rs_var_call AS v
LEFT JOIN rs_word AS r ON r.kind = 'result' AND r.number = v.result;

GO
-- RS itself, and readers: those see all but what may hold whole messages, and notes of rs-init.
CREATE ROLE rs_writer;
GO
CREATE ROLE rs_reader;
GO
GRANT SELECT ON rs_schema_version TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_word TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_meta TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_spool_cursor TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_dim_component TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_dim_tenant TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_dim_profile TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_fact_ledger TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_call TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_call_tenant TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_call_owner TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_var_call TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_call_fact_state TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_call_trace TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_call_event TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_kept_record TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_dead_letter TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_producer_stream TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_integrity_minute TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_stored_minute TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_figure TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_call_day TO rs_writer;
GRANT SELECT ON v_calls TO rs_reader;
GRANT SELECT ON v_call_tenants TO rs_reader;
GRANT SELECT ON v_events TO rs_reader;
GRANT SELECT ON v_var_calls TO rs_reader;
GRANT SELECT ON rs_word TO rs_reader;
GRANT SELECT ON rs_spool_cursor TO rs_reader;
GRANT SELECT ON rs_dim_component TO rs_reader;
GRANT SELECT ON rs_dim_tenant TO rs_reader;
GRANT SELECT ON rs_dim_profile TO rs_reader;
GRANT SELECT ON rs_fact_ledger TO rs_reader;
GRANT SELECT ON rs_call TO rs_reader;
GRANT SELECT ON rs_call_tenant TO rs_reader;
GRANT SELECT ON rs_call_owner TO rs_reader;
GRANT SELECT ON rs_var_call TO rs_reader;
GRANT SELECT ON rs_call_fact_state TO rs_reader;
GRANT SELECT ON rs_call_trace TO rs_reader;
GRANT SELECT ON rs_call_event TO rs_reader;
GRANT SELECT ON rs_kept_record TO rs_reader;
GRANT SELECT ON rs_producer_stream TO rs_reader;
GRANT SELECT ON rs_integrity_minute TO rs_reader;
GRANT SELECT ON rs_stored_minute TO rs_reader;
GRANT SELECT ON rs_figure TO rs_reader;
GRANT SELECT ON rs_call_day TO rs_reader;
