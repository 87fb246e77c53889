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

use super::{Document, Kind};
use crate::schema::{Field, Problems};

/// All objects of a configuration, kind by kind in the order of the documents.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    pub(crate) tenants: Vec<TenantDraft>,
    pub(crate) profiles: Vec<ProfileDraft>,
    pub(crate) did_groups: Vec<DidGroupDraft>,
    pub(crate) groups: Vec<GroupDraft>,
    pub(crate) applications: Vec<ApplicationDraft>,
}

/// Reads all documents; `warnings` gets what does not block.
pub(crate) fn read(documents: &[Document], problems: &Problems, warnings: &Problems) -> Drafts {
    let mut drafts = Drafts::default();
    for document in documents.iter().filter(|document| !document.root.is_null()) {
        let named = head::named(&document.root);
        let root = Field::root(&document.root, document.file.clone(), problems).of_object(named);
        drafts.add(&root, warnings);
    }
    drafts
}

impl Drafts {
    /// A draft whose faults have been noted is not needed: its stage fails.
    fn add(&mut self, root: &Field<'_>, warnings: &Problems) {
        let Some(object) = root.object() else { return };
        let Some(head) = head::read(&object) else { return };
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
        let Some(spec) = spec else { return };
        match head.kind {
            Kind::Tenant => self.tenants.extend(tenant::read(head, &spec)),
            Kind::IvrProfile => self.profiles.extend(profile::read(head, &spec)),
            Kind::DidGroup => self.did_groups.extend(did::read(head, &spec)),
            Kind::ResourceGroup => self.groups.extend(group::read(head, &spec)),
            Kind::Application => {
                self.applications.extend(application::read(head, &spec, warnings));
            }
        }
        spec.finish();
    }
}
