//! `/api/v1/series` (rs.md §4, §6): stored figures by bin, column by column. What a figure is was
//! decided when it was made; this shows rows.

mod asked;
mod columns;
mod found;
mod latency;
mod outcomes;
mod span;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use model::latency::Acceptance;
use model::time::Millis;
use rs::Refused;
use rs::rollup::{Dim, Granularity, Measure};
use serde_json::{Value, json};

use self::found::Found;
use self::span::Span;
use super::Shared;
use super::access::Asker;
use super::answer::{respond, written};
use super::privacy::hide;
use crate::store::ObjectKind;
use crate::store::bins::Table;

/// Bins of one question (rs.md §5.1), by granularity.
const MOST_BINS: [usize; 6] = [2016, 1488, 2232, 1100, 520, 240];
/// Ids of one question.
const MOST_IDS: usize = 50;

/// What is asked for.
struct Question {
    figure: Figure,
    span: Span,
    dim: Dim,
    ids: BTreeSet<i64>,
    measure: Measure,
    /// Kinds of response times; empty: all.
    kinds: BTreeSet<String>,
    /// What response times have to keep, as it is said now.
    acceptance: Acceptance,
    /// Parts of all response times, as they were written.
    percentiles: Vec<(String, f64)>,
    /// Outcomes also by reason.
    by_reason: bool,
    /// Days whose mean is shown.
    sma: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Arrivals,
    Peaks,
    Durations,
    Quality,
    Latency,
    Var,
    Actions,
}

impl Figure {
    const ALL: [(&str, Self); 7] = [
        ("arrivals", Self::Arrivals),
        ("peaks", Self::Peaks),
        ("durations", Self::Durations),
        ("quality", Self::Quality),
        ("latency", Self::Latency),
        ("var", Self::Var),
        ("actions", Self::Actions),
    ];

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, figure)| figure)
    }

    const fn table(self) -> Table {
        match self {
            Self::Arrivals | Self::Durations => Table::Counts,
            Self::Peaks => Table::Levels,
            Self::Quality => Table::Quality,
            Self::Latency => Table::Latencies,
            Self::Var => Table::Outcomes,
            Self::Actions => Table::Actions,
        }
    }

    /// Whether it counts calls of whichever kind, not records of media servers.
    const fn is_of_calls(self) -> bool {
        matches!(self, Self::Arrivals | Self::Peaks | Self::Durations)
    }

    /// Whether it is stored of this dimension and measure.
    const fn has(self, dim: Dim, measure: Measure) -> bool {
        let whose = matches!(dim, Dim::All | Dim::Tenant | Dim::Profile);
        match self {
            Self::Latency => matches!(dim, Dim::All | Dim::Component),
            Self::Var | Self::Actions => whose,
            Self::Quality => whose || matches!(dim, Dim::Component),
            _ if matches!(measure, Measure::Asr | Measure::Tts) => {
                whose || matches!(dim, Dim::Component)
            }
            _ => true,
        }
    }
}

/// One figure, by object and bin.
pub(super) async fn series(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    Path(figure): Path<String>,
    uri: Uri,
) -> Response {
    let answer = async {
        let mut question = Question::read(&shared, &figure, &uri)?;
        if question.dim == Dim::Dn {
            shared.count_search(&asker, question.ids.len())?;
        }
        let scope = shared.scope(&asker).await?;
        if let Some(scope) = &scope {
            let profiles = shared.objects(ObjectKind::Profile).await?;
            question.ids = scope.ids(question.dim, &question.ids, &profiles)?;
            if question.ids.len() > MOST_IDS {
                return Err(too_many());
            }
        }
        let mut found = if scope.is_some() && question.ids.is_empty() {
            // the database would take it for all
            Found::default()
        } else {
            question.ask(&shared).await?
        };
        if shared.hides(&asker) {
            // reasons and actions
            hide(found.texts.values_mut());
        }
        written(&question.shown(&found))
    };
    respond(answer.await)
}

impl Question {
    /// Values of one column of bins of this length: as many as the most ids have in the longest
    /// span.
    fn most_points(&self, of: Granularity) -> usize {
        let of_bins = most_bins(of);
        let services = if self.dim == Dim::Service { usize::from(u8::MAX) } else { 1 };
        if self.ids.is_empty() { MOST_IDS * of_bins } else { MOST_IDS * of_bins * services }
    }

    fn shown(&self, found: &Found) -> Value {
        let mut series = match self.figure {
            Figure::Arrivals | Figure::Durations => self.counts(found),
            Figure::Peaks => self.peaks(found),
            Figure::Quality => self.quality(found),
            Figure::Latency => self.latencies(found),
            Figure::Var => self.outcomes(found),
            Figure::Actions => self.actions(found),
        };
        if let Some(days) = self.sma {
            series.iter_mut().for_each(|one| average(one, days, self.span.lead));
        }
        let starts: Vec<Millis> = self.span.shown().map(|bin| at(bin.start_ms)).collect();
        let count = match self.measure {
            Measure::Sessions => "sessions",
            Measure::Calls => "legs",
            Measure::Asr | Measure::Tts => "ports",
        };
        json!({
            "granularity": self.span.granularity.as_str(), "tz": self.span.zone_name,
            "count": count, "bins": starts, "series": series,
        })
    }

    /// One value for each bin.
    fn column<T: Into<Value>>(&self, value: impl Fn(i64) -> T) -> Value {
        self.span.bins.iter().map(|bin| value(bin.start_ms).into()).collect()
    }

    fn target(&self, (id, sub): (i64, u8)) -> Value {
        let mut target = json!({"dim": dim_name(self.dim), "id": id});
        if self.dim == Dim::Service {
            target["service"] = json!(sub);
        }
        target
    }
}

/// Adds the mean of each day's value and those of the days before it, and takes away what was
/// read for that only.
fn average(series: &mut Value, days: usize, lead: usize) {
    let values: Vec<f64> = match &series["values"] {
        Value::Array(values) => values.iter().map(|one| one.as_f64().unwrap_or(0.0)).collect(),
        _ => Vec::new(),
    };
    let mean = |last: &[f64]| rounded(last.iter().sum::<f64>() / last.len().max(1) as f64);
    series["sma"] = values.windows(days).map(mean).collect();
    let Some(columns) = series.as_object_mut() else { return };
    for (_, column) in columns.iter_mut().filter(|(name, _)| *name != "sma") {
        cut(column, lead);
    }
}

/// Takes away the first values of every column.
fn cut(column: &mut Value, lead: usize) {
    match column {
        Value::Array(of) if of.iter().any(Value::is_object) => {
            of.iter_mut().for_each(|one| cut(one, lead));
        }
        Value::Array(values) => drop(values.drain(..lead.min(values.len()))),
        Value::Object(columns) => columns.values_mut().for_each(|one| cut(one, lead)),
        _ => {}
    }
}

/// To four decimals.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

const fn most_bins(of: Granularity) -> usize {
    MOST_BINS[of.number() as usize - 1]
}

fn too_many() -> Refused {
    let message = format!(
        "too many objects for so many bins: name those that are meant, at most {MOST_IDS} ids, or \
         ask for fewer bins"
    );
    Refused::parameter("too-many-ids", message, &["id"])
}

fn dim_of(name: &str) -> Option<Dim> {
    Dim::ALL.into_iter().find(|dim| dim_name(*dim) == name)
}

const fn dim_name(dim: Dim) -> &'static str {
    match dim {
        Dim::All => "all",
        Dim::Kind => "kind",
        Dim::Component => "component",
        Dim::Tenant => "tenant",
        Dim::Profile => "profile",
        Dim::Dn => "dn",
        Dim::Service => "service",
    }
}

fn at(at_ms: i64) -> Millis {
    Millis(u64::try_from(at_ms).unwrap_or_default())
}
