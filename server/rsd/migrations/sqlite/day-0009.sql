-- fields of events that nobody knows (extra) are shown, too (spec rs.md §3.1)
DROP VIEW v_events;
CREATE VIEW v_events AS
SELECT c.guid, c.component_id, c.session_id,
  strftime('%Y-%m-%dT%H:%M:%fZ', c.time_ms / 1000.0, 'unixepoch') AS happened_at, c.seq,
  w1.word AS level, c.log_id, c.label, c.text, c.extra
FROM rs_call_event AS c
LEFT JOIN rs_word AS w1 ON w1.kind = 'level' AND w1.number = c.level;
