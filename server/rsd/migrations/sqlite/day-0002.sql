-- What hangs on calls: reports of voice applications, and quality (spec rs.md §2.5, §2.7).

ALTER TABLE rs_var_call ADD COLUMN actions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rs_var_call ADD COLUMN ignored INTEGER NOT NULL DEFAULT 0;

CREATE TABLE rs_var_action (
  call_key BLOB NOT NULL,
  n INTEGER NOT NULL,
  action TEXT NOT NULL,
  parent_n INTEGER,
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  result INTEGER,
  reason TEXT,
  notes TEXT,
  is_last INTEGER NOT NULL,
  PRIMARY KEY (call_key, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_var_action_name ON rs_var_action (action);

CREATE TABLE rs_var_custom (
  call_key BLOB NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (call_key, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_var_custom_value ON rs_var_custom (name, value);

-- reports are events; these are found without reading all events of their session
CREATE INDEX rs_call_event_var ON rs_call_event (component_id, session_id, guid)
  WHERE label GLOB 'com.genesyslab.var.*';

-- fact: as core/rs writes it
CREATE TABLE rs_sq_call (
  id_key BLOB PRIMARY KEY,
  component_id INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  guid TEXT,
  time_ms INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  fact BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_sq_call_session ON rs_sq_call (component_id, session_id, guid);

-- id_key: the record that told it
CREATE TABLE rs_sq_failure (
  failure_key BLOB PRIMARY KEY,
  id_key BLOB NOT NULL,
  time_ms INTEGER NOT NULL,
  component_id INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  guid TEXT,
  profile_id INTEGER,
  tenant_id INTEGER,
  type INTEGER NOT NULL,
  latency_type TEXT,
  value_ms INTEGER,
  threshold_ms INTEGER,
  text TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX rs_sq_failure_record ON rs_sq_failure (id_key);
CREATE INDEX rs_sq_failure_time ON rs_sq_failure (time_ms);
CREATE INDEX rs_sq_failure_component ON rs_sq_failure (component_id, time_ms);
CREATE INDEX rs_sq_failure_profile ON rs_sq_failure (profile_id, time_ms);

-- whether a retry was stored is asked by the frame that brought it
CREATE INDEX rs_dead_letter_seq ON rs_dead_letter (seq);

-- boot: -1 = none; 0 of what was stored before
CREATE TABLE rs_stored_minute_2 (
  producer TEXT NOT NULL,
  boot INTEGER NOT NULL,
  minute_ms INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  PRIMARY KEY (producer, boot, minute_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO rs_stored_minute_2 SELECT producer, 0, minute_ms, stored FROM rs_stored_minute;
DROP TABLE rs_stored_minute;
ALTER TABLE rs_stored_minute_2 RENAME TO rs_stored_minute;
