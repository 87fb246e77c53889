-- Rollups (spec rs.md §3.2, §4): bins, and what the job that makes them keeps.

-- what is decided for the whole database, by key
CREATE TABLE rs_meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rs_or_bin (
  gran INTEGER NOT NULL,
  bin_ms INTEGER NOT NULL,
  measure INTEGER NOT NULL,
  dim INTEGER NOT NULL,
  dim_id INTEGER NOT NULL,
  sub INTEGER NOT NULL,
  call_type INTEGER NOT NULL,
  count INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  max_duration_ms INTEGER NOT NULL,
  answered INTEGER NOT NULL,
  answered_ms INTEGER NOT NULL,
  port_ms INTEGER NOT NULL,
  PRIMARY KEY (gran, dim, dim_id, bin_ms, measure, sub, call_type)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_or_bin_time ON rs_or_bin (gran, bin_ms);

-- peak_by_type: {"number of the call type": level}; types: level_start and net by call type, and
-- deltas: as core/rs writes them
CREATE TABLE rs_conc_bin (
  gran INTEGER NOT NULL,
  bin_ms INTEGER NOT NULL,
  measure INTEGER NOT NULL,
  dim INTEGER NOT NULL,
  dim_id INTEGER NOT NULL,
  sub INTEGER NOT NULL,
  level_start INTEGER NOT NULL,
  peak INTEGER NOT NULL,
  peak_ms INTEGER NOT NULL,
  peak_by_type TEXT NOT NULL,
  net INTEGER NOT NULL,
  types BLOB NOT NULL,
  deltas BLOB,
  PRIMARY KEY (gran, dim, dim_id, measure, sub, bin_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_conc_bin_time ON rs_conc_bin (gran, bin_ms);

-- reason_key: of rs_text_dim; 0 = none
CREATE TABLE rs_var_bin (
  gran INTEGER NOT NULL,
  bin_ms INTEGER NOT NULL,
  dim INTEGER NOT NULL,
  dim_id INTEGER NOT NULL,
  result INTEGER NOT NULL,
  reason_key INTEGER NOT NULL,
  count INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  PRIMARY KEY (gran, dim, dim_id, bin_ms, result, reason_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_var_bin_time ON rs_var_bin (gran, bin_ms);

CREATE TABLE rs_var_action_bin (
  gran INTEGER NOT NULL,
  bin_ms INTEGER NOT NULL,
  dim INTEGER NOT NULL,
  dim_id INTEGER NOT NULL,
  action_key INTEGER NOT NULL,
  result INTEGER NOT NULL,
  count INTEGER NOT NULL,
  last_count INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  min_ms INTEGER NOT NULL,
  max_ms INTEGER NOT NULL,
  PRIMARY KEY (gran, dim, dim_id, bin_ms, action_key, result)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_var_action_bin_time ON rs_var_action_bin (gran, bin_ms);

-- by_type: {"number of the failure type": calls}
CREATE TABLE rs_sq_bin (
  gran INTEGER NOT NULL,
  bin_ms INTEGER NOT NULL,
  dim INTEGER NOT NULL,
  dim_id INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  by_type TEXT NOT NULL,
  PRIMARY KEY (gran, dim, dim_id, bin_ms)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_sq_bin_time ON rs_sq_bin (gran, bin_ms);

-- the sum of squares is sumsq_high * 2^63 + sumsq_low; hist: as core/rs writes it
CREATE TABLE rs_latency_bin (
  gran INTEGER NOT NULL,
  bin_ms INTEGER NOT NULL,
  component_id INTEGER NOT NULL,
  type TEXT NOT NULL,
  count INTEGER NOT NULL,
  sum INTEGER NOT NULL,
  sumsq_high INTEGER NOT NULL,
  sumsq_low INTEGER NOT NULL,
  min INTEGER NOT NULL,
  max INTEGER NOT NULL,
  hist BLOB NOT NULL,
  PRIMARY KEY (gran, component_id, bin_ms, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_latency_bin_time ON rs_latency_bin (gran, bin_ms);

-- reasons, actions and numbers of bins
CREATE TABLE rs_text_dim (
  key INTEGER PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

-- marks of facts that hang on no call, and of the job itself; those of calls are in the days' files.
-- job: 0 = spread, else the granularity; version: times that it was written
CREATE TABLE rs_dirty_bin (
  job INTEGER NOT NULL,
  bin_ms INTEGER NOT NULL,
  day INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (job, bin_ms, day)
) STRICT, WITHOUT ROWID;

-- the five-minute bins that the facts of a day touch lie between these
CREATE TABLE rs_fact_span (
  day INTEGER PRIMARY KEY,
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL
) STRICT;

-- numbers that have figures, by the day of the arrival
CREATE TABLE rs_day_number (
  day INTEGER NOT NULL,
  dim_id INTEGER NOT NULL,
  PRIMARY KEY (day, dim_id)
) STRICT, WITHOUT ROWID;

-- the latest of each; ids: 0 = none
CREATE TABLE rs_outbound_total (
  component_id INTEGER NOT NULL,
  tenant_id INTEGER NOT NULL,
  profile_id INTEGER NOT NULL,
  queued INTEGER NOT NULL,
  successful INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  id_key BLOB NOT NULL,
  PRIMARY KEY (component_id, tenant_id, profile_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE rs_snmp_value (
  component_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_ms INTEGER NOT NULL,
  id_key BLOB NOT NULL,
  PRIMARY KEY (component_id, name)
) STRICT, WITHOUT ROWID;

-- start of the bin that a producer's own figures are about, and marks of what is stored already
ALTER TABLE rs_kept_record ADD COLUMN bin_ms INTEGER;
UPDATE rs_kept_record SET bin_ms =
  1000 * unixepoch(CASE WHEN json_valid(body) THEN json_extract(body, '$.bin_start') END);
CREATE INDEX rs_kept_record_bin ON rs_kept_record (bin_ms) WHERE bin_ms IS NOT NULL;
INSERT INTO rs_dirty_bin
  SELECT DISTINCT 1, bin_ms - bin_ms % 300000 + later, 0, 0, 1
  FROM rs_kept_record, (SELECT 0 AS later UNION ALL SELECT 300000)
  WHERE bin_ms IS NOT NULL;

-- for direct readers: names beside ids
CREATE VIEW rs_granularity AS
  SELECT 1 AS gran, 'FIVE_MINUTES' AS name UNION ALL SELECT 2, 'THIRTY_MINUTES'
  UNION ALL SELECT 3, 'HOUR' UNION ALL SELECT 4, 'DAY' UNION ALL SELECT 5, 'WEEK'
  UNION ALL SELECT 6, 'MONTH';
CREATE VIEW rs_dimension AS
  SELECT 0 AS dim, 'all' AS name UNION ALL SELECT 1, 'kind' UNION ALL SELECT 2, 'component'
  UNION ALL SELECT 3, 'tenant' UNION ALL SELECT 4, 'profile' UNION ALL SELECT 5, 'dn'
  UNION ALL SELECT 6, 'service';
CREATE VIEW rs_dim_name AS
  SELECT 2 AS dim, id, name FROM rs_dim_component UNION ALL SELECT 3, id, name FROM rs_dim_tenant
  UNION ALL SELECT 4, id, name FROM rs_dim_profile UNION ALL SELECT 5, key, value FROM rs_text_dim;
CREATE VIEW v_arrivals AS
  SELECT g.name AS granularity, strftime('%Y-%m-%dT%H:%M:%SZ', b.bin_ms / 1000, 'unixepoch') AS bin,
    CASE b.measure WHEN 1 THEN 'legs' WHEN 2 THEN 'sessions' WHEN 3 THEN 'asr' ELSE 'tts' END
      AS measure,
    d.name AS dimension, b.dim_id, n.name AS object, b.sub, b.call_type, b.count, b.rejected,
    b.ended, b.duration_ms, b.max_duration_ms, b.answered, b.answered_ms, b.port_ms
  FROM rs_or_bin b JOIN rs_granularity g ON g.gran = b.gran JOIN rs_dimension d ON d.dim = b.dim
    LEFT JOIN rs_dim_name n ON n.dim = b.dim AND n.id = b.dim_id;
CREATE VIEW v_peaks AS
  SELECT g.name AS granularity, strftime('%Y-%m-%dT%H:%M:%SZ', b.bin_ms / 1000, 'unixepoch') AS bin,
    CASE b.measure WHEN 1 THEN 'legs' WHEN 2 THEN 'sessions' WHEN 3 THEN 'asr' ELSE 'tts' END
      AS measure,
    d.name AS dimension, b.dim_id, n.name AS object, b.sub, b.level_start, b.peak,
    strftime('%Y-%m-%dT%H:%M:%fZ', b.peak_ms / 1000.0, 'unixepoch') AS peak_time, b.peak_by_type,
    b.net
  FROM rs_conc_bin b JOIN rs_granularity g ON g.gran = b.gran JOIN rs_dimension d ON d.dim = b.dim
    LEFT JOIN rs_dim_name n ON n.dim = b.dim AND n.id = b.dim_id;
CREATE VIEW v_latencies AS
  SELECT g.name AS granularity, strftime('%Y-%m-%dT%H:%M:%SZ', b.bin_ms / 1000, 'unixepoch') AS bin,
    b.component_id, n.name AS component, b.type, b.count, b.sum, b.min, b.max
  FROM rs_latency_bin b JOIN rs_granularity g ON g.gran = b.gran
    LEFT JOIN rs_dim_component n ON n.id = b.component_id;
CREATE VIEW v_var_actions AS
  SELECT g.name AS granularity, strftime('%Y-%m-%dT%H:%M:%SZ', b.bin_ms / 1000, 'unixepoch') AS bin,
    d.name AS dimension, b.dim_id, n.name AS object, t.value AS action, b.result, b.count,
    b.last_count, b.duration_ms, b.min_ms, b.max_ms
  FROM rs_var_action_bin b JOIN rs_granularity g ON g.gran = b.gran
    JOIN rs_dimension d ON d.dim = b.dim
    LEFT JOIN rs_dim_name n ON n.dim = b.dim AND n.id = b.dim_id
    LEFT JOIN rs_text_dim t ON t.key = b.action_key;
