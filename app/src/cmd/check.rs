//! `ringmaster check`: settings and platform objects, offline, by the rules of a real start.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use config::certificates::{self, SOON};
use config::settings::Tls;
use config::source::trust;
use config::{FileKind, Settings, kind_of, objects};
use model::id::Revision;
use model::schema::Problem;
use model::snapshot::Snapshot;
use model::tree::Position;
use net::Clock;

use crate::cli;
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
                    tls(file, &settings, &mut problems, &mut warnings);
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

/// What a start would say of the files of `rm.sip.tls`, `rm.reporting`, `config_server.tls`,
/// `rs.tls`, `rs.auth` and `config`.
fn tls(file: &Path, settings: &Settings, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let now = Clock::start().now().wall;
    let sip = settings.rm.sip.tls.as_ref().map(|block| rmd::check_tls(block, now));
    let block = |name: &str, block: &Option<Tls>| {
        block.as_ref().map(|block| certificates::check(name, block, now, SOON))
    };
    let server = block("config_server.tls", &settings.config_server.tls);
    let rs = block("rs.tls", &settings.rs.tls);
    let users = Some(rsd::check_users(&settings.rs.auth));
    let client = Some(trust::check(&settings.config, now));
    let reporting = Some(rmd::check_reporting(&settings.rm));
    let all = [
        ("rm.sip.tls", sip),
        ("rm.reporting", reporting),
        ("config_server.tls", server),
        ("rs.tls", rs),
        ("rs.auth", users),
        ("config", client),
    ];
    for (path, found) in all {
        let problem = |code, message| Problem {
            code,
            at: Position::default(),
            path: path.to_owned(),
            message,
            file: Some(file.display().to_string().into()),
            object: None,
        };
        match found {
            None => {}
            Some(Ok(strange)) => {
                warnings.extend(strange.into_iter().map(|text| problem("W404", text)));
            }
            Some(Err(fault)) => problems.push(problem("E105", fault)),
        }
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
