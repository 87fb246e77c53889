//! Statements that read, for rollups, what hangs on calls by their sessions, and which calls that
//! may be. Sessions come as a JSON array of `{"d": day, "c": component, "s": name}`; each row
//! begins with its session.

use super::Statement;

/// Rows of a table that name the sessions of `@P1`.
macro_rules! of_sessions {
    ($columns:literal, $table:literal, $which:literal, $more:literal) => {
        concat!(
            "SELECT j.d, j.c, j.s, ",
            $columns,
            "\nFROM OPENJSON(@P1) WITH (d int '$.d', c bigint '$.c', s nvarchar(256) '$.s') AS j
JOIN ",
            $table,
            " AS t\n  ON t.day = j.d AND t.component_id = j.c AND ",
            $which,
            " = j.s COLLATE Latin1_General_100_BIN2",
            $more
        )
    };
}

macro_rules! ports {
    ($which:literal) => {
        of_sessions!(
            "t.time_ms, t.seq, t.log_id",
            "rs_call_event",
            $which,
            "\n  AND t.log_id IN (N'asr_open', N'asr_close', N'tts_open', N'tts_close')"
        )
    };
}

macro_rules! failures {
    ($which:literal) => {
        of_sessions!(
            "t.time_ms, f.type",
            "rs_sq_call",
            $which,
            "\nJOIN rs_sq_failure AS f ON f.id_key = t.id_key AND f.day = t.day"
        )
    };
}

/// Of each session the first ones (3) that are not of a type (2).
macro_rules! candidates {
    ($which:literal) => {
        concat!(
            "SELECT o.d, o.c, o.s, o.call_key, o.started_ms, o.ended_ms FROM (",
            of_sessions!(
                "t.call_key, t.started_ms, t.ended_ms,
  ROW_NUMBER() OVER (PARTITION BY j.d, j.c, j.s ORDER BY t.started_ms, t.call_key) AS n",
                "rs_call",
                $which,
                " AND t.component_type <> @P2"
            ),
            "\n) AS o WHERE o.n <= @P3"
        )
    };
}

statements! {
    /// Events of ports of sessions.
    SESSION_PORTS = ports!("t.session_id");
    /// Those that name the GUID alone.
    SESSION_PORTS_BY_GUID = ports!("t.session_id = N'' AND t.guid");
    /// Failures of sessions, with the times of the records that told them.
    SESSION_FAILURES = failures!("t.session_id");
    /// Those of records that name the GUID alone.
    SESSION_FAILURES_BY_GUID = failures!("t.session_id = N'' AND t.guid");
    /// Calls of sessions.
    CANDIDATES = candidates!("t.session_id");
    /// Calls of GUIDs, at one component each.
    CANDIDATES_BY_GUID = candidates!("t.guid");
}
