//! The one executable `ringmaster`: parses the command line, calls one command, ends with its code.

#[macro_use]
mod out;

mod ask;
mod cli;
mod cmd;
mod daemon;
mod exit;
mod handler;
mod kind;
mod memory;
mod settings;
mod signals;
mod simulate;
mod table;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use exit::{Exit, Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Nobody was here before us, so that it cannot be installed already.
    let _first = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outcome = match Cli::parse().command {
        Command::Standalone(args) => cmd::standalone::run(&args),
        Command::Rm(args) => cmd::rm::run(&args),
        Command::Rs(args) => cmd::rs::run(&args),
        Command::ConfigServer(args) => cmd::config_server::run(&args),
        Command::Calls(args) => cmd::calls::run(&args),
        Command::Limits(args) => cmd::limits::run(&args),
        Command::Explain(args) => cmd::explain::run(&args),
        Command::Resources(args) => cmd::resources::run(&args),
        Command::Drain(args) => cmd::administer::drain(&args),
        Command::Enable(args) => cmd::administer::run(&args, "enable"),
        Command::Disable(args) => cmd::administer::run(&args, "disable"),
        Command::Reset(args) => cmd::administer::run(&args, "reset"),
        Command::Alarms(args) => cmd::alarms::run(&args),
        Command::Log(args) => cmd::log::run(&args),
        Command::Reload(args) => cmd::reload::run(&args),
        Command::ConfigHandler(args) => handler::config_handler(&args),
        Command::RsInit(args) => handler::rs_init(&args),
        Command::Check(args) => cmd::check::run(&args),
        Command::Apply(args) => cmd::apply::run(&args),
        Command::Diff(args) => cmd::apply::diff(&args),
        Command::Get(args) => cmd::get::run(&args),
        Command::Delete(args) => cmd::delete::run(&args),
        Command::Watch(args) => cmd::watch::run(&args),
        Command::History(args) => cmd::history::run(&args),
        Command::Rollback(args) => cmd::history::rollback(&args),
        Command::Clients(args) => cmd::clients::run(&args),
        Command::Export(args) => cmd::export::run(&args),
        Command::Import(args) => cmd::apply::import(&args),
        Command::Token(args) => cmd::token::run(&args),
        Command::Simulate(args) => cmd::simulate::run(&args),
    };
    let outcome = outcome.and_then(|()| match out::failed() {
        Some(error) => Err(Failure::new(Exit::Local, format!("stdout: {error}"))),
        None => Ok(()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.text.is_empty() {
                eprintln!("{}", failure.text.trim_end());
            }
            failure.exit.into()
        }
    }
}
