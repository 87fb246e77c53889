//! The settings of a Reporting Server as people read them (rs.md §9): each key with its value, in
//! the words of the file. Files are named and never read, so no secret is among them.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use model::latency;
use serde_json::{Value as Json, json};

use super::retention::LENGTHS;
use super::rollup::WEEKDAYS;
use super::{BrokerLimits, Database, Format, Mask, Redact, Retention, Rs, Settings, Tls};

/// Every key of `data_dir`, `log`, `config` and `rs`; a block that is whole or not at all, such as
/// `rs.tls`, is one.
#[must_use]
pub fn shown(settings: &Settings) -> Vec<(String, Json)> {
    let mut page = Page(Vec::new());
    page.add("data_dir", path(&settings.data_dir));
    log(&mut page, settings);
    client(&mut page, settings);
    let rs = &settings.rs;
    node(&mut page, rs);
    broker(&mut page, rs, &rs.broker_limits);
    http(&mut page, rs);
    database(&mut page, &rs.database);
    figures(&mut page, rs);
    retention(&mut page, &rs.retention);
    page.0
}

struct Page(Vec<(String, Json)>);

impl Page {
    fn add(&mut self, key: &str, value: impl Into<Json>) {
        self.0.push((key.to_owned(), value.into()));
    }

    /// Values by length of bins, the last of the lengths.
    fn lengths(&mut self, section: &str, values: &[u32]) {
        let from = LENGTHS.len().saturating_sub(values.len());
        for (length, value) in LENGTHS.iter().skip(from).zip(values) {
            self.add(&format!("{section}.{length}"), *value);
        }
    }
}

fn log(page: &mut Page, settings: &Settings) {
    let log = &settings.log;
    page.add("log.level", log.level.as_str());
    let format = match log.format {
        Format::Text => "text",
        Format::Json => "json",
    };
    page.add("log.format", format);
    page.add("log.file", file(log.file.as_deref()));
    page.add("log.max_bytes", size(log.max_bytes));
    page.add("log.keep", log.keep);
    let redact = match log.redact {
        Redact::None => "none",
        Redact::Partial => "partial",
        Redact::Full => "full",
    };
    page.add("log.redact", redact);
}

fn client(page: &mut Page, settings: &Settings) {
    let config = &settings.config;
    match &settings.config_file {
        Some(file) => page.add("config.file", path(file)),
        None => page.add("config.server", texts(&config.servers)),
    }
    page.add("config.token_file", file(config.token_file.as_deref()));
    page.add("config.ca_file", file(config.ca_file.as_deref()));
    let pair = config.certificate.as_ref();
    page.add("config.cert_file", file(pair.map(|pair| pair.cert_file.as_path())));
    page.add("config.key_file", file(pair.map(|pair| pair.key_file.as_path())));
    page.add("config.server_name", config.server_name.clone());
}

fn node(page: &mut Page, rs: &Rs) {
    page.add("rs.name", rs.name.clone());
    page.add("rs.application", rs.application.clone());
    page.add("rs.strict_limits", rs.strict_limits);
    page.add("rs.proof_key_file", file(rs.proof_key_file.as_deref()));
    let auth = &rs.auth;
    page.add("rs.auth.users_file", file(auth.users_file.as_deref()));
    page.add("rs.auth.tokens_file", file(auth.tokens_file.as_deref()));
    page.add("rs.auth.jwks_file", file(auth.jwks_file.as_deref()));
    page.add("rs.auth.jwt_issuer", auth.jwt_issuer.clone());
    page.add("rs.auth.jwt_audience", auth.jwt_audience.clone());
    page.add("rs.auth.anonymous", auth.anonymous);
    page.add("rs.auth.anonymous_broker", auth.anonymous_broker);
    page.add("rs.tls", rs.tls.as_ref().map(tls));
    let mask = match rs.privacy.mask {
        Mask::None => "none",
        Mask::Reporter => "reporter",
        Mask::All => "all",
    };
    page.add("rs.privacy.mask", mask);
    page.add("rs.privacy.drop_events", rs.privacy.drop_events.clone());
}

fn broker(page: &mut Page, rs: &Rs, limits: &BrokerLimits) {
    page.add("rs.broker", rs.broker.to_string());
    page.add("rs.ingest", rs.ingest);
    page.add("rs.broker_memory", size(rs.broker_memory));
    let mut limit = |key: &str, value: Json| page.add(&format!("rs.broker_limits.{key}"), value);
    limit("connections", limits.connections.into());
    limit("connections_per_address", limits.connections_per_address.into());
    limit("frame_before_login", size(limits.frame_before_login).into());
    limit("frame", size(limits.frame).into());
    limit("record", size(limits.record).into());
    limit("sessions", limits.sessions.into());
    limit("producers", limits.producers.into());
    limit("advisories", limits.advisories.into());
    limit("transaction_messages", limits.transaction_messages.into());
    limit("transaction_bytes", size(limits.transaction_bytes).into());
    limit("transaction_age", time(limits.transaction_age).into());
    limit("unanswered_messages", limits.unanswered_messages.into());
    limit("unanswered_bytes", size(limits.unanswered_bytes).into());
    limit("login", time(limits.login).into());
    limit("inactivity", time(limits.inactivity).into());
    page.add("rs.queue_high.size", rs.queue_high.size);
    page.add("rs.queue_high.for", time(rs.queue_high.long));
    page.add("rs.spool.dir", file(rs.spool_dir.as_deref()));
    page.add("rs.spool.limit", size(rs.spool_limit));
}

fn http(page: &mut Page, rs: &Rs) {
    page.add("rs.http", rs.http.to_string());
    page.add("rs.ui", rs.ui);
    page.add("rs.api", rs.api);
    page.add("rs.http_metrics_auth", rs.http_metrics_auth);
    page.add("rs.http_cors_origins", rs.http_cors_origins.clone());
    page.add("rs.reports.enabled", rs.reports.enabled);
    page.add("rs.reports.page_size", rs.reports.page_size);
    page.add("rs.reports.page_size_max", rs.reports.page_size_max);
    page.lengths("rs.reports.max_bins", &rs.reports.max_bins);
}

fn database(page: &mut Page, database: &Database) {
    page.add("rs.database", database.url.as_deref().map_or("sqlite".to_owned(), without_password));
    page.add("rs.database_user", database.user.clone());
    page.add("rs.database_password_file", file(database.password_file.as_deref()));
    page.add("rs.database_schema", database.schema.clone());
    page.add("rs.database_uri_indexes", database.uri_indexes);
    page.add("rs.database_cache", size(database.cache));
    page.add("rs.database_pool.readers", database.readers);
}

fn figures(page: &mut Page, rs: &Rs) {
    page.add("rs.time_zone", rs.rollup.time_zone.clone());
    let day = WEEKDAYS.get(usize::from(rs.rollup.week_start)).copied();
    page.add("rs.week_start", day);
    page.add("rs.time_zone_rebuild", rs.rollup.time_zone_rebuild);
    page.add("rs.rollup.delay", time(rs.rollup.delay));
    page.add("rs.rollup.delta_days", rs.rollup.delta_days);
    page.add("rs.rollup.dn_limit", rs.rollup.dn_limit);
    for key in latency::keys() {
        let key = key.replace('.', "_");
        let ms = rs.latency.threshold_ms(&key.to_ascii_uppercase());
        page.add(&format!("rs.latency.threshold.{key}"), ms);
    }
    page.add("rs.latency.percentile", rs.latency.part());
}

fn retention(page: &mut Page, retention: &Retention) {
    page.add("rs.cdr.timeout", time(retention.timeout));
    page.add("rs.retention.cdr", retention.cdr);
    page.add("rs.retention.events", retention.events);
    page.lengths("rs.retention.operations", &retention.bins.operations);
    page.lengths("rs.retention.var", &retention.bins.var);
    page.lengths("rs.retention.latencies", &retention.bins.latencies);
    page.lengths("rs.retention.sq", &retention.bins.sq);
    page.add("rs.retention.sq.failures", retention.failures);
    page.add("rs.retention.at", format!("{:02}:{:02}", retention.at / 60, retention.at % 60));
    page.add("rs.retention.window", time(retention.window));
    page.add("rs.retention.emergency", retention.emergency);
    let export = retention.export.as_ref().map(|export| {
        json!({
            "dir": path(&export.dir), "format": export.format.as_str(),
            "kinds": export.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
            "compress": if export.zstd { "zstd" } else { "none" },
        })
    });
    page.add("rs.export.before_purge", export);
}

fn tls(tls: &Tls) -> Json {
    let pair = |one: &super::Certificate| {
        let (cert, key) = (path(&one.cert_file), path(&one.key_file));
        json!({"cert_file": cert, "key_file": key})
    };
    json!({
        "certificates": tls.certificates.iter().map(pair).collect::<Vec<_>>(),
        "ca_file": file(tls.ca_file.as_deref()), "client_auth": tls.client_auth.as_str(),
    })
}

/// A URL of a database; one with a password is refused at a start, and is not shown either.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let named = authority.rsplit_once('@').and_then(|(user, _)| {
        let (name, _) = user.split_once(':')?;
        Some((name, rest.strip_prefix(user)?))
    });
    named.map_or(url.to_owned(), |(name, rest)| format!("{scheme}://{name}{rest}"))
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn file(file: Option<&Path>) -> Option<String> {
    file.map(path)
}

fn texts<T: Display>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// In the largest unit that divides it.
fn time(time: Duration) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    in_units(time.as_millis(), &units, "ms")
}

/// The same of bytes.
fn size(bytes: u64) -> String {
    in_units(bytes.into(), &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")], "")
}

fn in_units(number: u128, units: &[(u128, &str)], least: &str) -> String {
    let fits = |(of, _): &&(u128, &str)| number > 0 && number.is_multiple_of(*of);
    match units.iter().find(fits) {
        Some((of, unit)) => format!("{}{unit}", number / of),
        None => format!("{number}{least}"),
    }
}

#[cfg(test)]
mod tests {
    use model::latency::Acceptance;
    use serde_json::{Map, Value as Json};

    use super::super::{Origins, Settings};
    use super::{shown, size, without_password};

    /// What is shown, as a file of settings.
    fn file(all: &[(String, Json)]) -> String {
        let mut root = Map::new();
        for (key, value) in all {
            let mut at = &mut root;
            let (sections, last) = key.rsplit_once('.').unwrap_or(("", key));
            for section in sections.split('.').filter(|section| !section.is_empty()) {
                let below = at.entry(section).or_insert_with(|| Json::Object(Map::new()));
                at = below.as_object_mut().unwrap();
            }
            at.insert(last.to_owned(), value.clone());
        }
        Json::Object(root).to_string()
    }

    /// Read again, what is shown is the settings that were shown, and no key of ours is missing.
    #[test]
    fn what_is_shown_is_read_again() {
        let full = include_str!("../../tests/it/fixtures/full.yaml");
        let more = "rs: { rollup: { delay: 250ms, dn_limit: 7 }, reports: { page_size: 7, \
                    page_size_max: 9, max_bins: { 5min: 1, monthly: 6 } }, week_start: sunday, \
                    retention: { at: \"04:05\", sq: { failures: 9, weekly: 8 } }, \
                    export: { before_purge: { dir: x, kinds: [var], compress: zstd } }, \
                    tls: { cert_file: a, key_file: b, ca_file: c, client_auth: optional }, \
                    database: \"postgres://rs@db:5432/x?sslmode=prefer\", \
                    database_pool: { readers: 3 }, database_cache: 96MiB, \
                    privacy: { mask: all, drop_events: [\"a*\"] }, \
                    latency: { threshold: { page_fetch: 7 }, percentile: 0.5 }, \
                    cdr: { timeout: 36h }, queue_high: { size: 4, for: 90s } }\n";
        for text in ["", full, more] {
            let settings = Settings::from_text(text, None, []).unwrap();
            let all = shown(&settings);
            let read = Settings::from_text(&file(&all), None, []).unwrap();
            assert_eq!(shown(&read), all);
            let alike = |settings: &Settings| {
                let mut ours = Settings { origins: Origins::default(), ..Settings::default() };
                ours.rs = settings.rs.clone();
                ours.rs.latency = Acceptance::default();
                (ours.log, ours.config) = (settings.log.clone(), settings.config.clone());
                (ours.data_dir, ours.config_file) =
                    (settings.data_dir.clone(), settings.config_file.clone());
                ours
            };
            assert_eq!(alike(&read), alike(&settings));
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let of = without_password;
        assert_eq!(of("postgres://rs:p@ss@db/x?a=b@c"), "postgres://rs@db/x?a=b@c");
        assert_eq!(of("postgres://rs@db:1/x"), "postgres://rs@db:1/x");
        assert_eq!(of("postgres://db:1/x"), "postgres://db:1/x");
        assert_eq!(size(3 << 19), "1536KiB");
    }
}
