//! The configuration objects, from documents to what a snapshot holds.
//!
//! A document is a tree with positions; `read` turns it into a draft and reports every fault of
//! its shape; `validate` checks the drafts against each other and `snapshot` links them. What this
//! version does not build is refused with E107, never ignored. The texts are those of rm.md §4.1
//! and ops.md §1.3.

pub mod application;
pub mod canonical;
pub mod capability;
pub(crate) mod check;
pub mod cti;
pub mod dialing;
pub mod did;
pub mod diff;
pub mod discovery;
pub mod document;
pub mod group;
pub mod key;
pub mod kind;
pub mod limits;
pub mod object;
pub mod options;
pub mod policy;
pub mod profile;
pub mod read;
pub mod resource;
pub mod retention;
pub mod schema;
pub mod service;
pub mod set;
pub mod tenant;

pub use application::{Application, ApplicationType};
pub use canonical::Digest;
pub use capability::Capabilities;
pub use cti::{Cti, CtiAction, UseCti};
pub use did::DidGroup;
pub use discovery::{Discovery, Source};
pub use document::Document;
pub use group::{Group, HashOn, Method, Monitor, OnDead, PortUsage, Scheme, StatusSet};
pub use key::Key;
pub use kind::Kind;
pub use object::Object;
pub use options::Options;
pub use policy::{Alarms, Burst, Parameter, Policy, RespCodes, SameGateway, ServicePolicy};
pub use profile::Profile;
pub use resource::{Admin, Network, Resource, ResourceAddress, ResourceHost, ResourceTransport};
pub use retention::KeptDays;
pub use service::{Service, ServiceSet};
pub use set::{Changed, Set};
pub use tenant::Tenant;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index into a list that runs parallel to the snapshot's.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// A tenant within one snapshot; 0 is `Environment`.
    TenantIx
}
index! {
    /// A profile within one snapshot.
    ProfileIx
}
index! {
    /// A number group within one snapshot.
    DidGroupIx
}
index! {
    /// A resource group within one snapshot.
    GroupIx
}
index! {
    /// A resource within one snapshot.
    ResourceIx
}
