-- The views are what readers of SQL may rely on, the same in all databases: native times, words for
-- the numbers of enumerations (rs_word), names of objects (spec rs.md §3.1).

CREATE TABLE rs_word (
  kind text COLLATE "C" NOT NULL,
  number smallint NOT NULL,
  word text COLLATE "C" NOT NULL,
  PRIMARY KEY (kind, number)
);

-- who reads one now, reads it after this, and what an operator has made of one goes on
ALTER VIEW v_calls RENAME TO rs_former_calls;
ALTER VIEW v_call_tenants RENAME TO rs_former_call_tenants;
ALTER VIEW v_events RENAME TO rs_former_events;
ALTER VIEW v_var_calls RENAME TO rs_former_var_calls;
ALTER VIEW v_var_actions RENAME TO rs_former_var_actions;
ALTER VIEW v_arrivals RENAME TO rs_former_arrivals;
ALTER VIEW v_peaks RENAME TO rs_former_peaks;
ALTER VIEW v_latencies RENAME TO rs_former_latencies;

CREATE VIEW v_calls AS
SELECT c.day, c.call_key, c.live, to_timestamp(c.started_ms / 1000.0) AS started_at,
  to_timestamp(c.answered_ms / 1000.0) AS answered_at,
  to_timestamp(c.ended_ms / 1000.0) AS ended_at, c.duration_ms, w1.word AS component_type,
  c.component_id, m.name AS component, c.session_id, c.guid, c.leg, c.epoch,
  w2.word AS call_type, c.tenant_id, t.name AS tenant, c.profile_id, p.name AS profile,
  w3.word AS service, c.dn, c.local_uri, c.remote_uri, c.call_id, c.call_uuid, c.resource_group,
  c.resource_name, c.resource_dbid, c.resource_address, c.attempts, w4.word AS end_state,
  c.sip_status, c.reason, c.policy, c.profile_usage, c.profile_burst, c.asr_used, c.tts_used,
  c.media, c.origin, c.parent_key, c.sq_failed, c.config_rev, c.flags, c.extra
FROM rs_call AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'component_type' AND w1.number = c.component_type
LEFT JOIN rs_dim_component AS m ON m.id = c.component_id
LEFT JOIN rs_word AS w2 ON w2.kind = 'call_type' AND w2.number = c.call_type
LEFT JOIN rs_dim_tenant AS t ON t.id = c.tenant_id
LEFT JOIN rs_dim_profile AS p ON p.id = c.profile_id
LEFT JOIN rs_word AS w3 ON w3.kind = 'service' AND w3.number = c.service
LEFT JOIN rs_word AS w4 ON w4.kind = 'end_state' AND w4.number = c.end_state;

CREATE VIEW v_call_tenants AS
SELECT c.day, c.call_key, to_timestamp(c.started_ms / 1000.0) AS started_at, c.tenant_id,
  t.name AS tenant, c.depth, c.usage, c.burst
FROM rs_call_tenant AS c
LEFT JOIN rs_dim_tenant AS t ON t.id = c.tenant_id;

CREATE VIEW v_events AS
SELECT c.day, c.guid, c.component_id, m.name AS component, c.session_id,
  to_timestamp(c.time_ms / 1000.0) AS happened_at, c.seq, w1.word AS level, c.log_id, c.label,
  c.text
FROM rs_call_event AS c
LEFT JOIN rs_dim_component AS m ON m.id = c.component_id
LEFT JOIN rs_word AS w1 ON w1.kind = 'level' AND w1.number = c.level;

CREATE VIEW v_var_calls AS
SELECT c.day, c.call_key, w1.word AS result, c.reason, c.notes, c.actions, c.ignored
FROM rs_var_call AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'result' AND w1.number = c.result;

CREATE VIEW v_var_actions AS
SELECT c.day, c.call_key, c.n, c.action, c.parent_n,
  to_timestamp(c.started_ms / 1000.0) AS started_at,
  to_timestamp(c.ended_ms / 1000.0) AS ended_at, w1.word AS result, c.reason, c.notes, c.is_last
FROM rs_var_action AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'result' AND w1.number = c.result;

CREATE VIEW v_arrivals AS
SELECT w1.word AS granularity, to_timestamp(c.bin_ms / 1000.0) AS bin_start, w2.word AS measure,
  w3.word AS dimension, c.dim_id, n.name AS object, c.sub, w4.word AS call_type, c.count,
  c.rejected, c.ended, c.duration_ms, c.max_duration_ms, c.answered, c.answered_ms, c.port_ms
FROM rs_or_bin AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'granularity' AND w1.number = c.gran
LEFT JOIN rs_word AS w2 ON w2.kind = 'measure' AND w2.number = c.measure
LEFT JOIN rs_word AS w3 ON w3.kind = 'dimension' AND w3.number = c.dim
LEFT JOIN rs_dim_name AS n ON n.dim = c.dim AND n.id = c.dim_id
LEFT JOIN rs_word AS w4 ON w4.kind = 'call_type' AND w4.number = c.call_type;

CREATE VIEW v_peaks AS
SELECT w1.word AS granularity, to_timestamp(c.bin_ms / 1000.0) AS bin_start, w2.word AS measure,
  w3.word AS dimension, c.dim_id, n.name AS object, c.sub, c.level_start, c.peak,
  to_timestamp(c.peak_ms / 1000.0) AS peak_at, c.peak_by_type::jsonb AS peak_by_type, c.net
FROM rs_conc_bin AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'granularity' AND w1.number = c.gran
LEFT JOIN rs_word AS w2 ON w2.kind = 'measure' AND w2.number = c.measure
LEFT JOIN rs_word AS w3 ON w3.kind = 'dimension' AND w3.number = c.dim
LEFT JOIN rs_dim_name AS n ON n.dim = c.dim AND n.id = c.dim_id;

CREATE VIEW v_latencies AS
SELECT w1.word AS granularity, to_timestamp(c.bin_ms / 1000.0) AS bin_start, c.component_id,
  m.name AS component, c.type, c.count, c.sum, c.min, c.max
FROM rs_latency_bin AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'granularity' AND w1.number = c.gran
LEFT JOIN rs_dim_component AS m ON m.id = c.component_id;

CREATE VIEW v_var_action_bins AS
SELECT w1.word AS granularity, to_timestamp(c.bin_ms / 1000.0) AS bin_start,
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

DO $$
DECLARE
  views text[];
  reader text;
  former text;
BEGIN
  FOREACH views SLICE 1 IN ARRAY ARRAY[
    ['calls', 'v_calls'], ['call_tenants', 'v_call_tenants'], ['events', 'v_events'],
    ['var_calls', 'v_var_calls'], ['var_actions', 'v_var_action_bins'],
    ['arrivals', 'v_arrivals'], ['peaks', 'v_peaks'], ['latencies', 'v_latencies']] LOOP
    FOR reader IN
      SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END
      FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
      WHERE c.oid = ('rs_former_' || views[1])::regclass AND a.privilege_type = 'SELECT'
        AND a.grantee <> c.relowner LOOP
      EXECUTE format('GRANT SELECT ON %I, v_version TO %s', views[2], reader);
    END LOOP;
  END LOOP;
  FOREACH former IN ARRAY ARRAY['rs_former_calls', 'rs_former_call_tenants', 'rs_former_events',
    'rs_former_var_calls', 'rs_former_var_actions', 'rs_former_arrivals', 'rs_former_peaks',
    'rs_former_latencies', 'rs_granularity', 'rs_dimension', 'rs_measure'] LOOP
    BEGIN
      EXECUTE format('DROP VIEW %I', former);
    EXCEPTION WHEN dependent_objects_still_exist THEN
      NULL;
    END;
  END LOOP;
END $$;
