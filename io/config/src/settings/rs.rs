//! `rs`: the Reporting Server.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use model::config::options::DATABASE_SERVERS;
use model::latency::Acceptance;
use model::schema::{Field, Object};

use super::address::listen;
use super::privacy::{self, Privacy};
use super::retention::{self, LENGTHS, Retention};
use super::rollup::{self, Rollup};
use super::tls::{self, Tls};
use super::{application, latency, later, name, origin, path};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Bytes of a record at most, whatever is said.
const RECORD_MOST: u64 = model::record::BODY_BYTES as u64;

/// `rs`
#[derive(Clone, PartialEq, Debug)]
pub struct Rs {
    /// `rs.name`
    pub name: String,
    /// `rs.application`: the Application object whose options count.
    pub application: String,
    /// `rs.broker`: where producers connect.
    pub broker: SocketAddr,
    /// `rs.broker_limits`
    pub broker_limits: BrokerLimits,
    /// `rs.broker_memory`: bytes that all producers together may hold in memory.
    pub broker_memory: u64,
    /// `rs.ingest`: whether records are taken.
    pub ingest: bool,
    /// `rs.spool.dir`; see `Settings::rs_spool_dir`.
    pub spool_dir: Option<PathBuf>,
    /// `rs.spool.limit`, bytes.
    pub spool_limit: u64,
    /// `rs.queue_high`
    pub queue_high: QueueHigh,
    /// `rs.rollup`, `rs.time_zone` and `rs.week_start`
    pub rollup: Rollup,
    /// `rs.http`
    pub http: SocketAddr,
    /// `rs.ui`: whether the dashboard is served.
    pub ui: bool,
    /// `rs.api`: whether the API is served.
    pub api: bool,
    /// `rs.reports`
    pub reports: Reports,
    /// `rs.http_metrics_auth`: whether `/metrics` asks for a login beyond this machine.
    pub http_metrics_auth: bool,
    /// `rs.http_cors_origins`: origins whose pages may read the answers, `scheme://host[:port]`
    /// as browsers send them; at most 64, none unless told otherwise.
    pub http_cors_origins: Vec<String>,
    /// `rs.auth`
    pub auth: Auth,
    /// `rs.proof_key_file`: signs the statements of complete days.
    pub proof_key_file: Option<PathBuf>,
    /// `rs.strict_limits`: a limit that this machine cannot keep refuses the start.
    pub strict_limits: bool,
    /// `rs.tls`: of both ports.
    pub tls: Option<Tls>,
    /// `rs.database`
    pub database: Database,
    /// `rs.retention` and `rs.cdr`
    pub retention: Retention,
    /// `rs.privacy`
    pub privacy: Privacy,
    /// `rs.latency`
    pub latency: Acceptance,
}

/// `rs.database` and what stands beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Database {
    /// `rs.database`: `postgres://…` or `sqlserver://…`; `None`: SQLite in `{data_dir}/rs`.
    pub url: Option<String>,
    /// `rs.database_user`, where the URL names none.
    pub user: Option<String>,
    /// `rs.database_password_file`
    pub password_file: Option<PathBuf>,
    /// `rs.database_schema`
    pub schema: Option<String>,
    /// `rs.database_uri_indexes`: whether calls have indexes of their URIs; `None`: at PostgreSQL.
    pub uri_indexes: Option<bool>,
    /// `rs.database_cache`: bytes of the files (SQLite) that are kept in memory.
    pub cache: u64,
    /// `rs.database_pool.readers`: connections kept for questions.
    pub readers: u32,
}

/// `rs.auth`: who is let in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Auth {
    /// `rs.auth.users_file`: who has a password or a certificate.
    pub users_file: Option<PathBuf>,
    /// `rs.auth.tokens_file`: who has a token, for HTTP.
    pub tokens_file: Option<PathBuf>,
    /// `rs.auth.jwks_file`: public keys of whoever makes tokens for HTTP (JWT).
    pub jwks_file: Option<PathBuf>,
    /// `rs.auth.jwt_issuer`: who makes them; `None`: whoever has one of the keys.
    pub jwt_issuer: Option<String>,
    /// `rs.auth.jwt_audience`: for whom they are made; `None`: for nobody in particular.
    pub jwt_audience: Option<String>,
    /// `rs.auth.anonymous`: nobody in particular, over HTTP; and whether a listener may be other
    /// than loopback without users. `None`: over loopback, where there are no users.
    pub anonymous: Option<bool>,
    /// `rs.auth.anonymous_broker`: producers without a name. `None`: over loopback.
    pub anonymous_broker: Option<bool>,
}

/// `rs.queue_high`: alarm `RS-QUEUE-HIGH`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueHigh {
    /// `size`: more records than so many wait for the database.
    pub size: u64,
    /// `for`: so long.
    pub long: Duration,
}

/// `rs.reports`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reports {
    /// `rs.reports.enabled`: whether the reports in GVP's form are served.
    pub enabled: bool,
    /// `rs.reports.page_size`
    pub page_size: u32,
    /// `rs.reports.page_size_max`
    pub page_size_max: u32,
    /// `rs.reports.max_bins`: bins of one question, by their length, from five minutes to months.
    pub max_bins: [u32; 6],
}

/// `rs.broker_limits` (rs.md §1.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BrokerLimits {
    /// `connections`
    pub connections: u32,
    /// `connections_per_address`
    pub connections_per_address: u32,
    /// `frame_before_login`, bytes.
    pub frame_before_login: u64,
    /// `frame`, bytes.
    pub frame: u64,
    /// `record`: bytes of a record's body; larger ones become dead letters.
    pub record: u64,
    /// `sessions`, per connection.
    pub sessions: u32,
    /// `producers`, per connection.
    pub producers: u32,
    /// `advisories`: advisory subscriptions, per connection.
    pub advisories: u32,
    /// `transaction_messages`
    pub transaction_messages: u32,
    /// `transaction_bytes`
    pub transaction_bytes: u64,
    /// `transaction_age`
    pub transaction_age: Duration,
    /// `unanswered_messages`, per connection: then reading pauses.
    pub unanswered_messages: u32,
    /// `unanswered_bytes`, per connection.
    pub unanswered_bytes: u64,
    /// `login`: time for the login.
    pub login: Duration,
    /// `inactivity`: silence after which a connection is closed.
    pub inactivity: Duration,
}

impl Default for Rs {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            name: "rs-1".to_owned(),
            application: "rs-1".to_owned(),
            broker: loopback(61_616),
            broker_limits: BrokerLimits::default(),
            broker_memory: 256 * MIB,
            ingest: true,
            spool_dir: None,
            spool_limit: 8 * GIB,
            queue_high: QueueHigh { size: 15_000, long: Duration::from_secs(900) },
            rollup: Rollup::default(),
            http: loopback(8080),
            ui: true,
            api: true,
            reports: Reports {
                enabled: true,
                page_size: 100,
                page_size_max: 1000,
                max_bins: [2016, 1488, 2232, 1100, 520, 240],
            },
            http_metrics_auth: false,
            http_cors_origins: Vec::new(),
            auth: Auth::default(),
            proof_key_file: None,
            strict_limits: false,
            database: Database {
                url: None,
                user: None,
                password_file: None,
                schema: None,
                uri_indexes: None,
                cache: 376 * MIB,
                readers: 8,
            },
            tls: None,
            retention: Retention::default(),
            privacy: Privacy::default(),
            latency: Acceptance::default(),
        }
    }
}

impl Default for BrokerLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 1_000,
            frame_before_login: 64 * KIB,
            frame: 8 * MIB,
            record: MIB,
            sessions: 256,
            producers: 256,
            advisories: 256,
            transaction_messages: 10_000,
            transaction_bytes: 16 * MIB,
            transaction_age: Duration::from_secs(600),
            unanswered_messages: 4096,
            unanswered_bytes: 32 * MIB,
            login: Duration::from_secs(10),
            inactivity: Duration::from_secs(30),
        }
    }
}

/// Sections with a reader of their own.
const BUILT: [&str; 13] = [
    "rollup",
    "tls",
    "auth",
    "broker_limits",
    "spool",
    "reports",
    "queue_high",
    "database_pool",
    "retention",
    "cdr",
    "export",
    "privacy",
    "latency",
];

pub(super) fn read(rs: Object<'_>) -> Option<Rs> {
    let mut settings = Rs::default();
    if let Some(name) = rs.get("name").and_then(|field| name(&field)) {
        settings.name = name;
    }
    let given = rs.get("application").and_then(|field| application(&field));
    settings.application = given.unwrap_or_else(|| settings.name.clone());
    put(&mut settings.broker, rs.get("broker").and_then(|field| listen(&field)));
    if let Some(object) = rs.get("broker_limits").and_then(|field| field.object()) {
        broker_limits(&object, &mut settings.broker_limits);
        object.finish();
    }
    if let Some(object) = rs.get("spool").and_then(|field| field.object()) {
        settings.spool_dir = object.get("dir").and_then(|field| path(&field));
        let limit = object.get("limit").and_then(|field| field.size(64 * MIB, 1 << 50));
        put(&mut settings.spool_limit, limit);
        object.finish();
    }
    if let Some(object) = rs.get("queue_high").and_then(|field| field.object()) {
        let high = &mut settings.queue_high;
        put(&mut high.size, object.get("size").and_then(|field| field.whole(1, 1 << 40)));
        let day = Duration::from_secs(24 * 3600);
        put(
            &mut high.long,
            object.get("for").and_then(|field| field.duration(Duration::ZERO, day)),
        );
        object.finish();
    }
    settings.rollup = rollup::read(&rs);
    let memory = rs.get("broker_memory").and_then(|field| field.size(16 * MIB, 1 << 40));
    put(&mut settings.broker_memory, memory);
    put(&mut settings.ingest, rs.get("ingest").and_then(|field| field.boolean()));
    put(&mut settings.http, rs.get("http").and_then(|field| listen(&field)));
    put(&mut settings.ui, rs.get("ui").and_then(|field| field.boolean()));
    put(&mut settings.api, rs.get("api").and_then(|field| field.boolean()));
    settings.proof_key_file = rs.get("proof_key_file").and_then(|field| path(&field));
    put(&mut settings.strict_limits, rs.get("strict_limits").and_then(|field| field.boolean()));
    let metrics = rs.get("http_metrics_auth").and_then(|field| field.boolean());
    put(&mut settings.http_metrics_auth, metrics);
    settings.http_cors_origins = origin::read(&rs);
    database(&rs, &mut settings.database);
    if let Some(object) = rs.get("reports").and_then(|field| field.object()) {
        reports(&object, &mut settings.reports);
        object.finish();
    }
    if let Some(object) = rs.get("auth").and_then(|field| field.object()) {
        auth(&object, &mut settings.auth);
        object.finish();
    }
    if let Some(block) = rs.get("tls").and_then(|field| field.object()) {
        settings.tls = tls::read(&block, "rs.tls");
        block.finish();
    }
    settings.retention = retention::read(&rs);
    settings.privacy = privacy::read(&rs);
    settings.latency = latency::read(&rs);
    later::refuse(&rs, "rs", &BUILT);
    rs.finish();
    Some(settings)
}

pub(super) fn put<T>(cell: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *cell = value;
    }
}

fn database(rs: &Object<'_>, database: &mut Database) {
    if let Some(field) = rs.get("database") {
        database.url = database_url(&field);
    }
    let text = |key| rs.get(key).and_then(|field| field.text()).map(ToOwned::to_owned);
    database.user = text("database_user");
    database.schema = text("database_schema");
    database.uri_indexes = rs.get("database_uri_indexes").and_then(|field| field.boolean());
    database.password_file = rs.get("database_password_file").and_then(|field| path(&field));
    let cache = rs.get("database_cache").and_then(|field| field.size(16 * MIB, 1 << 40));
    put(&mut database.cache, cache);
    if let Some(object) = rs.get("database_pool").and_then(|field| field.object()) {
        put(&mut database.readers, object.get("readers").and_then(|field| field.whole(1, 64)));
        later::refuse(&object, "rs.database_pool", &[]);
        object.finish();
    }
}

fn database_url(field: &Field<'_>) -> Option<String> {
    match field.text() {
        None | Some("sqlite") => None,
        Some(text) if DATABASE_SERVERS.iter().any(|form| text.starts_with(form)) => {
            Some(text.to_owned())
        }
        Some(_) => {
            let list = "sqlite (files, which need no server), postgres://… or sqlserver://…";
            field.note("E104", format!("\"rs.database\" must be {list}"));
            None
        }
    }
}

fn auth(object: &Object<'_>, auth: &mut Auth) {
    auth.users_file = object.get("users_file").and_then(|field| path(&field));
    auth.tokens_file = object.get("tokens_file").and_then(|field| path(&field));
    auth.jwks_file = object.get("jwks_file").and_then(|field| path(&field));
    for (key, file) in [("tokens_file", &auth.tokens_file), ("jwks_file", &auth.jwks_file)] {
        if file.is_some() && auth.users_file.is_none() {
            let text = format!("rs.auth.{key} needs users beside it: set rs.auth.users_file");
            object.note("E103", text);
        }
    }
    let text = |key| object.get(key).and_then(|field| field.text()).map(ToOwned::to_owned);
    (auth.jwt_issuer, auth.jwt_audience) = (text("jwt_issuer"), text("jwt_audience"));
    if auth.jwks_file.is_none() && (auth.jwt_issuer.is_some() || auth.jwt_audience.is_some()) {
        object.note("E103", "rs.auth.jwt_issuer and jwt_audience need rs.auth.jwks_file");
    }
    let flag = |key| object.get(key).and_then(|field| field.boolean());
    auth.anonymous = flag("anonymous");
    auth.anonymous_broker = flag("anonymous_broker");
    later::refuse(object, "rs.auth", &[]);
}

fn reports(object: &Object<'_>, reports: &mut Reports) {
    put(&mut reports.enabled, object.get("enabled").and_then(|field| field.boolean()));
    let size = |key| object.get(key).and_then(|field| field.whole(1, 100_000));
    put(&mut reports.page_size_max, size("page_size_max"));
    put(&mut reports.page_size, size("page_size"));
    if reports.page_size > reports.page_size_max {
        let most = reports.page_size_max;
        object.note("E106", format!("\"rs.reports.page_size\" must be between 1 and {most}"));
    }
    if let Some(bins) = object.get("max_bins").and_then(|field| field.object()) {
        for (key, most) in LENGTHS.iter().zip(&mut reports.max_bins) {
            put(most, bins.get(key).and_then(|field| field.whole(1, 20_000)));
        }
        bins.finish();
    }
    later::refuse(object, "rs.reports", &["max_bins"]);
}

fn broker_limits(object: &Object<'_>, limits: &mut BrokerLimits) {
    let number = |key| object.get(key).and_then(|field| field.whole(1, 10_000_000));
    let size = |key| object.get(key).and_then(|field| field.size(KIB, GIB));
    let second = Duration::from_secs(1);
    let time = |key| object.get(key).and_then(|field| field.duration(second, second * 86_400));
    put(&mut limits.connections, number("connections"));
    put(&mut limits.connections_per_address, number("connections_per_address"));
    put(&mut limits.frame_before_login, size("frame_before_login"));
    put(&mut limits.record, object.get("record").and_then(|f| f.size(KIB, RECORD_MOST)));
    // a record travels in one frame
    put(&mut limits.frame, object.get("frame").and_then(|f| f.size(limits.record, GIB)));
    put(&mut limits.sessions, number("sessions"));
    put(&mut limits.producers, number("producers"));
    put(&mut limits.advisories, number("advisories"));
    put(&mut limits.transaction_messages, number("transaction_messages"));
    put(&mut limits.transaction_bytes, size("transaction_bytes"));
    put(&mut limits.transaction_age, time("transaction_age"));
    put(&mut limits.unanswered_messages, number("unanswered_messages"));
    put(&mut limits.unanswered_bytes, size("unanswered_bytes"));
    put(&mut limits.login, time("login"));
    put(&mut limits.inactivity, time("inactivity"));
}
