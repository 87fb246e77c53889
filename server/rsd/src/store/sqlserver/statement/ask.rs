//! Statements that answer questions. A filter is one text for all filters: a value that is null is
//! no condition, lists come as JSON; the server plans for the values of each question
//! (`RECOMPILE`).

use super::Statement;

/// An id of a list, or one whose name such an id has now.
macro_rules! ids {
    ($column:literal, $list:literal, $table:literal) => {
        concat!(
            "(",
            $list,
            " IS NULL OR ",
            $column,
            " IN (\n  SELECT j.id FROM OPENJSON(",
            $list,
            ") WITH (id bigint '$') AS j\n  UNION ALL SELECT d.id FROM ",
            $table,
            " AS d JOIN OPENJSON(",
            $list,
            ") WITH (id bigint '$') AS j ON d.alias_of = j.id))"
        )
    };
}

/// A number of a list.
macro_rules! numbers {
    ($column:literal, $list:literal) => {
        concat!(
            "(",
            $list,
            " IS NULL OR ",
            $column,
            " IN (SELECT j.id FROM OPENJSON(",
            $list,
            ") WITH (id bigint '$') AS j))"
        )
    };
}

/// A text that one of a list describes: `k` 0 is equal to `a`, 1 begins with `a`, 2 is a number of
/// as many digits between `a` and `b`.
macro_rules! texts {
    ($text:literal, $list:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM OPENJSON(",
            $list,
            ") WITH (k tinyint '$.k',\n",
            "    a nvarchar(1100) '$.a', b nvarchar(128) '$.b') AS j\n",
            "  WHERE j.k = 0 AND ",
            $text,
            " = j.a COLLATE Latin1_General_100_BIN2\n",
            "  OR j.k = 1 AND LEFT(",
            $text,
            ", DATALENGTH(j.a) / 2)",
            " = j.a COLLATE Latin1_General_100_BIN2\n",
            "  OR j.k = 2 AND ",
            $text,
            " BETWEEN j.a COLLATE Latin1_General_100_BIN2\n",
            "    AND j.b COLLATE Latin1_General_100_BIN2 AND DATALENGTH(",
            $text,
            ") = DATALENGTH(j.a)\n    AND ",
            $text,
            " NOT LIKE N'%[^0-9]%')"
        )
    };
}

/// The order of a session's legs: RM's first, the earliest first.
macro_rules! before {
    () => {
        "(CASE WHEN o.component_type = 1 THEN 0 ELSE 1 END
      < CASE WHEN c.component_type = 1 THEN 0 ELSE 1 END
    OR (CASE WHEN o.component_type = 1 THEN 0 ELSE 1 END
      = CASE WHEN c.component_type = 1 THEN 0 ELSE 1 END
      AND (o.started_ms < c.started_ms
        OR (o.started_ms = c.started_ms AND (ISNULL(o.leg, 0) < ISNULL(c.leg, 0)
          OR (ISNULL(o.leg, 0) = ISNULL(c.leg, 0) AND o.call_key < c.call_key))))))"
    };
}

/// A call whose path has a tenant of the scope.
macro_rules! in_scope {
    ($call:literal) => {
        concat!(
            "(@P27 IS NULL OR EXISTS (SELECT 1 FROM rs_call_tenant AS t
  WHERE t.day = ",
            $call,
            ".day AND t.call_key = ",
            $call,
            ".call_key AND ",
            ids!("t.tenant_id", "@P27", "rs_dim_tenant"),
            "))"
        )
    };
}

/// The filter over `rs_call AS c`: 27 values.
macro_rules! filter {
    () => {
        concat!(
            "WHERE (@P1 IS NULL OR c.live = @P1)
AND (@P2 IS NULL OR c.component_type = @P2)
AND (@P3 IS NULL OR c.started_ms > @P3)
AND (@P4 IS NULL OR c.started_ms < @P4)
AND (@P5 IS NULL OR c.ended_ms > @P5)
AND (@P6 IS NULL OR c.ended_ms < @P6)
AND ",
            ids!("c.profile_id", "@P7", "rs_dim_profile"),
            "
AND ",
            ids!("c.component_id", "@P8", "rs_dim_component"),
            "
AND (@P9 IS NULL OR EXISTS (SELECT 1 FROM rs_call_tenant AS t
  WHERE t.day = c.day AND t.call_key = c.call_key AND ",
            ids!("t.tenant_id", "@P9", "rs_dim_tenant"),
            "))
AND (@P10 IS NULL OR ",
            texts!("c.dn", "@P10"),
            ")
AND (@P11 IS NULL OR ",
            texts!("LOWER(c.remote_uri)", "@P11"),
            ")
AND (@P12 IS NULL OR ",
            texts!("LOWER(c.local_uri)", "@P12"),
            ")
AND (@P13 IS NULL OR c.session_id = @P13)
AND (@P14 IS NULL OR c.guid = @P14)
AND (@P15 IS NULL OR c.call_uuid = @P15)
AND (@P16 IS NULL OR c.call_id = @P16)
AND (@P17 IS NULL OR c.sip_status = @P17)
AND (@P18 IS NULL OR ",
            texts!("c.dn", "@P18"),
            "
  OR ",
            texts!("LOWER(c.local_uri)", "@P19"),
            "
  OR ",
            texts!("LOWER(c.remote_uri)", "@P19"),
            ")
AND ",
            numbers!("c.call_type", "@P20"),
            "
AND ",
            numbers!("c.end_state", "@P21"),
            "
AND ",
            numbers!("c.service", "@P22"),
            "
AND (@P24 IS NULL OR ISNULL(c.duration_ms,
  CASE WHEN @P23 > c.started_ms THEN @P23 - c.started_ms ELSE 0 END) >= @P24)
AND (@P25 IS NULL OR ISNULL(c.duration_ms,
  CASE WHEN @P23 > c.started_ms THEN @P23 - c.started_ms ELSE 0 END) <= @P25)
AND (@P26 = 0 OR c.guid IS NULL OR c.flags & 2048 = 0 AND NOT EXISTS (SELECT 1 FROM rs_call AS o
  WHERE o.guid = c.guid AND o.day = c.day AND ",
            before!(),
            "
  AND ",
            in_scope!("o"),
            "))
AND ",
            in_scope!("c")
        )
    };
}

/// Calls of days (1) and a component (2).
macro_rules! calls_of {
    ($which:literal) => {
        concat!(
            "SELECT TOP (@P5) day, call_key, started_ms, ended_ms FROM rs_call
WHERE day IN (SELECT j.id FROM OPENJSON(@P1) WITH (id bigint '$') AS j)
  AND component_id = @P2 AND ",
            $which,
            "
ORDER BY ABS(started_ms - @P4), call_key
OPTION (RECOMPILE)"
        )
    };
}

/// Events of days (1) and a component (2).
macro_rules! events {
    ($which:literal) => {
        concat!(
            "SELECT TOP (@P6) e.time_ms, e.seq, e.level, e.log_id, e.label, e.text, e.component_id,
  m.name, e.session_id, e.extra
FROM rs_call_event AS e
LEFT JOIN rs_dim_component AS m ON m.id = e.component_id
WHERE e.day IN (SELECT j.id FROM OPENJSON(@P1) WITH (id bigint '$') AS j)
  AND e.component_id = @P2 AND ",
            $which,
            " AND e.time_ms BETWEEN @P4 AND @P5
ORDER BY e.time_ms, e.seq
OPTION (RECOMPILE)"
        )
    };
}

macro_rules! streams {
    () => {
        "SELECT producer, boot, stream, received, max_seq, announced_seq, duplicates,
  first_ms, last_ms, gaps FROM rs_producer_stream
WHERE (last_ms >= @P1 OR DATALENGTH(gaps) > 0)"
    };
}

macro_rules! told {
    () => {
        "SELECT producer, boot, minute_ms, calls_in, records_out, adopted_in, handed_out,
  rejected, in_progress FROM rs_integrity_minute WHERE minute_ms >= @P1 AND minute_ms < @P2"
    };
}

macro_rules! stored {
    () => {
        "SELECT producer, boot, minute_ms, stored FROM rs_stored_minute
WHERE minute_ms >= @P1 AND minute_ms < @P2"
    };
}

statements! {
    /// Where the calls stand that a filter lets through, newest start first: behind a position
    /// (28, 29), and behind so many (30), at most so many (31).
    HITS = concat!("SELECT c.started_ms, c.call_key, c.day FROM rs_call AS c
", filter!(), "
AND (@P28 IS NULL OR c.started_ms < @P28 OR c.started_ms = @P28 AND c.call_key < @P29)
ORDER BY c.started_ms DESC, c.call_key DESC
OFFSET @P30 ROWS FETCH NEXT @P31 ROWS ONLY
OPTION (RECOMPILE)");

    /// How many there are.
    COUNT = concat!("SELECT COUNT_BIG(*) FROM rs_call AS c
", filter!(), "
OPTION (RECOMPILE)");

    /// Calls by key, with the names of their objects.
    CALLS = "SELECT c.day, c.call_key, c.started_ms, c.answered_ms, c.ended_ms, c.component_type,
  c.component_id, c.session_id, c.guid, c.leg, c.epoch, c.call_type, c.profile_id, c.service, c.dn,
  c.local_uri, c.remote_uri, c.call_id, c.call_uuid, c.resource_group, c.resource_name,
  c.resource_address, c.attempts, c.end_state, c.sip_status, c.reason, c.profile_usage,
  c.profile_burst, c.config_rev, m.name, p.name, p.service, c.flags
FROM OPENJSON(@P1) WITH (d int '$.d', k char(32) '$.k') AS j
JOIN rs_call AS c ON c.day = j.d AND c.call_key = CONVERT(binary(16), j.k, 2)
LEFT JOIN rs_dim_component AS m ON m.id = c.component_id
LEFT JOIN rs_dim_profile AS p ON p.id = c.profile_id";

    /// Their tenants, root first.
    TENANTS = "SELECT t.day, t.call_key, t.tenant_id, d.name, t.usage, t.burst
FROM OPENJSON(@P1) WITH (d int '$.d', k char(32) '$.k') AS j
JOIN rs_call_tenant AS t ON t.day = j.d AND t.call_key = CONVERT(binary(16), j.k, 2)
LEFT JOIN rs_dim_tenant AS d ON d.id = t.tenant_id
ORDER BY t.day, t.call_key, t.depth";

    /// Keys of the calls of GUIDs on their day, RM's first, the earliest first.
    KEYS_OF_GUIDS = "SELECT c.day, c.guid, c.call_key, c.component_type
FROM OPENJSON(@P1) WITH (d int '$.d', g nvarchar(128) '$.g') AS j
JOIN rs_call AS c ON c.guid = j.g COLLATE Latin1_General_100_BIN2 AND c.day = j.d
ORDER BY CASE WHEN c.component_type = 1 THEN 0 ELSE 1 END, c.started_ms, ISNULL(c.leg, 0),
  c.call_key";

    /// Calls in progress and the ended legs of their sessions.
    IN_PROGRESS = "SELECT TOP (@P1) u.day, u.call_key FROM (
  SELECT l.day, l.call_key FROM rs_call AS l WHERE l.live = 1
  UNION SELECT o.day, o.call_key FROM rs_call AS c
    JOIN rs_call AS o ON o.day = c.day AND o.guid = c.guid WHERE c.live = 1) AS u";

    /// Days of a GUID with calls on others than it tells.
    DAYS_OF_GUID = "SELECT day FROM rs_call_day WHERE guid = @P1 ORDER BY day";

    /// The rest of a call.
    REST = "SELECT c.parent_key, c.extra, f.state, t.steps FROM rs_call AS c
LEFT JOIN rs_call_fact_state AS f ON f.day = c.day AND f.call_key = c.call_key
LEFT JOIN rs_call_trace AS t ON t.day = c.day AND t.call_key = c.call_key
WHERE c.day = @P1 AND c.call_key = @P2";

    /// What a voice application reported of a call.
    VAR_CALL = "SELECT result, reason, notes, actions, ignored FROM rs_var_call
WHERE day = @P1 AND call_key = @P2";
    /// Its actions.
    VAR_ACTIONS = "SELECT n, action, parent_n, started_ms, ended_ms, result, reason, notes, is_last
FROM rs_var_action WHERE day = @P1 AND call_key = @P2 ORDER BY n";
    /// Its custom variables.
    VAR_CUSTOM = "SELECT name, value FROM rs_var_custom
WHERE day = @P1 AND call_key = @P2 ORDER BY name";

    /// Calls of a session, those that began nearest to a time.
    CALLS_OF_SESSION = calls_of!("session_id = @P3");
    /// Those of a GUID.
    CALLS_OF_GUID = calls_of!("guid = @P3");
    /// Events of a session in times.
    EVENTS = events!("e.session_id = @P3");
    /// Those that name no session hang on the GUID alone.
    EVENTS_BY_GUID = events!("e.session_id = N'' AND e.guid = @P3");

    /// Components.
    COMPONENTS = "SELECT id, name, synthetic, alias_of, last_ms, type, NULL FROM rs_dim_component
ORDER BY id";
    /// Tenants of the tree.
    TENANT_TREE = "SELECT id, name, synthetic, alias_of, last_ms, NULL, parent_id FROM rs_dim_tenant
ORDER BY id";
    /// Profiles.
    PROFILES = "SELECT id, name, synthetic, alias_of, last_ms, service, tenant_id
FROM rs_dim_profile ORDER BY id";

    /// Open dead letters by code.
    LETTERS = "SELECT code, COUNT_BIG(*) FROM rs_dead_letter WHERE state = N'open' GROUP BY code";

    /// Books of all streams.
    STREAMS = concat!(streams!(), " ORDER BY producer, boot, stream");
    /// Those of one producer.
    STREAMS_OF = concat!(streams!(), " AND producer = @P2 ORDER BY producer, boot, stream");
    /// What producers told of minutes.
    TOLD = concat!(told!(), " ORDER BY minute_ms, producer, boot");
    /// What one told.
    TOLD_OF = concat!(told!(), " AND producer = @P3 ORDER BY minute_ms, producer, boot");
    /// What all told together.
    SUMS = "SELECT minute_ms, SUM(calls_in), SUM(records_out), SUM(in_progress)
FROM rs_integrity_minute WHERE minute_ms >= @P1 AND minute_ms < @P2
GROUP BY minute_ms ORDER BY minute_ms";
    /// The first minute of a start of a producer.
    FIRST = "SELECT TOP (1) minute_ms FROM rs_integrity_minute
WHERE producer = @P1 AND boot = @P2 ORDER BY minute_ms";
    /// Ends that were stored of them.
    STORED = concat!(stored!(), " ORDER BY producer, boot, minute_ms");
    /// Those of one producer.
    STORED_OF = concat!(stored!(), " AND producer = @P3 ORDER BY producer, boot, minute_ms");
    /// A figure of all producers.
    FIGURES = "SELECT producer, value FROM rs_figure WHERE name = @P1";
    /// Of one.
    FIGURES_OF = "SELECT producer, value FROM rs_figure WHERE name = @P1 AND producer = @P2";
    /// Producers that number their records.
    NUMBERED = "SELECT TOP (@P2) producer FROM rs_producer_stream
WHERE producer > @P1 GROUP BY producer ORDER BY producer";
    /// Producers of which something is stored.
    COUNTED = "SELECT TOP (@P2) producer FROM rs_figure
WHERE name = N'stored' AND producer > @P1 ORDER BY producer";
}
