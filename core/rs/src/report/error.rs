//! Errors in the format of the request (rs.md §5.13).

use serde::Serialize;

use super::xml::Xml;
use crate::query::Refused;

/// The error document of `/ems-rs` in XML.
#[must_use]
pub fn error_xml(refused: &Refused, request_id: &str) -> String {
    let mut xml = Xml::new();
    xml.start("error-response")
        .attribute("status", refused.status)
        .attribute("code", refused.code)
        .attribute("request-id", request_id);
    xml.text("message", &refused.message);
    for name in &refused.parameters {
        xml.start("parameter").attribute("name", name).end();
    }
    xml.finish()
}

/// The same as a problem document (RFC 9457): `application/problem+json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem<'p> {
    /// `urn:ringmaster:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sentence.
    pub title: &'p str,
    /// HTTP status.
    pub status: u16,
    /// Code of rs.md §5.13.
    pub code: &'static str,
    /// The request's id.
    pub request_id: &'p str,
    /// Names of the parameters at fault.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub parameters: &'p [String],
}

impl<'p> Problem<'p> {
    /// The problem document of a refusal.
    #[must_use]
    pub fn new(refused: &'p Refused, request_id: &'p str) -> Self {
        Self {
            kind: format!("urn:ringmaster:{}", refused.code),
            title: &refused.message,
            status: refused.status,
            code: refused.code,
            request_id,
            parameters: &refused.parameters,
        }
    }
}
