//! `/api/v1/series` and `/api/v1/rollups` (rs.md §4, §6): stored figures by bin, and having them
//! made again. What a figure is was decided when it was made; this shows rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use model::record::CallType;
use model::time::Millis;
use rs::Refused;
use rs::rollup::{
    At, Bin, BinRows, Dim, Granularity, LevelKey, LevelRow, Measure, Target, rebuild,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Asker;
use super::answer::{self, Shape, refusal, respond, written};
use super::audit::{note, time};
use super::{Shared, native};
use crate::store::bins::{Bins, Series, Table};
use crate::store::custody::ms;
use crate::store::{Store, StoreError};

/// Bins of one question (rs.md §5.1), by granularity.
const MOST_BINS: [usize; 6] = [2016, 1488, 2232, 1100, 520, 240];
/// Ids of one question.
const MOST_IDS: usize = 50;
/// Rows of one target and bin at most, for both ways to count: of each call type one, or one.
const ROWS_OF_COUNTS: usize = 16;
const ROWS_OF_OTHERS: usize = 2;
/// Longest span that is made again at once.
const REBUILD_MS: i64 = 400 * 86_400_000;

/// What is asked for.
struct Question {
    figure: Figure,
    granularity: Granularity,
    bins: Vec<Bin>,
    dim: Dim,
    ids: BTreeSet<i64>,
    measure: Measure,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Figure {
    Arrivals,
    Peaks,
    Durations,
    Quality,
}

/// One figure, by object and bin.
pub(super) async fn series(
    State(shared): State<Arc<Shared>>,
    Path(figure): Path<String>,
    uri: Uri,
) -> Response {
    let answer = async {
        let question = Question::read(&shared, &figure, &uri)?;
        let (rows, before) = question.ask(&shared).await?;
        written(&question.shown(&shared.parts.place.zone_name, &rows, &before))
    };
    respond(answer.await)
}

fn figure_of(text: &str) -> Option<Figure> {
    Some(match text {
        "arrivals" => Figure::Arrivals,
        "peaks" => Figure::Peaks,
        "durations" => Figure::Durations,
        "quality" => Figure::Quality,
        _ => return None,
    })
}

impl Question {
    fn read(shared: &Shared, figure: &str, uri: &Uri) -> Result<Self, Refused> {
        let unknown = || Refused::other(404, "no-such-path", "there is no such series");
        let figure = figure_of(figure).ok_or_else(unknown)?;
        let now_ms = ms(shared.now());
        let (mut granularity, mut dim, mut measure) = (None, Dim::All, None);
        let (mut from, mut to_ms, mut ids) = (None, now_ms, BTreeSet::new());
        for (name, value) in native::pairs(uri.query().unwrap_or_default())? {
            let bad = || {
                let message = format!("{name} has no value {value}");
                Refused::parameter("bad-enum", message, &[&name])
            };
            match name.as_str() {
                "granularity" => {
                    let named = |of: &Granularity| of.as_str() == value;
                    let found = Granularity::ALL.into_iter().find(named);
                    granularity = Some(found.ok_or_else(bad)?);
                }
                "from" => from = Some(time(&name, &value)?),
                "to" => to_ms = time(&name, &value)?,
                "dim" => dim = dim_of(&value).ok_or_else(bad)?,
                "id" => {
                    let id = match dim_is_dn(uri) {
                        true => Some(rs::rollup::text_id(&value)),
                        false => value.parse().ok(),
                    };
                    let message = || format!("{value} is no id");
                    let id =
                        id.ok_or_else(|| Refused::parameter("bad-integer", message(), &["id"]))?;
                    ids.insert(id);
                }
                "count" => {
                    measure = Some(match value.as_str() {
                        "legs" => Measure::Calls,
                        "sessions" => Measure::Sessions,
                        _ => return Err(bad()),
                    });
                }
                _ => return Err(native::unknown_parameter(&name)),
            }
        }
        let missing = |name: &str| {
            Refused::parameter("missing-parameter", format!("{name} is needed"), &[name])
        };
        let granularity = granularity.ok_or_else(|| missing("granularity"))?;
        let from_ms = from.ok_or_else(|| missing("from"))?;
        if from_ms >= to_ms {
            let message = "from is not before to";
            return Err(Refused::parameter("from-not-before-to", message, &["from", "to"]));
        }
        if ids.len() > MOST_IDS {
            return Err(too_many_ids());
        }
        if dim == Dim::Dn && ids.is_empty() {
            return Err(missing("id"));
        }
        let most = MOST_BINS[usize::from(granularity.number()) - 1];
        let zone = &shared.parts.place.zone;
        let bins: Vec<Bin> = zone.bins(granularity, from_ms, to_ms).take(most + 1).collect();
        if bins.len() > most {
            let message = format!("at most {most} bins of this granularity");
            return Err(Refused::parameter("too-many-bins", message, &["from", "to"]));
        }
        let legs_only = matches!(dim, Dim::Kind | Dim::Component | Dim::Service);
        if legs_only && measure == Some(Measure::Sessions) {
            let message = "this dimension has legs only";
            return Err(Refused::parameter("count-not-available", message, &["count"]));
        }
        let usual = if legs_only { Measure::Calls } else { Measure::Sessions };
        Ok(Self { figure, granularity, bins, dim, ids, measure: measure.unwrap_or(usual) })
    }

    /// The rows, and the levels that stood before the first bin.
    async fn ask(&self, shared: &Arc<Shared>) -> Result<(BinRows, Vec<LevelRow>), Refused> {
        let span = self.bins.first().zip(self.bins.last());
        let (from_ms, to_ms) = span.map_or((0, 0), |(one, other)| (one.start_ms, other.end_ms));
        let asked = Series {
            table: match self.figure {
                Figure::Arrivals | Figure::Durations => Table::Counts,
                Figure::Peaks => Table::Levels,
                Figure::Quality => Table::Quality,
            },
            granularity: self.granularity,
            from_ms,
            to_ms,
            dim: self.dim,
            ids: self.ids.clone(),
            most: self.most_rows() + 1,
        };
        let (most, most_rows) = (self.most_points(), self.most_rows());
        let length = self.bins.len();
        let at = At::new(self.granularity, from_ms);
        let (measure, dim, ids) = (self.measure, self.dim, self.ids.clone());
        let found = learned(shared, move |bins| {
            let mut rows = bins.series(&asked)?;
            rows.counts.sort_by_key(|row| (row.dim_id, row.sub));
            rows.levels.sort_by_key(|row| (row.dim_id, row.sub));
            rows.quality.sort_by_key(|row| row.dim_id);
            let many = rows.counts.len() + rows.levels.len() + rows.quality.len() > most_rows;
            if many || targets(&rows).len() * length > most {
                return Ok(None);
            }
            if asked.table != Table::Levels {
                return Ok(Some((rows, Vec::new())));
            }
            let ids = ids.iter().map(|id| (*id, 0));
            let found = rows.levels.iter().map(|row| (row.dim_id, row.sub));
            let keys = ids
                .chain(found)
                .map(|(id, sub)| LevelKey { measure, target: Target { dim, id, sub } });
            let mut before = bins.levels(at, &keys.collect(), &BTreeSet::new())?.before;
            before.sort_by_key(|row| (row.dim_id, row.sub));
            Ok(Some((rows, before)))
        });
        found.await?.ok_or_else(too_many_ids)
    }

    /// Values of one column in an answer: as many as the most ids have in the longest span.
    fn most_points(&self) -> usize {
        let of_bins = MOST_BINS[usize::from(self.granularity.number()) - 1];
        let services = if self.dim == Dim::Service { usize::from(u8::MAX) } else { 1 };
        if self.ids.is_empty() { MOST_IDS * of_bins } else { MOST_IDS * of_bins * services }
    }

    fn most_rows(&self) -> usize {
        let of_each = match self.figure {
            Figure::Arrivals | Figure::Durations => ROWS_OF_COUNTS,
            Figure::Peaks | Figure::Quality => ROWS_OF_OTHERS,
        };
        self.most_points() * of_each
    }

    fn shown(&self, zone: &str, rows: &BinRows, before: &[LevelRow]) -> Value {
        let count = if self.measure == Measure::Sessions { "sessions" } else { "legs" };
        let starts: Vec<Millis> = self.bins.iter().map(|bin| at(bin.start_ms)).collect();
        let mut ids: BTreeSet<(i64, u8)> = match self.dim {
            Dim::All => [(0, 0)].into(),
            _ => self.ids.iter().map(|id| (*id, 0)).collect(),
        };
        let mine = |measure: u8| measure == self.measure.number();
        let counts = rows.counts.iter().filter(|row| mine(row.measure));
        ids.extend(counts.map(|row| (row.dim_id, row.sub)));
        let levels = rows.levels.iter().filter(|row| mine(row.measure));
        ids.extend(levels.map(|row| (row.dim_id, row.sub)));
        ids.extend(rows.quality.iter().map(|row| (row.dim_id, 0)));
        let series = ids.into_iter().map(|id| match self.figure {
            Figure::Arrivals | Figure::Durations => self.counts(id, rows),
            Figure::Peaks => self.peaks(id, rows, before),
            Figure::Quality => self.quality(id, rows),
        });
        json!({
            "granularity": self.granularity.as_str(), "tz": zone, "count": count, "bins": starts,
            "series": series.collect::<Vec<_>>(),
        })
    }

    fn target(&self, (id, sub): (i64, u8)) -> Value {
        let mut target = json!({"dim": dim_name(self.dim), "id": id});
        if self.dim == Dim::Service {
            target["service"] = json!(sub);
        }
        target
    }

    /// Arrivals with those refused; or durations of those that ended.
    fn counts(&self, of: (i64, u8), rows: &BinRows) -> Value {
        let mut sums: BTreeMap<i64, [i64; 5]> = BTreeMap::new();
        let mut by_type: BTreeMap<String, BTreeMap<i64, i64>> = BTreeMap::new();
        let mine = self.measure.number();
        for row in of_target(&rows.counts, |row| (row.dim_id, row.sub), of) {
            if row.measure != mine {
                continue;
            }
            let sum = sums.entry(row.at.bin_ms).or_default();
            sum[0] += row.count;
            sum[1] += row.rejected;
            sum[2] += row.ended;
            sum[3] += row.duration_ms;
            sum[4] = sum[4].max(row.max_duration_ms);
            let value = if self.figure == Figure::Arrivals { row.count } else { row.duration_ms };
            *by_type
                .entry(type_name(row.call_type))
                .or_default()
                .entry(row.at.bin_ms)
                .or_default() += value;
        }
        let column = |at: usize| -> Vec<i64> {
            let of = |bin: &Bin| sums.get(&bin.start_ms).map_or(0, |sum| sum[at]);
            self.bins.iter().map(of).collect()
        };
        let by_type: BTreeMap<_, Vec<i64>> = by_type
            .into_iter()
            .map(|(name, of)| {
                let value = |bin: &Bin| of.get(&bin.start_ms).copied().unwrap_or_default();
                (name, self.bins.iter().map(value).collect())
            })
            .collect();
        let target = self.target(of);
        match self.figure {
            Figure::Durations => json!({
                "target": target, "values": column(3), "ended": column(2), "max": column(4),
                "by_type": by_type,
            }),
            _ => json!({
                "target": target, "values": column(0), "rejected": column(1), "by_type": by_type,
            }),
        }
    }

    /// Peaks; in a bin in which nothing changes it is what stood before.
    fn peaks(&self, of: (i64, u8), rows: &BinRows, before: &[LevelRow]) -> Value {
        let mine = |row: &&LevelRow| row.measure == self.measure.number();
        let key = |row: &LevelRow| (row.dim_id, row.sub);
        let before = of_target(before, key, of);
        let found = of_target(&rows.levels, key, of).iter().filter(mine);
        let found: BTreeMap<i64, &LevelRow> = found.map(|row| (row.at.bin_ms, row)).collect();
        let end = |row: &LevelRow| (row.level_start + row.net, row.level().map(|it| it.end()));
        let mut standing = before.iter().find(mine).map_or((0, None), end);
        let (mut values, mut times) = (Vec::new(), Vec::new());
        let mut by_type: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (n, bin) in self.bins.iter().enumerate() {
            let (peak, peak_ms, types) = match found.get(&bin.start_ms) {
                Some(row) => {
                    standing = end(row);
                    let types = row.level().map(|level| level.peak_by_type);
                    (row.peak, row.peak_ms, types.unwrap_or_default())
                }
                None => (standing.0, bin.start_ms, standing.1.clone().unwrap_or_default()),
            };
            values.push(peak);
            times.push(at(peak_ms));
            for (call_type, level) in types {
                let column = by_type.entry(type_name(call_type)).or_default();
                column.resize(n, 0);
                column.push(level);
            }
        }
        by_type.values_mut().for_each(|column| column.resize(self.bins.len(), 0));
        json!({"target": self.target(of), "values": values, "times": times, "by_type": by_type})
    }

    fn quality(&self, of: (i64, u8), rows: &BinRows) -> Value {
        let found: BTreeMap<i64, (i64, i64)> = of_target(&rows.quality, |row| (row.dim_id, 0), of)
            .iter()
            .map(|row| (row.at.bin_ms, (row.calls, row.failed)))
            .collect();
        let of_bin = |bin: &Bin| found.get(&bin.start_ms).copied().unwrap_or_default();
        let calls: Vec<i64> = self.bins.iter().map(|bin| of_bin(bin).0).collect();
        let failed: Vec<i64> = self.bins.iter().map(|bin| of_bin(bin).1).collect();
        json!({"target": self.target(of), "values": calls, "failed": failed})
    }
}

fn too_many_ids() -> Refused {
    let message = format!("too many objects: name those that are meant, at most {MOST_IDS} ids");
    Refused::parameter("too-many-ids", message, &["id"])
}

/// Whose rows these are.
fn targets(rows: &BinRows) -> BTreeSet<(i64, u8)> {
    let counts = rows.counts.iter().map(|row| (row.dim_id, row.sub));
    let levels = rows.levels.iter().map(|row| (row.dim_id, row.sub));
    counts.chain(levels).chain(rows.quality.iter().map(|row| (row.dim_id, 0))).collect()
}

/// The rows of one target, of rows in the order of targets.
fn of_target<R>(rows: &[R], key: impl Fn(&R) -> (i64, u8), of: (i64, u8)) -> &[R] {
    let (_, rows) = rows.split_at(rows.partition_point(|row| key(row) < of));
    rows.split_at(rows.partition_point(|row| key(row) == of)).0
}

/// Whether ids are numbers, which are known by their text.
fn dim_is_dn(uri: &Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|part| part == "dim=dn"))
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

fn type_name(number: u8) -> String {
    CallType::from_number(number).map_or_else(|| "UNKNOWN".to_owned(), |of| of.to_string())
}

fn at(at_ms: i64) -> Millis {
    Millis(u64::try_from(at_ms).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    from: String,
    to: String,
}

/// Marks all bins of a span: they are made again, and are readable meanwhile.
pub(super) async fn remake(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    body: Result<Json<Span>, JsonRejection>,
) -> Response {
    let done = async {
        let Json(span) =
            body.map_err(|error| Refused::other(400, "bad-body", error.body_text()))?;
        let (from_ms, to_ms) = (time("from", &span.from)?, time("to", &span.to)?);
        if from_ms >= to_ms || to_ms - from_ms > REBUILD_MS {
            let message = "from is before to, by at most 400 days";
            return Err(Refused::parameter("from-not-before-to", message, &["from", "to"]));
        }
        let (held, now_ms) = (Arc::clone(&shared), ms(shared.now()));
        let marked = learned(&shared, move |bins| {
            let frozen_ms = rs::rollup::State::of(&bins.meta()?).frozen_ms;
            let marks = rebuild(&held.parts.place.zone, from_ms.max(frozen_ms), to_ms);
            bins.note(&marks, &rs::rollup::Meta::new(), None, now_ms)?;
            Ok(marks.len())
        })
        .await?;
        let detail = json!({"from": span.from, "to": span.to, "marked": marked});
        note(&shared, &asker, "rollup.rebuild", "bins", &detail, "done").await?;
        written(&json!({"marked": marked}))
    };
    match done.await {
        Ok(text) => answer::document(202, "application/json", "no-store", text),
        Err(refused) => refusal(Shape::Json, &refused),
    }
}

/// Asks for bins of a database that has them.
async fn learned<T: Send + 'static>(
    shared: &Arc<Shared>,
    question: impl FnOnce(&dyn Bins) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refused> {
    let answer =
        answer::ask(shared, move |store: &dyn Store| store.bins().map(question).transpose());
    let text = "rollups are not available with this database in this version";
    answer.await?.ok_or_else(|| Refused::other(501, "not-available", text))
}
