//! `ringmaster check`: settings and platform objects, offline, by the rules of a real start.

use std::path::Path;

use config::{FileKind, Settings, kind_of, objects};
use model::id::Revision;
use model::schema::Problem;
use model::snapshot::Snapshot;

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::settings::lines;

pub(crate) fn run(args: &cli::Check) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let mut documents = Vec::new();
    for file in &args.files {
        match kind(args, file) {
            Ok(FileKind::Settings) => {
                if let Err(found) = Settings::load(Some(file), []) {
                    problems.extend(found);
                }
            }
            Ok(FileKind::Objects) => match objects::load(file) {
                Ok(found) => documents.extend(found),
                Err(found) => problems.extend(found),
            },
            Err(text) => return Err(Failure::new(Exit::Invalid, text)),
        }
    }
    // Objects of several files are one platform.
    if problems.is_empty() && !documents.is_empty() {
        match Snapshot::build(&documents, Revision(1)) {
            Ok((_, found)) => warnings = found,
            Err(found) => problems = found,
        }
    }
    print!("{}", lines(&problems));
    print!("{}", lines(&warnings));
    outcome(&problems, &warnings, args.strict)
}

fn outcome(problems: &[Problem], warnings: &[Problem], strict: bool) -> Result<(), Failure> {
    match (problems.len(), warnings.len()) {
        (0, 0) => Ok(()),
        (0, _) if !strict => Ok(()),
        (0, warnings) => Err(Failure::new(Exit::No, format!("{warnings} warnings"))),
        (errors, _) => Err(Failure::new(Exit::Invalid, format!("{errors} errors"))),
    }
}

fn kind(args: &cli::Check, file: &Path) -> Result<FileKind, String> {
    if args.settings {
        return Ok(FileKind::Settings);
    }
    if args.objects || file.is_dir() {
        return Ok(FileKind::Objects);
    }
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    // What cannot be read as YAML is neither; reading it as objects tells line and column.
    Ok(kind_of(&text).unwrap_or(FileKind::Objects))
}
