//! What a party is going to do, said beforehand.

use std::time::Duration;

use model::config::Service;

/// What a call must become, if it becomes one; known to who places it, and to the reference model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meant {
    /// Name of its tenant; `None`: that of the session it joins.
    pub tenant: Option<&'static str>,
    /// Its service is one of these; none: nobody has this number, and it must get 404.
    pub services: &'static [Service],
}

/// A call as its caller means it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The number that is called, or a whole user part.
    pub number: String,
    /// The host of its Request-URI; `None`: the Resource Manager, through which it goes anyway.
    pub host: Option<&'static str>,
    /// Parameters of its Request-URI, each with its semicolon.
    pub parameters: String,
    /// Further header lines of the INVITE, each with its line end.
    pub lines: String,
    /// It is given up after this, if it is not answered by then.
    pub patience: Option<Duration>,
    /// The caller hangs up so long after the answer; else the called party does, or nobody.
    pub hold: Option<Duration>,
    /// What it says in between, and how long after the answer.
    pub says: Vec<(Duration, &'static str)>,
    /// So long after the call was placed, the caller is gone and says nothing any more.
    pub vanish: Option<Duration>,
    /// The header by which it names a dialog that its caller has begun, if there is one:
    /// `Replaces`, `Join`, `Target-Dialog`.
    pub names: Option<&'static str>,
    /// No limit may refuse it.
    pub priority: bool,
    /// What it must become; `None`: nobody asks.
    pub meant: Option<Meant>,
}

/// How a called party takes a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Provisional answer, and when.
    pub rings: Option<(Duration, u16)>,
    /// Final answer, and when; none: it says nothing more.
    pub answers: Option<(Duration, u16)>,
    /// Further header lines of the final answer, each with its line end.
    pub lines: String,
    /// It hangs up so long after its 2xx.
    pub hold: Option<Duration>,
    /// What it says in between, and how long after its 2xx.
    pub says: Vec<(Duration, &'static str)>,
    /// Calls that it places in the same session, and how long after its 2xx.
    pub further: Vec<(Duration, Call)>,
}

impl Manner {
    /// It answers with this, at once.
    #[must_use]
    pub fn answers(code: u16) -> Self {
        Self { answers: Some((Duration::ZERO, code)), ..Self::default() }
    }

    /// Not a word.
    #[must_use]
    pub fn silent() -> Self {
        Self::default()
    }

    /// With further header lines in the final answer.
    #[must_use]
    pub fn with(self, lines: &str) -> Self {
        Self { lines: lines.to_owned(), ..self }
    }
}
