//! `ringmaster rs token`: a new token, and a line for `rs.auth.tokens_file` (rs.md §8), which has
//! only a hash of it.

use std::time::Duration;

use model::time::Millis;
use net::Clock;

use crate::cli::RsToken;
use crate::cmd::private::Private;
use crate::exit::{Exit, Failure};

pub(super) fn run(args: &RsToken) -> Result<(), Failure> {
    let file = Private::new(&args.out)?;
    let now = Clock::start().now().wall;
    let until = |long: Duration| {
        let ms = u64::try_from(long.as_millis()).unwrap_or(u64::MAX);
        Millis(now.0.saturating_add(ms))
    };
    let made = rsd::token_line(&args.name, &args.roles, args.expires.map(until));
    let (token, line) = made.map_err(|why| Failure::new(Exit::Usage, why))?;
    file.write(&format!("{token}\n"))?;
    println!("{line}");
    Ok(())
}
