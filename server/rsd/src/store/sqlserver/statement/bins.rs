//! Statements about bins and marks. Keys of marks come as JSON, `{"j": job, "b": bin, "d": day,
//! "v": version}`; those of levels as `{"d": dimension, "i": id, "m": measure, "s": service}`.

use super::Statement;

macro_rules! counts {
    () => {
        "b.gran, b.bin_ms, b.measure, b.dim, b.dim_id, b.sub, b.call_type, b.count, b.rejected,
  b.ended, b.duration_ms, b.max_duration_ms, b.answered, b.answered_ms, b.port_ms
FROM rs_or_bin AS b"
    };
}

macro_rules! levels {
    ($deltas:literal) => {
        concat!("SELECT ", levels!($deltas, columns))
    };
    ($deltas:literal, columns) => {
        concat!(
            "b.gran, b.bin_ms, b.measure, b.dim, b.dim_id, b.sub, b.level_start, b.peak,
  b.peak_ms, b.peak_by_type, b.net, b.types, ",
            $deltas,
            " AS deltas"
        )
    };
}

macro_rules! outcomes {
    () => {
        "b.gran, b.bin_ms, b.dim, b.dim_id, b.result, b.reason_key, b.count, b.duration_ms
FROM rs_var_bin AS b"
    };
}

macro_rules! actions {
    () => {
        "b.gran, b.bin_ms, b.dim, b.dim_id, b.action_key, b.result, b.count, b.last_count,
  b.duration_ms, b.min_ms, b.max_ms
FROM rs_var_action_bin AS b"
    };
}

macro_rules! quality {
    () => {
        "b.gran, b.bin_ms, b.dim, b.dim_id, b.calls, b.failed, b.by_type
FROM rs_sq_bin AS b"
    };
}

macro_rules! latencies {
    () => {
        "b.gran, b.bin_ms, b.component_id, b.type, b.count, b.sum, b.sumsq_high, b.sumsq_low, b.min,
  b.max, b.hist
FROM rs_latency_bin AS b"
    };
}

/// Bins of a granularity (1) that begin in a span (2, 3).
macro_rules! between {
    () => {
        "
WHERE b.gran = @P1 AND b.bin_ms >= @P2 AND b.bin_ms < @P3"
    };
}

/// Of a dimension (4), and of ids (5); at most so many (6).
macro_rules! of_dim {
    () => {
        concat!(
            between!(),
            "
AND b.dim = @P4 AND (@P5 IS NULL OR b.dim_id IN (
  SELECT j.id FROM OPENJSON(@P5) WITH (id bigint '$') AS j))
OPTION (RECOMPILE)"
        )
    };
}

/// Keys of marks, as `m`.
macro_rules! marks {
    () => {
        "OPENJSON(@P1) WITH (j tinyint '$.j', b bigint '$.b', d int '$.d', v bigint '$.v') AS m"
    };
}

/// Keys of levels, as `k`.
macro_rules! level_keys {
    () => {
        "OPENJSON(@P1) WITH (d int '$.d', i bigint '$.i', m int '$.m', s int '$.s') AS k"
    };
}

statements! {
    /// Rows of bins.
    COUNTS = concat!("SELECT ", counts!(), between!());
    /// Levels with their lists of changes.
    LEVELS = concat!(levels!("b.deltas"), "\nFROM rs_conc_bin AS b", between!());
    /// Outcomes.
    OUTCOMES = concat!("SELECT ", outcomes!(), between!());
    /// Actions.
    ACTIONS = concat!("SELECT ", actions!(), between!());
    /// Quality.
    SQ_BINS = concat!("SELECT ", quality!(), between!());
    /// Latencies.
    LATENCIES = concat!("SELECT ", latencies!(), between!());

    /// Rows of bins of objects.
    COUNTS_OF = concat!("SELECT TOP (@P6) ", counts!(), of_dim!());
    /// Levels without lists of changes.
    LEVELS_OF = concat!(
        "SELECT TOP (@P6) ", levels!("CAST(NULL AS varbinary(max))", columns),
        "\nFROM rs_conc_bin AS b", of_dim!()
    );
    /// Levels with their lists of changes.
    CHANGES_OF = concat!(
        "SELECT TOP (@P6) ", levels!("b.deltas", columns), "\nFROM rs_conc_bin AS b", of_dim!()
    );
    /// Outcomes.
    OUTCOMES_OF = concat!("SELECT TOP (@P6) ", outcomes!(), of_dim!());
    /// Actions.
    ACTIONS_OF = concat!("SELECT TOP (@P6) ", actions!(), of_dim!());
    /// Quality.
    SQ_BINS_OF = concat!("SELECT TOP (@P6) ", quality!(), of_dim!());
    /// Latencies of components, at most so many (5).
    LATENCIES_OF = concat!("SELECT TOP (@P5) ", latencies!(), between!(), "
AND (@P4 IS NULL OR b.component_id IN (
  SELECT j.id FROM OPENJSON(@P4) WITH (id bigint '$') AS j))
OPTION (RECOMPILE)");

    /// Of each key the last level of a granularity (2) before a bin (3).
    LEVELS_BEFORE = concat!(levels!("b.deltas"), "\nFROM ", level_keys!(), "
JOIN rs_conc_bin AS b ON b.gran = @P2 AND b.dim = k.d AND b.dim_id = k.i AND b.measure = k.m
  AND b.sub = k.s AND b.bin_ms = (SELECT MAX(o.bin_ms) FROM rs_conc_bin AS o
    WHERE o.gran = @P2 AND o.dim = k.d AND o.dim_id = k.i AND o.measure = k.m AND o.sub = k.s
      AND o.bin_ms < @P3)");
    /// Of each key the last level of a granularity (1) before a bin (2), where something stands
    /// after it.
    LEVELS_STANDING = concat!(levels!("b.deltas"), "
FROM (SELECT o.dim, o.dim_id, o.measure, o.sub, MAX(o.bin_ms) AS bin_ms FROM rs_conc_bin AS o
  WHERE o.gran = @P1 AND o.bin_ms < @P2 GROUP BY o.dim, o.dim_id, o.measure, o.sub) AS k
JOIN rs_conc_bin AS b ON b.gran = @P1 AND b.dim = k.dim AND b.dim_id = k.dim_id
  AND b.measure = k.measure AND b.sub = k.sub AND b.bin_ms = k.bin_ms
WHERE b.level_start + b.net <> 0");
    /// Of each key all levels of all granularities behind the start of a bin (2).
    LEVELS_AFTER = concat!(levels!("b.deltas"), "\nFROM ", level_keys!(), "
JOIN rs_conc_bin AS b ON b.gran IN (1, 2, 3, 4, 5, 6) AND b.dim = k.d AND b.dim_id = k.i
  AND b.measure = k.m AND b.sub = k.s AND b.bin_ms > @P2");
    /// A list of changes too large for bulk.
    DELTAS_ONE = "UPDATE rs_conc_bin SET deltas = @P7
WHERE gran = @P1 AND bin_ms = @P2 AND measure = @P3 AND dim = @P4 AND dim_id = @P5 AND sub = @P6";

    /// Who writes bins waits for others that do; until the transaction ends.
    BINS_LOCK = "EXEC sp_getapplock @Resource = N'ringmaster bins', @LockMode = 'Exclusive',
  @LockOwner = 'Transaction', @LockTimeout = 20000";

    /// What the job keeps.
    META = "SELECT name, value FROM rs_meta WHERE name LIKE N'rollup.%'";

    /// Marks of a job (1) of bins that begin then (2) or later, first written then (3) or before,
    /// at most so many (4).
    MARKS = "SELECT TOP (@P4) bin_ms, day, since_ms, version FROM rs_dirty_bin
WHERE job = @P1 AND bin_ms >= @P2 AND since_ms <= @P3
ORDER BY bin_ms, day";
    /// Marks that are there are written once more.
    MARKS_UPDATE = concat!("UPDATE t SET version = t.version + 1
FROM rs_dirty_bin AS t WITH (UPDLOCK, HOLDLOCK)
JOIN ", marks!(), " ON t.job = m.j AND t.bin_ms = m.b AND t.day = m.d");
    /// Those that are not are new, since then (2).
    MARKS_INSERT = concat!("INSERT INTO rs_dirty_bin (job, bin_ms, day, since_ms, version)
SELECT m.j, m.b, m.d, @P2, 1
FROM ", marks!(), "
WHERE NOT EXISTS (SELECT 1 FROM rs_dirty_bin AS t WITH (UPDLOCK, HOLDLOCK)
  WHERE t.job = m.j AND t.bin_ms = m.b AND t.day = m.d)
ORDER BY m.j, m.b, m.d");
    /// Marks stay as they are until the transaction ends, one after another.
    MARKS_HOLD = concat!("SELECT t.bin_ms FROM ", marks!(), "
JOIN rs_dirty_bin AS t WITH (UPDLOCK, HOLDLOCK)
  ON t.job = m.j AND t.bin_ms = m.b AND t.day = m.d
OPTION (FORCE ORDER, LOOP JOIN)");
    /// Marks that were not written again go.
    MARKS_CLEAR = concat!("DELETE t FROM rs_dirty_bin AS t
JOIN ", marks!(), " ON t.job = m.j AND t.bin_ms = m.b AND t.day = m.d AND t.version = m.v");
    /// Those that were count from then on (2).
    MARKS_AGAIN = concat!("UPDATE t SET since_ms = @P2
FROM rs_dirty_bin AS t WITH (UPDLOCK, HOLDLOCK)
JOIN ", marks!(), " ON t.job = m.j AND t.bin_ms = m.b AND t.day = m.d");
    /// Marks of a day.
    MARKS_OF_DAY = "SELECT COUNT_BIG(*) FROM rs_dirty_bin WHERE day = @P1";
    /// When the oldest was first written.
    OLDEST_MARK = "SELECT MIN(since_ms) FROM rs_dirty_bin";
    /// Marks of larger bins go.
    MARKS_LARGER_GONE = "DELETE FROM rs_dirty_bin WHERE job > 1 AND bin_ms >= @P1";
    /// Larger bins that begin then or later go.
    COUNTS_LARGER_GONE = "DELETE FROM rs_or_bin WHERE gran > 1 AND bin_ms >= @P1";
    /// Levels.
    LEVELS_LARGER_GONE = "DELETE FROM rs_conc_bin WHERE gran > 1 AND bin_ms >= @P1";
    /// Outcomes.
    OUTCOMES_LARGER_GONE = "DELETE FROM rs_var_bin WHERE gran > 1 AND bin_ms >= @P1";
    /// Actions.
    ACTIONS_LARGER_GONE = "DELETE FROM rs_var_action_bin WHERE gran > 1 AND bin_ms >= @P1";
    /// Quality.
    SQ_BINS_LARGER_GONE = "DELETE FROM rs_sq_bin WHERE gran > 1 AND bin_ms >= @P1";
    /// Latencies.
    LATENCIES_LARGER_GONE = "DELETE FROM rs_latency_bin WHERE gran > 1 AND bin_ms >= @P1";

    /// The bins that the facts of each day touch.
    SPANS = "SELECT day, first_ms, last_ms FROM rs_fact_span ORDER BY day";
    /// A day touches more of them.
    SPAN_UPDATE = "UPDATE rs_fact_span SET
  first_ms = CASE WHEN @P2 < first_ms THEN @P2 ELSE first_ms END,
  last_ms = CASE WHEN @P3 > last_ms THEN @P3 ELSE last_ms END
WHERE day = @P1";
    /// A new day.
    SPAN_INSERT = "INSERT INTO rs_fact_span (day, first_ms, last_ms)
SELECT @P1, @P2, @P3
WHERE NOT EXISTS (SELECT 1 FROM rs_fact_span AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.day = @P1)";
    /// How many numbers a day has.
    NUMBERS = "SELECT COUNT_BIG(*) FROM rs_day_number WHERE day = @P1";
    /// Which of these (2) it has.
    NUMBERS_KNOWN = "SELECT dim_id FROM rs_day_number WHERE day = @P1
AND dim_id IN (SELECT j.id FROM OPENJSON(@P2) WITH (id bigint '$') AS j)";
    /// New ones (2).
    NUMBERS_INSERT = "INSERT INTO rs_day_number (day, dim_id)
SELECT @P1, j.id FROM OPENJSON(@P2) WITH (id bigint '$') AS j
WHERE NOT EXISTS (SELECT 1 FROM rs_day_number AS t WITH (UPDLOCK, HOLDLOCK)
  WHERE t.day = @P1 AND t.dim_id = j.id)";
    /// A text, unless it is there.
    TEXT_INSERT = "INSERT INTO rs_text_dim (id, value)
SELECT @P1, @P2
WHERE NOT EXISTS (SELECT 1 FROM rs_text_dim AS t WITH (UPDLOCK, HOLDLOCK) WHERE t.id = @P1)";
    /// Texts.
    TEXTS = "SELECT id, value FROM rs_text_dim
WHERE id IN (SELECT j.id FROM OPENJSON(@P1) WITH (id bigint '$') AS j)";

    /// First and last start of the five-minute bins.
    EXTENT = "SELECT MIN(e.first_ms), MAX(e.last_ms) FROM (
  SELECT MIN(bin_ms) AS first_ms, MAX(bin_ms) AS last_ms FROM rs_or_bin WHERE gran = 1
  UNION ALL SELECT MIN(bin_ms), MAX(bin_ms) FROM rs_conc_bin WHERE gran = 1
  UNION ALL SELECT MIN(bin_ms), MAX(bin_ms) FROM rs_var_bin WHERE gran = 1
  UNION ALL SELECT MIN(bin_ms), MAX(bin_ms) FROM rs_var_action_bin WHERE gran = 1
  UNION ALL SELECT MIN(bin_ms), MAX(bin_ms) FROM rs_sq_bin WHERE gran = 1
  UNION ALL SELECT MIN(bin_ms), MAX(bin_ms) FROM rs_latency_bin WHERE gran = 1) AS e";
    /// The first bin before an instant that has lists of changes.
    DELTAS_FIRST = "SELECT MIN(bin_ms) FROM rs_conc_bin
WHERE gran = 1 AND bin_ms < @P1 AND deltas IS NOT NULL";
    /// They go.
    DELTAS_FORGET = "UPDATE rs_conc_bin SET deltas = NULL
WHERE gran = 1 AND bin_ms >= @P1 AND bin_ms < @P2 AND deltas IS NOT NULL";

    /// Newer totals in place of older ones.
    OUTBOUND_UPDATE = "UPDATE rs_outbound_total SET queued = @P4, successful = @P5, failed = @P6,
  updated_ms = @P7, id_key = @P8
WHERE component_id = @P1 AND tenant_id = @P2 AND profile_id = @P3
AND (updated_ms < @P7 OR updated_ms = @P7 AND id_key < @P8 OR id_key = @P8)";
    /// The first.
    OUTBOUND_INSERT = "INSERT INTO rs_outbound_total
  (component_id, tenant_id, profile_id, queued, successful, failed, updated_ms, id_key)
SELECT @P1, @P2, @P3, @P4, @P5, @P6, @P7, @P8
WHERE NOT EXISTS (SELECT 1 FROM rs_outbound_total AS t WITH (UPDLOCK, HOLDLOCK)
  WHERE t.component_id = @P1 AND t.tenant_id = @P2 AND t.profile_id = @P3)";
    /// A newer value in place of an older one.
    SNMP_UPDATE = "UPDATE rs_snmp_value SET value = @P3, updated_ms = @P4, id_key = @P5
WHERE component_id = @P1 AND name = @P2
AND (updated_ms < @P4 OR updated_ms = @P4 AND id_key < @P5 OR id_key = @P5)";
    /// The first.
    SNMP_INSERT = "INSERT INTO rs_snmp_value (component_id, name, value, updated_ms, id_key)
SELECT @P1, @P2, @P3, @P4, @P5
WHERE NOT EXISTS (SELECT 1 FROM rs_snmp_value AS t WITH (UPDLOCK, HOLDLOCK)
  WHERE t.component_id = @P1 AND t.name = @P2)";
}
