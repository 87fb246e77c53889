-- fields of events that nobody knows (extra) are shown, too (spec rs.md §3.1)
DROP VIEW v_events;
GO
CREATE VIEW v_events AS
SELECT c.day, c.guid, c.component_id, m.name AS component, c.session_id,
  DATEADD(millisecond, c.time_ms % 86400000,
    DATEADD(day, c.time_ms / 86400000, CAST('1970-01-01' AS datetime2(3)))) AS happened_at,
  c.seq, w1.word AS level, c.log_id, c.label, c.text, c.extra
FROM rs_call_event AS c
LEFT JOIN rs_dim_component AS m ON m.id = c.component_id
LEFT JOIN rs_word AS w1 ON w1.kind = 'level' AND w1.number = c.level;
GO
GRANT SELECT ON v_events TO rs_reader;
