//! What response times have to keep, by settings and by options that change while it runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use model::time::Millis;
use serde_json::{Value, json};

use super::figures_house::{BASE_MS, comes_to, send, series};
use super::house::House;

const HOUR: (i64, i64) = (BASE_MS, BASE_MS + 3_600_000);

/// A file of objects with the options of this server.
pub(super) fn objects(file: &Path, options: &str) {
    let spec = format!("type: reporting-server, options: {options}");
    let text = format!("kind: Application\nname: rs-1\nspec: {{ {spec} }}\n");
    let fresh = file.with_extension("new");
    fs::write(&fresh, text).unwrap();
    fs::rename(fresh, file).unwrap();
}

fn samples(kind: &str, samples: &[u32]) -> Value {
    let at = Millis(BASE_MS.cast_unsigned());
    json!({
        "schema": 1, "kind": "sq.latency", "id": format!("mcp-1:{kind}"), "time": at,
        "producer": {"name": "mcp-1"},
        "component": {"name": "mcp-1", "type": "MCP", "dbid": 310},
        "type": kind, "bin_start": at, "bin_seconds": 60, "samples": samples,
    })
}

/// Threshold, whether it is kept, and the part that is shown.
fn judged(house: &House, kind: &str) -> (Value, Value, Vec<String>) {
    let found = series(house, "latency", &format!("HOUR&type={kind}"), HOUR);
    let one = &found["series"][0];
    let parts = one["percentiles"].as_object().map(|parts| parts.keys().cloned().collect());
    (one["threshold"].clone(), one["acceptable"].clone(), parts.unwrap_or_default())
}

/// The samples stay as they were rolled up; what is asked next is judged by what is said then.
#[test]
fn thresholds_and_the_part_follow_their_options_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("platform.yaml");
    objects(&file, "{}");
    let house = House::in_dir(dir, |settings| {
        settings.config_file = Some(file.clone());
        settings.rs.rollup.delay = Duration::from_millis(50);
        settings.rs.latency.set_threshold("CALL_ANSWER", 650);
    });
    send(
        &house,
        &[
            samples("PAGE_FETCH", &[81, 95, 240]),
            samples("CALL_ANSWER", &[100, 200, 600]),
            samples("HOME_MADE", &[99_000]),
        ],
    );
    let is = |kind: &'static str, threshold: Value, kept: bool, part: &str| {
        comes_to(&house, &(threshold, json!([kept]), vec![part.to_owned()]), |house| {
            judged(house, kind)
        });
    };
    is("PAGE_FETCH", json!(1000), true, "0.95");
    is("CALL_ANSWER", json!(650), true, "0.95");
    is("HOME_MADE", Value::Null, true, "0.95");
    objects(&file, "{ latency: { page.fetch: 200, call.answer: \"500\" } }");
    is("PAGE_FETCH", json!(200), false, "0.95");
    is("CALL_ANSWER", json!(500), false, "0.95");
    // half of them are quick
    objects(&file, "{ latency: { page.fetch: 200, percentile: \"0.5\" } }");
    is("PAGE_FETCH", json!(200), true, "0.5");
    is("CALL_ANSWER", json!(650), true, "0.5");
    objects(&file, "{}");
    is("PAGE_FETCH", json!(1000), true, "0.95");
}
