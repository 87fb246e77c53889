-- The views are what readers of SQL may rely on, the same in all databases: native times, words for
-- the numbers of enumerations (rs_word), names of objects (spec rs.md §3.1). Those of calls are
-- in the files of the days.

CREATE TABLE rs_word (
  kind TEXT NOT NULL,
  number INTEGER NOT NULL,
  word TEXT NOT NULL,
  PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;

DROP VIEW v_var_actions;
DROP VIEW v_arrivals;
DROP VIEW v_peaks;
DROP VIEW v_latencies;
DROP VIEW rs_granularity;
DROP VIEW rs_dimension;

CREATE VIEW v_arrivals AS
SELECT w1.word AS granularity,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.bin_ms / 1000.0, 'unixepoch') AS bin_start,
  w2.word AS measure, w3.word AS dimension, c.dim_id, n.name AS object, c.sub,
  w4.word AS call_type, c.count, c.rejected, c.ended, c.duration_ms, c.max_duration_ms,
  c.answered, c.answered_ms, c.port_ms
FROM rs_or_bin AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'granularity' AND w1.number = c.gran
LEFT JOIN rs_word AS w2 ON w2.kind = 'measure' AND w2.number = c.measure
LEFT JOIN rs_word AS w3 ON w3.kind = 'dimension' AND w3.number = c.dim
LEFT JOIN rs_dim_name AS n ON n.dim = c.dim AND n.id = c.dim_id
LEFT JOIN rs_word AS w4 ON w4.kind = 'call_type' AND w4.number = c.call_type;

CREATE VIEW v_peaks AS
SELECT w1.word AS granularity,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.bin_ms / 1000.0, 'unixepoch') AS bin_start,
  w2.word AS measure, w3.word AS dimension, c.dim_id, n.name AS object, c.sub, c.level_start,
  c.peak, strftime('%Y-%m-%dT%H:%M:%fZ', c.peak_ms / 1000.0, 'unixepoch') AS peak_at,
  c.peak_by_type, c.net
FROM rs_conc_bin AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'granularity' AND w1.number = c.gran
LEFT JOIN rs_word AS w2 ON w2.kind = 'measure' AND w2.number = c.measure
LEFT JOIN rs_word AS w3 ON w3.kind = 'dimension' AND w3.number = c.dim
LEFT JOIN rs_dim_name AS n ON n.dim = c.dim AND n.id = c.dim_id;

CREATE VIEW v_latencies AS
SELECT w1.word AS granularity,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.bin_ms / 1000.0, 'unixepoch') AS bin_start, c.component_id,
  m.name AS component, c.type, c.count, c.sum, c.min, c.max
FROM rs_latency_bin AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'granularity' AND w1.number = c.gran
LEFT JOIN rs_dim_component AS m ON m.id = c.component_id;

CREATE VIEW v_var_action_bins AS
SELECT w1.word AS granularity,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.bin_ms / 1000.0, 'unixepoch') AS bin_start,
  w2.word AS dimension, c.dim_id, n.name AS object, t.value AS action, w3.word AS result,
  c.count, c.last_count, c.duration_ms, c.min_ms, c.max_ms
FROM rs_var_action_bin AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'granularity' AND w1.number = c.gran
LEFT JOIN rs_word AS w2 ON w2.kind = 'dimension' AND w2.number = c.dim
LEFT JOIN rs_dim_name AS n ON n.dim = c.dim AND n.id = c.dim_id
LEFT JOIN rs_text_dim AS t ON t.key = c.action_key
LEFT JOIN rs_word AS w3 ON w3.kind = 'result' AND w3.number = c.result;

-- The version of the views: it changes when a column of theirs goes or gets another meaning.
CREATE VIEW v_version AS
SELECT 1 AS version;
