//! Statements that delete bins by their keys, which are in the temporary tables.

use super::Statement;

/// Rows with the key of a staged one.
macro_rules! gone {
    ($table:literal, $($key:ident),+) => {
        concat!(
            "DELETE t FROM ", $table, " AS t\nJOIN #", $table, " AS s ON s.gran = t.gran"
            $(, " AND s.", stringify!($key), " = t.", stringify!($key))+
        )
    };
}

statements! {
    /// Counts.
    COUNTS_GONE = gone!("rs_or_bin", bin_ms, measure, dim, dim_id, sub, call_type);
    /// Levels.
    LEVELS_GONE = gone!("rs_conc_bin", bin_ms, measure, dim, dim_id, sub);
    /// Outcomes.
    OUTCOMES_GONE = gone!("rs_var_bin", bin_ms, dim, dim_id, result, reason_key);
    /// Actions.
    ACTIONS_GONE = gone!("rs_var_action_bin", bin_ms, dim, dim_id, action_key, result);
    /// Quality.
    SQ_BINS_GONE = gone!("rs_sq_bin", bin_ms, dim, dim_id);
    /// Latencies.
    LATENCIES_GONE = gone!("rs_latency_bin", bin_ms, component_id, type);
}
