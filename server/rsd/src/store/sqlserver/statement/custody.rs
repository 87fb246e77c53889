//! Statements about dead letters and the audit log: a value that is null is no condition.

use super::Statement;

/// A dead letter; `body`: what is given of its body.
macro_rules! letter {
    ($body:literal) => {
        concat!(
            "no, l.received_ms, l.queue, l.transport, l.user_name, l.peer, l.message_id,
  l.properties, ",
            $body,
            " AS body, l.code, l.field, l.text, l.producer, l.retries, l.state,
  DATALENGTH(l.body) AS bytes
FROM rs_dead_letter AS l"
        )
    };
}

/// Those that a filter lets through, newest first, at most so many (8).
macro_rules! letters {
    ($body:literal) => {
        concat!(
            "SELECT TOP (@P8) l.",
            letter!($body),
            "
WHERE (@P1 IS NULL OR l.code = @P1)
AND (@P2 IS NULL OR l.producer = @P2)
AND (@P3 IS NULL OR l.state = @P3)
AND (@P4 IS NULL OR l.received_ms >= @P4)
AND (@P5 IS NULL OR l.received_ms < @P5)
AND (@P6 IS NULL OR l.received_ms < @P6 OR l.received_ms = @P6 AND l.no < @P7)
ORDER BY l.received_ms DESC, l.no DESC
OPTION (RECOMPILE)"
        )
    };
}

statements! {
    /// Dead letters with their bodies.
    LETTERS_WHOLE = letters!("l.body");
    /// Without.
    LETTER_HEADS = letters!("CAST(0x AS varbinary(max))");
    /// One.
    LETTER = concat!("SELECT l.", letter!("l.body"), "\nWHERE l.no = @P1");
    /// Those behind a number, at most so many (2).
    LETTERS_BEHIND = concat!("SELECT TOP (@P2) l.", letter!("l.body"), "
WHERE l.no > @P1
ORDER BY l.no");
    /// Leaves nothing of one but its properties.
    LETTER_UNSAY = "UPDATE rs_dead_letter SET properties = @P2, body = @P3, text = N''
WHERE no = @P1";
    /// Throws one away.
    LETTER_DELETE = "UPDATE rs_dead_letter SET state = N'deleted' WHERE no = @P1";
    /// One whose record is stored after all.
    LETTER_STORED = "UPDATE rs_dead_letter SET state = N'retried', retries = @P2
WHERE no = @P1 AND state = N'open'";
    /// One whose record is refused again.
    LETTER_REFUSED = "UPDATE rs_dead_letter SET retries = @P2, code = @P3, field = @P4, text = @P5
WHERE no = @P1";

    /// What an operator did.
    NOTE_AUDIT = "INSERT INTO rs_audit_log
  (day, time_ms, user_name, address, action, object, detail, outcome)
VALUES (@P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8)";
    /// What operators did, newest first, at most so many (7).
    AUDIT = "SELECT TOP (@P7) a.no, a.time_ms, a.user_name, a.address, a.action, a.object,
  a.detail, a.outcome
FROM rs_audit_log AS a
WHERE (@P1 IS NULL OR a.user_name = @P1)
AND (@P2 IS NULL OR a.action = @P2)
AND (@P3 IS NULL OR a.time_ms >= @P3)
AND (@P4 IS NULL OR a.time_ms < @P4)
AND (@P5 IS NULL OR a.time_ms < @P5 OR a.time_ms = @P5 AND a.no < @P6)
ORDER BY a.time_ms DESC, a.no DESC
OPTION (RECOMPILE)";
}
