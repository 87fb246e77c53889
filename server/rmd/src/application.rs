//! The node's own Application object (`rm.application`): what it says counts from now on, and what
//! counts only after a restart is told (ops.md §1.2, §1.10). The engine reads its options itself.

use model::config::{ApplicationType, Options};
use model::snapshot::Snapshot;
use std::sync::{Arc, Mutex, PoisonError};
use telemetry::Log;
use telemetry::log::Verbosity;

/// The object as the configurations have it, one after the other.
pub(crate) struct Application {
    name: String,
    /// What the engine has begun with: some options count at its start only.
    begun: Options,
    verbosity: Verbosity,
    log: Log,
    shown: Arc<Shown>,
    /// That there is none has been told.
    missed: bool,
}

/// As it is now, for whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<Standing>);

/// What `GET /v1/config` says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its name; `None`: there is none, and the defaults hold.
    pub(crate) application: Option<String>,
    /// Options that wait for a restart, as `section/key`.
    pub(crate) restart_required: Vec<String>,
}

impl Shown {
    pub(crate) fn standing(&self) -> Standing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, standing: Standing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }
}

impl Application {
    /// With the configuration that the engine begins with.
    pub(crate) fn begin(name: String, first: &Snapshot, log: Log) -> Self {
        let begun = options(first, &name);
        let (verbosity, shown) = (Verbosity::new(log.clone()), Arc::default());
        let mut own = Self { name, begun, verbosity, log, shown, missed: false };
        own.take(first);
        own
    }

    /// For whoever asks.
    pub(crate) fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown)
    }

    /// Another configuration is in force. Gives back the options that wait for a restart.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let before = self.shown.standing();
        let options = options(snapshot, &self.name);
        self.verbosity.ask(options.verbose);
        let application = snapshot.application(&self.name).map(|own| own.name.clone());
        self.miss(snapshot, application.is_some(), before.application.is_some());
        let waiting = self.begun.restart_required(&options);
        let waiting: Vec<String> = waiting.into_iter().map(str::to_owned).collect();
        if !waiting.is_empty() && waiting != before.restart_required {
            self.log.emit(20609, None, &[("options", &waiting.join(", "))]);
        }
        self.shown.replace(Standing { application, restart_required: waiting.clone() });
        waiting
    }

    /// Tells once that the object is gone, or that others have one and this node has none.
    fn miss(&mut self, snapshot: &Snapshot, found: bool, had: bool) {
        let id = if had { 20610 } else { 20611 };
        let of_type = |kind| kind == ApplicationType::ResourceManager;
        if found {
            self.missed = false;
        } else if had || (!self.missed && snapshot.applications().any(|one| of_type(one.kind))) {
            self.missed = true;
            self.log.emit(id, None, &[("application", &self.name)]);
        }
    }
}

fn options(snapshot: &Snapshot, application: &str) -> Options {
    snapshot.application(application).map(|own| own.options.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Application, Standing};
    use config::objects::from_text;
    use model::id::Revision;
    use model::snapshot::Snapshot;
    use model::time::Millis;
    use telemetry::Log;

    fn snapshot(name: &str, options: &str) -> Snapshot {
        let text = format!(
            "kind: Application\nname: {name}\n\
             spec: {{ type: resource-manager, options: {options} }}\n"
        );
        Snapshot::build_for(&from_text(&text, None).unwrap(), Revision(1), &[]).unwrap().0
    }

    #[test]
    fn what_waits_for_a_restart_is_told_once_and_taken_back() {
        let (log, lines) = Log::capture(|| Millis(0));
        let t1 =
            |value: u32| snapshot("rm-1", &format!("{{ proxy: {{ sip.timer.t1: {value} }} }}"));
        let mut own = Application::begin("rm-1".to_owned(), &t1(500), log.clone());
        let told = || {
            log.flush();
            lines.lines().iter().filter(|line| line.contains(" 20609 ")).count()
        };
        assert_eq!((own.take(&t1(500)), told()), (Vec::new(), 0));
        for _ in 0..2 {
            assert_eq!((own.take(&t1(700)), told()), (vec!["proxy/sip.timer.t1".to_owned()], 1));
        }
        assert_eq!(own.shown().standing().restart_required, ["proxy/sip.timer.t1"]);
        assert_eq!((own.take(&t1(500)), told()), (Vec::new(), 1), "as the engine has begun");
    }

    #[test]
    fn that_it_is_gone_is_told() {
        let (log, lines) = Log::capture(|| Millis(0));
        let mut own = Application::begin("rm-1".to_owned(), &snapshot("rm-1", "{}"), log.clone());
        assert_eq!(own.shown().standing().application.as_deref(), Some("rm-1"));
        own.take(&snapshot("rm-9", "{}"));
        own.take(&snapshot("rm-9", "{}"));
        log.flush();
        let told: Vec<_> = lines.lines().into_iter().filter(|l| l.contains(" 20610 ")).collect();
        assert!(told.len() == 1 && told[0].contains("application=rm-1"), "{told:?}");
        assert_eq!(own.shown().standing(), Standing::default());
        assert!(!lines.lines().iter().any(|line| line.contains(" 20611 ")), "it was there");
    }

    #[test]
    fn that_only_others_have_one_is_told_once() {
        let (log, lines) = Log::capture(|| Millis(0));
        let told = || {
            log.flush();
            let told = lines.lines();
            told.iter().filter(|line| line.contains(" 20611 ") && line.contains("rm-1")).count()
        };
        let none = Snapshot::build_for(&[], Revision(1), &[]).unwrap().0;
        let mut own = Application::begin("rm-1".to_owned(), &none, log.clone());
        assert_eq!(told(), 0, "nobody has one");
        for (name, count) in [("rm-9", 1), ("rm-9", 1), ("rm-1", 1)] {
            own.take(&snapshot(name, "{}"));
            assert_eq!(told(), count, "{name}");
        }
        let begun = Application::begin("rm-1".to_owned(), &snapshot("rm-9", "{}"), log.clone());
        assert_eq!((told(), begun.shown().standing()), (2, Standing::default()));
    }
}
