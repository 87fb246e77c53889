//! `ringmaster rs sql-views`: a script for whoever reads the files of calls by SQL (rs.md §3.1).
//! Reads the files, and changes nothing.

use rsd::store::sqlite::sql_views;

use crate::cli::RsSqlViews;
use crate::exit::{Exit, Failure};
use crate::settings;

pub(super) fn run(args: &RsSqlViews) -> Result<(), Failure> {
    let settings = settings::load(args.config.as_deref(), &[])?;
    if settings.rs.database.url.is_some() {
        let text = "rs.database is a server, whose views have names by themselves";
        return Err(Failure::new(Exit::Settings, text));
    }
    let script = sql_views(&settings.data_dir.join("rs"), args.from, args.to);
    print!("{}", script.map_err(|why| Failure::new(Exit::Local, why))?);
    Ok(())
}
