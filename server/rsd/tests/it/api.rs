//! The whole daemon: records go in over OpenWire, answers come out over HTTP.

mod acceptance;
mod alarms;
mod annex;
mod audit;
mod away;
mod combined;
mod damage;
mod database;
mod dialects;
mod erasures;
mod figures;
mod figures_house;
mod figures_media;
pub(crate) mod house;
mod identities;
mod integrity;
mod letters;
mod lists;
mod live;
mod methods;
mod options;
mod outage;
mod privacy;
mod records;
mod reports;
mod retention;
mod start;
