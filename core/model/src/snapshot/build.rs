//! From documents to a snapshot: the stages of validation in their order, then the linking.
//!
//! All or nothing; runs off the call thread.

use std::net::SocketAddr;

use super::Snapshot;
use crate::config::Document;
use crate::config::check::{self, Checked, stage};
use crate::config::limits::MAX_DOCUMENT;
use crate::config::read;
use crate::id::Revision;
use crate::schema::{Field, Place, Problem, Problems, Warning};
use crate::units::print_size;

/// W403.
const EMPTY: &str = "no objects: RM would refuse every call";

impl Snapshot {
    /// Checks and links a whole configuration.
    ///
    /// # Errors
    /// All problems of the first stage that has any, at most 100.
    pub fn build(
        documents: &[Document],
        revision: Revision,
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        Self::build_for(documents, revision, &[])
    }

    /// The same for an RM with these addresses of its own, which no resource may have.
    ///
    /// # Errors
    /// All problems of the first stage that has any, at most 100.
    pub fn build_for(
        documents: &[Document],
        revision: Revision,
        own: &[SocketAddr],
    ) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let warnings = Problems::default();
        stage(|problems| sizes(documents, problems))?;
        let drafts = stage(|problems| read::read(documents, problems, &warnings))?;
        let checked = Checked::new(drafts, own)?;
        checked.warnings.iter().for_each(|warning| warnings.note(warning.clone()));
        check::effect::warn(&checked.drafts, &warnings);
        if documents.iter().all(|document| document.root.is_null()) {
            warnings.note(Place::default().problem("W403", EMPTY));
        }
        Ok((checked.snapshot.numbered(revision), warnings.take()))
    }
}

/// E002.
pub(crate) fn sizes(documents: &[Document], problems: &Problems) {
    for document in documents.iter().filter(|document| document.size > MAX_DOCUMENT) {
        let root = Field::root(&document.root, document.file.clone(), problems);
        let limit = print_size(MAX_DOCUMENT as u64);
        root.note("E002", format!("document {} is larger than {limit}", document.number));
    }
}
