//! The manifest: first child of every report (rs.md §5.2).

use std::time::Duration;

use super::xml::Xml;

/// What a report says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Manifest {
    /// Complete URI as received.
    pub request_uri: String,
    /// Recognised parameters as sent.
    pub request_params: Vec<(String, String)>,
    /// Parameters that were rounded, as they were used.
    pub normalized_params: Vec<(String, String)>,
    /// Which page; shown only if there is more than one.
    pub pages: Option<Pages>,
    /// Hours of the RS zone from GMT, standard time.
    pub timezone_offset: i32,
    /// Hours that summer time adds now.
    pub dst_offset: i32,
    /// Version of the program.
    pub version: String,
    /// How long the report took.
    pub generation_time: Duration,
    /// `memory` when the database was not asked.
    pub source: Option<String>,
    /// What was done that was not asked for.
    pub warning: Option<String>,
}

/// The page of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pages {
    /// This page, from 1.
    pub current: u64,
    /// Pages there are.
    pub total: u64,
    /// Matches there are.
    pub records: u64,
    /// Matches per page.
    pub page_size: u32,
    /// Whether `records` is the true count, not a lower bound.
    pub exact: bool,
}

impl Manifest {
    pub(super) fn write(&self, xml: &mut Xml) {
        xml.start("manifest");
        xml.text("request-uri", &self.request_uri);
        params(xml, "request-params", &self.request_params);
        params(xml, "normalized-params", &self.normalized_params);
        if let Some(pages) = self.pages.filter(|pages| pages.total > 1) {
            xml.start("pages")
                .attribute("current", pages.current)
                .attribute("total", pages.total)
                .attribute("records", pages.records)
                .attribute("page-size", pages.page_size)
                .maybe("records-exact", (!pages.exact).then_some("false"))
                .end();
        }
        xml.start("meta");
        item(xml, "timezone_offset", &self.timezone_offset.to_string());
        item(xml, "dst_offset", &self.dst_offset.to_string());
        item(xml, "version", &self.version);
        item(xml, "generation_time", &format!("{:.3}", self.generation_time.as_secs_f64()));
        for (name, value) in [("source", &self.source), ("warning", &self.warning)] {
            if let Some(value) = value {
                item(xml, name, value);
            }
        }
        xml.end();
        xml.end();
    }
}

fn params(xml: &mut Xml, element: &'static str, params: &[(String, String)]) {
    xml.start(element);
    for (name, value) in params {
        xml.start("param").attribute("name", name).attribute("value", value).end();
    }
    xml.end();
}

fn item(xml: &mut Xml, name: &str, value: &str) {
    xml.start("item").attribute("name", name).attribute("value", value).end();
}
