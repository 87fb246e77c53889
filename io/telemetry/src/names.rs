//! Every metric name, once (ops.md §5). A name enters with the code that fills it;
//! `docs/reference/metrics.md` is compared with this file.

/// All names of this file, for the comparison with the reference page.
#[must_use]
pub fn all() -> &'static [&'static str] {
    ALL
}

macro_rules! names {
    ($($constant:ident = $name:literal,)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: &str = $name;
        )*
        const ALL: &[&str] = &[$($name),*];
    };
}

names! {
    // every process
    BUILD_INFO = "ringmaster_build_info",
    START_TIME_SECONDS = "ringmaster_start_time_seconds",
    PROCESS_CPU_SECONDS = "process_cpu_seconds_total",
    PROCESS_RESIDENT_BYTES = "process_resident_memory_bytes",
    PROCESS_OPEN_FDS = "process_open_fds",
    PROCESS_MAX_FDS = "process_max_fds",
    LOG_MESSAGES_TOTAL = "ringmaster_log_messages_total",
    LOG_LOST_TOTAL = "ringmaster_log_suppressed_total",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn the_reference_page_lists_exactly_these_names() {
        let page = include_str!("../../../docs/reference/metrics.md");
        let listed: BTreeSet<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|rest| rest.split('`').next())
            .collect();
        let known: BTreeSet<&str> = super::all().iter().copied().collect();
        assert_eq!(listed, known, "docs/reference/metrics.md and names.rs differ");
    }
}
