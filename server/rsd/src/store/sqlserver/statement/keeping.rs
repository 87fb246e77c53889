//! Statements of leases, overrides and what goes. Keys come as a JSON array of
//! `{"d": day, "k": "hex"}`; whose rows are meant as `@P4`: 0 all, 1 those of calls of tenant
//! `@P5` and profile `@P6`, 2 those of no call.

use super::Statement;

/// The calls of a tenant and profile.
macro_rules! whose {
    () => {
        "((c.tenant_id = @P5 OR (c.tenant_id IS NULL AND @P5 IS NULL))
    AND (c.profile_id = @P6 OR (c.profile_id IS NULL AND @P6 IS NULL)))"
    };
}

/// A slice of a day.
macro_rules! slice {
    ($table:literal) => {
        concat!("WITH t AS (SELECT TOP (@P2) day FROM ", $table, " WHERE day = @P1)\nDELETE FROM t")
    };
}

/// A slice of what is older.
macro_rules! aged {
    ($table:literal, $column:literal) => {
        concat!(
            "WITH t AS (SELECT TOP (@P2) ",
            $column,
            " FROM ",
            $table,
            " WHERE ",
            $column,
            " < @P1)\nDELETE FROM t"
        )
    };
}

/// A slice of the bins of one length, the oldest first.
macro_rules! bins {
    ($table:literal, $more:literal) => {
        concat!(
            "WITH t AS (SELECT TOP (@P2) bin_ms FROM ",
            $table,
            " WHERE gran = @P3 AND bin_ms < @P1",
            $more,
            " ORDER BY bin_ms)\nDELETE FROM t"
        )
    };
}

/// What hangs on calls, by their keys.
macro_rules! of_calls {
    ($table:literal) => {
        concat!(
            "DELETE t FROM ",
            $table,
            " AS t
JOIN OPENJSON(@P1) WITH (d int '$.d', k char(32) '$.k') AS j ON t.day = j.d
  AND t.call_key = CONVERT(binary(16), j.k, 2)"
        )
    };
}

/// Events of calls, or of none, by label: of any call of their session.
macro_rules! some_events {
    ($label:literal) => {
        concat!(
            "day FROM rs_call_event WHERE day = @P1 AND time_ms < @P2
  AND ",
            $label,
            "
  AND (@P4 = 0 OR (@P4 = 1 AND EXISTS (SELECT 1 FROM rs_call AS c
      WHERE c.day = rs_call_event.day AND c.component_id = rs_call_event.component_id
        AND (c.session_id = rs_call_event.session_id
          OR rs_call_event.session_id = N'' AND c.guid = rs_call_event.guid
            AND c.component_type <> 1)
        AND ",
            whose!(),
            "))
    OR (@P4 = 2 AND NOT EXISTS (SELECT 1 FROM rs_call AS c
      WHERE c.day = rs_call_event.day AND c.component_id = rs_call_event.component_id
        AND (c.session_id = rs_call_event.session_id
          OR rs_call_event.session_id = N'' AND c.guid = rs_call_event.guid
            AND c.component_type <> 1))))"
        )
    };
}

/// Whether there are any.
macro_rules! events_due {
    ($label:literal) => {
        concat!("SELECT TOP (@P3) ", some_events!($label), "\nOPTION (RECOMPILE)")
    };
}

/// Events of a day after one, by label.
macro_rules! told_events {
    ($label:literal) => {
        concat!(
            "SELECT TOP (@P3) day, id_key, call_ref, guid, component_id, session_id, time_ms, seq,
  level, log_id, label, text, extra
FROM rs_call_event WHERE day = @P1 AND id_key > @P2 AND ",
            $label,
            "
ORDER BY id_key"
        )
    };
}

/// Calls that are over, by when they ended.
macro_rules! over {
    ($more:literal) => {
        concat!(
            "SELECT TOP (@P3) c.day, c.call_key FROM rs_call AS c WITH (UPDLOCK, HOLDLOCK)",
            $more,
            "
WHERE c.day = @P1 AND c.live = 0 AND c.ended_ms < @P2 AND (@P4 = 0 OR ",
            whose!(),
            ")
ORDER BY c.call_key
OPTION (RECOMPILE)"
        )
    };
}

statements! {
    /// Renews a lease, or takes one that is over.
    LEASE_TAKE = "UPDATE rs_lease SET fence = fence + CASE WHEN holder = @P2 THEN 0 ELSE 1 END,
  holder = @P2, until_ms = @P4
WHERE name = @P1 AND (holder = @P2 OR until_ms <= @P3)";
    /// The first of its name.
    LEASE_FIRST = "INSERT INTO rs_lease (name, holder, fence, until_ms)
SELECT @P1, @P2, 1, @P3
WHERE NOT EXISTS (SELECT 1 FROM rs_lease AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.name = @P1)";
    /// Its fence, if it is this holder's.
    LEASE_HELD = "SELECT fence FROM rs_lease WHERE name = @P1 AND holder = @P2";
    /// The same, held until the transaction ends.
    LEASE_CHECK = "SELECT fence FROM rs_lease WITH (UPDLOCK, HOLDLOCK)
WHERE name = @P1 AND fence = @P2";
    /// Gives it back.
    LEASE_END = "UPDATE rs_lease SET until_ms = 0 WHERE name = @P1 AND fence = @P2";

    /// Those that a holder has.
    LEASES = "SELECT name FROM rs_lease WHERE holder = @P1 AND until_ms > @P2";
    /// Marks by their job.
    MARKED = "SELECT job, COUNT_BIG(*) AS marks, MIN(since_ms) AS since_ms
FROM rs_dirty_bin GROUP BY job";

    /// All overrides.
    OVERRIDES = "SELECT scope, id, cdr, events, var, set_ms FROM rs_retention_override
ORDER BY scope, id";
    /// Sets one.
    OVERRIDE_UPDATE = "UPDATE rs_retention_override SET cdr = @P3, events = @P4, var = @P5,
  set_ms = @P6
WHERE scope = @P1 AND id = @P2";
    /// The first of its object.
    OVERRIDE_INSERT = "INSERT INTO rs_retention_override (scope, id, cdr, events, var, set_ms)
SELECT @P1, @P2, @P3, @P4, @P5, @P6
WHERE NOT EXISTS (SELECT 1 FROM rs_retention_override AS t WITH (UPDLOCK, HOLDLOCK)
  WHERE t.scope = @P1 AND t.id = @P2)";
    /// Takes one away.
    OVERRIDE_DELETE = "DELETE FROM rs_retention_override WHERE scope = @P1 AND id = @P2";

    /// The next day with a ledger.
    DAY_LEDGER = "SELECT MIN(day) FROM rs_fact_ledger WHERE day > @P1";
    /// With calls.
    DAY_CALL = "SELECT MIN(day) FROM rs_call WHERE day > @P1";
    /// With failures of quality.
    DAY_FAILURE = "SELECT MIN(day) FROM rs_sq_failure WHERE day > @P1";
    /// With a call in progress.
    DAY_LIVE = "SELECT MIN(day) FROM rs_call WHERE live = 1";

    /// The calls of a day by tenant and profile.
    GROUPS = "SELECT tenant_id, profile_id, SUM(CASE WHEN live = 1 THEN 1 ELSE 0 END) AS lives,
  MIN(ended_ms) AS first_ended, MAX(ended_ms) AS last_ended
FROM rs_call WHERE day = @P1 GROUP BY tenant_id, profile_id";

    /// Calls that may go.
    OVER = over!("");
    /// Those with reports of voice applications.
    OVER_REPORTED = over!("\nJOIN rs_var_call AS v ON v.day = c.day AND v.call_key = c.call_key");

    /// What hangs on calls.
    CALLS_VAR_ACTION = of_calls!("rs_var_action");
    /// What hangs on calls.
    CALLS_VAR_CUSTOM = of_calls!("rs_var_custom");
    /// What hangs on calls.
    CALLS_VAR_CALL = of_calls!("rs_var_call");
    /// What hangs on calls.
    CALLS_TRACE = of_calls!("rs_call_trace");
    /// What hangs on calls.
    CALLS_OWNER = of_calls!("rs_call_owner");
    /// What hangs on calls.
    CALLS_TENANT = of_calls!("rs_call_tenant");
    /// What hangs on calls.
    CALLS_STATE = of_calls!("rs_call_fact_state");
    /// Calls.
    CALLS_CALL = of_calls!("rs_call");

    /// Whether there are events that are no reports.
    DUE_EVENTS = events_due!("(label IS NULL OR NOT (label LIKE N'com.genesyslab.var.%'))
  AND log_id NOT IN (N'asr_open', N'asr_close', N'tts_open', N'tts_close')");
    /// Whether there are events that are.
    DUE_REPORTS = events_due!("label LIKE N'com.genesyslab.var.%'");
    /// Events that are no reports, to be written down.
    TOLD_EVENTS = told_events!("(label IS NULL OR NOT (label LIKE N'com.genesyslab.var.%'))");
    /// Events that are.
    TOLD_REPORTS = told_events!("label LIKE N'com.genesyslab.var.%'");
    /// What a day holds, in short.
    TOLD_STAMP = "SELECT c.n, c.versions, e.n, c.times + e.times FROM
  (SELECT COUNT_BIG(*) AS n, COALESCE(SUM(row_version), 0) AS versions,
     COALESCE(SUM(last_fact_ms % 86400000), 0) AS times FROM rs_call WHERE day = @P1) AS c
CROSS JOIN
  (SELECT COUNT_BIG(*) AS n, COALESCE(SUM(time_ms % 86400000), 0) AS times
   FROM rs_call_event WHERE day = @P1) AS e";
    /// Calls of a day after one, to be written down.
    TOLD_CALLS = "SELECT TOP (@P3) s.call_key, s.state, t.steps FROM rs_call_fact_state AS s
LEFT JOIN rs_call_trace AS t ON t.day = s.day AND t.call_key = s.call_key
WHERE s.day = @P1 AND s.call_key > @P2
ORDER BY s.call_key";

    /// A call that keeps its day.
    FACTS_LATE = "SELECT TOP (1) day FROM rs_call WITH (UPDLOCK, HOLDLOCK)
WHERE day = @P1 AND (live = 1 OR ended_ms > @P2)";
    /// A slice of a day.
    FACTS_EVENT = slice!("rs_call_event");
    /// A slice of a day.
    FACTS_QUALITY = slice!("rs_sq_call");
    /// A slice of a day.
    FACTS_KEPT = slice!("rs_kept_record");
    /// A slice of a day.
    FACTS_VAR_ACTION = slice!("rs_var_action");
    /// A slice of a day.
    FACTS_VAR_CUSTOM = slice!("rs_var_custom");
    /// A slice of a day.
    FACTS_VAR_CALL = slice!("rs_var_call");
    /// A slice of a day.
    FACTS_TRACE = slice!("rs_call_trace");
    /// A slice of a day.
    FACTS_OWNER = slice!("rs_call_owner");
    /// A slice of a day.
    FACTS_TENANT = slice!("rs_call_tenant");
    /// A slice of a day.
    FACTS_STATE = slice!("rs_call_fact_state");
    /// A slice of a day.
    FACTS_CALL = slice!("rs_call");
    /// GUIDs that do not carry their time.
    FACTS_GUID = slice!("rs_call_day");
    /// Numbers that have figures.
    FACTS_NUMBER = slice!("rs_day_number");
    /// Bins that the day touched.
    FACTS_SPAN = slice!("rs_fact_span");
    /// The ledger of a day without calls.
    LEDGER_SLICE = "WITH t AS (SELECT TOP (@P2) day FROM rs_fact_ledger WHERE day = @P1
  AND NOT EXISTS (SELECT 1 FROM rs_call AS c WITH (UPDLOCK, HOLDLOCK)
    WHERE c.day = rs_fact_ledger.day))
DELETE FROM t";

    /// Dead letters.
    AGED_LETTER = aged!("rs_dead_letter", "received_ms");
    /// The audit log, of which a writer deletes nothing itself.
    AGED_AUDIT = "EXEC rs_trim_audit @P1, @P2";
    /// What was written into files.
    AGED_EXPORT = aged!("rs_export_run", "started_ms");
    /// What producers told of their minutes.
    AGED_MINUTE = aged!("rs_integrity_minute", "minute_ms");
    /// What was stored of them.
    AGED_STORED = aged!("rs_stored_minute", "minute_ms");
    /// Books of streams, but for those of a producer's newest boot.
    AGED_STREAM = "WITH t AS (SELECT TOP (@P2) last_ms FROM rs_producer_stream WHERE last_ms < @P1
  AND boot < (SELECT MAX(n.boot) FROM rs_producer_stream AS n
    WHERE n.producer = rs_producer_stream.producer))
DELETE FROM t";
    /// Failures of quality.
    AGED_FAILURE = aged!("rs_sq_failure", "time_ms");

    /// Counts.
    AGED_COUNTS = bins!("rs_or_bin", "");
    /// Levels, but for one that is the one before of none that stays.
    AGED_LEVELS = bins!("rs_conc_bin", "
  AND (level_start + net = 0 OR EXISTS (SELECT 1 FROM rs_conc_bin AS n
    WHERE n.gran = rs_conc_bin.gran AND n.dim = rs_conc_bin.dim AND n.dim_id = rs_conc_bin.dim_id
      AND n.measure = rs_conc_bin.measure AND n.sub = rs_conc_bin.sub
      AND n.bin_ms > rs_conc_bin.bin_ms AND n.bin_ms < @P1))");
    /// Outcomes.
    AGED_OUTCOMES = bins!("rs_var_bin", "");
    /// Actions.
    AGED_ACTIONS = bins!("rs_var_action_bin", "");
    /// Quality.
    AGED_QUALITY = bins!("rs_sq_bin", "");
    /// Response times.
    AGED_LATENCIES = bins!("rs_latency_bin", "");

    /// Calls in progress after one.
    LIVE = "SELECT TOP (@P3) day, call_key, component_type, last_fact_ms, component_id, boot
FROM rs_call WHERE live = 1 AND (day > @P1 OR (day = @P1 AND call_key > @P2))
ORDER BY day, call_key";
    /// When a component was named last, and its name.
    COMPONENT_LAST_SENT = "SELECT last_ms, name FROM rs_dim_component WHERE id = @P1";
    /// Its newest start, and when that was heard of.
    COMPONENT_BOOT = "SELECT MAX(boot) AS newest, MIN(first_ms) AS first_ms FROM rs_producer_stream
WHERE producer = @P1 AND boot = (SELECT MAX(n.boot) FROM rs_producer_stream AS n
  WHERE n.producer = @P1)";
    /// The facts of a call.
    STATE = "SELECT state FROM rs_call_fact_state WHERE day = @P1 AND call_key = @P2";
    /// The last event of a call's session before a later call of it.
    LAST_EVENT = "SELECT MAX(e.time_ms) AS last_ms FROM rs_call AS c
JOIN rs_call_event AS e ON e.component_id = c.component_id AND e.session_id = c.session_id
  AND e.time_ms >= c.started_ms
WHERE c.day = @P1 AND c.call_key = @P2 AND c.session_id <> N'' AND e.day >= @P3
  AND NOT EXISTS (SELECT 1 FROM rs_call AS n WHERE n.component_id = c.component_id
    AND n.session_id = c.session_id AND n.day >= @P3
    AND n.started_ms > c.started_ms AND n.started_ms <= e.time_ms)";
    /// Room of the tables, in pages of 8 KiB.
    ROOMS = "SELECT o.name, SUM(s.reserved_page_count) * 8192 AS bytes
FROM sys.dm_db_partition_stats AS s JOIN sys.objects AS o ON o.object_id = s.object_id
WHERE o.name LIKE N'rs[_]%' GROUP BY o.name ORDER BY o.name";
}

/// The facts of a day, those that hang on calls first.
pub(in crate::store::sqlserver) const FACTS: [Statement; 14] = [
    FACTS_EVENT,
    FACTS_QUALITY,
    FACTS_KEPT,
    FACTS_VAR_ACTION,
    FACTS_VAR_CUSTOM,
    FACTS_VAR_CALL,
    FACTS_TRACE,
    FACTS_OWNER,
    FACTS_TENANT,
    FACTS_STATE,
    FACTS_CALL,
    FACTS_GUID,
    FACTS_NUMBER,
    FACTS_SPAN,
];

/// What hangs on calls, and they themselves.
pub(in crate::store::sqlserver) const CALLS: [Statement; 8] = [
    CALLS_VAR_ACTION,
    CALLS_VAR_CUSTOM,
    CALLS_VAR_CALL,
    CALLS_TRACE,
    CALLS_OWNER,
    CALLS_TENANT,
    CALLS_STATE,
    CALLS_CALL,
];
