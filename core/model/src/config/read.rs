//! From documents to drafts: every field known, every value of its type, every fault noted.
//!
//! The schema stage (E1xx). A draft holds values with their places, and names where the snapshot
//! will hold indices. Fields of parts that this version does not build may only have their
//! default (E107).

mod application;
mod capability;
mod did;
mod group;
mod head;
mod options;
mod policy;
mod profile;
mod resource;
mod tenant;
mod values;

pub(crate) use application::ApplicationDraft;
pub(crate) use did::DidGroupDraft;
pub(crate) use group::GroupDraft;
pub(crate) use head::Head;
pub(crate) use policy::{PolicyDraft, RuleBook};
pub(crate) use profile::ProfileDraft;
pub(crate) use resource::ResourceDraft;
pub(crate) use tenant::TenantDraft;
pub use values::{network, session_interval};

use std::sync::Arc;

use super::{Document, Kind};
use crate::schema::{Field, Problems};

/// One object as it was written.
#[derive(Clone, Debug)]
pub(crate) enum Draft {
    Tenant(Arc<TenantDraft>),
    IvrProfile(Arc<ProfileDraft>),
    DidGroup(Arc<DidGroupDraft>),
    ResourceGroup(Arc<GroupDraft>),
    Application(Arc<ApplicationDraft>),
}

/// Objects kind by kind, each kind in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    pub(crate) tenants: Vec<Arc<TenantDraft>>,
    pub(crate) profiles: Vec<Arc<ProfileDraft>>,
    pub(crate) did_groups: Vec<Arc<DidGroupDraft>>,
    pub(crate) groups: Vec<Arc<GroupDraft>>,
    pub(crate) applications: Vec<Arc<ApplicationDraft>>,
}

/// Reads all documents; `warnings` gets what does not block.
pub(crate) fn read(documents: &[Document], problems: &Problems, warnings: &Problems) -> Drafts {
    documents.iter().filter_map(|document| one(document, problems, warnings)).collect()
}

/// Reads a document; an empty one is none. A draft whose faults have been noted is not needed: its
/// stage fails.
pub(crate) fn one(document: &Document, problems: &Problems, warnings: &Problems) -> Option<Draft> {
    if document.root.is_null() {
        return None;
    }
    let named = head::named(&document.root);
    let root = Field::root(&document.root, document.file.clone(), problems).of_object(named);
    let object = root.object()?;
    let head = head::read(&object)?;
    let spec = object.get("spec");
    let spec = match (spec, head.kind) {
        (Some(spec), _) => spec.object(),
        (None, Kind::Tenant) => Some(object.empty("spec")),
        (None, kind) => {
            object.require("spec", kind.as_str());
            None
        }
    };
    object.finish();
    let spec = spec?;
    let draft = match head.kind {
        Kind::Tenant => tenant::read(head, &spec).map(|draft| Draft::Tenant(Arc::new(draft))),
        Kind::IvrProfile => {
            profile::read(head, &spec).map(|draft| Draft::IvrProfile(Arc::new(draft)))
        }
        Kind::DidGroup => did::read(head, &spec).map(|draft| Draft::DidGroup(Arc::new(draft))),
        Kind::ResourceGroup => {
            group::read(head, &spec).map(|draft| Draft::ResourceGroup(Arc::new(draft)))
        }
        Kind::Application => application::read(head, &spec, warnings)
            .map(|draft| Draft::Application(Arc::new(draft))),
    };
    spec.finish();
    draft
}

impl Draft {
    pub(crate) fn head(&self) -> &Head {
        match self {
            Self::Tenant(draft) => &draft.head,
            Self::IvrProfile(draft) => &draft.head,
            Self::DidGroup(draft) => &draft.head,
            Self::ResourceGroup(draft) => &draft.head,
            Self::Application(draft) => &draft.head,
        }
    }
}

impl Drafts {
    pub(crate) fn tenant(&self, at: usize) -> Option<&TenantDraft> {
        self.tenants.get(at).map(AsRef::as_ref)
    }
}

impl FromIterator<Draft> for Drafts {
    fn from_iter<I: IntoIterator<Item = Draft>>(all: I) -> Self {
        let mut drafts = Self::default();
        for draft in all {
            match draft {
                Draft::Tenant(draft) => drafts.tenants.push(draft),
                Draft::IvrProfile(draft) => drafts.profiles.push(draft),
                Draft::DidGroup(draft) => drafts.did_groups.push(draft),
                Draft::ResourceGroup(draft) => drafts.groups.push(draft),
                Draft::Application(draft) => drafts.applications.push(draft),
            }
        }
        drafts
    }
}
