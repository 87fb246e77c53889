//! `ringmaster check`: settings and platform objects, offline, by the rules of a real start.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use config::certificates::{self, SOON};
use config::source::trust;
use config::{FileKind, Settings, kind_of, objects};
use model::id::Revision;
use model::schema::Problem;
use model::snapshot::Snapshot;
use model::tree::Position;
use net::Clock;

use crate::cli;
use crate::daemon::chain;
use crate::exit::{Exit, Failure};
use crate::settings::lines;

pub(crate) fn run(args: &cli::Check) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let (mut documents, mut objects_given) = (Vec::new(), false);
    // Addresses of RM's own, which no resource may have.
    let mut own = Vec::new();
    for file in &args.files {
        match kind(args, file) {
            FileKind::Settings => match Settings::load(Some(file), [], []) {
                Ok(settings) => {
                    starts(file, &settings, &mut problems, &mut warnings);
                    own.extend(settings.rm.sip.listen.iter().map(|listen| listen.addr));
                }
                Err(found) => problems.extend(found),
            },
            FileKind::Objects => match objects::load(file) {
                Ok(found) => {
                    documents.extend(found);
                    objects_given = true;
                }
                Err(found) => problems.extend(found),
            },
        }
    }
    // Objects of several files are one platform.
    if problems.is_empty() && objects_given {
        match Snapshot::build_for(&documents, Revision(1), &own) {
            Ok((_, found)) => warnings.extend(found),
            Err(found) => problems = found,
        }
    }
    print!("{}", lines(&problems));
    print!("{}", lines(&warnings));
    outcome(&problems, &warnings, args.strict)
}

/// What a start of any daemon with these settings would be refused for, and what it would tell.
fn starts(
    file: &Path,
    settings: &Settings,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let now = Clock::start().now().wall;
    let problem = |code, path: &str, message| Problem {
        code,
        at: Position::default(),
        path: path.to_owned(),
        message,
        file: Some(file.display().to_string().into()),
        object: None,
    };
    let mut found = |path: &str, (refused, strange): (Vec<String>, Vec<String>)| {
        problems.extend(refused.into_iter().map(|text| problem("E105", path, text)));
        warnings.extend(strange.into_iter().map(|text| problem("W404", path, text)));
    };
    let (rm, server) = (&settings.rm, &settings.config_server);
    let sip = rm.sip.tls.as_ref().map(|block| rmd::check_tls(block, now));
    let tls = server.tls.as_ref();
    let tls = tls.map(|block| certificates::check("config_server.tls", block, now, SOON));
    found("rm.sip.tls", either(sip));
    found("rm.reporting", either(Some(rmd::check_reporting(rm))));
    let files = rmd::check(rm).map(|()| Vec::new()).map_err(|why| chain(&why));
    found("rm", either(Some(files)));
    found("config_server.tls", either(tls));
    let (refused, strange) = rsd::check(settings, now);
    found("rs", (refused.iter().map(|why| chain(why)).collect(), strange));
    found("config", either(Some(trust::check(&settings.config, now))));
}

/// What is refused, and what is strange.
fn either(found: Option<Result<Vec<String>, String>>) -> (Vec<String>, Vec<String>) {
    match found {
        None => (Vec::new(), Vec::new()),
        Some(Ok(strange)) => (Vec::new(), strange),
        Some(Err(refused)) => (vec![refused], Vec::new()),
    }
}

fn outcome(problems: &[Problem], warnings: &[Problem], strict: bool) -> Result<(), Failure> {
    match (problems.len(), warnings.len()) {
        (0, 0) => Ok(()),
        (0, _) if !strict => Ok(()),
        (0, warnings) => Err(Failure::new(Exit::No, counted(warnings, "warning"))),
        (errors, _) => Err(Failure::new(Exit::Invalid, counted(errors, "error"))),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// What a file holds. One that cannot be read, or is neither, is read as objects, which tells
/// where it goes wrong.
fn kind(args: &cli::Check, file: &Path) -> FileKind {
    if args.settings {
        return FileKind::Settings;
    }
    if args.objects || file.is_dir() {
        return FileKind::Objects;
    }
    let mut text = Vec::new();
    let read = File::open(file).and_then(|file| file.take(JUDGED_BYTES).read_to_end(&mut text));
    let text = read.map_or(String::new(), |_| String::from_utf8_lossy(&text).into_owned());
    kind_of(&text).unwrap_or(FileKind::Objects)
}

/// What a file holds is judged by so much of it: as much as is read of any file.
const JUDGED_BYTES: u64 = 32 << 20;
