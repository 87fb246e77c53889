//! Statements that write: rows come in bulk into a temporary table with the columns of the real
//! one, and go on from there in sets (spec rs.md §3.3; no `MERGE`).

use super::Statement;

/// A table that is written through a temporary one.
#[derive(Clone, Copy, Debug)]
pub(in crate::store::sqlserver) struct Staged {
    /// The temporary table.
    pub(in crate::store::sqlserver) table: &'static str,
    /// Makes it; once for each connection.
    pub(in crate::store::sqlserver) make: Statement,
    /// Empties it.
    pub(in crate::store::sqlserver) clear: Statement,
    /// Brings the rows that are there up to date.
    pub(in crate::store::sqlserver) update: Statement,
    /// Adds those that are not.
    pub(in crate::store::sqlserver) insert: Statement,
}

impl Staged {
    pub(super) const fn statements(&self) -> [&Statement; 4] {
        [&self.make, &self.clear, &self.update, &self.insert]
    }
}

/// Columns `t.a = s.a` joined by a word.
macro_rules! same {
    ($word:literal, $first:ident $(, $more:ident)*) => {
        concat!(
            "t.", stringify!($first), " = s.", stringify!($first)
            $(, $word, "t.", stringify!($more), " = s.", stringify!($more))*
        )
    };
}

macro_rules! list {
    ($first:ident $(, $more:ident)*) => {
        concat!(stringify!($first) $(, ", ", stringify!($more))*)
    };
}

/// A staged table by its name, its key and its other columns, in the order of the rows.
macro_rules! staged {
    ($($(#[$doc:meta])* $name:ident = $table:literal ($($key:ident),+) ($($value:ident),+);)*) => {
        $($(#[$doc])* pub(in crate::store::sqlserver) const $name: Staged = Staged {
            table: concat!("#", $table),
            make: Statement {
                name: concat!(stringify!($name), "_MAKE"),
                sql: concat!(
                    "SELECT TOP (0) ", list!($($key),+), ", ", list!($($value),+),
                    "\nINTO #", $table, " FROM ", $table
                ),
            },
            clear: Statement {
                name: concat!(stringify!($name), "_CLEAR"),
                sql: concat!("TRUNCATE TABLE #", $table),
            },
            update: Statement {
                name: concat!(stringify!($name), "_UPDATE"),
                sql: concat!(
                    "UPDATE t SET ", same_values!($($value),+),
                    "\nFROM ", $table, " AS t WITH (UPDLOCK, HOLDLOCK)\nJOIN #", $table,
                    " AS s ON ", same!(" AND ", $($key),+)
                ),
            },
            insert: Statement {
                name: concat!(stringify!($name), "_INSERT"),
                sql: concat!(
                    "INSERT INTO ", $table, " (", list!($($key),+), ", ", list!($($value),+),
                    ")\nSELECT ", list!($($key),+), ", ", list!($($value),+),
                    "\nFROM #", $table, " AS s\nWHERE NOT EXISTS (SELECT 1 FROM ", $table,
                    " AS t WITH (UPDLOCK, HOLDLOCK)\n  WHERE ", same!(" AND ", $($key),+),
                    ")\nORDER BY ", list!($($key),+)
                ),
            },
        };)*
        pub(in crate::store::sqlserver) const STAGED: &[Staged] = &[$($name),*];
    };
}

/// `a = s.a, b = s.b`
macro_rules! same_values {
    ($first:ident $(, $more:ident)*) => {
        concat!(
            stringify!($first), " = s.", stringify!($first)
            $(, ", ", stringify!($more), " = s.", stringify!($more))*
        )
    };
}

staged! {
    /// Every record once.
    LEDGER = "rs_fact_ledger" (day, id_key) (content_hash, received_ms);
    /// Calls.
    CALL = "rs_call" (day, call_key) (live, row_version, last_fact_ms, started_ms, answered_ms,
        ended_ms, duration_ms, component_type, component_id, session_id, guid, leg, epoch,
        call_type, tenant_id, profile_id, service, dn, local_uri, remote_uri, call_id, call_uuid,
        resource_group, resource_name, resource_dbid, resource_address, attempts, end_state,
        sip_status, reason, policy, profile_usage, profile_burst, asr_used, tts_used, media,
        origin, parent_key, sq_failed, config_rev, flags, extra, boot);
    /// What the merge needs of the facts.
    STATE = "rs_call_fact_state" (day, call_key) (state);
    /// Decision traces.
    TRACE = "rs_call_trace" (day, call_key) (steps);
    /// Tenants of a call's path.
    CALL_TENANT = "rs_call_tenant" (day, call_key, tenant_id) (started_ms, depth, usage, burst);
    /// Owners of a call.
    CALL_OWNER = "rs_call_owner" (day, call_key, n) (component_id, from_ms);
    /// What voice applications reported of a call.
    OUTCOME = "rs_var_call" (day, call_key) (result, reason, notes, actions, ignored);
    /// Actions of voice applications.
    VAR_ACTION = "rs_var_action" (day, call_key, n) (action, parent_n, started_ms, ended_ms,
        result, reason, notes, is_last);
    /// Custom variables.
    VAR_CUSTOM = "rs_var_custom" (day, call_key, name) (value);
    /// Failures.
    FAILURE = "rs_sq_failure" (day, failure_key) (id_key, time_ms, component_id, session_id, guid,
        profile_id, tenant_id, type, latency_type, value_ms, threshold_ms, text);
    /// Counts of bins.
    COUNT_BIN = "rs_or_bin" (gran, bin_ms, measure, dim, dim_id, sub, call_type) (count, rejected,
        ended, duration_ms, max_duration_ms, answered, answered_ms, port_ms);
    /// Levels of bins.
    LEVEL_BIN = "rs_conc_bin" (gran, bin_ms, measure, dim, dim_id, sub) (level_start, peak,
        peak_ms, peak_by_type, net, types, deltas);
    /// Outcomes of bins.
    OUTCOME_BIN = "rs_var_bin" (gran, bin_ms, dim, dim_id, result, reason_key) (count, duration_ms);
    /// Actions of bins.
    ACTION_BIN = "rs_var_action_bin" (gran, bin_ms, dim, dim_id, action_key, result) (count,
        last_count, duration_ms, min_ms, max_ms);
    /// Quality of bins.
    SQ_BIN = "rs_sq_bin" (gran, bin_ms, dim, dim_id) (calls, failed, by_type);
    /// Latencies of bins.
    LATENCY_BIN = "rs_latency_bin" (gran, bin_ms, component_id, type) (count, sum, sumsq_high,
        sumsq_low, min, max, hist);
    /// Events.
    EVENT = "rs_call_event" (day, id_key) (call_ref, guid, component_id, session_id, time_ms, seq,
        level, log_id, label, text, extra);
}

/// What hangs on calls that are written again.
pub(in crate::store::sqlserver) const UNHANG: [Statement; 5] =
    [UNHANG_TENANTS, UNHANG_OWNERS, UNHANG_OUTCOMES, UNHANG_ACTIONS, UNHANG_CUSTOM];

/// What hangs on a call that is written again goes first.
macro_rules! unhang {
    ($table:literal) => {
        concat!(
            "DELETE t FROM ",
            $table,
            " AS t\n",
            "JOIN #rs_call AS s ON s.day = t.day AND s.call_key = t.call_key"
        )
    };
}

/// A record of which nothing may be left.
macro_rules! gone {
    ($table:literal) => {
        concat!("DELETE FROM ", $table, " WHERE day = @P1 AND id_key = @P2")
    };
}

macro_rules! insert_if_new {
    ($table:literal, $columns:literal, $values:literal, $key:literal) => {
        concat!(
            "INSERT INTO ",
            $table,
            " (",
            $columns,
            ")\nSELECT ",
            $values,
            "\nWHERE NOT EXISTS ",
            "(SELECT 1 FROM ",
            $table,
            " AS t WITH (UPDLOCK, HOLDLOCK) WHERE ",
            $key,
            ")"
        )
    };
}

statements! {
    /// New ids of records; tells which of them were new indeed.
    LEDGER_NEW = "INSERT INTO rs_fact_ledger (day, id_key, content_hash, received_ms)
OUTPUT inserted.day, inserted.id_key
SELECT day, id_key, content_hash, received_ms
FROM #rs_fact_ledger AS s
WHERE NOT EXISTS (SELECT 1 FROM rs_fact_ledger AS t WITH (UPDLOCK, HOLDLOCK)
  WHERE t.day = s.day AND t.id_key = s.id_key)
ORDER BY day, id_key";

    /// Tenants of calls that are written again.
    UNHANG_TENANTS = unhang!("rs_call_tenant");
    /// Their owners.
    UNHANG_OWNERS = unhang!("rs_call_owner");
    /// Their outcomes.
    UNHANG_OUTCOMES = unhang!("rs_var_call");
    /// Their actions.
    UNHANG_ACTIONS = unhang!("rs_var_action");
    /// Their custom variables.
    UNHANG_CUSTOM = unhang!("rs_var_custom");

    /// A state too large for bulk: the row that is there.
    STATE_UPDATE_ONE = "UPDATE rs_call_fact_state SET state = @P3
WHERE day = @P1 AND call_key = @P2";
    /// The row that is not.
    STATE_INSERT_ONE = insert_if_new!("rs_call_fact_state", "day, call_key, state",
        "@P1, @P2, @P3", "t.day = @P1 AND t.call_key = @P2");

    /// An event that goes.
    EVENT_GONE = gone!("rs_call_event");
    /// Quality that goes.
    QUALITY_GONE = gone!("rs_sq_call");
    /// Its failures.
    FAILURE_GONE = gone!("rs_sq_failure");
    /// Quality that a record tells.
    QUALITY_INSERT = "INSERT INTO rs_sq_call
  (day, id_key, component_id, session_id, guid, time_ms, failed, fact)
VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8)";
    /// A record that goes.
    KEPT_GONE = gone!("rs_kept_record");
    /// A record that is kept whole.
    KEPT_INSERT = "INSERT INTO rs_kept_record
  (day, id_key, kind, id, component_id, time_ms, received_ms, body, bin_ms)
VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9)";

    /// A dead letter.
    LETTER_INSERT = "INSERT INTO rs_dead_letter (seq, received_ms, queue, transport, user_name,
  peer, message_id, properties, body, code, field, text, producer, letter_key)
VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9, @P10, @P11, @P12, @P13, @P14)";

    /// Adds to a figure that is there.
    FIGURE_UPDATE = "UPDATE rs_figure SET value = value + @P3 WHERE name = @P1 AND producer = @P2";
    /// One that is not.
    FIGURE_INSERT = insert_if_new!("rs_figure", "name, producer, value", "@P1, @P2, @P3",
        "t.name = @P1 AND t.producer = @P2");
    /// Adds to the ends of a minute that are there.
    STORED_UPDATE = "UPDATE rs_stored_minute SET stored = stored + @P4
WHERE producer = @P1 AND boot = @P2 AND minute_ms = @P3";
    /// The first of a minute.
    STORED_INSERT = insert_if_new!("rs_stored_minute", "producer, boot, minute_ms, stored",
        "@P1, @P2, @P3, @P4", "t.producer = @P1 AND t.boot = @P2 AND t.minute_ms = @P3");
    /// Books of a stream that are there.
    STREAM_UPDATE = "UPDATE rs_producer_stream SET received = @P4, max_seq = @P5,
  announced_seq = @P6, duplicates = @P7, first_ms = @P8, last_ms = @P9,
  gaps = @P10
WHERE producer = @P1 AND boot = @P2 AND stream = @P3";
    /// New ones.
    STREAM_INSERT = insert_if_new!("rs_producer_stream", "producer, boot, stream, received, max_seq,
  announced_seq, duplicates, first_ms, last_ms, gaps",
        "@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9, @P10",
        "t.producer = @P1 AND t.boot = @P2 AND t.stream = @P3");
    /// What a producer told of a minute again.
    MINUTE_UPDATE = "UPDATE rs_integrity_minute SET calls_in = @P4, records_out = @P5,
  adopted_in = @P6, handed_out = @P7, rejected = @P8, in_progress = @P9
WHERE producer = @P1 AND boot = @P2 AND minute_ms = @P3";
    /// For the first time.
    MINUTE_INSERT = insert_if_new!("rs_integrity_minute", "producer, boot, minute_ms,
  calls_in, records_out, adopted_in, handed_out, rejected, in_progress",
        "@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8, @P9",
        "t.producer = @P1 AND t.boot = @P2 AND t.minute_ms = @P3");
    /// The day of a GUID that does not carry its time.
    CALL_DAY = insert_if_new!("rs_call_day", "guid, day", "@P1, @P2",
        "t.guid = @P1 AND t.day = @P2");

    /// Every frame up to this one is in the database.
    CURSOR_UPDATE = "UPDATE rs_spool_cursor SET spool_seq = @P3, updated_ms = @P4
WHERE rs_name = @P1 AND spool_id = @P2";
    /// The same for the first time.
    CURSOR_INSERT = insert_if_new!("rs_spool_cursor", "rs_name, spool_id, spool_seq, updated_ms",
        "@P1, @P2, @P3, @P4", "t.rs_name = @P1 AND t.spool_id = @P2");

    /// A component that is there.
    COMPONENT_UPDATE = "UPDATE rs_dim_component SET name = @P2, type = @P3, synthetic = @P4,
  alias_of = @P5, first_ms = @P6, last_ms = @P7
WHERE id = @P1";
    /// A new one.
    COMPONENT_INSERT = insert_if_new!("rs_dim_component",
        "id, name, type, synthetic, alias_of, first_ms, last_ms",
        "@P1, @P2, @P3, @P4, @P5, @P6, @P7", "t.id = @P1");
    /// A tenant that is there.
    TENANT_UPDATE = "UPDATE rs_dim_tenant SET name = @P2, parent_id = @P3, path = @P4,
  synthetic = @P5, alias_of = @P6, first_ms = @P7, last_ms = @P8
WHERE id = @P1";
    /// A new one.
    TENANT_INSERT = insert_if_new!("rs_dim_tenant",
        "id, name, parent_id, path, synthetic, alias_of, first_ms, last_ms",
        "@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8", "t.id = @P1");
    /// A profile that is there.
    PROFILE_UPDATE = "UPDATE rs_dim_profile SET name = @P2, tenant_id = @P3, service = @P4,
  synthetic = @P5, alias_of = @P6, first_ms = @P7, last_ms = @P8
WHERE id = @P1";
    /// A new one.
    PROFILE_INSERT = insert_if_new!("rs_dim_profile",
        "id, name, tenant_id, service, synthetic, alias_of, first_ms, last_ms",
        "@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8", "t.id = @P1");
    /// A component was named now.
    COMPONENT_TOUCH = "UPDATE rs_dim_component SET last_ms = @P2 WHERE id = @P1";
    /// A tenant.
    TENANT_TOUCH = "UPDATE rs_dim_tenant SET last_ms = @P2 WHERE id = @P1";
    /// A profile.
    PROFILE_TOUCH = "UPDATE rs_dim_profile SET last_ms = @P2 WHERE id = @P1";
}
