//! `config_handler` and `rs_init`: what the short programs make in the Config Server (ops.md §3).

use std::path::PathBuf;
use std::time::Duration;

use model::schema::{Field, Object};
use model::tree::{Value, to_json};
use serde_json::{Map, Value as Json};

use super::{application, later, path};

const DAY: Duration = Duration::from_secs(86_400);

/// `config_handler`
#[derive(Clone, PartialEq, Debug)]
pub struct ConfigHandler {
    /// `config_handler.rm_app`: the Application that holds the options of all nodes.
    pub rm_app: String,
    /// `config_handler.group`: the resource group of the media servers.
    pub group: String,
    /// `config_handler.rm_options`: section → key → value.
    pub rm_options: Map<String, Json>,
    /// `config_handler.group_options`: options of `gvp.lrg` by their names.
    pub group_options: Map<String, Json>,
    /// `config_handler.folder`: informational.
    pub folder: Option<String>,
    /// `config_handler.node`: name of this node's Application; `None` = the host's name.
    pub node: Option<String>,
    /// `config_handler.namespace`: where the media servers are looked for by their service's name.
    pub namespace: Option<String>,
    /// `config_handler.replicas`: how many nodes there are; 0 = not known.
    pub replicas: u32,
    /// `config_handler.voicemail_did`: a number for the profile `voicemail`.
    pub voicemail_did: Option<String>,
    /// `config_handler.snmp_app`: the SNMP master that nodes are connected to.
    pub snmp_app: String,
    /// `config_handler.config_app`: the Config Server as an Application.
    pub config_app: String,
    /// `config_handler.environment`: the label `environment` of what is made.
    pub environment: Option<String>,
    /// `config_handler.client`: who changes something, as the history says.
    pub client: String,
    /// `config_handler.wait`: how long the Config Server is waited for.
    pub wait: Duration,
    /// `config_handler.prune_after`: a node that has not been seen for so long is gone.
    pub prune_after: Duration,
}

/// `rs_init`
#[derive(Clone, PartialEq, Debug)]
pub struct RsInit {
    /// `rs_init.app`: the Application of the Reporting Server.
    pub app: String,
    /// `rs_init.options`: section → key → value.
    pub options: Map<String, Json>,
    /// `rs_init.database`: who makes what at a database that is a server.
    pub database: InitDatabase,
}

/// `rs_init.database`
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InitDatabase {
    /// `user`: the owner; `None`: that of `rs.database`.
    pub user: Option<String>,
    /// `db_password_file`: its password; `None`: that of `rs.database_password_file`.
    pub password_file: Option<PathBuf>,
    /// `reader`: a login that only reads.
    pub reader: Option<String>,
    /// `admin_password_file`: of the one who may make databases and logins.
    pub admin_password_file: Option<PathBuf>,
}

impl Default for ConfigHandler {
    fn default() -> Self {
        let scheme = ("load-balance-scheme".to_owned(), Json::from("round-robin"));
        Self {
            rm_app: "rm".to_owned(),
            group: "mcp".to_owned(),
            rm_options: Map::new(),
            group_options: Map::from_iter([scheme]),
            folder: None,
            node: None,
            namespace: None,
            replicas: 0,
            voicemail_did: None,
            snmp_app: "snmp".to_owned(),
            config_app: "confserv".to_owned(),
            environment: None,
            client: "default".to_owned(),
            wait: Duration::from_secs(600),
            prune_after: Duration::from_secs(600),
        }
    }
}

impl Default for RsInit {
    fn default() -> Self {
        Self { app: "rs".to_owned(), options: Map::new(), database: InitDatabase::default() }
    }
}

pub(super) fn read_config_handler(handler: Object<'_>) -> Option<ConfigHandler> {
    let mut settings = ConfigHandler::default();
    let name = |key| handler.get(key).and_then(|field| application(&field));
    put(&mut settings.rm_app, name("rm_app"));
    put(&mut settings.snmp_app, name("snmp_app"));
    put(&mut settings.config_app, name("config_app"));
    put(&mut settings.client, name("client"));
    put(&mut settings.group, handler.get("group").and_then(|field| group(&field)));
    settings.node = name("node");
    let word = |key| handler.get(key).and_then(|field| Some(field.text_up_to(255)?.to_owned()));
    settings.namespace = word("namespace").filter(|text| !text.is_empty());
    settings.environment = word("environment").filter(|text| !text.is_empty());
    settings.folder = word("folder").filter(|text| !text.is_empty());
    settings.voicemail_did = word("voicemail_did").filter(|text| !text.is_empty());
    put(&mut settings.rm_options, handler.get("rm_options").and_then(|field| options(&field)));
    let group_options = handler.get("group_options").and_then(|field| group_options(&field));
    put(&mut settings.group_options, group_options);
    put(&mut settings.replicas, handler.get("replicas").and_then(|field| field.whole(0, 1_023)));
    let time = |key| {
        let field: Option<Field<'_>> = handler.get(key);
        field.and_then(|field| field.duration(Duration::ZERO, 30 * DAY))
    };
    put(&mut settings.wait, time("wait"));
    put(&mut settings.prune_after, time("prune_after"));
    handler.finish();
    Some(settings)
}

pub(super) fn read_rs_init(init: Object<'_>) -> Option<RsInit> {
    let mut settings = RsInit::default();
    put(&mut settings.app, init.get("app").and_then(|field| application(&field)));
    put(&mut settings.options, init.get("options").and_then(|field| options(&field)));
    if let Some(database) = init.get("database").and_then(|field| field.object()) {
        settings.database = init_database(database);
    }
    later::refuse(&init, "rs_init", &["database"]);
    init.finish();
    Some(settings)
}

fn init_database(database: Object<'_>) -> InitDatabase {
    let word = |key| {
        let field: Option<Field<'_>> = database.get(key);
        let text = field.and_then(|field| Some(field.text_up_to(128)?.to_owned()));
        text.filter(|text: &String| !text.is_empty())
    };
    let file = |key| database.get(key).and_then(|field| path(&field));
    let read = InitDatabase {
        user: word("user"),
        password_file: file("db_password_file"),
        reader: word("reader"),
        admin_password_file: file("admin_password_file"),
    };
    later::refuse(&database, "rs_init.database", &[]);
    database.finish();
    read
}

fn put<T>(cell: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *cell = value;
    }
}

/// The last part of a folder's path, as GVP writes it: `\Configuration\Resources\MCP_LRG`.
fn group(field: &Field<'_>) -> Option<String> {
    let name = application(field)?;
    let last = name.rsplit(['\\', '/']).find(|part| !part.is_empty());
    match last {
        Some(last) => Some(last.to_owned()),
        None => field.invalid("group", "expected a name or the path of a folder"),
    }
}

/// Section → key → text, number or flag.
fn options(field: &Field<'_>) -> Option<Map<String, Json>> {
    let sections = field.object()?;
    let mut all = Map::new();
    for (section, keys) in sections.entries() {
        let keys = keys.object()?;
        let mut found = Map::new();
        for (key, value) in keys.entries() {
            found.insert(key.text.clone(), scalar(&value)?);
        }
        all.insert(section.text.clone(), Json::Object(found));
    }
    Some(all)
}

/// Options of `gvp.lrg`: `{gvp.lrg: {name: value}}`, or each with its section before a dot or a
/// slash.
fn group_options(field: &Field<'_>) -> Option<Map<String, Json>> {
    let mut all = Map::new();
    for (key, value) in field.object()?.entries() {
        if key.text == "gvp.lrg" && matches!(value.node().value, Value::Map(_)) {
            for (key, value) in value.object()?.entries() {
                all.insert(key.text.clone(), scalar(&value)?);
            }
            continue;
        }
        let rest = key.text.strip_prefix("gvp.lrg").and_then(|rest| rest.strip_prefix(['.', '/']));
        all.insert(rest.unwrap_or(&key.text).to_owned(), scalar(&value)?);
    }
    Some(all)
}

fn scalar(field: &Field<'_>) -> Option<Json> {
    match field.node().value {
        Value::Text(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
            Some(to_json(field.node()))
        }
        Value::Null | Value::Seq(_) | Value::Map(_) => {
            field.wrong_type("text, a number, or true or false")
        }
    }
}
