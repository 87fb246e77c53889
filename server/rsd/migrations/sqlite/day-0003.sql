-- An event is found through its ledger entry (event_no: its row): an index of ids, which lie in no order,
-- is half of the pages that a batch writes.

ALTER TABLE rs_fact_ledger ADD COLUMN event_no INTEGER;
UPDATE rs_fact_ledger SET event_no = e.no FROM rs_call_event e WHERE e.id_key = rs_fact_ledger.id_key;

CREATE TABLE rs_call_event_2 (
  no INTEGER PRIMARY KEY,
  id_key BLOB NOT NULL,
  call_ref BLOB NOT NULL,
  guid TEXT,
  component_id INTEGER NOT NULL,
  session_id TEXT NOT NULL,
  time_ms INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  level INTEGER NOT NULL,
  log_id TEXT NOT NULL,
  label TEXT,
  text TEXT
) STRICT;
INSERT INTO rs_call_event_2 SELECT * FROM rs_call_event;
DROP TABLE rs_call_event;
ALTER TABLE rs_call_event_2 RENAME TO rs_call_event;
CREATE INDEX rs_call_event_session ON rs_call_event (component_id, session_id, time_ms, seq);
CREATE INDEX rs_call_event_guid ON rs_call_event (guid, time_ms, seq) WHERE session_id = '';
CREATE INDEX rs_call_event_log ON rs_call_event (log_id, time_ms);
CREATE INDEX rs_call_event_var ON rs_call_event (component_id, session_id, guid)
  WHERE label GLOB 'com.genesyslab.var.*';
