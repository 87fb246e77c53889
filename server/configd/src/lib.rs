//! The Config Server daemon: one ordered history of small transactions over the platform objects.
//!
//! Must not know what a call is: it keeps objects, says what is wrong with them, and tells whoever
//! wants to know what has changed (ops.md §1). This file composes; there are no globals.
//!
//! ```text
//!   apply, rm, rs ──8888──► http ── transact, rollback ──► books ──► store (SQLite)
//!                            ▲                               │
//!                            └───── state, watch, history ◄──┘
//! ```

pub mod books;
pub mod change;
mod error;
mod http;
pub mod limits;
mod parts;
pub mod refusal;
mod running;
pub mod store;
pub mod transaction;
pub mod who;

use std::path::PathBuf;

use config::Settings;
use config::settings::{ClientAuth, Tls};
use net::Clock;
use telemetry::Log;
use telemetry::health::Health;
use tokio::sync::watch;

pub use books::Books;
pub use error::StartError;
pub use parts::Parts;
pub use refusal::Refusal;
pub use running::{ConfigServer, Ended, Stopper};
pub use transaction::{Outcome, Transaction};
pub use who::Who;

use parts::Base;
use running::{Facts, Running, runtime};

/// How the server names itself in logs and probes.
const NODE: &str = "config-server";
/// What readiness looks at, and needs: a store that is away does not make it unready (ops.md §4).
const CHECKS: [(&str, bool); 2] = [("objects", true), ("store", false)];

impl ConfigServer {
    /// Opens and binds everything and starts the threads; not to be called by a task of a runtime.
    ///
    /// # Errors
    /// Settings that cannot work, an address in use, a directory that is locked or not writable,
    /// a store of a later version, a seed that is not valid; nothing runs then.
    /// [`StartError::exit_code`] is the process's.
    pub fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts { settings, seed, log, clock } = parts;
        let log = log.for_node(NODE, None);
        let health = Health::new(NODE, clock.now().wall, &CHECKS);
        let Base { dir, listener, address, certificates, books } =
            Base::lay(&settings, &log, clock)?;
        let given = &settings.config_server;
        let runtime = runtime()?;
        let (home, handed) = (dir.path(), given.bootstrap_token_file.as_deref());
        let token = runtime.block_on(async {
            parts::seed(&books, given.seed.as_deref(), seed, &log).await?;
            parts::first_admin(&books, home, handed, &log).await
        })?;
        if certificates.is_none() && !address.ip().is_loopback() {
            log.emit(10502, None, &[("listen", &address.to_string())]);
        }
        let (closing, closed) = watch::channel(false);
        let tls = certificates
            .as_ref()
            .map(|own| own.lock().unwrap_or_else(std::sync::PoisonError::into_inner).lenient());
        let required = |block: &Tls| block.client_auth == ClientAuth::Required;
        let http = http::Parts {
            books: books.clone(),
            health: health.clone(),
            log: log.clone(),
            clock,
            settings: http::Settings {
                anonymous: given.anonymous(),
                client_roles: given.client_roles.clone(),
                http_metrics_auth: given.http_metrics_auth,
                require_if_match: given.require_if_match,
                certificate_required: given.tls.as_ref().is_some_and(required),
            },
            certificates: certificates.clone(),
            home: home.to_owned(),
            closed,
        };
        let http = runtime.spawn(http::serve(listener, http, tls));
        let now = clock.now().wall;
        let revision = books.now().revision.to_string();
        health.set(now, "objects", true, "in memory");
        health.set(now, "store", true, "open");
        let (listen, tls) = (address.to_string(), certificates.is_some().to_string());
        let fields = [
            ("component", NODE),
            ("listen", &*listen),
            ("tls", &*tls),
            ("anonymous", books::role_word(given.anonymous())),
            ("revision", &*revision),
        ];
        log.emit(10001, None, &fields);
        let running = Running { runtime, books, http, closing };
        let facts = Facts { address, certificates, health, clock, log, token };
        Ok(Self::of(running, dir, facts))
    }
}

/// Makes another admin's token, also beside a running server, which finds it in the store; where it
/// was written.
///
/// # Errors
/// As of [`ConfigServer::start`].
pub fn new_admin_token(
    settings: &Settings,
    log: &Log,
    clock: Clock,
) -> Result<PathBuf, StartError> {
    let log = log.for_node(NODE, None);
    let dir = settings.data_dir.join("config");
    let books = parts::open_books(&settings.config_server, &dir, &log, clock)?;
    let made = runtime()?.block_on(parts::new_admin(&books, &dir, &log));
    books.close();
    made
}
