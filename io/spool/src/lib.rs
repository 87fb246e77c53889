//! Durable queue on disk, with two users: RM's records and open legs, RS's ingest
//! (`spec/rs.md` §1.4). It depends on nothing of ours and knows nothing of what it keeps.
//!
//! `machine` is pure: frames in, writes out, results in, durable sequences out. `driver` is the
//! thread that carries its writes out over a `fs::FileSystem`; `maker` makes segments ahead;
//! `recovery` reads what a start finds; `reader` reads while writing goes on. `stepped` is the same
//! without threads, for the simulator.

mod catalog;
mod damage;
mod driver;
mod entry;
mod format;
pub mod fs;
mod intake;
pub mod limits;
mod machine;
mod maker;
mod reader;
mod recovery;
mod spool;
mod stepped;

pub use catalog::End;
pub use entry::{Entry, Frame, Key, Kind};
pub use reader::Reader;
pub use spool::{
    Carry, Damage, Full, Hooks, OpenError, Recovered, Settings, Spool, State, Status, Synced,
};
pub use stepped::Stepped;
