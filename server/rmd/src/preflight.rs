//! The files that the settings name, read before a start touches anything. `ringmaster check` reads
//! the same here. What certificates and brokers are made of is read beside them (`tls`, `publish`).

use config::settings::Rm;
use openwire::Secret;
use rm::Keys;

use crate::cluster_key;
use crate::error::StartError;
use crate::http::Tokens;
use crate::settings;

/// What they hold.
pub(crate) struct Files {
    /// User and password towards the broker.
    pub(crate) login: Option<(String, Option<Secret>)>,
    /// `rm.http_tokens_file`.
    pub(crate) tokens: Option<Tokens>,
    /// `rm.cluster.key_file`, and its text.
    pub(crate) keys: Option<(Keys, String)>,
    /// `rm.hep.password_file`.
    pub(crate) collector_key: Option<Secret>,
}

impl Files {
    /// Reads them.
    ///
    /// # Errors
    /// The first that a start is refused for.
    pub(crate) fn read(rm: &Rm) -> Result<Self, StartError> {
        let login = settings::login(rm)?;
        let tokens = rm.http_tokens_file.as_deref().map(Tokens::open).transpose()?;
        let keys = rm.key_file.as_deref().map(cluster_key::given).transpose()?;
        let password = rm.hep.as_ref().and_then(|hep| hep.password_file.as_deref());
        let collector_key = password.map(settings::password).transpose()?;
        Ok(Self { login, tokens, keys, collector_key })
    }
}

/// Looks at the files of `rm` as a start does.
///
/// # Errors
/// The first that a start is refused for.
pub fn check(rm: &Rm) -> Result<(), StartError> {
    Files::read(rm).map(drop)
}
