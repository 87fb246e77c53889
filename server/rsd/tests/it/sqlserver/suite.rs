//! The suite of all stores: on the stand-in in every run, and on a real server for whoever has one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use net::Clock;
use rsd::store::Store;
use rsd::store::sqlserver::{Accounts, Encrypt, Login, Parts, SqlServer, Target, Times, init};

use super::link::target;
use crate::conformance::{SECRET, run};
use crate::tds::{Endpoint, Settings, StandIn};

fn open(target: Target) -> Box<dyn Store> {
    let (name, spool, clock) = ("rs-1".to_owned(), "1".to_owned(), Clock::start());
    let times = Times::default();
    let parts = Parts { target, times, writers: 2, readers: 2, name, spool, clock, secret: SECRET };
    Box::new(SqlServer::new(parts).unwrap())
}

/// A database of that name at a real server. The login of the URL may make databases; its password
/// is in the file that `RINGMASTER_CONFORMANCE_PASSWORD_FILE` names.
#[expect(clippy::disallowed_methods, reason = "not a setting of the product")]
pub(crate) fn sql_server(url: &str, database: &str) -> Box<dyn Store> {
    let file = std::env::var("RINGMASTER_CONFORMANCE_PASSWORD_FILE").unwrap();
    let password = fs::read_to_string(file).unwrap().trim_end().to_owned();
    let target = Target::read(url, None, password.clone()).unwrap();
    let admin = Login { user: target.user.clone(), password };
    let owner = Target { database: database.to_owned(), ..target };
    let (admin, owner_of) = (Some(admin), owner.clone());
    let accounts = Accounts { owner, admin, writer: None, reader: None };
    init(&accounts, Clock::start()).unwrap();
    open(owner_of)
}

#[test]
fn the_stand_in_gives_the_answers_of_all_stores() {
    let servers: RefCell<BTreeMap<String, Endpoint>> = RefCell::default();
    run(&|story| {
        let mut servers = servers.borrow_mut();
        let server = servers.entry(story.to_owned()).or_insert_with(|| {
            let engine = Arc::new(StandIn::new());
            Endpoint::start(Settings::default(), move |request| engine.answer(request))
        });
        open(target(server, Encrypt::Nothing))
    });
}
