-- Rollups (spec rs.md §3.2, §4): bins, the marks of what is to be made again, and the latest of
-- figures that need no bin. All that is stored already is marked.

CREATE TABLE rs_or_bin (
  gran smallint NOT NULL,
  bin_ms bigint NOT NULL,
  measure smallint NOT NULL,
  dim smallint NOT NULL,
  dim_id bigint NOT NULL,
  sub smallint NOT NULL,
  call_type smallint NOT NULL,
  count bigint NOT NULL,
  rejected bigint NOT NULL,
  ended bigint NOT NULL,
  duration_ms bigint NOT NULL,
  max_duration_ms bigint NOT NULL,
  answered bigint NOT NULL,
  answered_ms bigint NOT NULL,
  port_ms bigint NOT NULL,
  PRIMARY KEY (gran, dim, dim_id, bin_ms, measure, sub, call_type)
);
CREATE INDEX rs_or_bin_time ON rs_or_bin (gran, bin_ms);

-- peak_by_type: {"number of the call type": level}; types: level_start and net by call type, and
-- deltas: as core/rs writes them
CREATE TABLE rs_conc_bin (
  gran smallint NOT NULL,
  bin_ms bigint NOT NULL,
  measure smallint NOT NULL,
  dim smallint NOT NULL,
  dim_id bigint NOT NULL,
  sub smallint NOT NULL,
  level_start bigint NOT NULL,
  peak bigint NOT NULL,
  peak_ms bigint NOT NULL,
  peak_by_type text COLLATE "C" NOT NULL,
  net bigint NOT NULL,
  types bytea NOT NULL,
  deltas bytea,
  PRIMARY KEY (gran, dim, dim_id, measure, sub, bin_ms)
);
CREATE INDEX rs_conc_bin_time ON rs_conc_bin (gran, bin_ms);

-- reason_key: of rs_text_dim; 0 = none
CREATE TABLE rs_var_bin (
  gran smallint NOT NULL,
  bin_ms bigint NOT NULL,
  dim smallint NOT NULL,
  dim_id bigint NOT NULL,
  result smallint NOT NULL,
  reason_key bigint NOT NULL,
  count bigint NOT NULL,
  duration_ms bigint NOT NULL,
  PRIMARY KEY (gran, dim, dim_id, bin_ms, result, reason_key)
);
CREATE INDEX rs_var_bin_time ON rs_var_bin (gran, bin_ms);

CREATE TABLE rs_var_action_bin (
  gran smallint NOT NULL,
  bin_ms bigint NOT NULL,
  dim smallint NOT NULL,
  dim_id bigint NOT NULL,
  action_key bigint NOT NULL,
  result smallint NOT NULL,
  count bigint NOT NULL,
  last_count bigint NOT NULL,
  duration_ms bigint NOT NULL,
  min_ms bigint NOT NULL,
  max_ms bigint NOT NULL,
  PRIMARY KEY (gran, dim, dim_id, bin_ms, action_key, result)
);
CREATE INDEX rs_var_action_bin_time ON rs_var_action_bin (gran, bin_ms);

-- by_type: {"number of the failure type": calls}
CREATE TABLE rs_sq_bin (
  gran smallint NOT NULL,
  bin_ms bigint NOT NULL,
  dim smallint NOT NULL,
  dim_id bigint NOT NULL,
  calls bigint NOT NULL,
  failed bigint NOT NULL,
  by_type text COLLATE "C" NOT NULL,
  PRIMARY KEY (gran, dim, dim_id, bin_ms)
);
CREATE INDEX rs_sq_bin_time ON rs_sq_bin (gran, bin_ms);

-- the sum of squares is sumsq_high * 2^63 + sumsq_low; hist: as core/rs writes it
CREATE TABLE rs_latency_bin (
  gran smallint NOT NULL,
  bin_ms bigint NOT NULL,
  component_id bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  sum bigint NOT NULL,
  sumsq_high bigint NOT NULL,
  sumsq_low bigint NOT NULL,
  min bigint NOT NULL,
  max bigint NOT NULL,
  hist bytea NOT NULL,
  PRIMARY KEY (gran, component_id, bin_ms, type)
);
CREATE INDEX rs_latency_bin_time ON rs_latency_bin (gran, bin_ms);

-- reasons, actions and numbers of bins
CREATE TABLE rs_text_dim (
  key bigint PRIMARY KEY,
  value text COLLATE "C" NOT NULL
);

-- job: 0 = spread, else the granularity; day: whose facts marked it, 0 = of no call, or the job
-- itself; version: times that it was written
CREATE TABLE rs_dirty_bin (
  job smallint NOT NULL,
  bin_ms bigint NOT NULL,
  day integer NOT NULL,
  since_ms bigint NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (job, bin_ms, day)
);
CREATE INDEX rs_dirty_bin_day ON rs_dirty_bin (day);

-- the five-minute bins that the facts of a day touch lie between these
CREATE TABLE rs_fact_span (
  day integer PRIMARY KEY,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL
);

-- numbers that have figures, by the day of the arrival
CREATE TABLE rs_day_number (
  day integer NOT NULL,
  dim_id bigint NOT NULL,
  PRIMARY KEY (day, dim_id)
);

-- the latest of each; ids: 0 = none
CREATE TABLE rs_outbound_total (
  component_id bigint NOT NULL,
  tenant_id bigint NOT NULL,
  profile_id bigint NOT NULL,
  queued bigint NOT NULL,
  successful bigint NOT NULL,
  failed bigint NOT NULL,
  updated_ms bigint NOT NULL,
  id_key uuid NOT NULL,
  PRIMARY KEY (component_id, tenant_id, profile_id)
);
CREATE TABLE rs_snmp_value (
  component_id bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  updated_ms bigint NOT NULL,
  id_key uuid NOT NULL,
  PRIMARY KEY (component_id, name)
);

-- what finds the calls of a bin, and the producers' own figures by the bin that they are about
CREATE INDEX rs_call_ended ON rs_call (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX rs_call_owner_from ON rs_call_owner (from_ms);
CREATE INDEX rs_call_event_ports ON rs_call_event (component_id, session_id, guid)
  WHERE log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close');
ALTER TABLE rs_kept_record ADD COLUMN bin_ms bigint;
CREATE INDEX rs_kept_record_bin ON rs_kept_record (bin_ms) WHERE bin_ms IS NOT NULL;

-- The start of a body's bin. A body that is no JSON has none.
CREATE FUNCTION rs_bin_start(body text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN 1000 * floor(extract(epoch FROM (body::jsonb ->> 'bin_start')::timestamptz))::bigint;
EXCEPTION WHEN data_exception THEN
  RETURN NULL;
END $$;
UPDATE rs_kept_record SET bin_ms = rs_bin_start(body);
DROP FUNCTION rs_bin_start(text);

INSERT INTO rs_dirty_bin
  SELECT DISTINCT 1, at_ms - at_ms % 300000, day, 0, 1 FROM (
    SELECT day, started_ms AS at_ms FROM rs_call
    UNION ALL SELECT day, ended_ms FROM rs_call WHERE ended_ms IS NOT NULL
    UNION ALL SELECT day, from_ms FROM rs_call_owner) instants;
INSERT INTO rs_dirty_bin
  SELECT DISTINCT 0, time_ms - time_ms % 300000, day, 0, 1 FROM rs_call_event
  WHERE log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close');
-- legs of sessions that may be stored under several days
INSERT INTO rs_dirty_bin
  SELECT DISTINCT 0, started_ms - started_ms % 300000, day, 0, 1 FROM rs_call
  WHERE guid IS NOT NULL AND leg IS NOT NULL AND guid NOT LIKE
    '________-____-7___-____-____________'
  ON CONFLICT DO NOTHING;
INSERT INTO rs_dirty_bin
  SELECT DISTINCT 1, bin_ms - bin_ms % 300000 + later, 0, 0, 1
  FROM rs_kept_record, (VALUES (0), (300000)) more (later)
  WHERE bin_ms IS NOT NULL;

-- for direct readers: names beside ids
CREATE VIEW rs_granularity AS
  SELECT * FROM (VALUES (1, 'FIVE_MINUTES'), (2, 'THIRTY_MINUTES'), (3, 'HOUR'), (4, 'DAY'),
    (5, 'WEEK'), (6, 'MONTH')) g (gran, name);
CREATE VIEW rs_dimension AS
  SELECT * FROM (VALUES (0, 'all'), (1, 'kind'), (2, 'component'), (3, 'tenant'), (4, 'profile'),
    (5, 'dn'), (6, 'service')) d (dim, name);
CREATE VIEW rs_measure AS
  SELECT * FROM (VALUES (1, 'legs'), (2, 'sessions'), (3, 'asr'), (4, 'tts')) m (measure, name);
CREATE VIEW rs_dim_name AS
  SELECT 2 AS dim, id, name FROM rs_dim_component UNION ALL SELECT 3, id, name FROM rs_dim_tenant
  UNION ALL SELECT 4, id, name FROM rs_dim_profile UNION ALL SELECT 5, key, value FROM rs_text_dim;
CREATE VIEW v_arrivals AS
  SELECT g.name AS granularity, to_timestamp(b.bin_ms / 1000.0) AS bin, m.name AS measure,
    d.name AS dimension, b.dim_id, n.name AS object, b.sub, b.call_type, b.count, b.rejected,
    b.ended, b.duration_ms, b.max_duration_ms, b.answered, b.answered_ms, b.port_ms
  FROM rs_or_bin b JOIN rs_granularity g ON g.gran = b.gran JOIN rs_dimension d ON d.dim = b.dim
    JOIN rs_measure m ON m.measure = b.measure
    LEFT JOIN rs_dim_name n ON n.dim = b.dim AND n.id = b.dim_id;
CREATE VIEW v_peaks AS
  SELECT g.name AS granularity, to_timestamp(b.bin_ms / 1000.0) AS bin, m.name AS measure,
    d.name AS dimension, b.dim_id, n.name AS object, b.sub, b.level_start, b.peak,
    to_timestamp(b.peak_ms / 1000.0) AS peak_time, b.peak_by_type::jsonb, b.net
  FROM rs_conc_bin b JOIN rs_granularity g ON g.gran = b.gran JOIN rs_dimension d ON d.dim = b.dim
    JOIN rs_measure m ON m.measure = b.measure
    LEFT JOIN rs_dim_name n ON n.dim = b.dim AND n.id = b.dim_id;
CREATE VIEW v_latencies AS
  SELECT g.name AS granularity, to_timestamp(b.bin_ms / 1000.0) AS bin, b.component_id,
    n.name AS component, b.type, b.count, b.sum, b.min, b.max
  FROM rs_latency_bin b JOIN rs_granularity g ON g.gran = b.gran
    LEFT JOIN rs_dim_component n ON n.id = b.component_id;
CREATE VIEW v_var_actions AS
  SELECT g.name AS granularity, to_timestamp(b.bin_ms / 1000.0) AS bin, d.name AS dimension,
    b.dim_id, n.name AS object, t.value AS action, b.result, b.count, b.last_count,
    b.duration_ms, b.min_ms, b.max_ms
  FROM rs_var_action_bin b JOIN rs_granularity g ON g.gran = b.gran
    JOIN rs_dimension d ON d.dim = b.dim
    LEFT JOIN rs_dim_name n ON n.dim = b.dim AND n.id = b.dim_id
    LEFT JOIN rs_text_dim t ON t.key = b.action_key;
CREATE VIEW v_var_calls AS
  SELECT day, call_key, result, reason, notes, actions, ignored FROM rs_var_call;
