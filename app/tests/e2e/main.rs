//! The real executable over real sockets against real peers; ports come from the OS.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on shall stop where it stands"
)]

mod activemq;
mod baresip;
mod book;
mod capture;
mod center;
mod collector;
mod config_changes;
mod config_stand;
mod discovery;
mod dns;
mod held;
mod http;
mod kamailio;
mod limits;
mod line;
mod logins;
mod platform;
mod player;
#[path = "../../../server/rsd/tests/it/postgres/server.rs"]
mod postgres;
mod power;
mod report;
mod script;
mod senders;
mod sipp;
mod stored;
mod tenants;
mod wire;

mod admin;
mod calls;
mod commands;
mod committed;
mod config_client;
mod config_live;
mod config_options;
mod config_server;
mod config_tls;
mod crowd;
mod daemon;
mod demo;
mod docs;
mod docs_tenants;
mod erase;
mod flows;
mod handlers;
mod hops;
mod import;
mod kill;
mod ladder;
mod loss;
mod missing;
mod names;
mod operate;
mod oracle;
mod outage;
mod pools;
mod producers;
mod publisher;
mod refusals;
mod restart;
mod scenarios_conferences;
mod scenarios_connectors;
mod scenarios_dialogs;
mod scenarios_explain;
mod scenarios_limits;
mod scenarios_numbers;
mod scenarios_pools;
mod scenarios_rewriting;
mod scenarios_selection;
mod scenarios_stage;
mod scenarios_strangers;
mod settings;
mod sipsak;
mod sizes;
mod sql_views;
mod stop;
mod tls;
mod secure;
mod torture;
