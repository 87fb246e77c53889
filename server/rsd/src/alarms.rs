//! Alarms of RS, in one table and one list (rs.md §12): log lines, the gauge and `/api/v1/alarms`
//! read it. Must not judge whether anything is wrong: whoever raises an alarm does.

mod books;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::time::Millis;
use serde::Serialize;

pub(crate) use self::books::{BookWatch, GONE_MS, SLICE_MS, Slices, Standing, standings};
pub(crate) use self::watch::{DOWN_AFTER, Outage, Sight, Turn, Watch, hangs};

/// Which; in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// No batch can be stored.
    DbDown,
    /// The ingest queue is at 80 % of its limit.
    SpoolHigh,
    /// Nothing is taken: the queue is at its limit, or its file system is full.
    SpoolFull,
    /// Something that had been answered cannot be read.
    SpoolDamaged,
    /// The disk did not confirm a write.
    SpoolSync,
    /// The disk has been busy with a write for long.
    SpoolSlow,
    /// Many records have waited long for the database.
    QueueHigh,
    /// Many records became dead letters.
    DeadLetters,
    /// An id came with two contents.
    IdConflict,
    /// Records of a producer are missing.
    Gap,
    /// A producer's minute and what is stored of it do not agree.
    Unbalanced,
    /// A producer says nothing any more.
    ProducerSilent,
    /// Bins wait long to be made again.
    RollupLag,
    /// Numbers of today have found no room in figures.
    DnLimit,
    /// Levels were not those of the facts.
    RollupDrift,
    /// No Config Server is listened to.
    ConfigLost,
    /// Old days wait for their figures.
    PurgeBlocked,
    /// The volume of the database is nearly full.
    DbSpace,
    /// A day of the database can be neither read nor written.
    DbDamaged,
    /// The next frame of the spool cannot be read, so that nothing is stored.
    ApplyStuck,
    /// A certificate expires soon.
    Certificate,
    /// The clock of a producer is wrong.
    ClockSkew,
    /// Something that works in the background has panicked.
    WorkerFailed,
}

/// What is fixed of an alarm.
struct Row {
    text: &'static str,
    severity: &'static str,
    /// The line that raises it.
    log_id: u16,
    /// Nothing but an operator ends it: what it tells of is over in a moment and must be seen.
    by_operator: bool,
}

impl Name {
    pub(crate) const ALL: [Self; 23] = [
        Self::DbDown,
        Self::SpoolHigh,
        Self::SpoolFull,
        Self::SpoolDamaged,
        Self::SpoolSync,
        Self::SpoolSlow,
        Self::QueueHigh,
        Self::DeadLetters,
        Self::IdConflict,
        Self::Gap,
        Self::Unbalanced,
        Self::ProducerSilent,
        Self::RollupLag,
        Self::DnLimit,
        Self::RollupDrift,
        Self::ConfigLost,
        Self::PurgeBlocked,
        Self::DbSpace,
        Self::DbDamaged,
        Self::ApplyStuck,
        Self::Certificate,
        Self::ClockSkew,
        Self::WorkerFailed,
    ];

    const fn row(self) -> Row {
        let (text, severity, log_id, by_operator) = match self {
            Self::DbDown => ("RS-DB-DOWN", "critical", 33103, false),
            Self::SpoolHigh => ("RS-SPOOL-HIGH", "major", 33003, false),
            Self::SpoolFull => ("RS-SPOOL-FULL", "critical", 33004, false),
            Self::SpoolDamaged => ("RS-SPOOL-DAMAGED", "critical", 33001, true),
            Self::SpoolSync => ("RS-SPOOL-SYNC", "critical", 33002, true),
            Self::SpoolSlow => ("RS-SPOOL-SLOW", "critical", 33006, false),
            Self::QueueHigh => ("RS-QUEUE-HIGH", "major", 33005, false),
            Self::DeadLetters => ("RS-DEAD-LETTERS", "minor", 34004, false),
            Self::IdConflict => ("RS-ID-CONFLICT", "major", 34002, false),
            Self::Gap => ("RS-GAP", "major", 34005, false),
            Self::Unbalanced => ("RS-UNBALANCED", "major", 34006, false),
            Self::ProducerSilent => ("RS-PRODUCER-SILENT", "minor", 34007, false),
            Self::Certificate => ("RS-CERT", "minor", 36005, false),
            Self::ClockSkew => ("RS-CLOCK-SKEW", "minor", 34008, false),
            Self::WorkerFailed => ("RS-WORKER-FAILED", "major", 31401, false),
            Self::RollupLag => ("RS-ROLLUP-LAG", "minor", 35101, false),
            Self::DnLimit => ("RS-DN-LIMIT", "minor", 35104, false),
            Self::RollupDrift => ("RS-ROLLUP-DRIFT", "major", 35102, true),
            Self::ConfigLost => ("RS-CONFIG-LOST", "minor", 31201, false),
            Self::PurgeBlocked => ("RS-PURGE-BLOCKED", "minor", 35003, false),
            Self::DbSpace => ("RS-DB-SPACE", "major", 33104, false),
            Self::DbDamaged => ("RS-DB-DAMAGED", "critical", 33105, false),
            Self::ApplyStuck => ("RS-APPLY-STUCK", "critical", 33106, false),
        };
        Row { text, severity, log_id, by_operator }
    }

    /// As metrics, logs and documents call it.
    pub(crate) const fn as_str(self) -> &'static str {
        self.row().text
    }

    /// The line that raises it.
    pub(crate) const fn log_id(self) -> u16 {
        self.row().log_id
    }

    /// Nothing but an operator ends it.
    pub(crate) const fn is_by_operator(self) -> bool {
        self.row().by_operator
    }

    /// The alarm of this name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

/// One that is raised (`GET /api/v1/alarms`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Alarm {
    pub(crate) name: &'static str,
    pub(crate) severity: &'static str,
    pub(crate) log_id: u16,
    /// UTC, RFC 3339.
    pub(crate) since: String,
    /// Causes since then.
    pub(crate) count: u64,
    /// The latest cause.
    pub(crate) text: String,
    /// `operator` or `itself`: what ends it.
    pub(crate) ends: &'static str,
}

#[derive(Debug)]
struct Raised {
    since: Millis,
    count: u64,
    text: String,
}

/// Those that are raised. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alarms(Arc<Mutex<BTreeMap<Name, Raised>>>);

impl Alarms {
    /// A cause; one that is up counts it. Gives back the field with which its log line names the
    /// alarm, if it was not up.
    pub(crate) fn raise(
        &self,
        at: Millis,
        name: Name,
        text: &str,
    ) -> Option<(&'static str, &'static str)> {
        let mut list = self.list();
        let fresh = || Raised { since: at, count: 0, text: String::new() };
        let raised = list.entry(name).or_insert_with(fresh);
        raised.count += 1;
        text.clone_into(&mut raised.text);
        (raised.count == 1).then_some(("alarm", name.as_str()))
    }

    /// It is over; false: it was not up.
    pub(crate) fn clear(&self, name: Name) -> bool {
        self.list().remove(&name).is_some()
    }

    /// Those that are raised, in the order of the table.
    pub(crate) fn raised(&self) -> Vec<Alarm> {
        let shown = |(name, raised): (&Name, &Raised)| {
            let row = name.row();
            Alarm {
                name: row.text,
                severity: row.severity,
                log_id: row.log_id,
                since: raised.since.to_string(),
                count: raised.count,
                text: raised.text.clone(),
                ends: if row.by_operator { "operator" } else { "itself" },
            }
        };
        self.list().iter().map(shown).collect()
    }

    /// Whether it is raised.
    pub(crate) fn is_up(&self, name: Name) -> bool {
        self.list().contains_key(&name)
    }

    fn list(&self) -> MutexGuard<'_, BTreeMap<Name, Raised>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarms, Name};
    use model::time::Millis;

    /// The rows of the page: name, severity, log line, and what ends it.
    #[test]
    fn the_page_of_alarms_has_each_with_its_row() {
        let page = include_str!("../../../docs/reference/api.md");
        for name in Name::ALL {
            let row = name.row();
            let line = page.lines().find(|line| line.starts_with(&format!("| `{}` |", row.text)));
            let cells: Vec<_> = line.unwrap_or_default().split('|').map(str::trim).collect();
            assert_eq!(cells.get(2), Some(&row.severity), "{name:?}");
            assert_eq!(cells.get(3), Some(&&*row.log_id.to_string()), "{name:?}");
            let ends = cells.last_chunk::<2>().map(|[ends, _]| ends.contains("operator"));
            assert_eq!(ends, Some(row.by_operator), "{name:?}");
            assert_eq!(Name::parse(row.text), Some(name));
        }
    }

    #[test]
    fn raised_once_and_cleared_once() {
        let alarms = Alarms::default();
        let field = Some(("alarm", "RS-SPOOL-SYNC"));
        for (at, text, expected) in [(1, "one", field), (2, "two", None)] {
            assert_eq!(alarms.raise(Millis(at), Name::SpoolSync, text), expected);
        }
        let [alarm] = &alarms.raised()[..] else { panic!("one") };
        let told = (&*alarm.since, alarm.count, &*alarm.text, alarm.ends);
        assert_eq!(told, ("1970-01-01T00:00:00.001Z", 2, "two", "operator"));
        assert!(alarms.is_up(Name::SpoolSync) && !alarms.is_up(Name::SpoolFull));
        assert_eq!([alarms.clear(Name::SpoolSync), alarms.clear(Name::SpoolSync)], [true, false]);
        assert_eq!(alarms.raised(), []);
    }
}
