//! A document: one platform object as it was written, with where it stood.

use std::sync::Arc;

use crate::tree::Node;

/// One document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file, as problems name it; `None` for documents that were not read from one.
    pub file: Option<Arc<str>>,
    /// Its number in the file, from 1.
    pub number: usize,
    /// Its size as text in bytes, checked against `limits::MAX_DOCUMENT`; 0 = not known.
    pub size: usize,
    /// What it says.
    pub root: Node,
}
