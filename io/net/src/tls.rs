//! TLS 1.2 and 1.3 on non-blocking TCP: certificates from files, names that are proven, streams.
//!
//! One provider (aws-lc-rs), handed over explicitly; no process-wide default is needed or set. No
//! renegotiation, no compression, no early data, no resumption towards servers. It must not know
//! what the streams carry, nor when a file has changed: the caller asks.

mod files;
mod meter;
mod name;
mod stream;
mod trust;
mod validity;
mod verify;

pub use files::{ClientAuth, Fault, Files, Material, Pair, Stamp};
pub use meter::Meter;
pub use name::{Identity, Name, common_names, dns_names};
pub use stream::{Read, Stream};
pub use trust::Trust;
pub use validity::validity;

#[cfg(test)]
mod tests;
