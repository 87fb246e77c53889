//! Stage 15: an answer becomes a document (rs.md §5.2, §5.13, §6).
//!
//! XML in the exact shape of GVP's reports, JSON items of the native API. Names of objects are
//! resolved by the store; nothing is looked up here, and no text leaves unescaped.

mod call;
mod details;
mod error;
mod item;
mod manifest;
mod xml;

pub use call::{Application, Call, Component, Resource, TenantOf, service};
pub use details::details;
pub use error::{Problem, error_xml};
pub use item::{Item, ItemName, legs_of_session, of_session};
pub use manifest::{Manifest, Pages};

#[cfg(test)]
mod tests;
