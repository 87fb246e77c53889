//! `ringmaster rs user`: a line for `rs.auth.users_file` (rs.md §8). Touches no file.

use std::io::{BufRead, IsTerminal};

use crate::cli::RsUser;
use crate::exit::{Exit, Failure};

/// Longer than any password that is taken.
const LINE: u64 = 4 << 10;

pub(super) fn run(args: &RsUser) -> Result<(), Failure> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        let text = "the password comes from a pipe or a file: typed here it would be seen";
        return Err(Failure::new(Exit::Usage, text));
    }
    let mut line = String::new();
    let read = std::io::Read::take(&mut stdin, LINE).read_line(&mut line);
    read.map_err(|error| Failure::new(Exit::Local, format!("stdin: {error}")))?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    let made = rsd::user_line(&args.name, &args.roles, password);
    println!("{}", made.map_err(|why| Failure::new(Exit::Usage, why))?);
    Ok(())
}
