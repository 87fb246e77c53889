-- Integrity by start of a producer, and what operators did (spec rs.md §3.2, §6, §8).


-- what is missing: from, to, since, 8 bytes each
ALTER TABLE rs_producer_stream ADD COLUMN gaps BLOB NOT NULL DEFAULT x'';

-- boot: -1 = none; 0 of what was stored before
CREATE TABLE rs_integrity_minute_2 (
  producer TEXT NOT NULL,
  boot INTEGER NOT NULL,
  minute_ms INTEGER NOT NULL,
  calls_in INTEGER NOT NULL,
  records_out INTEGER NOT NULL,
  adopted_in INTEGER NOT NULL,
  handed_out INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  in_progress INTEGER NOT NULL,
  PRIMARY KEY (producer, boot, minute_ms)
) STRICT, WITHOUT ROWID;
INSERT INTO rs_integrity_minute_2 SELECT producer, 0, minute_ms, calls_in, records_out, adopted_in,
  handed_out, rejected, in_progress FROM rs_integrity_minute;
DROP TABLE rs_integrity_minute;
ALTER TABLE rs_integrity_minute_2 RENAME TO rs_integrity_minute;
CREATE INDEX rs_integrity_minute_time ON rs_integrity_minute (minute_ms);

-- append only
CREATE TABLE rs_audit_log (
  no INTEGER PRIMARY KEY,
  day INTEGER NOT NULL,
  time_ms INTEGER NOT NULL,
  user TEXT,
  address TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  detail TEXT NOT NULL,
  outcome TEXT NOT NULL
) STRICT;
CREATE INDEX rs_audit_log_time ON rs_audit_log (time_ms);
CREATE INDEX rs_audit_log_user ON rs_audit_log (user, time_ms);

-- whether a retry was stored is asked by the frame that brought it
CREATE INDEX rs_dead_letter_seq ON rs_dead_letter (seq);
