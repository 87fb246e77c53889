//! Statements of what goes of a day before the rest of it. Keys are those behind which a slice
//! begins; times of sessions come as a JSON array of
//! `{"c": component, "s": name, "f": from, "u": until}`.

use super::Statement;

/// The next calls (at most 4) of a day (1) behind one (2, 3).
macro_rules! page {
    ($by:literal, $from:literal, $whose:literal) => {
        concat!(
            "SELECT TOP (@P4) c.started_ms, c.call_key, c.component_type, c.component_id,
  c.session_id, c.guid, c.live, c.ended_ms, c.tenant_id, c.profile_id
FROM ",
            $from,
            "
WHERE ",
            $by,
            ".day = @P1 AND (",
            $by,
            ".started_ms > @P2 OR ",
            $by,
            ".started_ms = @P2 AND ",
            $by,
            ".call_key > @P3)",
            $whose,
            "
ORDER BY ",
            $by,
            ".started_ms, ",
            $by,
            ".call_key
OPTION (RECOMPILE)"
        )
    };
}

/// Events of a day (1) between two keys (2, 3) that happened before (4).
macro_rules! walk {
    ($label:expr, $more:literal) => {
        concat!(
            "DELETE FROM rs_call_event
WHERE day = @P1 AND id_key > @P2 AND id_key <= @P3 AND time_ms < @P4
  AND ",
            $label,
            $more
        )
    };
}

/// The same, of no call.
macro_rules! loose {
    ($label:expr) => {
        walk!(
            $label,
            "
  AND NOT EXISTS (SELECT 1 FROM rs_call AS c
    WHERE c.day = rs_call_event.day AND c.component_id = rs_call_event.component_id
      AND (c.session_id = rs_call_event.session_id
        OR rs_call_event.session_id = N'' AND c.guid = rs_call_event.guid
          AND c.component_type <> 1))"
        )
    };
}

/// Rows (at most 3) of a day (2) that were told in times of sessions (1).
macro_rules! said {
    ($which:literal, $more:expr) => {
        concat!(
            "DELETE FROM rs_call_event
WHERE day = @P2 AND id_key IN (SELECT TOP (@P3) t.id_key
FROM OPENJSON(@P1) WITH (c bigint '$.c', s nvarchar(256) '$.s', f bigint '$.f', u bigint '$.u') AS j
JOIN rs_call_event AS t ON t.day = @P2 AND t.component_id = j.c
  AND ",
            $which,
            " = j.s COLLATE Latin1_General_100_BIN2
  AND t.time_ms BETWEEN j.f AND j.u",
            $more,
            ")"
        )
    };
}

macro_rules! quality {
    ($which:literal) => {
        concat!(
            "DELETE t FROM rs_sq_call AS t
JOIN OPENJSON(@P1) WITH (c bigint '$.c', s nvarchar(256) '$.s', f bigint '$.f', u bigint '$.u') AS j
  ON t.day = @P2 AND t.component_id = j.c
  AND ",
            $which,
            " = j.s COLLATE Latin1_General_100_BIN2
  AND t.time_ms BETWEEN j.f AND j.u"
        )
    };
}

/// Events that are no reports, nor of ports.
macro_rules! plain {
    () => {
        "(label IS NULL OR NOT (label LIKE N'com.genesyslab.var.%'))
  AND log_id NOT IN (N'asr_open', N'asr_close', N'tts_open', N'tts_close')"
    };
}

/// Events that are reports.
macro_rules! report {
    () => {
        "label LIKE N'com.genesyslab.var.%'"
    };
}

statements! {
    /// Of all calls.
    PAGE_ALL = page!("c", "rs_call AS c WITH (UPDLOCK, HOLDLOCK)", "");
    /// Of a profile's.
    PAGE_PROFILE = page!("c", "rs_call AS c WITH (UPDLOCK, HOLDLOCK)", " AND c.profile_id = @P5");
    /// Of those without one.
    PAGE_NEITHER = page!("c", "rs_call AS c WITH (UPDLOCK, HOLDLOCK)", " AND c.profile_id IS NULL");
    /// Of a tenant's and of those below it.
    PAGE_TENANT = page!("t", "rs_call_tenant AS t
JOIN rs_call AS c WITH (UPDLOCK, HOLDLOCK) ON c.day = t.day AND c.call_key = t.call_key",
        " AND t.tenant_id = @P5");

    /// Keys of the next events.
    EVENT_KEYS_BEHIND = "SELECT TOP (@P3) id_key FROM rs_call_event
WHERE day = @P1 AND id_key > @P2
ORDER BY id_key";
    /// Events.
    WALK_PLAIN = walk!(plain!(), "");
    /// Events.
    WALK_REPORT = walk!(report!(), "");
    /// Events of no call.
    LOOSE_PLAIN = loose!(plain!());
    /// Events of no call.
    LOOSE_REPORT = loose!(report!());

    /// All events of sessions.
    SAID = said!("t.session_id", "");
    /// Those that name the GUID alone.
    SAID_BY_GUID = said!("t.session_id = N'' AND t.guid", "");
    /// Those before a time (4).
    SAID_PLAIN = said!("t.session_id", concat!(" AND t.time_ms < @P4\n  AND ", plain!()));
    /// Likewise.
    SAID_PLAIN_BY_GUID = said!("t.session_id = N'' AND t.guid",
        concat!(" AND t.time_ms < @P4\n  AND ", plain!()));
    /// Likewise.
    SAID_REPORT = said!("t.session_id", concat!(" AND t.time_ms < @P4\n  AND ", report!()));
    /// Likewise.
    SAID_REPORT_BY_GUID = said!("t.session_id = N'' AND t.guid",
        concat!(" AND t.time_ms < @P4\n  AND ", report!()));
    /// Quality of sessions.
    SAID_QUALITY = quality!("t.session_id");
    /// Likewise.
    SAID_QUALITY_BY_GUID = quality!("t.session_id = N'' AND t.guid");
}
