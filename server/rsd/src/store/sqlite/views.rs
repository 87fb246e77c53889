//! The views of calls with day and names (spec rs.md §3.1), as a script for whoever reads the files
//! by SQL: facts are in the files of days, names in the main file, and SQLite keeps no view over
//! several files. So they are made where they are used, as temporary ones (ADR 76).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::aside::Aside;
use super::files::Layout;
use super::migrate::{DAY, MAIN, Migration, check};
use crate::store::{Day, StoreError};

/// Files that SQLite attaches to one connection, unless it is built otherwise.
const ATTACHED: usize = 10;

const COMPONENT: &str = "LEFT JOIN main.rs_dim_component AS m ON m.id = c.component_id";
const TENANT: &str = "LEFT JOIN main.rs_dim_tenant AS t ON t.id = c.tenant_id";
const PROFILE: &str = "LEFT JOIN main.rs_dim_profile AS p ON p.id = c.profile_id";

/// Each view with what it shows behind the day, and where names are. Objects that have a name here
/// are those that have one in the other databases.
const VIEWS: [(&str, &str, &[&str]); 5] = [
    (
        "v_calls",
        "c.call_key, c.live, c.started_at, c.answered_at, c.ended_at, c.duration_ms,
  c.component_type, c.component_id, m.name AS component, c.session_id, c.guid, c.leg, c.epoch,
  c.call_type, c.tenant_id, t.name AS tenant, c.profile_id, p.name AS profile, c.service, c.dn,
  c.local_uri, c.remote_uri, c.call_id, c.call_uuid, c.resource_group, c.resource_name,
  c.resource_dbid, c.resource_address, c.attempts, c.end_state, c.sip_status, c.reason, c.policy,
  c.profile_usage, c.profile_burst, c.asr_used, c.tts_used, c.media, c.origin, c.parent_key,
  c.sq_failed, c.config_rev, c.flags, c.extra",
        &[COMPONENT, TENANT, PROFILE],
    ),
    (
        "v_call_tenants",
        "c.call_key, c.started_at, c.tenant_id, t.name AS tenant, c.depth, c.usage, c.burst",
        &[TENANT],
    ),
    (
        "v_events",
        "c.guid, c.component_id, m.name AS component, c.session_id, c.happened_at, c.seq, c.level,
  c.log_id, c.label, c.text, c.extra",
        &[COMPONENT],
    ),
    ("v_var_calls", "c.call_key, c.result, c.reason, c.notes, c.actions, c.ignored", &[]),
    (
        "v_var_actions",
        "c.call_key, c.n, c.action, c.parent_n, c.started_at, c.ended_at, c.result, c.reason,
  c.notes, c.is_last",
        &[],
    ),
];

/// The script for the days of these files below `dir` (`{data_dir}/rs`), from one to another, both
/// included, UTC; without either the newest that fit. It is run on a connection to the main file.
///
/// # Errors
/// No file of such a day, more than SQLite attaches, files that are not of this version's schema
/// or cannot be read; as a text for people.
pub fn sql_views(dir: &Path, from: Option<Day>, to: Option<Day>) -> Result<String, String> {
    let told = |error: &StoreError| error.reason();
    let at = |error: std::io::Error| format!("{}: {error}", dir.display());
    // whoever runs the script may be anywhere
    let dir = fs::canonicalize(dir).map_err(at)?;
    let layout = Layout::new(dir, Aside::new(Arc::default()));
    let days = chosen(layout.days().map_err(|error| told(&error))?, from, to)?;
    is_of_this_version(&layout.main_path(), MAIN, "rs.db")?;
    let mut script = format!(
        "-- Views of calls from {} to {}, with names: for a connection to rs.db\n",
        days.first().copied().unwrap_or_default(),
        days.last().copied().unwrap_or_default(),
    );
    for day in &days {
        let path = layout.day_path(*day);
        is_of_this_version(&path, DAY, &format!("{day:08}.db"))?;
        // a file that has gone meanwhile is not made anew
        let _ok = writeln!(script, "ATTACH 'file:{}?mode=ro' AS day_{day};", uri(&path)?);
    }
    for (view, columns, names) in VIEWS {
        let one = |day: &Day| {
            let joins: String = names.iter().map(|join| format!("\n{join}")).collect();
            format!("SELECT {day} AS day, {columns}\nFROM day_{day}.{view} AS c{joins}")
        };
        let all: Vec<String> = days.iter().map(one).collect();
        let all = all.join("\nUNION ALL\n");
        let _ok = writeln!(script, "CREATE TEMP VIEW {view} AS\n{all};");
    }
    Ok(script)
}

fn chosen(days: Vec<Day>, from: Option<Day>, to: Option<Day>) -> Result<Vec<Day>, String> {
    let wanted = |day: &Day| from.is_none_or(|from| from <= *day) && to.is_none_or(|to| *day <= to);
    let mut days: Vec<Day> = days.into_iter().filter(wanted).collect();
    if from.is_none() && to.is_none() {
        days.drain(..days.len().saturating_sub(ATTACHED));
    }
    match days.len() {
        0 => Err("there is no file of such a day".to_owned()),
        many if many > ATTACHED => {
            let text = "SQLite attaches 10 files to a connection: fewer days are named by --from \
                        and --to";
            Err(format!("there are files of {many} of these days, and {text}"))
        }
        _ => Ok(days),
    }
}

/// What another version has written may have other columns.
fn is_of_this_version(path: &Path, steps: &[Migration], name: &str) -> Result<(), String> {
    let open = || -> Result<bool, StoreError> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(super::files::BUSY)?;
        Ok(check(&db, steps, name)?.is_empty())
    };
    match open() {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{name} is of an earlier version, and has not been opened by RS since: a call of that \
             day asked for over HTTP is enough"
        )),
        Err(error) => Err(format!("{name}: {}", error.reason())),
    }
}

/// The path as SQLite reads it in a URI, which needs no quotes.
fn uri(path: &Path) -> Result<String, String> {
    let text = path.to_str().ok_or_else(|| format!("{} is no UTF-8", path.display()))?;
    let mut uri = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(byte));
            }
            _ => _ = write!(uri, "%{byte:02X}"),
        }
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_that_are_asked_for_and_fit() {
        let all: Vec<Day> = (20_261_101..=20_261_112).collect();
        let chosen = |from, to| chosen(all.clone(), from, to);
        assert_eq!(chosen(None, None).unwrap(), all[2..]);
        assert_eq!(chosen(Some(20_261_111), None).unwrap(), all[10..]);
        assert_eq!(chosen(None, Some(20_261_110)).unwrap(), all[..10]);
        assert_eq!(chosen(Some(20_261_103), Some(20_261_104)).unwrap(), all[2..4]);
        assert!(chosen(None, Some(20_261_111)).unwrap_err().contains("of 11 of these days"));
        assert!(chosen(Some(20_261_113), None).unwrap_err().contains("no file"));
    }

    #[test]
    fn a_path_is_no_sql() {
        let path = Path::new("/a b/it's?#%ä/1.db");
        assert_eq!(uri(path).unwrap(), "/a%20b/it%27s%3F%23%25%C3%A4/1.db");
    }
}
