-- The schema of an RS on PostgreSQL 13 or later (spec rs.md §3.2, §3.3). Times are UTC ms, days
-- yyyymmdd in UTC, keys of 16 bytes are uuid, enumerations the numbers of the record's word lists.
-- Text compares byte by byte whatever the database's collation is. Facts are partitioned by day.

CREATE TABLE rs_meta (
  key text COLLATE "C" PRIMARY KEY,
  value text COLLATE "C" NOT NULL
);

-- every frame of that RS's spool up to spool_seq is in the database
CREATE TABLE rs_spool_cursor (
  rs_name text COLLATE "C" NOT NULL,
  spool_id text COLLATE "C" NOT NULL,
  spool_seq bigint NOT NULL,
  updated_ms bigint NOT NULL,
  PRIMARY KEY (rs_name, spool_id)
);

-- objects; ids from 3 000 000 000 on are synthetic: only the name is known
CREATE TABLE rs_dim_component (
  id bigint PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  type smallint NOT NULL,
  synthetic boolean NOT NULL,
  alias_of bigint,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL
);
CREATE INDEX rs_dim_component_name ON rs_dim_component (name, synthetic);
CREATE TABLE rs_dim_tenant (
  id bigint PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  parent_id bigint,
  path text COLLATE "C" NOT NULL,
  synthetic boolean NOT NULL,
  alias_of bigint,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL
);
CREATE INDEX rs_dim_tenant_name ON rs_dim_tenant (name, synthetic);
CREATE TABLE rs_dim_profile (
  id bigint PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  tenant_id bigint,
  service smallint,
  synthetic boolean NOT NULL,
  alias_of bigint,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL
);
CREATE INDEX rs_dim_profile_name ON rs_dim_profile (name, synthetic);

CREATE TABLE rs_fact_ledger (
  day integer NOT NULL,
  id_key uuid NOT NULL,
  content_hash uuid NOT NULL,
  received_ms bigint NOT NULL,
  PRIMARY KEY (day, id_key)
) PARTITION BY RANGE (day);

CREATE TABLE rs_call (
  day integer NOT NULL,
  call_key uuid NOT NULL,
  live boolean NOT NULL,
  row_version bigint NOT NULL,
  last_fact_ms bigint NOT NULL,
  started_ms bigint NOT NULL,
  answered_ms bigint,
  ended_ms bigint,
  duration_ms bigint,
  component_type smallint NOT NULL,
  component_id bigint NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  guid text COLLATE "C",
  leg bigint,
  epoch bigint NOT NULL,
  call_type smallint NOT NULL,
  tenant_id bigint,
  profile_id bigint,
  service smallint,
  dn text COLLATE "C",
  local_uri text COLLATE "C" NOT NULL,
  remote_uri text COLLATE "C" NOT NULL,
  call_id text COLLATE "C",
  call_uuid text COLLATE "C",
  resource_group text COLLATE "C",
  resource_name text COLLATE "C",
  resource_dbid bigint,
  resource_address text COLLATE "C",
  attempts bigint,
  end_state smallint,
  sip_status integer,
  reason text COLLATE "C",
  policy jsonb,
  profile_usage bigint,
  profile_burst smallint,
  asr_used boolean,
  tts_used boolean,
  media jsonb,
  origin text COLLATE "C",
  parent_key uuid,
  sq_failed boolean,
  config_rev bigint,
  flags bigint NOT NULL,
  extra jsonb,
  PRIMARY KEY (day, call_key)
) PARTITION BY RANGE (day);
CREATE INDEX rs_call_started ON rs_call (started_ms, call_key);
CREATE INDEX rs_call_type_started ON rs_call (component_type, started_ms, call_key);
CREATE INDEX rs_call_profile ON rs_call (profile_id, started_ms);
CREATE INDEX rs_call_dn ON rs_call (dn, started_ms);
CREATE INDEX rs_call_guid ON rs_call (guid, started_ms, call_key);
CREATE INDEX rs_call_session ON rs_call (component_id, session_id);
CREATE INDEX rs_call_uuid ON rs_call (call_uuid) WHERE call_uuid IS NOT NULL;
CREATE INDEX rs_call_live ON rs_call (started_ms, call_key) WHERE live;

CREATE TABLE rs_call_tenant (
  day integer NOT NULL,
  call_key uuid NOT NULL,
  tenant_id bigint NOT NULL,
  started_ms bigint NOT NULL,
  depth integer NOT NULL,
  usage bigint,
  burst smallint,
  PRIMARY KEY (day, call_key, tenant_id)
) PARTITION BY RANGE (day);
CREATE INDEX rs_call_tenant_started ON rs_call_tenant (tenant_id, started_ms, call_key);

CREATE TABLE rs_call_owner (
  day integer NOT NULL,
  call_key uuid NOT NULL,
  n integer NOT NULL,
  component_id bigint NOT NULL,
  from_ms bigint NOT NULL,
  PRIMARY KEY (day, call_key, n)
) PARTITION BY RANGE (day);

-- the outcome that a media server computed itself
CREATE TABLE rs_var_call (
  day integer NOT NULL,
  call_key uuid NOT NULL,
  result smallint,
  reason text COLLATE "C",
  notes text COLLATE "C",
  PRIMARY KEY (day, call_key)
) PARTITION BY RANGE (day);

-- what the merge needs of the facts, as core/rs writes it
CREATE TABLE rs_call_fact_state (
  day integer NOT NULL,
  call_key uuid NOT NULL,
  state bytea NOT NULL,
  PRIMARY KEY (day, call_key)
) PARTITION BY RANGE (day);

-- zstd of the steps as JSON
CREATE TABLE rs_call_trace (
  day integer NOT NULL,
  call_key uuid NOT NULL,
  steps bytea NOT NULL,
  PRIMARY KEY (day, call_key)
) PARTITION BY RANGE (day);

-- call_ref: key of component and session
CREATE TABLE rs_call_event (
  day integer NOT NULL,
  id_key uuid NOT NULL,
  call_ref uuid NOT NULL,
  guid text COLLATE "C",
  component_id bigint NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  time_ms bigint NOT NULL,
  seq bigint NOT NULL,
  level smallint NOT NULL,
  log_id text COLLATE "C" NOT NULL,
  label text COLLATE "C",
  text text COLLATE "C",
  PRIMARY KEY (day, id_key)
) PARTITION BY RANGE (day);
CREATE INDEX rs_call_event_session ON rs_call_event (component_id, session_id, time_ms, seq);
CREATE INDEX rs_call_event_guid ON rs_call_event (guid, time_ms, seq) WHERE session_id = '';
CREATE INDEX rs_call_event_log ON rs_call_event (log_id, time_ms);

CREATE TABLE rs_kept_record (
  day integer NOT NULL,
  id_key uuid NOT NULL,
  kind smallint NOT NULL,
  id text COLLATE "C" NOT NULL,
  component_id bigint,
  time_ms bigint NOT NULL,
  received_ms bigint NOT NULL,
  body text COLLATE "C" NOT NULL,
  PRIMARY KEY (day, id_key)
) PARTITION BY RANGE (day);
CREATE INDEX rs_kept_record_kind ON rs_kept_record (kind, time_ms);

CREATE TABLE rs_dead_letter (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  seq bigint NOT NULL,
  received_ms bigint NOT NULL,
  queue text COLLATE "C" NOT NULL,
  transport text COLLATE "C" NOT NULL,
  user_name text COLLATE "C",
  peer text COLLATE "C" NOT NULL,
  message_id text COLLATE "C",
  properties text COLLATE "C" NOT NULL,
  body bytea NOT NULL,
  code text COLLATE "C" NOT NULL,
  field text COLLATE "C" NOT NULL,
  text text COLLATE "C" NOT NULL,
  producer text COLLATE "C",
  retries integer NOT NULL DEFAULT 0,
  state text COLLATE "C" NOT NULL DEFAULT 'open'
);
CREATE INDEX rs_dead_letter_state ON rs_dead_letter (state, received_ms);
CREATE INDEX rs_dead_letter_code ON rs_dead_letter (code);
CREATE INDEX rs_dead_letter_producer ON rs_dead_letter (producer);

-- received: interval set of sequences, pairs (first, last) of u64 big-endian
CREATE TABLE rs_producer_stream (
  producer text COLLATE "C" NOT NULL,
  boot bigint NOT NULL,
  stream smallint NOT NULL,
  received bytea NOT NULL,
  max_seq bigint NOT NULL,
  announced_seq bigint NOT NULL,
  duplicates bigint NOT NULL,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL,
  PRIMARY KEY (producer, boot, stream)
);
CREATE INDEX rs_producer_stream_last ON rs_producer_stream (last_ms);

-- books of the producers, and what was stored of them
CREATE TABLE rs_integrity_minute (
  producer text COLLATE "C" NOT NULL,
  minute_ms bigint NOT NULL,
  calls_in bigint NOT NULL,
  records_out bigint NOT NULL,
  adopted_in bigint NOT NULL,
  handed_out bigint NOT NULL,
  rejected bigint NOT NULL,
  in_progress bigint NOT NULL,
  PRIMARY KEY (producer, minute_ms)
);
CREATE INDEX rs_integrity_minute_time ON rs_integrity_minute (minute_ms);
CREATE TABLE rs_stored_minute (
  producer text COLLATE "C" NOT NULL,
  minute_ms bigint NOT NULL,
  stored bigint NOT NULL,
  PRIMARY KEY (producer, minute_ms)
);
CREATE TABLE rs_figure (
  name text COLLATE "C" NOT NULL,
  producer text COLLATE "C" NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY (name, producer)
);

-- GUIDs that do not carry their time
CREATE TABLE rs_call_day (
  guid text COLLATE "C" NOT NULL,
  day integer NOT NULL,
  PRIMARY KEY (guid, day)
);

-- Days far from today share a partition: a producer whose clock is wrong cannot make thousands.
DO $$
DECLARE
  parent text;
BEGIN
  FOREACH parent IN ARRAY ARRAY['rs_fact_ledger', 'rs_call', 'rs_call_tenant', 'rs_call_owner',
    'rs_var_call', 'rs_call_fact_state', 'rs_call_trace', 'rs_call_event', 'rs_kept_record']
  LOOP
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_other', parent);
  END LOOP;
END $$;

-- The partitions of a day, made ahead and on demand; of the owner, so that the writer needs no
-- right to create. A day that has rows among the others stays there.
CREATE FUNCTION rs_make_day(day integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  parent text;
  held boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(7237405, 1);
  FOREACH parent IN ARRAY ARRAY['rs_fact_ledger', 'rs_call', 'rs_call_tenant', 'rs_call_owner',
    'rs_var_call', 'rs_call_fact_state', 'rs_call_trace', 'rs_call_event', 'rs_kept_record']
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE day = %s)', parent || '_other', day)
      INTO held;
    IF NOT held THEN
      EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
        parent || '_' || day, parent, day, day + 1);
    END IF;
  END LOOP;
END $$;

-- For readers of the SQL: times as timestamps, objects by name.
CREATE VIEW v_calls AS
SELECT c.day, c.call_key, to_timestamp(c.started_ms / 1000.0) AS started,
  to_timestamp(c.answered_ms / 1000.0) AS answered, to_timestamp(c.ended_ms / 1000.0) AS ended,
  c.duration_ms, c.component_type, d.name AS component, c.session_id, c.guid, c.leg, c.epoch,
  c.call_type, t.name AS tenant, p.name AS profile, c.service, c.dn, c.local_uri, c.remote_uri,
  c.call_id, c.call_uuid, c.resource_group, c.resource_name, c.resource_address, c.attempts,
  c.end_state, c.sip_status, c.reason, c.policy, c.profile_usage, c.profile_burst, c.asr_used,
  c.tts_used, c.media, c.origin, c.sq_failed, c.config_rev, c.flags, c.extra
FROM rs_call c
LEFT JOIN rs_dim_component d ON d.id = c.component_id
LEFT JOIN rs_dim_tenant t ON t.id = c.tenant_id
LEFT JOIN rs_dim_profile p ON p.id = c.profile_id;

CREATE VIEW v_call_tenants AS
SELECT c.day, c.call_key, to_timestamp(c.started_ms / 1000.0) AS started, t.name AS tenant,
  c.depth, c.usage, c.burst
FROM rs_call_tenant c LEFT JOIN rs_dim_tenant t ON t.id = c.tenant_id;

CREATE VIEW v_events AS
SELECT e.day, e.call_ref, e.guid, d.name AS component, e.session_id,
  to_timestamp(e.time_ms / 1000.0) AS at, e.seq, e.level, e.log_id, e.label, e.text
FROM rs_call_event e LEFT JOIN rs_dim_component d ON d.id = e.component_id;
