//! Logs with numbered ids, metrics, probes.
