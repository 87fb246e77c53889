//! The rows of the bin tables as they are stored (rs.md §3.2): plain columns, which a store reads
//! and writes as they are. Enumerations are their numbers.

/// Columns that every bin table begins with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct At {
    /// `gran`: number of the granularity.
    pub gran: u8,
    /// `bin_ms`: start of the bin.
    pub bin_ms: i64,
}

/// A row of `or_bin`; its key are the columns up to `call_type`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[expect(missing_docs, reason = "the columns; see `Count`")]
pub struct CountRow {
    pub at: At,
    pub measure: u8,
    pub dim: u8,
    pub dim_id: i64,
    pub sub: u8,
    pub call_type: u8,
    pub count: i64,
    pub rejected: i64,
    pub ended: i64,
    pub duration_ms: i64,
    pub max_duration_ms: i64,
    pub answered: i64,
    pub answered_ms: i64,
    pub port_ms: i64,
}

/// A row of `conc_bin`; its key are the columns up to `sub`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct LevelRow {
    /// Its bin.
    pub at: At,
    /// `measure`.
    pub measure: u8,
    /// `dim`.
    pub dim: u8,
    /// `dim_id`.
    pub dim_id: i64,
    /// `sub`.
    pub sub: u8,
    /// `level_start`.
    pub level_start: i64,
    /// `peak`.
    pub peak: i64,
    /// `peak_ms`.
    pub peak_ms: i64,
    /// `peak_by_type`: a JSON object, number of the call type → level.
    pub peak_by_type: String,
    /// `net`.
    pub net: i64,
    /// `types`: `level_start` and `net` by call type, as core/rs writes it.
    pub types: Vec<u8>,
    /// `deltas`: of five-minute bins, while they are kept; as core/rs writes it.
    pub deltas: Option<Vec<u8>>,
}

/// A row of `var_bin`; its key are the columns up to `reason_key`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[expect(missing_docs, reason = "the columns; see `Outcome`")]
pub struct OutcomeRow {
    pub at: At,
    pub dim: u8,
    pub dim_id: i64,
    pub result: u8,
    pub reason_key: i64,
    pub count: i64,
    pub duration_ms: i64,
}

/// A row of `var_action_bin`; its key are the columns up to `result`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[expect(missing_docs, reason = "the columns; see `Action`")]
pub struct ActionRow {
    pub at: At,
    pub dim: u8,
    pub dim_id: i64,
    pub action_key: i64,
    pub result: u8,
    pub count: i64,
    pub last_count: i64,
    pub duration_ms: i64,
    pub min_ms: i64,
    pub max_ms: i64,
}

/// A row of `sq_bin`; its key are the columns up to `dim_id`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct SqRow {
    /// Its bin.
    pub at: At,
    /// `dim`.
    pub dim: u8,
    /// `dim_id`.
    pub dim_id: i64,
    /// `calls`.
    pub calls: i64,
    /// `failed`.
    pub failed: i64,
    /// `by_type`: a JSON object, number of the failure type → calls.
    pub by_type: String,
}

/// A row of `latency_bin`; its key are the columns up to `type`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct LatencyRow {
    /// Its bin.
    pub at: At,
    /// `component_id`.
    pub component_id: i64,
    /// `type`.
    pub kind: String,
    /// `count`.
    pub count: i64,
    /// `sum`.
    pub sum: i64,
    /// `sumsq_high`, `sumsq_low`: the sum of squares is `high · 2⁶³ + low`.
    pub sumsq: (i64, i64),
    /// `min`.
    pub min: i64,
    /// `max`.
    pub max: i64,
    /// `hist`: as core/rs writes it.
    pub hist: Vec<u8>,
}

/// Rows of all bin tables.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BinRows {
    /// `or_bin`.
    pub counts: Vec<CountRow>,
    /// `conc_bin`.
    pub levels: Vec<LevelRow>,
    /// `var_bin`.
    pub outcomes: Vec<OutcomeRow>,
    /// `var_action_bin`.
    pub actions: Vec<ActionRow>,
    /// `sq_bin`.
    pub quality: Vec<SqRow>,
    /// `latency_bin`.
    pub latencies: Vec<LatencyRow>,
    /// `text_dim`: `key`, `value`. Only written, and never gone.
    pub texts: Vec<(i64, String)>,
}
