-- fields of events that nobody knows (extra) are shown, too (spec rs.md §3.1)
CREATE OR REPLACE VIEW v_events AS
SELECT c.day, c.guid, c.component_id, m.name AS component, c.session_id,
  to_timestamp(c.time_ms / 1000.0) AS happened_at, c.seq, w1.word AS level, c.log_id, c.label,
  c.text, c.extra
FROM rs_call_event AS c
LEFT JOIN rs_dim_component AS m ON m.id = c.component_id
LEFT JOIN rs_word AS w1 ON w1.kind = 'level' AND w1.number = c.level;
