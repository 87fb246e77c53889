//! The whole daemon: records go in over OpenWire, answers come out over HTTP.

mod house;
mod lists;
mod live;
mod reports;
mod start;
