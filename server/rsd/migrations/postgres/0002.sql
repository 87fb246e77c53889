-- What hangs on calls: reports of voice applications and quality (spec rs.md §2.5, §2.7),
-- integrity by start of a producer, and what operators did (§6, §8).

ALTER TABLE rs_var_call ADD COLUMN actions bigint NOT NULL DEFAULT 0;
ALTER TABLE rs_var_call ADD COLUMN ignored bigint NOT NULL DEFAULT 0;

CREATE TABLE rs_var_action (
  day integer NOT NULL,
  call_key uuid NOT NULL,
  n bigint NOT NULL,
  action text COLLATE "C" NOT NULL,
  parent_n bigint,
  started_ms bigint NOT NULL,
  ended_ms bigint,
  result smallint,
  reason text COLLATE "C",
  notes text COLLATE "C",
  is_last boolean NOT NULL,
  PRIMARY KEY (day, call_key, n)
) PARTITION BY RANGE (day);
CREATE INDEX rs_var_action_name ON rs_var_action (action);

CREATE TABLE rs_var_custom (
  day integer NOT NULL,
  call_key uuid NOT NULL,
  name text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  PRIMARY KEY (day, call_key, name)
) PARTITION BY RANGE (day);
CREATE INDEX rs_var_custom_value ON rs_var_custom (name, value);

-- reports are events; these are found without reading all events of their session
CREATE INDEX rs_call_event_var ON rs_call_event (component_id, session_id, guid)
  WHERE label LIKE 'com.genesyslab.var.%';

-- fact: as core/rs writes it
CREATE TABLE rs_sq_call (
  day integer NOT NULL,
  id_key uuid NOT NULL,
  component_id bigint NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  guid text COLLATE "C",
  time_ms bigint NOT NULL,
  failed boolean NOT NULL,
  fact bytea NOT NULL,
  PRIMARY KEY (day, id_key)
) PARTITION BY RANGE (day);
CREATE INDEX rs_sq_call_session ON rs_sq_call (component_id, session_id, guid);

-- id_key: the record that told it
CREATE TABLE rs_sq_failure (
  day integer NOT NULL,
  failure_key uuid NOT NULL,
  id_key uuid NOT NULL,
  time_ms bigint NOT NULL,
  component_id bigint NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  guid text COLLATE "C",
  profile_id bigint,
  tenant_id bigint,
  type smallint NOT NULL,
  latency_type text COLLATE "C",
  value_ms bigint,
  threshold_ms bigint,
  text text COLLATE "C",
  PRIMARY KEY (day, failure_key)
) PARTITION BY RANGE (day);
CREATE INDEX rs_sq_failure_record ON rs_sq_failure (id_key);
CREATE INDEX rs_sq_failure_time ON rs_sq_failure (time_ms);
CREATE INDEX rs_sq_failure_component ON rs_sq_failure (component_id, time_ms);
CREATE INDEX rs_sq_failure_profile ON rs_sq_failure (profile_id, time_ms);

-- what is missing: from, to, since, 8 bytes each
ALTER TABLE rs_producer_stream ADD COLUMN gaps bytea NOT NULL DEFAULT '';

-- boot: -1 = none; 0 of what was stored before
ALTER TABLE rs_integrity_minute ADD COLUMN boot bigint NOT NULL DEFAULT 0;
ALTER TABLE rs_integrity_minute DROP CONSTRAINT rs_integrity_minute_pkey;
ALTER TABLE rs_integrity_minute ADD PRIMARY KEY (producer, boot, minute_ms);
ALTER TABLE rs_stored_minute ADD COLUMN boot bigint NOT NULL DEFAULT 0;
ALTER TABLE rs_stored_minute DROP CONSTRAINT rs_stored_minute_pkey;
ALTER TABLE rs_stored_minute ADD PRIMARY KEY (producer, boot, minute_ms);

-- append only
CREATE TABLE rs_audit_log (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  day integer NOT NULL,
  time_ms bigint NOT NULL,
  user_name text COLLATE "C",
  address text COLLATE "C" NOT NULL,
  action text COLLATE "C" NOT NULL,
  object text COLLATE "C" NOT NULL,
  detail text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL
);
CREATE INDEX rs_audit_log_time ON rs_audit_log (time_ms);
CREATE INDEX rs_audit_log_user ON rs_audit_log (user_name, time_ms);

-- days far from today share a partition
DO $$
DECLARE
  parent text;
BEGIN
  FOREACH parent IN ARRAY ARRAY['rs_var_action', 'rs_var_custom', 'rs_sq_call', 'rs_sq_failure']
  LOOP
    EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', parent || '_other', parent);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION rs_make_day(day integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  parent text;
  held boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(7237405, 1);
  FOREACH parent IN ARRAY ARRAY['rs_fact_ledger', 'rs_call', 'rs_call_tenant', 'rs_call_owner',
    'rs_var_call', 'rs_call_fact_state', 'rs_call_trace', 'rs_call_event', 'rs_kept_record',
    'rs_var_action', 'rs_var_custom', 'rs_sq_call', 'rs_sq_failure']
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE day = %s)', parent || '_other', day)
      INTO held;
    IF NOT held THEN
      EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
        parent || '_' || day, parent, day, day + 1);
    END IF;
  END LOOP;
END $$;
