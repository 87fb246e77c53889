//! Parameters of a series: which there are, and which go together.

use std::collections::BTreeSet;

use axum::http::Uri;
use model::latency::PARTS;
use rs::Refused;
use rs::rollup::{Dim, Granularity, Measure, text_id};

use super::super::audit::time;
use super::super::{Shared, native};
use super::span::Span;
use super::{Figure, MOST_IDS, Question, dim_of, too_many};
use crate::store::custody::ms;

/// Parts of all response times that are shown, at most.
const MOST_PERCENTILES: usize = 5;
/// Kinds of response times that may be named.
const MOST_KINDS: usize = 200;
/// Days of a moving mean: as a rule, and at most.
const SMA_DAYS: (usize, usize) = (7, 366);

/// Parameters as they come.
#[derive(Default)]
struct Asked {
    granularity: Option<Granularity>,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    zone: Option<String>,
    dim: Option<Dim>,
    ids: BTreeSet<String>,
    measure: Option<Measure>,
    count: Option<Measure>,
    kinds: BTreeSet<String>,
    percentiles: Vec<(String, f64)>,
    by_reason: bool,
    combine: bool,
    sma: Option<usize>,
}

impl Question {
    pub(super) fn read(shared: &Shared, figure: &str, uri: &Uri) -> Result<Self, Refused> {
        let text = match figure {
            "usage" => "usage is of now and is not stored by bin: see series peaks and arrivals",
            _ => "there is no such series",
        };
        let unknown = || Refused::other(404, "no-such-path", text);
        let figure = Figure::of(figure).ok_or_else(unknown)?;
        let mut asked = Asked::default();
        for (name, value) in native::pairs(uri.query().unwrap_or_default())? {
            asked.take(figure, &name, value)?;
        }
        asked.question(shared, figure)
    }
}

impl Asked {
    fn take(&mut self, figure: Figure, name: &str, value: String) -> Result<(), Refused> {
        let bad = || {
            let message = format!("{name} has no value {value}");
            Refused::parameter("bad-enum", message, &[name])
        };
        match name {
            "granularity" => {
                let named = |of: &Granularity| of.as_str() == value;
                let found = Granularity::ALL.into_iter().find(named);
                self.granularity = Some(found.ok_or_else(bad)?);
            }
            "from" => self.from_ms = Some(time(name, &value)?),
            "to" => self.to_ms = Some(time(name, &value)?),
            "tz" => self.zone = Some(value),
            "dim" => self.dim = Some(dim_of(&value).ok_or_else(bad)?),
            "id" => drop(self.ids.insert(value)),
            "measure" if figure.is_of_calls() => {
                self.measure = match value.as_str() {
                    "calls" => None,
                    "asr" => Some(Measure::Asr),
                    "tts" => Some(Measure::Tts),
                    _ => return Err(bad()),
                };
            }
            "count" if figure.is_of_calls() => {
                self.count = Some(match value.as_str() {
                    "legs" => Measure::Calls,
                    "sessions" => Measure::Sessions,
                    _ => return Err(bad()),
                });
            }
            "type" if figure == Figure::Latency => drop(self.kinds.insert(value)),
            "percentiles" if figure == Figure::Latency => {
                for part in value.split(',') {
                    let number: Option<f64> = part.trim().parse().ok();
                    let number = number.filter(|number| (PARTS.0..=PARTS.1).contains(number));
                    self.percentiles.push((part.trim().to_owned(), number.ok_or_else(bad)?));
                }
            }
            "group_by" if figure == Figure::Var => {
                self.by_reason = match value.as_str() {
                    "result" => false,
                    "reason" => true,
                    _ => return Err(bad()),
                };
            }
            "combine" => {
                self.combine = match value.as_str() {
                    "true" if figure == Figure::Peaks => true,
                    "true" => return Err(peaks_only()),
                    "false" => false,
                    _ => return Err(bad()),
                };
            }
            "sma" if figure != Figure::Latency => {
                let days = if value.is_empty() { Some(SMA_DAYS.0) } else { value.parse().ok() };
                let days = days.filter(|days| (1..=SMA_DAYS.1).contains(days));
                self.sma = Some(days.ok_or_else(|| not_integer(name, &value))?);
            }
            _ => return Err(native::unknown_parameter(name)),
        }
        Ok(())
    }

    fn question(mut self, shared: &Shared, figure: Figure) -> Result<Question, Refused> {
        let granularity = self.granularity.ok_or_else(|| missing("granularity"))?;
        if !figure.has_bins(granularity) {
            let message = "this figure is shown by HOUR and longer";
            return Err(Refused::parameter("bad-enum", message, &["granularity"]));
        }
        let from_ms = self.from_ms.ok_or_else(|| missing("from"))?;
        let to_ms = self.to_ms.unwrap_or_else(|| ms(shared.now()));
        if from_ms >= to_ms {
            let message = "from is not before to";
            return Err(Refused::parameter("from-not-before-to", message, &["from", "to"]));
        }
        if self.sma.is_some() && granularity != Granularity::Day {
            let message = "sma is a mean of days: it goes with granularity=DAY";
            return Err(Refused::parameter("exclusive-parameters", message, &["sma"]));
        }
        let usual = if figure == Figure::Latency { Dim::Component } else { Dim::All };
        let dim = self.dim.unwrap_or(usual);
        let measure = self.measured(figure, dim)?;
        if self.combine && dim == Dim::Service {
            let message = "services are shown one by one";
            return Err(Refused::parameter("combined-peak-unavailable", message, &["combine"]));
        }
        let ids = self.ids(dim)?;
        let acceptance = shared.parts.live.latency();
        if self.percentiles.is_empty() {
            // the one that is judged by
            let part = acceptance.part();
            self.percentiles.push((part.to_string(), part));
        }
        if self.percentiles.len() > MOST_PERCENTILES || self.kinds.len() > MOST_KINDS {
            let message = format!("at most {MOST_PERCENTILES} percentiles, {MOST_KINDS} types");
            return Err(Refused::parameter("too-many-ids", message, &["percentiles", "type"]));
        }
        let before = self.sma.map_or(0, |days| days - 1);
        let max_bins = shared.parts.live.reports().max_bins;
        let most = (before, &max_bins);
        let span = Span::of(shared, self.zone, granularity, (from_ms, to_ms), most)?;
        // the platform is one anyway
        let combine = self.combine && dim != Dim::All;
        let Self { kinds, percentiles, by_reason, sma, ids: texts, .. } = self;
        let numbers = texts.into_iter().filter(|_| dim == Dim::Dn);
        let asked = numbers.map(|text| (text_id(&text), text)).collect();
        let allowed = None;
        Ok(Question {
            figure,
            span,
            dim,
            ids,
            measure,
            max_bins,
            kinds,
            acceptance,
            percentiles,
            by_reason,
            combine,
            sma,
            allowed,
            asked,
        })
    }

    /// What is counted.
    fn measured(&self, figure: Figure, dim: Dim) -> Result<Measure, Refused> {
        let legs_only = matches!(dim, Dim::Kind | Dim::Component | Dim::Service);
        if self.measure.is_some() && self.count.is_some() {
            let message = "ports are neither legs nor sessions";
            return Err(Refused::parameter("exclusive-parameters", message, &["count", "measure"]));
        }
        if legs_only && self.count == Some(Measure::Sessions) {
            let message = "this dimension has legs only";
            return Err(Refused::parameter("count-not-available", message, &["count"]));
        }
        let is_legs = legs_only || !figure.is_of_calls();
        let usual = if is_legs { Measure::Calls } else { Measure::Sessions };
        let measure = self.measure.or(self.count).unwrap_or(usual);
        if !figure.has(dim, measure) {
            let message = "this figure is not stored of this dimension";
            return Err(Refused::parameter("dim-not-available", message, &["dim"]));
        }
        Ok(measure)
    }

    fn ids(&self, dim: Dim) -> Result<BTreeSet<i64>, Refused> {
        if self.ids.len() > MOST_IDS {
            return Err(too_many());
        }
        if dim == Dim::Dn && self.ids.is_empty() {
            return Err(missing("id"));
        }
        let id = |text: &String| match dim {
            // numbers are known by their text
            Dim::Dn => Ok(text_id(text)),
            _ => text.parse().map_err(|_| not_integer("id", text)),
        };
        self.ids.iter().map(id).collect()
    }
}

fn peaks_only() -> Refused {
    let message = "combine=true is of peaks: other figures are shown one object at a time";
    Refused::parameter("combine-not-available", message, &["combine"])
}

fn missing(name: &str) -> Refused {
    Refused::parameter("missing-parameter", format!("{name} is needed"), &[name])
}

fn not_integer(name: &str, value: &str) -> Refused {
    Refused::parameter("bad-integer", format!("{name} has no value {value}"), &[name])
}
