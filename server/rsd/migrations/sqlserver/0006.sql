-- Rollups (spec rs.md §3.2, §4): bins, the marks of what is to be made again, and the latest of
-- figures that need no bin. All that is stored already is marked.
CREATE TABLE rs_or_bin (
  gran tinyint NOT NULL,
  bin_ms bigint NOT NULL,
  measure tinyint NOT NULL,
  dim tinyint NOT NULL,
  dim_id bigint NOT NULL,
  sub tinyint NOT NULL,
  call_type tinyint NOT NULL,
  count bigint NOT NULL,
  rejected bigint NOT NULL,
  ended bigint NOT NULL,
  duration_ms bigint NOT NULL,
  max_duration_ms bigint NOT NULL,
  answered bigint NOT NULL,
  answered_ms bigint NOT NULL,
  port_ms bigint NOT NULL,
  CONSTRAINT rs_or_bin_pk
    PRIMARY KEY CLUSTERED (gran, dim, dim_id, bin_ms, measure, sub, call_type)
);

CREATE INDEX rs_or_bin_time ON rs_or_bin (gran, bin_ms);

-- peak_by_type: {"number of the call type": level}; types: level_start and net by call type, and
-- deltas: as core/rs writes them
CREATE TABLE rs_conc_bin (
  gran tinyint NOT NULL,
  bin_ms bigint NOT NULL,
  measure tinyint NOT NULL,
  dim tinyint NOT NULL,
  dim_id bigint NOT NULL,
  sub tinyint NOT NULL,
  level_start bigint NOT NULL,
  peak bigint NOT NULL,
  peak_ms bigint NOT NULL,
  peak_by_type nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  net bigint NOT NULL,
  types varbinary(max) NOT NULL,
  deltas varbinary(max),
  CONSTRAINT rs_conc_bin_pk PRIMARY KEY CLUSTERED (gran, dim, dim_id, measure, sub, bin_ms)
);

CREATE INDEX rs_conc_bin_time ON rs_conc_bin (gran, bin_ms);

-- reason_key: of rs_text_dim; 0 = none
CREATE TABLE rs_var_bin (
  gran tinyint NOT NULL,
  bin_ms bigint NOT NULL,
  dim tinyint NOT NULL,
  dim_id bigint NOT NULL,
  result tinyint NOT NULL,
  reason_key bigint NOT NULL,
  count bigint NOT NULL,
  duration_ms bigint NOT NULL,
  CONSTRAINT rs_var_bin_pk PRIMARY KEY CLUSTERED (gran, dim, dim_id, bin_ms, result, reason_key)
);

CREATE INDEX rs_var_bin_time ON rs_var_bin (gran, bin_ms);

CREATE TABLE rs_var_action_bin (
  gran tinyint NOT NULL,
  bin_ms bigint NOT NULL,
  dim tinyint NOT NULL,
  dim_id bigint NOT NULL,
  action_key bigint NOT NULL,
  result tinyint NOT NULL,
  count bigint NOT NULL,
  last_count bigint NOT NULL,
  duration_ms bigint NOT NULL,
  min_ms bigint NOT NULL,
  max_ms bigint NOT NULL,
  CONSTRAINT rs_var_action_bin_pk
    PRIMARY KEY CLUSTERED (gran, dim, dim_id, bin_ms, action_key, result)
);

CREATE INDEX rs_var_action_bin_time ON rs_var_action_bin (gran, bin_ms);

-- by_type: {"number of the failure type": calls}
CREATE TABLE rs_sq_bin (
  gran tinyint NOT NULL,
  bin_ms bigint NOT NULL,
  dim tinyint NOT NULL,
  dim_id bigint NOT NULL,
  calls bigint NOT NULL,
  failed bigint NOT NULL,
  by_type nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  CONSTRAINT rs_sq_bin_pk PRIMARY KEY CLUSTERED (gran, dim, dim_id, bin_ms)
);

CREATE INDEX rs_sq_bin_time ON rs_sq_bin (gran, bin_ms);

-- the sum of squares is sumsq_high * 2^63 + sumsq_low; hist: as core/rs writes it
CREATE TABLE rs_latency_bin (
  gran tinyint NOT NULL,
  bin_ms bigint NOT NULL,
  component_id bigint NOT NULL,
  type nvarchar(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
  count bigint NOT NULL,
  sum bigint NOT NULL,
  sumsq_high bigint NOT NULL,
  sumsq_low bigint NOT NULL,
  min bigint NOT NULL,
  max bigint NOT NULL,
  hist varbinary(max) NOT NULL,
  CONSTRAINT rs_latency_bin_pk PRIMARY KEY CLUSTERED (gran, component_id, bin_ms, type)
);

CREATE INDEX rs_latency_bin_time ON rs_latency_bin (gran, bin_ms);

-- reasons, actions and numbers of bins
CREATE TABLE rs_text_dim (
  id bigint NOT NULL,
  value nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  CONSTRAINT rs_text_dim_pk PRIMARY KEY CLUSTERED (id)
);

-- job: 0 = spread, else the granularity; day: whose facts marked it, 0 = of no call, or the job
-- itself; version: times that it was written
CREATE TABLE rs_dirty_bin (
  job tinyint NOT NULL,
  bin_ms bigint NOT NULL,
  day int NOT NULL,
  since_ms bigint NOT NULL,
  version bigint NOT NULL,
  CONSTRAINT rs_dirty_bin_pk PRIMARY KEY CLUSTERED (job, bin_ms, day)
);

CREATE INDEX rs_dirty_bin_day ON rs_dirty_bin (day);

-- the five-minute bins that the facts of a day touch lie between these
CREATE TABLE rs_fact_span (
  day int NOT NULL,
  first_ms bigint NOT NULL,
  last_ms bigint NOT NULL,
  CONSTRAINT rs_fact_span_pk PRIMARY KEY CLUSTERED (day)
);

-- numbers that have figures, by the day of the arrival
CREATE TABLE rs_day_number (
  day int NOT NULL,
  dim_id bigint NOT NULL,
  CONSTRAINT rs_day_number_pk PRIMARY KEY CLUSTERED (day, dim_id)
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
  id_key binary(16) NOT NULL,
  CONSTRAINT rs_outbound_total_pk PRIMARY KEY CLUSTERED (component_id, tenant_id, profile_id)
);

CREATE TABLE rs_snmp_value (
  component_id bigint NOT NULL,
  name nvarchar(512) COLLATE Latin1_General_100_BIN2 NOT NULL,
  value nvarchar(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
  updated_ms bigint NOT NULL,
  id_key binary(16) NOT NULL,
  CONSTRAINT rs_snmp_value_pk PRIMARY KEY CLUSTERED (component_id, name)
);

-- what finds the calls of a bin, and the producers' own figures by the bin that they are about
CREATE INDEX rs_call_ended ON rs_call (ended_ms)
  WHERE ended_ms IS NOT NULL;

CREATE INDEX rs_call_owner_from ON rs_call_owner (from_ms);

CREATE INDEX rs_call_event_ports ON rs_call_event (component_id, session_id, guid)
  WHERE log_id IN (N'asr_open', N'asr_close', N'tts_open', N'tts_close');

ALTER TABLE rs_kept_record ADD bin_ms bigint;
GO
CREATE INDEX rs_kept_record_bin ON rs_kept_record (bin_ms)
  WHERE bin_ms IS NOT NULL;
GO
UPDATE rs_kept_record SET bin_ms = 1000 * DATEDIFF_BIG(second, '1970-01-01',
  TRY_CONVERT(datetime2(3), REPLACE(JSON_VALUE(body, '$.bin_start'), 'Z', ''), 126))
WHERE ISJSON(body) = 1;
GO
INSERT INTO rs_dirty_bin (job, bin_ms, day, since_ms, version)
SELECT DISTINCT 1, i.at_ms - i.at_ms % 300000, i.day, 0, 1 FROM (
  SELECT day, started_ms AS at_ms FROM rs_call
  UNION ALL SELECT day, ended_ms FROM rs_call WHERE ended_ms IS NOT NULL
  UNION ALL SELECT day, from_ms FROM rs_call_owner) AS i;

INSERT INTO rs_dirty_bin (job, bin_ms, day, since_ms, version)
SELECT DISTINCT 0, i.at_ms - i.at_ms % 300000, i.day, 0, 1 FROM (
  SELECT day, time_ms AS at_ms FROM rs_call_event
  WHERE log_id IN (N'asr_open', N'asr_close', N'tts_open', N'tts_close')
  UNION ALL SELECT day, started_ms FROM rs_call
  WHERE guid IS NOT NULL AND leg IS NOT NULL
    AND guid NOT LIKE N'________-____-7___-____-____________') AS i;

INSERT INTO rs_dirty_bin (job, bin_ms, day, since_ms, version)
SELECT DISTINCT 1, i.at_ms - i.at_ms % 300000, 0, 0, 1 FROM (
  SELECT bin_ms AS at_ms FROM rs_kept_record WHERE bin_ms IS NOT NULL
  UNION ALL SELECT bin_ms + 300000 FROM rs_kept_record WHERE bin_ms IS NOT NULL) AS i;
GO
CREATE VIEW rs_dim_name AS
SELECT 2 AS dim, id, name FROM rs_dim_component
UNION ALL SELECT 3, id, name FROM rs_dim_tenant
UNION ALL SELECT 4, id, name FROM rs_dim_profile
UNION ALL SELECT 5, id, value FROM rs_text_dim;
GO
CREATE VIEW v_arrivals AS
SELECT g.word AS granularity,
  DATEADD(second, b.bin_ms / 1000 % 86400, DATEADD(day, b.bin_ms / 86400000,
    CAST('1970-01-01' AS datetime2(3)))) AS bin, m.word AS measure, d.word AS dimension,
  b.dim_id, n.name AS object, b.sub, y.word AS call_type, b.count, b.rejected, b.ended,
  b.duration_ms, b.max_duration_ms, b.answered, b.answered_ms, b.port_ms
FROM rs_or_bin AS b
LEFT JOIN rs_word AS g ON g.kind = 'granularity' AND g.number = b.gran
LEFT JOIN rs_word AS m ON m.kind = 'measure' AND m.number = b.measure
LEFT JOIN rs_word AS d ON d.kind = 'dimension' AND d.number = b.dim
LEFT JOIN rs_word AS y ON y.kind = 'call_type' AND y.number = b.call_type
LEFT JOIN rs_dim_name AS n ON n.dim = b.dim AND n.id = b.dim_id;
GO
CREATE VIEW v_peaks AS
SELECT g.word AS granularity,
  DATEADD(second, b.bin_ms / 1000 % 86400, DATEADD(day, b.bin_ms / 86400000,
    CAST('1970-01-01' AS datetime2(3)))) AS bin, m.word AS measure, d.word AS dimension,
  b.dim_id, n.name AS object, b.sub, b.level_start, b.peak,
  DATEADD(millisecond, b.peak_ms % 86400000, DATEADD(day, b.peak_ms / 86400000,
    CAST('1970-01-01' AS datetime2(3)))) AS peak_time, b.peak_by_type, b.net
FROM rs_conc_bin AS b
LEFT JOIN rs_word AS g ON g.kind = 'granularity' AND g.number = b.gran
LEFT JOIN rs_word AS m ON m.kind = 'measure' AND m.number = b.measure
LEFT JOIN rs_word AS d ON d.kind = 'dimension' AND d.number = b.dim
LEFT JOIN rs_dim_name AS n ON n.dim = b.dim AND n.id = b.dim_id;
GO
CREATE VIEW v_latencies AS
SELECT g.word AS granularity,
  DATEADD(second, b.bin_ms / 1000 % 86400, DATEADD(day, b.bin_ms / 86400000,
    CAST('1970-01-01' AS datetime2(3)))) AS bin, b.component_id, n.name AS component, b.type,
  b.count, b.sum, b.min, b.max
FROM rs_latency_bin AS b
LEFT JOIN rs_word AS g ON g.kind = 'granularity' AND g.number = b.gran
LEFT JOIN rs_dim_component AS n ON n.id = b.component_id;
GO
CREATE VIEW v_var_actions AS
SELECT g.word AS granularity,
  DATEADD(second, b.bin_ms / 1000 % 86400, DATEADD(day, b.bin_ms / 86400000,
    CAST('1970-01-01' AS datetime2(3)))) AS bin, d.word AS dimension, b.dim_id,
  n.name AS object, t.value AS action, r.word AS result, b.count, b.last_count, b.duration_ms,
  b.min_ms, b.max_ms
FROM rs_var_action_bin AS b
LEFT JOIN rs_word AS g ON g.kind = 'granularity' AND g.number = b.gran
LEFT JOIN rs_word AS d ON d.kind = 'dimension' AND d.number = b.dim
LEFT JOIN rs_word AS r ON r.kind = 'result' AND r.number = b.result
LEFT JOIN rs_dim_name AS n ON n.dim = b.dim AND n.id = b.dim_id
LEFT JOIN rs_text_dim AS t ON t.id = b.action_key;
GO
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_or_bin TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_conc_bin TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_var_bin TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_var_action_bin TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_sq_bin TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_latency_bin TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_text_dim TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_dirty_bin TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_fact_span TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_day_number TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_outbound_total TO rs_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rs_snmp_value TO rs_writer;
GRANT SELECT ON rs_or_bin TO rs_reader;
GRANT SELECT ON rs_conc_bin TO rs_reader;
GRANT SELECT ON rs_var_bin TO rs_reader;
GRANT SELECT ON rs_var_action_bin TO rs_reader;
GRANT SELECT ON rs_sq_bin TO rs_reader;
GRANT SELECT ON rs_latency_bin TO rs_reader;
GRANT SELECT ON rs_text_dim TO rs_reader;
GRANT SELECT ON rs_dirty_bin TO rs_reader;
GRANT SELECT ON rs_fact_span TO rs_reader;
GRANT SELECT ON rs_day_number TO rs_reader;
GRANT SELECT ON rs_outbound_total TO rs_reader;
GRANT SELECT ON rs_snmp_value TO rs_reader;
GRANT SELECT ON v_arrivals TO rs_reader;
GRANT SELECT ON v_peaks TO rs_reader;
GRANT SELECT ON v_latencies TO rs_reader;
GRANT SELECT ON v_var_actions TO rs_reader;
