//! The whole engine in virtual time: a caller, media servers and the Proxy between them, messages
//! as bytes.
#![expect(clippy::unwrap_used, reason = "helper functions of tests")]

#[path = "../../../../proto/sip/tests/it/counting.rs"]
mod counting;
mod world;
mod line;

mod network;
mod party;
mod platform;
mod policies;
mod policy_property;

mod affinity;
mod affinity_table;
mod alarm_list;
mod alarms;
mod allocation;
mod answer_table;
mod answers;
mod bounds;
mod call;
mod chaos;
mod codes;
mod cti;
mod dialog;
mod discovery;
mod ends;
mod explain;
mod failover;
mod farewells;
mod flows;
mod full_spool;
mod golden;
mod goldens;
mod hang_up;
mod heads;
mod hops;
mod joining;
mod leaving;
mod minutes;
mod names;
mod outside;
mod overload;
mod pools;
mod rates;
mod refuse;
mod releases;
mod restore;
mod scenes;
mod scenarios;
mod session_timer;
mod single;
mod spirals;
mod size;
mod tables;
mod through;
mod torture;
mod transport;
mod trust;
mod turns;
mod updates;
mod view;
