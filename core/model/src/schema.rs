//! Problems of a configuration, and a reader that collects all of them.
//!
//! It takes nodes of the neutral tree, and gives values or notes why not, with the place and the
//! path. It knows no kind of object; those are in `config`. Never on a call's way.

#[cfg(test)]
pub(crate) mod asked;
mod near;
mod problem;
mod reader;

pub use near::nearest;
pub use problem::{Named, Problem, Problems, Warning};
pub use reader::{Field, Object, Place, Placed, found};
