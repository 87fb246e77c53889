//! `ringmaster reload`: the file of platform objects again, as a whole or not at all.

use reqwest::Method;

use super::calls::text;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::Failure;

pub(crate) fn run(args: &cli::Reload) -> Result<(), Failure> {
    let rm = ask::Daemon::new(&args.from)?;
    let answer = rm.send(Method::POST, "/v1/config/reload", &[], None, "rev")?;
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        eprintln!("{}", ask::fault(warning));
    }
    match args.from.output {
        Output::Json => println!("{answer}"),
        Output::Name => println!("{}", answer["rev"]),
        Output::Table => println!("revision {} of {}", answer["rev"], text(&answer, "source")),
    }
    Ok(())
}
