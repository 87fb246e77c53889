//! Statements that read what a batch needs, and lock it in the order of keys until the
//! transaction ends. Of what may be very much only so many rows are read, which cut the answer
//! (`Found::is_cut`). Keys come as a JSON array of `{"d": day, "k": "hex"}`.

use super::Statement;

/// The keys of `@P1`, as `j`.
macro_rules! keys {
    () => {
        "OPENJSON(@P1) WITH (d int '$.d', k char(32) '$.k') AS j"
    };
}

/// Rows of a table by the keys, in their order.
macro_rules! by_key {
    ($columns:literal, $table:literal, $key:literal, $more:literal) => {
        concat!(
            "SELECT ",
            $columns,
            "\nFROM ",
            keys!(),
            "\nJOIN ",
            $table,
            " AS t WITH (UPDLOCK, HOLDLOCK)\n  ON t.day = j.d AND t.",
            $key,
            " = CONVERT(binary(16), j.k, 2)",
            $more,
            "\nOPTION (FORCE ORDER, LOOP JOIN)"
        )
    };
}

/// The sessions of `@P1`, as `j`.
macro_rules! sessions {
    () => {
        "OPENJSON(@P1) WITH (d int '$.d', c bigint '$.c', s nvarchar(256) '$.s') AS j"
    };
}

/// What lies beside calls of the sessions; so many rows (2) at most of what may be very much.
macro_rules! of_sessions {
    ($columns:literal, $table:literal, $which:literal, $more:literal) => {
        concat!(
            "SELECT ",
            $columns,
            "\nFROM ",
            sessions!(),
            "\nJOIN ",
            $table,
            "\n  ON t.day = j.d AND t.component_id = j.c AND ",
            $which,
            " = j.s COLLATE Latin1_General_100_BIN2",
            $more
        )
    };
}

/// Calls of sessions, so many (2) at most; no fact names one of RM's (1).
macro_rules! calls {
    ($which:literal) => {
        concat!(
            of_sessions!(
                "TOP (@P2) t.day, t.call_key, t.guid, f.state, t.last_fact_ms, t.row_version,
  t.boot",
                "rs_call AS t WITH (UPDLOCK, HOLDLOCK)",
                $which,
                "\nJOIN rs_call_fact_state AS f ON f.day = t.day AND f.call_key = t.call_key
  AND t.component_type <> 1"
            ),
            "\nOPTION (FORCE ORDER, LOOP JOIN)"
        )
    };
}

macro_rules! reports {
    ($which:literal) => {
        of_sessions!(
            "TOP (@P2) j.d, j.c, j.s, t.id_key, t.time_ms, t.seq, t.label, t.text",
            "rs_call_event AS t",
            $which,
            "\n  AND t.label LIKE N'com.genesyslab.var.%'"
        )
    };
}

macro_rules! quality {
    ($which:literal) => {
        of_sessions!(
            "TOP (@P2) t.day, t.id_key, t.component_id, t.session_id, t.guid, t.time_ms, t.failed,
  t.fact",
            "rs_sq_call AS t",
            $which,
            ""
        )
    };
}

macro_rules! ports {
    ($which:literal) => {
        of_sessions!(
            "DISTINCT j.d, j.c, j.s",
            "rs_call_event AS t",
            $which,
            "\n  AND t.log_id IN (N'asr_open', N'asr_close', N'tts_open', N'tts_close')"
        )
    };
}

statements! {
    /// How far the spool has been applied.
    CURSOR = "SELECT spool_seq FROM rs_spool_cursor WITH (UPDLOCK, HOLDLOCK)
WHERE rs_name = @P1 AND spool_id = @P2";

    /// The same for whoever only asks.
    APPLIED = "SELECT spool_seq FROM rs_spool_cursor WHERE rs_name = @P1 AND spool_id = @P2";

    /// Content hashes.
    LEDGER = by_key!("t.day, t.id_key, t.content_hash", "rs_fact_ledger", "id_key", "");

    /// Calls by key.
    CALLS_BY_KEY = by_key!(
        "TOP (@P2) t.day, t.call_key, t.guid, f.state, t.last_fact_ms, t.row_version, t.boot",
        "rs_call",
        "call_key",
        "\nJOIN rs_call_fact_state AS f ON f.day = t.day AND f.call_key = t.call_key"
    );

    /// Calls by day and GUID.
    CALLS_BY_GUID = "SELECT TOP (@P2) t.day, t.call_key, t.guid, f.state, t.last_fact_ms,
  t.row_version, t.boot
FROM OPENJSON(@P1) WITH (d int '$.d', g nvarchar(128) '$.g') AS j
JOIN rs_call AS t WITH (UPDLOCK, HOLDLOCK)
  ON t.guid = j.g COLLATE Latin1_General_100_BIN2 AND t.day = j.d
JOIN rs_call_fact_state AS f ON f.day = t.day AND f.call_key = t.call_key
OPTION (FORCE ORDER, LOOP JOIN)";

    /// Days of GUIDs with calls on others than they tell.
    DAYS_OF_GUIDS = "SELECT t.guid, t.day
FROM OPENJSON(@P1) WITH (d int '$.d', g nvarchar(128) '$.g') AS j
JOIN rs_call_day AS t WITH (UPDLOCK, HOLDLOCK)
  ON t.guid = j.g COLLATE Latin1_General_100_BIN2
OPTION (FORCE ORDER, LOOP JOIN)";

    /// Calls of sessions.
    CALLS_BY_SESSION = calls!("t.session_id");
    /// Calls of GUIDs, at one component each.
    CALLS_BY_SESSION_GUID = calls!("t.guid");

    /// Reports of sessions.
    REPORTS = reports!("t.session_id");
    /// Those that name the GUID alone.
    REPORTS_BY_GUID = reports!("t.session_id = N'' AND t.guid");

    /// Quality of sessions.
    QUALITY = quality!("t.session_id");
    /// That which names the GUID alone.
    QUALITY_BY_GUID = quality!("t.session_id = N'' AND t.guid");

    /// Sessions with events that tell of ports.
    PORTS = ports!("t.session_id");
    /// Those of events that name the GUID alone.
    PORTS_BY_GUID = ports!("t.session_id = N'' AND t.guid");

    /// Dead letters that are there.
    LETTERS_KNOWN = concat!("SELECT t.letter_key\nFROM ", keys!(), "\nJOIN rs_dead_letter AS t
  ON t.letter_key = CONVERT(binary(16), j.k, 2)");

    /// Events by the key of their record.
    EVENTS_BY_KEY = by_key!("t.day, t.id_key, t.call_ref, t.guid, t.component_id, t.session_id,
  t.time_ms, t.seq, t.level, t.log_id, t.label, t.text, t.extra", "rs_call_event", "id_key", "");

    /// Quality by the key of its record.
    QUALITY_BY_KEY = by_key!("t.day, t.id_key, t.component_id, t.session_id, t.guid, t.time_ms,
  t.failed, t.fact", "rs_sq_call", "id_key", "");

    /// Records that are kept whole.
    KEPT_BY_KEY = by_key!("t.component_id, t.received_ms, t.id, t.body, t.day, t.id_key",
  "rs_kept_record", "id_key", "");

    /// Books of a stream.
    STREAM = "SELECT received, max_seq, announced_seq, duplicates, first_ms, last_ms, gaps
FROM rs_producer_stream WITH (UPDLOCK, HOLDLOCK)
WHERE producer = @P1 AND boot = @P2 AND stream = @P3";

    /// The greatest id of the components; nobody else makes one until the transaction ends.
    COMPONENT_LAST = "SELECT MAX(id) FROM rs_dim_component WITH (TABLOCKX, HOLDLOCK)
WHERE synthetic = 1";
    /// Of the tenants.
    TENANT_LAST = "SELECT MAX(id) FROM rs_dim_tenant WITH (TABLOCKX, HOLDLOCK)
WHERE synthetic = 1";
    /// Of the profiles.
    PROFILE_LAST = "SELECT MAX(id) FROM rs_dim_profile WITH (TABLOCKX, HOLDLOCK)
WHERE synthetic = 1";

    /// Components of a name, or of an id.
    COMPONENT_NAMED = "SELECT id, name, type, NULL, N'', synthetic, alias_of, first_ms, last_ms
FROM rs_dim_component WHERE name = @P1 OR id = @P2";
    /// Tenants.
    TENANT_NAMED = "SELECT id, name, NULL, parent_id, path, synthetic, alias_of, first_ms, last_ms
FROM rs_dim_tenant WHERE name = @P1 OR id = @P2";
    /// Profiles.
    PROFILE_NAMED = "SELECT id, name, service, tenant_id, N'', synthetic, alias_of, first_ms,
  last_ms FROM rs_dim_profile WHERE name = @P1 OR id = @P2";
}
