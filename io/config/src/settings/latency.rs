//! `rs.latency`: what response times have to keep (rs.md §4.7).

use model::latency::{Acceptance, MOST_MS, PARTS, keys, kind_of};
use model::schema::{Object, nearest};

pub(super) fn read(rs: &Object<'_>) -> Acceptance {
    let mut all = Acceptance::default();
    let Some(object) = rs.get("latency").and_then(|field| field.object()) else { return all };
    let part = object.get("percentile").and_then(|field| field.number(PARTS.0, PARTS.1));
    // what holds anyway is not said
    if let Some(part) = part.filter(|part| *part != all.part()) {
        all.set_part(part);
    }
    if let Some(thresholds) = object.get("threshold").and_then(|field| field.object()) {
        for (key, field) in thresholds.entries() {
            let Some(kind) = kind_of(&key.text) else {
                let known: Vec<String> = keys().collect();
                let near = nearest(&key.text, known.iter().map(String::as_str));
                let near = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
                let mut place = field.place().clone();
                place.at = key.at;
                let text = format!("unknown field \"{}\"{near}", field.name());
                thresholds.report(place.problem("E101", text));
                continue;
            };
            if let Some(ms) = field.whole(1, MOST_MS) {
                all.set_threshold(kind, ms);
            }
        }
    }
    object.finish();
    all
}
