//! `/api/v1/series` (rs.md §4, §6): stored figures by bin, column by column. What a figure is was
//! decided when it was made; this shows rows.

mod asked;
mod columns;
mod counted;
mod found;
mod latency;
mod outcomes;
mod span;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use model::latency::Acceptance;
use model::time::Millis;
use rs::rollup::{Bin, Dim, Granularity, Measure, Sort};
use rs::{Day, Refused};
use serde_json::{Value, json};

use self::found::Found;
use self::span::Span;
use super::Shared;
use super::access::Asker;
use super::answer::{respond, written};
use super::privacy::hide;
use crate::settings::count;
use crate::store::ObjectKind;
use crate::store::bins::Table;

/// Bins of one question (rs.md §5.1), by granularity: so much is read for one in any case, since
/// those of another zone are made of smaller ones.
const MOST_BINS: [u32; 6] = [2016, 1488, 2232, 1100, 520, 240];
/// Ids of one question.
const MOST_IDS: usize = 50;

/// What is asked for.
struct Question {
    figure: Figure,
    span: Span,
    dim: Dim,
    ids: BTreeSet<i64>,
    measure: Measure,
    /// `rs.reports.max_bins`
    max_bins: [u32; 6],
    /// Kinds of response times; empty: all.
    kinds: BTreeSet<String>,
    /// What response times have to keep, as it is said now.
    acceptance: Acceptance,
    /// Parts of all response times, as they were written.
    percentiles: Vec<(String, f64)>,
    /// Outcomes also by reason.
    by_reason: bool,
    /// All ids as one object.
    combine: bool,
    /// Days whose mean is shown.
    sma: Option<usize>,
    /// Objects that may be shown; `None`: all.
    allowed: Option<BTreeSet<i64>>,
    /// Numbers as they were asked for, by their ids.
    asked: BTreeMap<i64, String>,
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

    /// What it is kept with.
    const fn sort(self) -> Sort {
        match self {
            Self::Arrivals | Self::Peaks | Self::Durations => Sort::Operations,
            Self::Quality => Sort::Quality,
            Self::Latency => Sort::Latencies,
            Self::Var | Self::Actions => Sort::Outcomes,
        }
    }

    /// Whether it is shown by bins of this length: of few calls these two say little.
    const fn has_bins(self, of: Granularity) -> bool {
        let small = matches!(of, Granularity::FiveMinutes | Granularity::ThirtyMinutes);
        !small || !matches!(self, Self::Quality | Self::Latency)
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
            let mine = scope.ids(question.dim, &BTreeSet::new(), &profiles)?;
            question.ids = scope.ids(question.dim, &question.ids, &profiles)?;
            question.allowed = Some(mine);
            if question.ids.len() > MOST_IDS {
                return Err(too_many());
            }
        }
        let mut found = if scope.is_some() && question.ids.is_empty() {
            // the database would take it for all
            Found::default()
        } else {
            // numbers that found no room are counted of calls
            let is_heavy = question.combine || question.dim == Dim::Dn;
            let heavy = if is_heavy { Some(shared.heavy_one(&asker).await?) } else { None };
            question.ask(&shared, heavy).await?
        };
        if let Some(meant) = found.meant.take() {
            // of nothing there is no union
            question.combine &= !meant.is_empty();
            question.ids = meant;
        }
        let asked = question.asked.iter().map(|(id, text)| (*id, text.clone()));
        found.texts.extend(asked);
        if shared.hides(&asker) {
            // numbers, reasons and actions
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
        let of_bins = most_bins(&self.max_bins, of).max(most_bins(&MOST_BINS, of));
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
        let gone = self.span.bins.iter().take_while(|bin| bin.start_ms < found.gone_ms).count();
        for one in &mut series {
            let unknown = self.beyond_limit(one, found);
            each_column(one, &mut |column| {
                let gone = (0..gone).chain(unknown.iter().copied());
                gone.for_each(|at| column.get_mut(at).into_iter().for_each(|it| *it = Value::Null));
            });
        }
        if let Some(days) = self.sma {
            series.iter_mut().for_each(|one| average(one, days, self.span.lead));
        }
        if self.combine {
            series.iter_mut().for_each(|one| one["target"] = self.members(found));
        } else if self.dim == Dim::Dn {
            series.iter_mut().for_each(|one| self.number(one, found));
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

    /// The bins of an object that is a number which found no room on one of their days, and was not
    /// counted.
    fn beyond_limit(&self, of: &Value, found: &Found) -> Vec<usize> {
        let id = of["target"]["id"].as_i64().filter(|_| self.dim == Dim::Dn);
        let left_out = id.and_then(|id| Some((id, found.left_out.get(&id)?)));
        let Some((id, days)) = left_out else { return Vec::new() };
        let bins = self.span.bins.iter().enumerate();
        let bins = bins.filter(|(_, bin)| !found.counted.contains(&(id, bin.start_ms)));
        let out = bins.filter(|(_, bin)| days.iter().any(|day| touches(**bin, *day)));
        out.map(|(at, _)| at).collect()
    }

    /// Shows a number as it is, and the days on which it found no room.
    fn number(&self, one: &mut Value, found: &Found) {
        let Some(id) = one["target"]["id"].as_i64() else { return };
        if let Some(text) = found.texts.get(&id) {
            one["target"]["id"] = json!(text);
        }
        if let Some(days) = found.left_out.get(&id) {
            let name =
                |day: &Day| format!("{}-{:02}-{:02}", day / 10_000, day / 100 % 100, day % 100);
            one["beyond_limit"] = days.iter().map(name).collect();
        }
    }

    /// The members of a union, none = all of the dimension.
    fn members(&self, found: &Found) -> Value {
        let member = |id: &i64| found.texts.get(id).map_or_else(|| json!(id), |text| json!(text));
        json!({"dim": dim_name(self.dim), "ids": self.ids.iter().map(member).collect::<Value>()})
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
    let values: Vec<Option<f64>> = match &series["values"] {
        Value::Array(values) => values.iter().map(Value::as_f64).collect(),
        _ => Vec::new(),
    };
    // of days of which one is not known it is not either
    let sum = |last: &[Option<f64>]| last.iter().copied().sum::<Option<f64>>();
    let mean = |last: &[Option<f64>]| sum(last).map(|sum| rounded(sum / last.len().max(1) as f64));
    let sma: Value = values.windows(days).map(mean).collect();
    each_column(series, &mut |column| drop(column.drain(..lead.min(column.len()))));
    series["sma"] = sma;
}

/// All columns of an object of the answer.
fn each_column(of: &mut Value, then: &mut impl FnMut(&mut Vec<Value>)) {
    match of {
        Value::Array(many) if many.iter().any(Value::is_object) => {
            many.iter_mut().for_each(|one| each_column(one, then));
        }
        Value::Array(column) => then(column),
        Value::Object(columns) => columns.values_mut().for_each(|one| each_column(one, then)),
        _ => {}
    }
}

/// To four decimals.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn most_bins(by_length: &[u32; 6], of: Granularity) -> usize {
    by_length.get(usize::from(of.number()) - 1).map_or(0, |most| count(*most))
}

/// Whether a bin has an instant of a day, UTC.
fn touches(bin: Bin, day: Day) -> bool {
    let of = |at_ms: i64| rs::key::day(at(at_ms));
    (of(bin.start_ms)..=of(bin.end_ms - 1)).contains(&day)
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
