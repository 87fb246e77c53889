-- The views are what readers of SQL may rely on, the same in all databases: native times, words for
-- the numbers of enumerations (rs_word), names of objects (spec rs.md §3.1). Here
-- the day is that of the file, and names are in the main file, by id.

CREATE TABLE rs_word (
  kind TEXT NOT NULL,
  number INTEGER NOT NULL,
  word TEXT NOT NULL,
  PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;

CREATE VIEW v_calls AS
SELECT c.call_key, c.live,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.started_ms / 1000.0, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.answered_ms / 1000.0, 'unixepoch') AS answered_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.ended_ms / 1000.0, 'unixepoch') AS ended_at, c.duration_ms,
  w1.word AS component_type, c.component_id, c.session_id, c.guid, c.leg, c.epoch,
  w2.word AS call_type, c.tenant_id, c.profile_id, w3.word AS service, c.dn, c.local_uri,
  c.remote_uri, c.call_id, c.call_uuid, c.resource_group, c.resource_name, c.resource_dbid,
  c.resource_address, c.attempts, w4.word AS end_state, c.sip_status, c.reason, c.policy,
  c.profile_usage, c.profile_burst, c.asr_used, c.tts_used, c.media, c.origin, c.parent_key,
  c.sq_failed, c.config_rev, c.flags, c.extra
FROM rs_call AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'component_type' AND w1.number = c.component_type
LEFT JOIN rs_word AS w2 ON w2.kind = 'call_type' AND w2.number = c.call_type
LEFT JOIN rs_word AS w3 ON w3.kind = 'service' AND w3.number = c.service
LEFT JOIN rs_word AS w4 ON w4.kind = 'end_state' AND w4.number = c.end_state;

CREATE VIEW v_call_tenants AS
SELECT c.call_key,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.started_ms / 1000.0, 'unixepoch') AS started_at, c.tenant_id,
  c.depth, c.usage, c.burst
FROM rs_call_tenant AS c;

CREATE VIEW v_events AS
SELECT c.guid, c.component_id, c.session_id,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.time_ms / 1000.0, 'unixepoch') AS happened_at, c.seq,
  w1.word AS level, c.log_id, c.label, c.text
FROM rs_call_event AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'level' AND w1.number = c.level;

CREATE VIEW v_var_calls AS
SELECT c.call_key, w1.word AS result, c.reason, c.notes, c.actions, c.ignored
FROM rs_var_call AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'result' AND w1.number = c.result;

CREATE VIEW v_var_actions AS
SELECT c.call_key, c.n, c.action, c.parent_n,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.started_ms / 1000.0, 'unixepoch') AS started_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.ended_ms / 1000.0, 'unixepoch') AS ended_at,
  w1.word AS result, c.reason, c.notes, c.is_last
FROM rs_var_action AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'result' AND w1.number = c.result;
