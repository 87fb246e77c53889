//! A question that cannot be answered: code, status and parameters of rs.md §5.13.

/// Why a query is refused. It leaves as an error document in the format of the request.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// Code of rs.md §5.13.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// Names of the parameters at fault.
    pub parameters: Vec<String>,
    /// When to come again, s; `None`: as is usual for its status.
    pub again: Option<u32>,
}

impl Refused {
    /// A fault of the caller's parameters: status 400.
    #[must_use]
    pub fn parameter(code: &'static str, message: impl Into<String>, names: &[&str]) -> Self {
        let parameters = names.iter().map(|name| (*name).to_owned()).collect();
        Self { status: 400, code, message: message.into(), parameters, again: None }
    }

    /// Any other refusal; it names no parameter.
    #[must_use]
    pub fn other(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), parameters: Vec::new(), again: None }
    }

    /// With the seconds after which to come again.
    #[must_use]
    pub fn in_seconds(self, again: u32) -> Self {
        Self { again: Some(again), ..self }
    }
}
