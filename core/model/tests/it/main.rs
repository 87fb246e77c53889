//! Contracts of the nouns that are files: the golden records and the schemas of their kinds.
#![expect(clippy::unwrap_used, clippy::panic, reason = "functions that several tests call")]

mod records;
mod schemas;
mod set;
