//! Telemetry for every daemon: logs with numbered ids, metrics as text, probe answers, and the door
//! of the small HTTP port that tells them.
//!
//! No globals: a daemon holds a [`Log`] and a [`health::Health`]. Nothing here may block a call:
//! lines go through a bounded queue to a writer thread, and what does not fit is counted.

pub mod config_client;
pub mod log_id;
pub mod log;
pub mod names;
pub mod prometheus;
pub mod process;
pub mod health;
pub mod door;

pub use config_client::ConfigClient;
pub use log::{Format as LogFormat, Log, Settings as LogSettings};
