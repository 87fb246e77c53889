//! `ringmaster apply`, `diff`, `import`: platform objects of files as one transaction.

mod changes;
mod files;
mod wait;

use std::path::Path;

use reqwest::Method;
use serde_json::Value;

use crate::ask::{self, Daemon, Question};
use crate::cli::{self, FromServer, Shape};
use crate::exit::{Exit, Failure};
pub(crate) use changes::print;
pub(super) use changes::show;
use files::Text;

/// What a transaction is asked for with.
#[derive(Default)]
struct Wanted<'w> {
    dry_run: bool,
    message: Option<&'w str>,
    prune: Option<&'w str>,
    base: Option<u64>,
}

pub(crate) fn run(args: &cli::Apply) -> Result<(), Failure> {
    let of = &args.of;
    let wanted = Wanted {
        dry_run: args.dry_run,
        message: args.message.as_deref(),
        prune: of.prune.as_deref(),
        base: of.base,
    };
    let text = files::read(&of.files)?;
    if let Some(label) = of.prune.as_deref().filter(|_| !args.allow_empty && text.is_empty()) {
        let text = format!(
            "the files hold no object: with --prune every object with {label} would be deleted; \
             say --allow-empty where that is meant"
        );
        return Err(Failure::new(Exit::Usage, text));
    }
    let answer = transact(&text, &of.from, &wanted)?;
    show(&answer, &of.from);
    if args.wait { wait::until_applied(&answer, &of.from) } else { Ok(()) }
}

/// Exit 1 when there are differences.
pub(crate) fn diff(args: &cli::Diff) -> Result<(), Failure> {
    let of = &args.of;
    let prune = of.prune.as_deref();
    let wanted = Wanted { dry_run: true, prune, base: of.base, message: None };
    let answer = transact(&files::read(&of.files)?, &of.from, &wanted)?;
    show(&answer, &of.from);
    if answer["changed"] == 0 { Ok(()) } else { Err(Failure::new(Exit::No, "")) }
}

/// Objects as apply takes them, or a whole backup.
pub(crate) fn import(args: &cli::Import) -> Result<(), Failure> {
    let text = files::read(std::slice::from_ref(&args.file))?;
    if args.full {
        return restore(text, args);
    }
    let wanted = Wanted { dry_run: args.dry_run, ..Wanted::default() };
    let answer = transact(&text, &args.from, &wanted)?;
    show(&answer, &args.from);
    Ok(())
}

fn transact(text: &Text, from: &FromServer, wanted: &Wanted<'_>) -> Result<Value, Failure> {
    let path = "/v1/transactions";
    let base = wanted.base.map(|base| base.to_string());
    let query = [
        ("dry_run", wanted.dry_run.then_some("true")),
        ("message", wanted.message),
        ("prune", wanted.prune),
        ("base_revision", base.as_deref()),
    ];
    let body = Some(("application/yaml", text.text.clone().into_bytes()));
    let question =
        Question { method: Method::POST, path, query: &query, body, ..Question::default() };
    let (status, body) = Daemon::config_server(from)?.whole(question)?;
    let mut answer: Value = serde_json::from_str(&body).unwrap_or_default();
    text.locate(&mut answer);
    if !(200..300).contains(&status) {
        let malformed = if status == 400 { text.malformed() } else { None };
        return Err(malformed.unwrap_or_else(|| ask::told(status, path, &answer)));
    }
    if answer["changed"].is_null() {
        let text = format!("{}{path}: this is no answer of a Config Server", from.server);
        return Err(Failure::new(Exit::PeerAway, text));
    }
    Ok(answer)
}

fn restore(text: Text, args: &cli::Import) -> Result<(), Failure> {
    let query = [("replace", args.replace.then_some("true"))];
    let body = Some(("application/x-ndjson", text.text.into_bytes()));
    let path = "/v1/restore";
    let question =
        Question { method: Method::POST, path, query: &query, body, ..Question::default() };
    let (status, answer) = Daemon::config_server(&args.from)?.whole(question)?;
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    if status == 409 && !args.replace {
        let text = "the server holds objects already: with `import --full --replace` the backup \
                    takes their place";
        return Err(Failure::new(Exit::Conflict, text));
    }
    if !(200..300).contains(&status) {
        return Err(ask::told(status, path, &answer));
    }
    match args.from.output {
        Shape::Json => println!("{answer}"),
        Shape::Yaml => print!("{}", config::yaml::print(&answer)),
        Shape::Table if args.from.quiet => {}
        Shape::Table => println!("restored as revision {}", answer["revision"]),
        Shape::Name => println!("{}", answer["revision"]),
    }
    Ok(())
}

/// `-` is stdin.
fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}
