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
    TLS_CERTIFICATE_EXPIRY_SECONDS = "ringmaster_tls_certificate_expiry_seconds",
    CONFIG_CLIENT_CONNECTED = "ringmaster_config_client_connected",
    CONFIG_CLIENT_REVISION = "ringmaster_config_client_revision",
    CONFIG_CLIENT_REJECTED_REVISION = "ringmaster_config_client_rejected_revision",
    CONFIG_CLIENT_AGE_SECONDS = "ringmaster_config_client_age_seconds",
    CONFIG_CLIENT_SOURCE = "ringmaster_config_client_source",
    CONFIG_CLIENT_APPLY_SECONDS = "ringmaster_config_client_apply_seconds",
    // RS
    RS_QUEUE_SIZE = "rsQueueSize",
    RS_QUEUE_DEPTH = "rs_queue_depth",
    RS_QUEUE_OLDEST_SECONDS = "rs_queue_oldest_seconds",
    RS_SPOOL_BYTES = "rs_spool_bytes",
    RS_SPOOL_LIMIT_BYTES = "rs_spool_limit_bytes",
    RS_SPOOL_HELD_BACK = "rs_spool_held_back",
    RS_SPOOL_DAMAGED_TOTAL = "rs_spool_damaged_total",
    RS_SPOOL_SYNC_SECONDS = "rs_spool_sync_seconds",
    RS_SPOOL_BUSY_SECONDS = "rs_spool_busy_seconds",
    RS_SPOOL_GROUP_RECORDS = "rs_spool_group_records",
    RS_INGEST_RECORDS_TOTAL = "rs_ingest_records_total",
    RS_INGEST_BYTES_TOTAL = "rs_ingest_bytes_total",
    RS_INGEST_SECONDS = "rs_ingest_seconds",
    RS_CONNECTIONS = "rs_connections",
    RS_LOGINS_FAILED_TOTAL = "rs_logins_failed_total",
    RS_UNCONFIRMED_SENDS_TOTAL = "rs_unconfirmed_sends_total",
    RS_ABANDONED_MESSAGES_TOTAL = "rs_abandoned_messages_total",
    RS_APPLY_RECORDS_TOTAL = "rs_apply_records_total",
    RS_APPLY_DUPLICATES_TOTAL = "rs_apply_duplicates_total",
    RS_APPLY_LAG_SECONDS = "rs_apply_lag_seconds",
    RS_APPLY_BATCH_SECONDS = "rs_apply_batch_seconds",
    RS_DEAD_LETTERS_TOTAL = "rs_dead_letters_total",
    RS_DEAD_LETTERS_OPEN = "rs_dead_letters_open",
    RS_MISROUTED_TOTAL = "rs_misrouted_total",
    RS_FIELDS_CUT_TOTAL = "rs_fields_cut_total",
    RS_FIELDS_BAD_TOTAL = "rs_fields_bad_total",
    RS_CALLS_TOTAL = "rs_calls_total",
    RS_LIVE_CALLS = "rs_live_calls",
    RS_LIVE_VIEW_LEGS = "rs_live_view_legs",
    RS_LIVE_VIEW_COMPLETE = "rs_live_view_complete",
    RS_VAR_IGNORED_TOTAL = "rs_var_ignored_total",
    RS_STORE_BATCH_FAILURES_TOTAL = "rs_store_batch_failures_total",
    RS_DATABASE_UP = "rs_database_up",
    RS_DATABASE_CONNECTIONS = "rs_database_connections",
    RS_DATABASE_SECONDS = "rs_database_seconds",
    RS_HTTP_REQUESTS_TOTAL = "rs_http_requests_total",
    RS_HTTP_SECONDS = "rs_http_seconds",
    RS_QUERY_SECONDS = "rs_query_seconds",
    RS_VOLUME_FREE_BYTES = "rs_volume_free_bytes",
    RS_INTEGRITY_GAPS = "rs_integrity_gaps",
    RS_INTEGRITY_UNBALANCED_MINUTES = "rs_integrity_unbalanced_minutes",
    RS_PRODUCER_SKEW_SECONDS = "rs_producer_skew_seconds",
    RS_PRODUCER_LAST_SEEN_SECONDS = "rs_producer_last_seen_seconds",
    RS_ALARM = "rs_alarm",
    RS_ROLLUP_LAG_SECONDS = "rs_rollup_lag_seconds",
    RS_DIRTY_BINS = "rs_dirty_bins",
    RS_ROLLUP_DRIFT_TOTAL = "rs_rollup_drift_total",
    RS_WORKER_PANICS_TOTAL = "rs_worker_panics_total",
    RS_LEASE_HELD = "rs_lease_held",
    RS_RETENTION_LAST_SUCCESS_SECONDS = "rs_retention_last_success_seconds",
    LOOP_SECONDS = "ringmaster_loop_seconds",
    LOOP_LAG_SECONDS = "ringmaster_loop_lag_seconds",
    // the Resource Manager (ops.md §5.1; GVP's own names: rm.md §12.2)
    RM_REQUESTS_TOTAL = "ringmaster_rm_requests_total",
    RM_ANSWERS_TOTAL = "ringmaster_rm_answers_total",
    RM_FORWARDED_TOTAL = "ringmaster_rm_forwarded_total",
    RM_RETRANSMISSIONS_TOTAL = "ringmaster_rm_retransmissions_total",
    RM_TRANSACTIONS_FORGOTTEN_TOTAL = "ringmaster_rm_transactions_forgotten_total",
    RM_DROPPED_TOTAL = "ringmaster_rm_dropped_total",
    RM_PARSE_ERRORS_TOTAL = "ringmaster_rm_parse_errors_total",
    RM_NAME_QUESTIONS_TOTAL = "ringmaster_rm_name_questions_total",
    RM_NAME_FAILURES_TOTAL = "ringmaster_rm_name_failures_total",
    RM_NAMES_KNOWN = "ringmaster_rm_names_known",
    RM_NAME_STALE_SECONDS = "ringmaster_rm_name_stale_seconds",
    RM_ADDRESS_FAILOVERS_TOTAL = "ringmaster_rm_address_failovers_total",
    RM_CONNECTIONS = "ringmaster_rm_connections",
    RM_CONNECTIONS_REFUSED_TOTAL = "ringmaster_rm_connections_refused_total",
    RM_TRANSPORT_ERRORS_TOTAL = "ringmaster_rm_transport_errors_total",
    RM_UDP_DROPS_TOTAL = "ringmaster_rm_udp_drops_total",
    RM_HEP_SENT_TOTAL = "ringmaster_rm_hep_sent_total",
    RM_HEP_LOST_TOTAL = "ringmaster_rm_hep_lost_total",
    RM_SESSIONS = "ringmaster_rm_sessions",
    RM_USAGE = "ringmaster_rm_usage",
    RM_LIMIT = "ringmaster_rm_limit",
    RM_REJECTED_TOTAL = "ringmaster_rm_rejected_total",
    RM_BURST_TOTAL = "ringmaster_rm_burst_total",
    RM_FAILOVERS_TOTAL = "ringmaster_rm_failovers_total",
    RM_LATE_ANSWERS_TOTAL = "ringmaster_rm_late_answers_total",
    RM_RESOURCE_STATE = "ringmaster_rm_resource_state",
    RM_RESOURCE_USED = "ringmaster_rm_resource_used",
    RM_RESOURCE_CAPACITY = "ringmaster_rm_resource_capacity",
    RM_RESOURCE_TRIES_TOTAL = "ringmaster_rm_resource_tries_total",
    RM_GROUP_RESOURCES = "ringmaster_rm_group_resources",
    RM_GROUP_CAPACITY = "ringmaster_rm_group_capacity",
    RM_GROUP_USED = "ringmaster_rm_group_used",
    RM_GROUP_EXHAUSTED_TOTAL = "ringmaster_rm_group_exhausted_total",
    RM_ADOPTED_TOTAL = "ringmaster_rm_adopted_total",
    RM_REBUILT_TOTAL = "ringmaster_rm_rebuilt_total",
    RM_INTERRUPTED_TOTAL = "ringmaster_rm_interrupted_total",
    RM_CALLS_CUT_TOTAL = "ringmaster_rm_calls_cut_total",
    RM_RECORDS_WRITTEN_TOTAL = "ringmaster_rm_records_written_total",
    RM_RECORDS_ACKED_TOTAL = "ringmaster_rm_records_acked_total",
    RM_RECORDS_DROPPED_TOTAL = "ringmaster_rm_records_dropped_total",
    RM_BYE_ANSWER_LATE_TOTAL = "ringmaster_rm_bye_answer_late_total",
    RM_SPOOL_PENDING = "ringmaster_rm_spool_pending",
    RM_SPOOL_BYTES = "ringmaster_rm_spool_bytes",
    RM_SPOOL_LIMIT_BYTES = "ringmaster_rm_spool_limit_bytes",
    RM_PUBLISH_SECONDS = "ringmaster_rm_publish_seconds",
    RM_BROKER_CONNECTED = "ringmaster_rm_broker_connected",
    RM_BROKER_CONNECTIONS_TOTAL = "ringmaster_rm_broker_connections_total",
    RM_LEDGER_IN_TOTAL = "ringmaster_rm_ledger_in_total",
    RM_LEDGER_OUT_TOTAL = "ringmaster_rm_ledger_out_total",
    RM_LEDGER_OPEN = "ringmaster_rm_ledger_open",
    RM_ENGINE_BUSY_RATIO = "ringmaster_rm_engine_busy_ratio",
    RM_OVERLOAD_STATE = "ringmaster_rm_overload_state",
    RM_ALARM = "ringmaster_rm_alarm",
    RM_QUEUE_AGE_SECONDS = "ringmaster_rm_queue_age_seconds",
    RM_CONFIG_REVISION = "ringmaster_rm_config_revision",
    RM_CONFIG_AGE_SECONDS = "ringmaster_rm_config_age_seconds",
    RM_CONFIG_REJECTED_TOTAL = "ringmaster_rm_config_rejected_total",
    RM_DRAINING = "ringmaster_rm_draining",
    RM_PR_NAME = "rmPRName",
    RM_PR_STATUS = "rmPRStatus",
    RM_PR_ACTIVE_CALLS = "rmPRActiveCalls",
    RM_PR_TOTAL_CALLS = "rmPRTotalCalls",
    RM_TENANT_INBOUND = "rmTenantCurrentInboundCalls",
    RM_INVITE_4XX = "rmTotal4xxInviteSent",
    RM_INVITE_5XX = "rmTotal5xxInviteSent",
    // the Config Server (ops.md §5.3)
    CONFIG_REVISION = "ringmaster_config_revision",
    CONFIG_OLDEST_REVISION = "ringmaster_config_oldest_revision",
    CONFIG_OBJECTS = "ringmaster_config_objects",
    CONFIG_DIDS = "ringmaster_config_dids",
    CONFIG_TRANSACTIONS_TOTAL = "ringmaster_config_transactions_total",
    CONFIG_VALIDATION_ERRORS_TOTAL = "ringmaster_config_validation_errors_total",
    CONFIG_APPLY_SECONDS = "ringmaster_config_apply_seconds",
    CONFIG_HTTP_REQUESTS_TOTAL = "ringmaster_config_http_requests_total",
    CONFIG_HTTP_SECONDS = "ringmaster_config_http_seconds",
    CONFIG_AUTH_FAILURES_TOTAL = "ringmaster_config_auth_failures_total",
    CONFIG_REFUSALS_TOTAL = "ringmaster_config_refusals_total",
    CONFIG_TLS_FAILURES_TOTAL = "ringmaster_config_tls_failures_total",
    CONFIG_WATCHERS = "ringmaster_config_watchers",
    CONFIG_WATCH_OVERFLOWS_TOTAL = "ringmaster_config_watch_overflows_total",
    CONFIG_WATCH_DELIVERY_SECONDS = "ringmaster_config_watch_delivery_seconds",
    CONFIG_STORE_UP = "ringmaster_config_store_up",
    CONFIG_READ_ONLY = "ringmaster_config_read_only",
    CONFIG_CLIENT_APPLIED_REVISION = "ringmaster_config_client_applied_revision",
    CONFIG_CLIENT_REJECTED = "ringmaster_config_client_rejected",
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
