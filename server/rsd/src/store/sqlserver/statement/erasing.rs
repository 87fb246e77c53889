//! Statements of erasure: a slice of a table by its day (`@P1`) behind a key (`@P2`), and one row
//! of it with other texts. What is not by day has the day 0.

use super::Statement;

/// The next keys, at most so many (3).
macro_rules! keys {
    ($table:literal, $key:literal) => {
        concat!(
            "SELECT TOP (@P3) ",
            $key,
            " FROM ",
            $table,
            " WHERE day = @P1 AND ",
            $key,
            " > @P2\nORDER BY ",
            $key
        )
    };
}

/// All rows up to a key (3).
macro_rules! rows {
    ($columns:literal, $table:literal, $key:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $table,
            " WHERE day = @P1 AND ",
            $key,
            " > @P2 AND ",
            $key,
            " <= @P3"
        )
    };
}

/// The next calls with one column.
macro_rules! keyed {
    ($column:literal, $table:literal) => {
        concat!(
            "SELECT TOP (@P3) call_key, ",
            $column,
            " FROM ",
            $table,
            " WHERE day = @P1 AND call_key > @P2\nORDER BY call_key"
        )
    };
}

/// What hangs on a session of a component.
macro_rules! said {
    ($columns:literal, $table:literal, $which:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $table,
            " WHERE day = @P1 AND component_id = @P2 AND ",
            $which
        )
    };
}

statements! {
    /// The seal; whoever stores a batch holds it together until the transaction ends.
    SEAL_TOGETHER = "SELECT value FROM rs_meta WITH (HOLDLOCK) WHERE name = @P1";
    /// Who erases, alone.
    SEAL_ALONE = "SELECT value FROM rs_meta WITH (XLOCK, HOLDLOCK) WHERE name = @P1";
    /// Begins one.
    ERASURE_INSERT = "INSERT INTO rs_erasure
  (digits, hash, requested_ms, calls, rows, day, stage, after, changed)
VALUES (@P1, @P2, @P3, 0, 0, 0, 0, @P4, 0)";
    /// Notes by what a call is known that is erased whole.
    ERASURE_CALL = "INSERT INTO rs_erasure
  (digits, hash, requested_ms, ended_ms, calls, rows, day, stage, after, changed)
VALUES (@P1, @P2, @P3, @P3, 0, 0, 0, 0, @P4, 0)";
    /// Calls by their keys.
    FORGET_CALLS = "SELECT t.day, t.call_key, t.component_id, t.session_id, t.guid
FROM OPENJSON(@P1) WITH (d int '$.d', k char(32) '$.k') AS j
JOIN rs_call AS t ON t.day = j.d AND t.call_key = CONVERT(binary(16), j.k, 2)";
    /// What was said in a session.
    FORGET_EVENTS = said!("id_key, label, text, extra", "rs_call_event", "session_id = @P3
  AND session_id <> N'' AND (text IS NOT NULL OR extra IS NOT NULL)");
    /// What was said beside a session.
    FORGET_EVENTS_BY_GUID = said!("id_key, label, text, extra", "rs_call_event", "session_id = N''
  AND guid = @P3 AND (text IS NOT NULL OR extra IS NOT NULL)");
    /// Quality of a session.
    FORGET_QUALITY = said!("id_key, fact", "rs_sq_call", "session_id = @P3
  AND session_id <> N''");
    /// Quality beside a session.
    FORGET_QUALITY_BY_GUID = said!("id_key, fact", "rs_sq_call", "session_id = N''
  AND guid = @P3");
    /// The newest one.
    ERASURE_NEWEST = "SELECT MAX(no) FROM rs_erasure";
    /// All of them, newest first, at most so many.
    ERASURES = "SELECT TOP (@P1) no, requested_ms, ended_ms, calls, rows, day FROM rs_erasure
WHERE digits > 0 ORDER BY no DESC";
    /// What records that come must not tell.
    ERASED = "SELECT digits, hash, requested_ms FROM rs_erasure";
    /// The oldest one that is not at its end.
    ERASURE_NEXT = "SELECT TOP (1) no, digits, hash, day, stage, after FROM rs_erasure
WHERE ended_ms IS NULL ORDER BY no";
    /// How far it has come, unless another has done the slice.
    ERASURE_PROGRESS = "UPDATE rs_erasure SET day = @P2, stage = @P3, after = @P4,
  calls = calls + @P5, rows = rows + @P6, ended_ms = @P7
WHERE no = @P1 AND ended_ms IS NULL AND day = @P8 AND stage = @P9 AND after = @P10";

    /// Dead letters.
    LETTER_KEYS = "SELECT TOP (@P3) no FROM rs_dead_letter WHERE @P1 = 0 AND no > @P2
ORDER BY no";
    /// Dead letters.
    LETTER_ROWS = "SELECT no, properties, body, text FROM rs_dead_letter
WHERE @P1 = 0 AND no > @P2 AND no <= @P3";
    /// A dead letter.
    LETTER_MASK = "UPDATE rs_dead_letter SET properties = @P3, body = @P4, text = @P5
WHERE @P1 = 0 AND no = @P2";
    /// Texts of figures.
    TEXT_KEYS = "SELECT TOP (@P3) id FROM rs_text_dim WHERE @P1 = 0 AND id > @P2
ORDER BY id";
    /// Texts of figures.
    TEXT_ROWS = "SELECT id, value FROM rs_text_dim WHERE @P1 = 0 AND id > @P2 AND id <= @P3";
    /// A text of figures.
    TEXT_MASK = "UPDATE rs_text_dim SET value = @P3 WHERE @P1 = 0 AND id = @P2";
    /// Figures of MIBs.
    SNMP_KEYS = "SELECT TOP (@P3) component_id FROM rs_snmp_value
WHERE @P1 = 0 AND component_id > @P2 ORDER BY component_id";
    /// Figures of MIBs.
    SNMP_ROWS = "SELECT component_id, name, value FROM rs_snmp_value
WHERE @P1 = 0 AND component_id > @P2 AND component_id <= @P3";
    /// A figure of a MIB.
    SNMP_MASK = "UPDATE rs_snmp_value SET value = @P4
WHERE @P1 = 0 AND component_id = @P2 AND name = @P3";
    /// A figure of a MIB whose name tells.
    SNMP_GONE = "DELETE FROM rs_snmp_value WHERE @P1 = 0 AND component_id = @P2 AND name = @P3";
    /// Records that are kept whole.
    KEPT_KEYS = keys!("rs_kept_record", "id_key");
    /// Records that are kept whole.
    KEPT_ROWS = rows!("id_key, body", "rs_kept_record", "id_key");
    /// A record that is kept whole.
    KEPT_MASK = "UPDATE rs_kept_record SET body = @P3 WHERE day = @P1 AND id_key = @P2";
    /// Events.
    EVENT_KEYS = keys!("rs_call_event", "id_key");
    /// Events.
    EVENT_ROWS = rows!("id_key, label, text, extra", "rs_call_event", "id_key");
    /// An event.
    EVENT_MASK = "UPDATE rs_call_event SET label = @P3, text = @P4, extra = @P5
WHERE day = @P1 AND id_key = @P2";
    /// What voice applications reported.
    OUTCOME_KEYS = keys!("rs_var_call", "call_key");
    /// What voice applications reported.
    OUTCOME_ROWS = rows!("call_key, reason, notes", "rs_var_call", "call_key");
    /// What a voice application reported.
    OUTCOME_MASK = "UPDATE rs_var_call SET reason = @P3, notes = @P4
WHERE day = @P1 AND call_key = @P2";
    /// Actions.
    ACTION_KEYS = keys!("rs_var_action", "call_key");
    /// Actions.
    ACTION_ROWS = rows!("call_key, n, action, reason, notes", "rs_var_action", "call_key");
    /// An action.
    ACTION_MASK = "UPDATE rs_var_action SET action = @P4, reason = @P5, notes = @P6
WHERE day = @P1 AND call_key = @P2 AND n = @P3";
    /// Own values.
    CUSTOM_KEYS = keys!("rs_var_custom", "call_key");
    /// Own values.
    CUSTOM_ROWS = rows!("call_key, name, value", "rs_var_custom", "call_key");
    /// An own value.
    CUSTOM_MASK = "UPDATE rs_var_custom SET value = @P4
WHERE day = @P1 AND call_key = @P2 AND name = @P3";
    /// An own value whose name tells.
    CUSTOM_GONE = "DELETE FROM rs_var_custom WHERE day = @P1 AND call_key = @P2 AND name = @P3";
    /// Quality.
    QUALITY_KEYS = keys!("rs_sq_call", "id_key");
    /// Quality.
    QUALITY_ROWS = rows!("id_key, fact", "rs_sq_call", "id_key");
    /// Quality of one record.
    QUALITY_MASK = "UPDATE rs_sq_call SET fact = @P3 WHERE day = @P1 AND id_key = @P2";
    /// Failures.
    FAILURE_KEYS = keys!("rs_sq_failure", "failure_key");
    /// Failures.
    FAILURE_ROWS = rows!("failure_key, text", "rs_sq_failure", "failure_key");
    /// A failure.
    FAILURE_MASK = "UPDATE rs_sq_failure SET text = @P3 WHERE day = @P1 AND failure_key = @P2";

    /// The next calls with what is known of them.
    STATES_NEXT = keyed!("state", "rs_call_fact_state");
    /// The next traces.
    TRACES_NEXT = keyed!("steps", "rs_call_trace");
}
