//! Statements that read facts for rollups. Days come as a JSON array of numbers, keys as one of
//! `{"d": day, "k": "hex"}`.

use super::Statement;

/// The days of `@P1`.
macro_rules! days {
    () => {
        "(SELECT j.id FROM OPENJSON(@P1) WITH (id bigint '$') AS j)"
    };
}

/// A table by the keys of `@P1`.
macro_rules! by_key {
    ($columns:literal, $table:literal, $more:literal) => {
        concat!(
            "SELECT t.day, t.call_key, ",
            $columns,
            "\nFROM OPENJSON(@P1) WITH (d int '$.d', k char(32) '$.k') AS j\nJOIN ",
            $table,
            " AS t ON t.day = j.d AND t.call_key = CONVERT(binary(16), j.k, 2)",
            $more
        )
    };
}

/// Events of ports of the days (1) in a span (2, 3).
macro_rules! port_events {
    () => {
        concat!(
            "rs_call_event
  WHERE day IN ",
            days!(),
            " AND time_ms >= @P2 AND time_ms < @P3
    AND log_id IN (N'asr_open', N'asr_close', N'tts_open', N'tts_close')"
        )
    };
}

statements! {
    /// Keys of the calls of days (1) that do something in a span (2, 3), and of those of days (4)
    /// that events of ports in it may mean.
    TOUCHING = concat!("SELECT day, call_key FROM rs_call
WHERE day IN ", days!(), " AND started_ms >= @P2 AND started_ms < @P3
UNION SELECT day, call_key FROM rs_call
WHERE day IN ", days!(), " AND ended_ms >= @P2 AND ended_ms < @P3
UNION SELECT day, call_key FROM rs_call_owner
WHERE day IN ", days!(), " AND from_ms >= @P2 AND from_ms < @P3
UNION SELECT c.day, c.call_key FROM (
  SELECT DISTINCT component_id, session_id FROM ", port_events!(), "
    AND (session_id <> N'' OR guid IS NULL)) AS e
JOIN rs_call AS c ON c.component_id = e.component_id AND c.session_id = e.session_id
  AND c.day IN (SELECT j.id FROM OPENJSON(@P4) WITH (id bigint '$') AS j)
UNION SELECT c.day, c.call_key FROM (
  SELECT DISTINCT component_id, guid FROM ", port_events!(), "
    AND session_id = N'') AS e
JOIN rs_call AS c ON c.component_id = e.component_id AND c.guid = e.guid
  AND c.day IN (SELECT j.id FROM OPENJSON(@P4) WITH (id bigint '$') AS j)
OPTION (RECOMPILE)");
    /// Of those that are there just before an instant (2).
    COVERING = concat!("SELECT day, call_key FROM rs_call
WHERE day IN ", days!(), " AND ended_ms >= @P2 AND started_ms < @P2
UNION ALL SELECT day, call_key FROM rs_call
WHERE day IN ", days!(), " AND live = 1 AND started_ms < @P2
OPTION (RECOMPILE)");

    /// Keys of all legs of a type (2) of the sessions of these legs.
    OTHER_LEGS = concat!("WITH f AS (\n", by_key!("t.guid", "rs_call",
        "\nWHERE t.component_type = @P2 AND t.guid IS NOT NULL"), ")
SELECT c.day, c.call_key FROM (
  SELECT f.day, f.guid FROM f
  UNION SELECT o.day, o.guid FROM f JOIN rs_call_day AS o ON o.guid = f.guid) AS g
JOIN rs_call AS c ON c.day = g.day AND c.guid = g.guid AND c.component_type = @P2");

    /// Calls as far as figures need them.
    CALL_FACTS = by_key!("t.component_type, t.component_id, t.guid, t.call_type, t.profile_id,
  t.service, t.dn, t.started_ms, t.answered_ms, t.ended_ms, t.end_state, t.asr_used, t.tts_used,
  t.media, t.sq_failed, t.session_id", "rs_call", "");
    /// Their tenants, root first.
    TENANT_FACTS = by_key!("t.tenant_id", "rs_call_tenant", "\nORDER BY t.depth");
    /// Their owners, first one first.
    OWNER_FACTS = by_key!("t.component_id, t.from_ms", "rs_call_owner", "\nORDER BY t.n");
    /// Their outcomes.
    OUTCOME_FACTS = by_key!("t.result, t.reason", "rs_var_call", "");
    /// Their actions, first one first.
    ACTION_FACTS = by_key!("t.action, t.started_ms, t.ended_ms, t.result, t.is_last",
        "rs_var_action", "\nORDER BY t.n");
    /// Producers' own figures of a span (1, 2), of some kinds (3).
    KEPT_FACTS = "SELECT component_id, received_ms, id, body FROM rs_kept_record
WHERE bin_ms >= @P1 AND bin_ms < @P2
AND kind IN (SELECT j.id FROM OPENJSON(@P3) WITH (id bigint '$') AS j)
ORDER BY received_ms, day, id_key";
}
