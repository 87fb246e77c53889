//! Statements about what was written into files.

use super::Statement;

statements! {
    /// What was begun and not ended of a kind of a day has been stopped.
    EXPORT_STOP = "UPDATE rs_export_run SET state = N'stopped', ended_ms = @P3
WHERE day = @P1 AND kind = @P2 AND state = N'running'";
    /// Begins one.
    EXPORT_BEGIN = "INSERT INTO rs_export_run
  (day, kind, rs_name, state, calls, versions, events, times, rows, started_ms)
VALUES (@P1, @P2, @P3, N'running', @P4, @P5, @P6, @P7, 0, @P8)";
    /// Ends it.
    EXPORT_END = "UPDATE rs_export_run SET state = @P3, rows = @P4, blake3 = @P5, first_key = @P6,
  last_key = @P7, file_name = @P8, ended_ms = @P9
WHERE day = @P1 AND kind = @P2 AND state = N'running'";
    /// The newest of a day, or of all, at most so many (2).
    EXPORTS = "SELECT TOP (@P2) e.day, e.kind, e.rs_name, e.state, e.calls, e.versions, e.events,
  e.times, e.rows, e.blake3, e.first_key, e.last_key, e.file_name, e.started_ms, e.ended_ms
FROM rs_export_run AS e
WHERE (@P1 IS NULL OR e.day = @P1)
ORDER BY e.no DESC";
}
