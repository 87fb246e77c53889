//! Alarms of the shell, beside those of the engine: of what lies around it (rm.md §12.1).
//!
//! They have the shape of the engine's, so that the gauge and `/v1/alarms` tell all of them alike.

use model::time::Millis;
use rm::Alarm;
use std::sync::{Arc, Mutex, PoisonError};

/// Which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// The configuration that was read last is not valid.
    ConfigRejected,
    /// No Config Server is listened to.
    ConfigServerLost,
    /// A listener takes nothing more.
    ListenerFailed,
    /// No broker takes records.
    ReportingLost,
    /// The spool takes no records.
    SpoolBroken,
}

impl Name {
    const ALL: [Self; 5] = [
        Self::ConfigRejected,
        Self::ConfigServerLost,
        Self::ListenerFailed,
        Self::ReportingLost,
        Self::SpoolBroken,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigRejected => "RMConfigRejected",
            Self::ConfigServerLost => "RMConfigServerConnectionLost",
            Self::ListenerFailed => "RMListenerFailed",
            Self::ReportingLost => "RMReportingConnectionLost",
            Self::SpoolBroken => "RMSpoolBroken",
        }
    }

    const fn log_id(self) -> u16 {
        match self {
            Self::ConfigRejected => 20603,
            Self::ConfigServerLost => 20601,
            Self::ListenerFailed => 20120,
            Self::ReportingLost => 20510,
            Self::SpoolBroken => 20501,
        }
    }
}

/// Those that are raised. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alarms(Arc<Mutex<Vec<Alarm>>>);

impl Alarms {
    /// A cause; one that is up counts it. Gives back the field with which its log line names the
    /// alarm, if it was not up.
    pub(crate) fn raise(
        &self,
        at: Millis,
        name: Name,
        about: (&'static str, &str),
        text: &str,
    ) -> Option<(&'static str, &'static str)> {
        let (kind, object) = about;
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = list.iter_mut().find(|one| one.name == name.as_str() && one.object == object);
        if let Some(own) = own {
            own.count += 1;
            text.clone_into(&mut own.text);
            return None;
        }
        list.push(Alarm {
            name: name.as_str(),
            kind,
            object: object.to_owned(),
            what: "",
            log_id: name.log_id(),
            since: at,
            count: 1,
            text: text.to_owned(),
        });
        Some(("alarm", name.as_str()))
    }

    /// It is over.
    pub(crate) fn clear(&self, name: Name, object: &str) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|one| one.name != name.as_str() || one.object != object);
    }

    /// Those that are raised.
    pub(crate) fn list(&self) -> Vec<Alarm> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every one by its name, and whether it is raised.
    pub(crate) fn states(&self) -> [(&'static str, bool); 5] {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Name::ALL.map(|name| {
            let name = name.as_str();
            (name, list.iter().any(|one| one.name == name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Alarms, Name};
    use model::time::Millis;

    /// The shell's rows of the page: name and log line.
    #[test]
    fn the_page_of_alarms_has_each_with_its_line() {
        let page = include_str!("../../../docs/reference/rm-api.md");
        for name in Name::ALL {
            let row =
                page.lines().find(|line| line.starts_with(&format!("| `{}` |", name.as_str())));
            let line = row.and_then(|row| row.split('|').nth(3)).map(str::trim);
            assert_eq!(line, Some(&*name.log_id().to_string()), "{name:?}");
        }
    }

    #[test]
    fn raised_once_for_each_object_and_cleared_alone() {
        let alarms = Alarms::default();
        let named = Some(("alarm", "RMReportingConnectionLost"));
        for (at, kind, field) in [(1, "cdr", named), (2, "events", named), (3, "cdr", None)] {
            let about = ("records", kind);
            assert_eq!(alarms.raise(Millis(at), Name::ReportingLost, about, "refused"), field);
        }
        let facts: Vec<_> = alarms.list().into_iter().map(|one| (one.since, one.count)).collect();
        assert_eq!(facts, [(Millis(1), 2), (Millis(2), 1)]);
        alarms.clear(Name::ReportingLost, "cdr");
        let lost = ("RMReportingConnectionLost", true);
        let raised: Vec<_> = alarms.states().into_iter().filter(|(_, raised)| *raised).collect();
        assert_eq!(raised, [lost]);
        alarms.clear(Name::ReportingLost, "events");
        assert_eq!(alarms.list(), []);
    }
}
