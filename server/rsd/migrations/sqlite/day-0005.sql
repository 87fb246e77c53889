-- Marks of the bins that the facts of this day touch (spec rs.md §4.5), and what finds the calls of
-- a bin. All that is stored already is marked.

-- job: 0 = spread, else the granularity; version: times that it was written
CREATE TABLE rs_dirty_bin (
  job INTEGER NOT NULL,
  bin_ms INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (job, bin_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX rs_call_ended ON rs_call (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX rs_call_owner_from ON rs_call_owner (from_ms);
CREATE INDEX rs_call_event_ports ON rs_call_event (component_id, session_id, guid)
  WHERE log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close');

ALTER TABLE rs_kept_record ADD COLUMN bin_ms INTEGER;

INSERT INTO rs_dirty_bin
  SELECT DISTINCT 1, at_ms - at_ms % 300000, 0, 1 FROM (
    SELECT started_ms AS at_ms FROM rs_call
    UNION ALL SELECT ended_ms FROM rs_call WHERE ended_ms IS NOT NULL
    UNION ALL SELECT from_ms FROM rs_call_owner);
INSERT INTO rs_dirty_bin
  SELECT DISTINCT 0, time_ms - time_ms % 300000, 0, 1 FROM rs_call_event
  WHERE log_id IN ('asr_open', 'asr_close', 'tts_open', 'tts_close');
-- legs of sessions that may be stored under several days
INSERT OR IGNORE INTO rs_dirty_bin
  SELECT DISTINCT 0, started_ms - started_ms % 300000, 0, 1 FROM rs_call
  WHERE guid IS NOT NULL AND leg IS NOT NULL AND guid NOT GLOB
    '????????-????-7???-????-????????????';
