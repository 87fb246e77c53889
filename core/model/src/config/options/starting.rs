//! What an option says of the machine that a Reporting Server runs on (rs.md §9).

/// What the address of a server's database begins with.
pub const DATABASE_SERVERS: [&str; 3] = ["postgres://", "postgresql://", "sqlserver://"];

/// Options of a Reporting Server that are read at a start only, and only where neither the boot
/// settings nor the environment nor a flag say another; `None`: nothing is said.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AtStart {
    /// `messaging/activemq.memoryUsageLimit`, for `rs.broker_memory`: bytes.
    pub broker_memory: Option<u64>,
    /// `messaging/activemq.port`, for that of `rs.broker`; not 0.
    pub broker_port: Option<u16>,
    /// `messaging/activemq.dataDirectory`, for `rs.spool.dir`.
    pub spool_dir: Option<String>,
    /// `persistence/rs.histonly.enabled`, for `rs.ingest: false`.
    pub history_only: Option<bool>,
    /// `persistence/rs.nodb.enabled`, which can be false only: nothing waits for a start.
    pub no_database: Option<bool>,
    /// `persistence/rs.database`: `sqlite`, or an address with one of [`DATABASE_SERVERS`] in front
    /// and without a password.
    pub database: Option<String>,
    /// `persistence/rs.database_user`
    pub database_user: Option<String>,
    /// `persistence/rs.database_schema`
    pub database_schema: Option<String>,
    /// `persistence/rs.database_uri_indexes`
    pub database_uri_indexes: Option<bool>,
    /// `persistence/rs.database_pool.readers`
    pub database_readers: Option<u32>,
    /// `persistence/rs.database_cache`: bytes.
    pub database_cache: Option<u64>,
    /// `https/…`, for `rs.tls`.
    pub tls: TlsSaid,
}

/// Options `https/…`: names of files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsSaid {
    /// `cert_file`
    pub cert_file: Option<String>,
    /// `key_file`
    pub key_file: Option<String>,
    /// `ca_file`
    pub ca_file: Option<String>,
    /// `client_auth`: `none`, `optional` or `required`.
    pub client_auth: Option<&'static str>,
}

impl AtStart {
    /// The options of which `other` says something else.
    #[must_use]
    pub fn differing(&self, other: &Self) -> Vec<&'static str> {
        let (tls, others) = (&self.tls, &other.tls);
        [
            ("messaging/activemq.memoryUsageLimit", self.broker_memory != other.broker_memory),
            ("messaging/activemq.port", self.broker_port != other.broker_port),
            ("messaging/activemq.dataDirectory", self.spool_dir != other.spool_dir),
            ("persistence/rs.histonly.enabled", self.history_only != other.history_only),
            ("persistence/rs.database", self.database != other.database),
            ("persistence/rs.database_user", self.database_user != other.database_user),
            ("persistence/rs.database_schema", self.database_schema != other.database_schema),
            (
                "persistence/rs.database_uri_indexes",
                self.database_uri_indexes != other.database_uri_indexes,
            ),
            (
                "persistence/rs.database_pool.readers",
                self.database_readers != other.database_readers,
            ),
            ("persistence/rs.database_cache", self.database_cache != other.database_cache),
            ("https/cert_file", tls.cert_file != others.cert_file),
            ("https/key_file", tls.key_file != others.key_file),
            ("https/ca_file", tls.ca_file != others.ca_file),
            ("https/client_auth", tls.client_auth != others.client_auth),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}
