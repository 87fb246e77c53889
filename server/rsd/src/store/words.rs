//! Words for the numbers of enumerations: the rows of `rs_word`, on which whoever reads the tables
//! by SQL may join, and which the views show (spec rs.md §3.1).

use model::config::Service;
use model::record::{CallType, ComponentType, EndState, Level, VarResult};
use rs::rollup::Granularity;

/// All of them: kind, number, word.
#[must_use]
pub fn words() -> Vec<(&'static str, u8, &'static str)> {
    let mut all = Vec::new();
    all.extend(ComponentType::ALL.iter().map(|w| ("component_type", w.number(), w.as_str())));
    all.extend(CallType::ALL.iter().map(|w| ("call_type", w.number(), w.as_str())));
    all.extend(EndState::ALL.iter().map(|w| ("end_state", w.number(), w.as_str())));
    all.extend(Level::ALL.iter().map(|w| ("level", w.number(), w.as_str())));
    all.extend(VarResult::ALL.iter().map(|w| ("result", w.number(), w.as_str())));
    all.extend(Service::ALL.iter().map(|w| ("service", *w as u8, w.as_str())));
    all.extend(Granularity::ALL.iter().map(|w| ("granularity", w.number(), w.as_str())));
    all.extend(MEASURES.iter().map(|(number, word)| ("measure", *number, *word)));
    all.extend(DIMENSIONS.iter().map(|(number, word)| ("dimension", *number, *word)));
    all
}

/// The statement that adds those that are missing, for SQLite and PostgreSQL. They are constants
/// of the program: no value in it comes from outside.
pub(super) fn insert() -> String {
    let rows =
        words().into_iter().map(|(kind, number, word)| format!("('{kind}', {number}, '{word}')"));
    let rows = rows.collect::<Vec<_>>().join(", ");
    format!("INSERT INTO rs_word VALUES {rows} ON CONFLICT DO NOTHING")
}

/// Words of the views for what has no name in records.
const MEASURES: [(u8, &str); 4] = [(1, "legs"), (2, "sessions"), (3, "asr"), (4, "tts")];
const DIMENSIONS: [(u8, &str); 7] = [
    (0, "all"),
    (1, "kind"),
    (2, "component"),
    (3, "tenant"),
    (4, "profile"),
    (5, "dn"),
    (6, "service"),
];
