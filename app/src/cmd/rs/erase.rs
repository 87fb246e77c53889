//! `ringmaster rs erase`: a running Reporting Server takes a number out of all that it has (rs.md
//! §8). The work is the server's, and goes on when nobody waits for it.

use std::io::BufRead;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::ask::Daemon;
use crate::cli::RsErase;
use crate::exit::{Exit, Failure};

const PATH: &str = "/api/v1/erasures";
/// Longer than any number that is taken.
const LINE: u64 = 4 << 10;
/// Between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) fn run(args: &RsErase) -> Result<(), Failure> {
    let number = match &*args.number {
        "-" => first_line()?,
        number => number.to_owned(),
    };
    let body = json!({ "number": number });
    let asked = Daemon::reporting_server(&args.from)?;
    let begun = asked.send(Method::POST, PATH, &[], Some(&body), "no")?;
    let no = &begun["no"];
    println!("erasure {no} has begun");
    if !args.wait {
        return Ok(());
    }
    loop {
        let list = Daemon::reporting_server(&args.from)?.json(PATH, &[], "items")?;
        let of_ours = |item: &&Value| item["no"] == *no;
        let found = list["items"].as_array().into_iter().flatten().find(of_ours);
        let Some(found) = found else {
            let text = format!("{PATH}: {no} is not among the newest any more");
            return Err(Failure::new(Exit::NotFound, text));
        };
        if found["ended_at"].is_string() {
            let (calls, rows) = (&found["calls"], &found["rows"]);
            println!("erasure {no} has ended: {calls} calls, {rows} other rows");
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
}

fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    let read = std::io::Read::take(&mut std::io::stdin().lock(), LINE).read_line(&mut line);
    read.map_err(|error| Failure::new(Exit::Local, format!("stdin: {error}")))?;
    Ok(line.trim_end().to_owned())
}
