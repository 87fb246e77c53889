//! The level that the configuration asks for (option `log/verbose`, ops.md §8), over that of the
//! settings. What an operator has set by hand stays until the option changes.

use model::config::options::Verbose;

use super::Log;
use crate::log_id::Level;

/// What was asked for last.
pub struct Verbosity {
    log: Log,
    /// `log.level`.
    usual: Option<Level>,
    asked: Option<Verbose>,
}

impl Verbosity {
    /// Nothing is asked for yet.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self { usual: log.shared.settings.level, log, asked: None }
    }

    /// From now on; `None`: what the settings say.
    pub fn ask(&mut self, wanted: Option<Verbose>) {
        if self.asked != wanted {
            self.asked = wanted;
            self.log.set_level(wanted.map_or(self.usual, level));
        }
    }
}

const fn level(verbose: Verbose) -> Option<Level> {
    match verbose {
        Verbose::All => Some(Level::Trace),
        Verbose::Debug => Some(Level::Debug),
        Verbose::Trace => Some(Level::Info),
        Verbose::Interaction => Some(Level::Notice),
        Verbose::Standard => Some(Level::Warn),
        Verbose::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Verbosity;
    use crate::log::Log;
    use crate::log_id::Level;
    use model::config::options::Verbose;
    use model::time::Millis;

    #[test]
    fn an_option_sets_the_level_and_its_end_gives_it_back() {
        let (log, _lines) = Log::capture(|| Millis(0));
        let usual = log.levels().0;
        let mut verbosity = Verbosity::new(log.clone());
        verbosity.ask(None);
        assert_eq!(log.levels().0, usual);
        verbosity.ask(Some(Verbose::Standard));
        assert_eq!(log.levels().0, Some(Level::Warn));
        // by hand, while the option stays as it is
        log.set_level(Some(Level::Error));
        verbosity.ask(Some(Verbose::Standard));
        assert_eq!(log.levels().0, Some(Level::Error));
        verbosity.ask(Some(Verbose::None));
        assert_eq!(log.levels().0, None);
        verbosity.ask(None);
        assert_eq!(log.levels().0, usual);
    }
}
