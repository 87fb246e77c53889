//! Boot settings, the snapshot source, and the directory that a daemon has to itself.
//!
//! Reads files and the environment into the neutral tree of `core/model`, and settings into typed
//! structs; knows nothing of calls, and is never on a call's way. YAML stays behind `yaml`.

pub mod certificates;
pub mod embedded;
pub mod home;
pub mod kind;
pub mod objects;
pub mod settings;
pub mod source;
pub mod yaml;

pub use embedded::embedded_objects;
pub use home::Home;
pub use kind::{FileKind, kind_of};
pub use model::schema::Problem;
pub use model::units;
pub use settings::Settings;
