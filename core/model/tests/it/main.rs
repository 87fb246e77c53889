//! Contracts of the nouns that are files: the golden records and the schemas of their kinds.

mod records;
mod schemas;
