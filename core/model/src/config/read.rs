//! From documents to drafts: every field known, every value of its type, every fault noted.
//!
//! The schema stage (E1xx). A draft holds values with their places, and names where the snapshot
//! will hold indices. Fields of parts that this version does not build may only have their
//! default (E107).

mod annex;
mod application;
mod capability;
mod did;
mod discovery;
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

/// Drafts of one kind.
pub(crate) type List<T> = Arc<[Arc<T>]>;

/// Objects kind by kind, each kind in the order in which they were added; a copy shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drafts {
    pub(crate) tenants: List<TenantDraft>,
    pub(crate) profiles: List<ProfileDraft>,
    pub(crate) did_groups: List<DidGroupDraft>,
    pub(crate) groups: List<GroupDraft>,
    pub(crate) applications: List<ApplicationDraft>,
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
    let kept = annex::kept(&object, &head, warnings);
    object.finish();
    let spec = spec?;
    let draft = match head.kind {
        Kind::Tenant => {
            tenant::read((head, kept), &spec).map(|draft| Draft::Tenant(Arc::new(draft)))
        }
        Kind::IvrProfile => {
            profile::read((head, kept), &spec).map(|draft| Draft::IvrProfile(Arc::new(draft)))
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
    /// The draft at a place of the list of its kind.
    pub(crate) fn get(&self, kind: Kind, place: usize) -> Option<Draft> {
        match kind {
            Kind::Tenant => self.tenants.get(place).cloned().map(Draft::Tenant),
            Kind::IvrProfile => self.profiles.get(place).cloned().map(Draft::IvrProfile),
            Kind::DidGroup => self.did_groups.get(place).cloned().map(Draft::DidGroup),
            Kind::ResourceGroup => self.groups.get(place).cloned().map(Draft::ResourceGroup),
            Kind::Application => self.applications.get(place).cloned().map(Draft::Application),
        }
    }

    pub(crate) fn tenant(&self, at: usize) -> Option<&TenantDraft> {
        self.tenants.get(at).map(AsRef::as_ref)
    }
}

impl Draft {
    pub(crate) fn tenant(&self) -> Option<&Arc<TenantDraft>> {
        if let Self::Tenant(draft) = self { Some(draft) } else { None }
    }

    pub(crate) fn profile(&self) -> Option<&Arc<ProfileDraft>> {
        if let Self::IvrProfile(draft) = self { Some(draft) } else { None }
    }

    pub(crate) fn did_group(&self) -> Option<&Arc<DidGroupDraft>> {
        if let Self::DidGroup(draft) = self { Some(draft) } else { None }
    }

    pub(crate) fn group(&self) -> Option<&Arc<GroupDraft>> {
        if let Self::ResourceGroup(draft) = self { Some(draft) } else { None }
    }

    pub(crate) fn application(&self) -> Option<&Arc<ApplicationDraft>> {
        if let Self::Application(draft) = self { Some(draft) } else { None }
    }
}

impl FromIterator<Draft> for Drafts {
    fn from_iter<I: IntoIterator<Item = Draft>>(all: I) -> Self {
        let (mut tenants, mut profiles, mut did_groups) = (Vec::new(), Vec::new(), Vec::new());
        let (mut groups, mut applications) = (Vec::new(), Vec::new());
        for draft in all {
            match draft {
                Draft::Tenant(draft) => tenants.push(draft),
                Draft::IvrProfile(draft) => profiles.push(draft),
                Draft::DidGroup(draft) => did_groups.push(draft),
                Draft::ResourceGroup(draft) => groups.push(draft),
                Draft::Application(draft) => applications.push(draft),
            }
        }
        Self {
            tenants: tenants.into(),
            profiles: profiles.into(),
            did_groups: did_groups.into(),
            groups: groups.into(),
            applications: applications.into(),
        }
    }
}
