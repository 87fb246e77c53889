//! `rs.export`: what the purge writes into files before it goes (rs.md §10).

use std::path::PathBuf;

use model::schema::Object;

use super::path;

/// `rs.export.before_purge`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Export {
    /// `dir`: where the files are; made if it is missing.
    pub dir: PathBuf,
    /// `format`
    pub format: ExportFormat,
    /// `kinds`: what is written; all when nothing is said.
    pub kinds: Vec<ExportKind>,
    /// `compress: zstd`
    pub zstd: bool,
}

/// How files are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// A record a line, as `POST /api/v1/records` takes them.
    Ndjson,
    /// A table, for spreadsheets.
    Csv,
}

/// What is written into files of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ExportKind {
    /// Facts of calls.
    Cdr,
    /// Events, but for the reports of voice applications.
    Events,
    /// Reports of voice applications.
    Var,
    /// Dead letters.
    DeadLetters,
}

impl ExportFormat {
    /// The word of the setting, and the ending of files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

impl ExportKind {
    /// All.
    pub const ALL: [Self; 4] = [Self::Cdr, Self::Events, Self::Var, Self::DeadLetters];

    /// The word of the setting, and the beginning of files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cdr => "cdr",
            Self::Events => "events",
            Self::Var => "var",
            Self::DeadLetters => "dead_letters",
        }
    }
}

/// `before_purge` of the section `rs.export`; `null`: nothing is written.
pub(super) fn read(rs: &Object<'_>) -> Option<Export> {
    let section = rs.get("export").and_then(|field| field.object())?;
    let export = section.get("before_purge").and_then(|field| field.object()).and_then(|object| {
        let dir = object.require("dir", "a directory").and_then(|field| path(&field));
        let formats = [ExportFormat::Ndjson, ExportFormat::Csv].map(|one| (one.as_str(), one));
        let format = object.get("format").and_then(|field| field.choice(&formats));
        let kinds = object.get("kinds").and_then(|field| field.list()).map(|items| {
            let words = ExportKind::ALL.map(|kind| (kind.as_str(), kind));
            items.iter().filter_map(|item| item.choice(&words)).collect()
        });
        let packed = object.get("compress");
        let packed = packed.and_then(|field| field.choice(&[("zstd", true), ("none", false)]));
        object.finish();
        Some(Export {
            dir: dir?,
            format: format.unwrap_or(ExportFormat::Ndjson),
            kinds: kinds.unwrap_or_else(|| ExportKind::ALL.to_vec()),
            zstd: packed.unwrap_or(false),
        })
    });
    section.finish();
    export
}
