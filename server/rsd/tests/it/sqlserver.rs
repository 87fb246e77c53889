//! The wire of the SQL Server store against the canned endpoint of `tds`: login, requests, bulk,
//! transactions, errors, attention, TLS. Of T-SQL this proves nothing;
//! `grammar` has an independent parser read it.

pub(crate) mod daemon;
mod grammar;
mod link;
mod store;
mod story;
pub(crate) mod suite;
