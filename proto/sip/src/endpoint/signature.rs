//! Who answers, in the answers that the transaction layer makes itself (RFC 3261 §20.35, §20.43).
//!
//! Without a name these answers carry nothing of it. Must not know reasons: they are given.

use smallvec::{SmallVec, smallvec};

/// Values of Server and of the agent in Warning; empty: no such lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signature {
    server: String,
    agent: String,
}

/// The lines of one refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    server: String,
    warning: String,
}

type Lines<'a> = SmallVec<[(&'a str, &'a str); 2]>;

impl Signature {
    pub(super) fn new(server: &str, agent: &str) -> Self {
        Self { server: server.to_owned(), agent: agent.to_owned() }
    }

    /// Lines of an answer that refuses nothing.
    pub(super) fn plain(&self) -> Lines<'_> {
        if self.server.is_empty() { Lines::new() } else { smallvec![("Server", &*self.server)] }
    }

    /// Lines of an answer that refuses for the reason `word`.
    pub(super) fn refusal(&self, word: &str) -> Refusal {
        let warning = match self.agent.as_str() {
            "" => String::new(),
            agent => format!("399 {agent} \"{word}\""),
        };
        Refusal { server: self.server.clone(), warning }
    }
}

impl Refusal {
    pub(super) fn lines(&self) -> Lines<'_> {
        let all = [("Warning", self.warning.as_str()), ("Server", self.server.as_str())];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}
