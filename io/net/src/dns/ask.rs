//! One goal, question by question, until it is answered or its time is over.

use super::Found;
use super::read;
use crate::Clock;
use crate::limits::{DNS_GOAL, DNS_LOOKUPS, DNS_QUESTION, DNS_REREAD};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use sip::locate::{
    Answers, Failure, Goal, Listing, Look, Member, Question, Records, Spoken, Step, locate, members,
};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

/// The servers that are asked; those of the system are looked up again now and then.
pub(super) struct Asked {
    fixed: Vec<SocketAddr>,
    clock: Clock,
    resolver: Option<TokioResolver>,
    read: Duration,
}

impl Asked {
    pub(super) fn new(fixed: Vec<SocketAddr>, clock: Clock) -> Self {
        Self { fixed, clock, resolver: None, read: Duration::ZERO }
    }

    /// Whom to ask now; `None` when the system names nobody.
    pub(super) fn servers(&mut self) -> Option<TokioResolver> {
        let now = self.clock.mono();
        let old = self.fixed.is_empty() && now.saturating_sub(self.read) >= DNS_REREAD;
        if self.resolver.is_none() || old {
            self.read = now;
            // A file that cannot be read now leaves what it said before.
            self.resolver = build(&self.fixed).ok().or_else(|| self.resolver.take());
        }
        self.resolver.clone()
    }
}

fn build(fixed: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if fixed.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = fixed.iter().map(name_server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    // How long an answer is used is the engine's to say.
    options.cache_size = 0;
    options.timeout = options.timeout.min(DNS_QUESTION);
    options.attempts = 1;
    if !fixed.is_empty() {
        options.use_hosts_file = ResolveHosts::Never;
    }
    builder.build()
}

fn name_server(server: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

/// Asks what `locate` wants to know, until it has a result or [`DNS_GOAL`] is over.
pub(super) async fn lookup(
    servers: Option<TokioResolver>,
    goal: &Goal,
    spoken: Spoken,
) -> Result<Found, Failure> {
    let servers = servers.ok_or(Failure::Unanswered)?;
    let all = questions(servers, goal, spoken);
    tokio::time::timeout(DNS_GOAL, all).await.unwrap_or(Err(Failure::Unanswered))
}

async fn questions(servers: TokioResolver, goal: &Goal, spoken: Spoken) -> Result<Found, Failure> {
    let mut answers = Answers::default();
    let mut ttl = Duration::MAX;
    loop {
        match locate(goal, spoken, &answers) {
            Step::Found(targets) => return Ok(Found { targets, ttl }),
            Step::Failed(failure) => return Err(failure),
            Step::Ask(open) => {
                let mut asked: JoinSet<_> =
                    open.iter().map(|question| ask(servers.clone(), question.clone())).collect();
                while let Some(Ok((question, records, lifetime))) = asked.join_next().await {
                    ttl = ttl.min(lifetime);
                    answers.insert(question, records);
                }
            }
        }
    }
}

/// Asks who is behind a name, until it is known or [`DNS_GOAL`] is over.
pub(super) async fn list(
    servers: Option<TokioResolver>,
    listing: &Listing,
    spoken: Spoken,
) -> Result<Vec<Member>, Failure> {
    let servers = servers.ok_or(Failure::Unanswered)?;
    let all = everybody(servers, listing, spoken);
    tokio::time::timeout(DNS_GOAL, all).await.unwrap_or(Err(Failure::Unanswered))
}

async fn everybody(
    servers: TokioResolver,
    listing: &Listing,
    spoken: Spoken,
) -> Result<Vec<Member>, Failure> {
    let mut answers = Answers::wide();
    loop {
        match members(listing, spoken, &answers) {
            Look::Found(found) => return Ok(found),
            Look::Failed(failure) => return Err(failure),
            Look::Ask(open) => {
                // not all at once: a name server has limits, too
                for some in open.chunks(DNS_LOOKUPS) {
                    let mut asked: JoinSet<_> = some
                        .iter()
                        .map(|question| ask(servers.clone(), question.clone()))
                        .collect();
                    while let Some(Ok((question, records, _))) = asked.join_next().await {
                        answers.insert(question, records);
                    }
                }
            }
        }
    }
}

/// One question; its answer lives for the `Duration`, if there is anything in it.
async fn ask(servers: TokioResolver, question: Question) -> (Question, Records, Duration) {
    let name = Name::from_ascii(format!("{}.", question.name.as_str()));
    let Ok(name) = name else { return (question, Records::Nothing, Duration::MAX) };
    let (records, ttl) = match servers.lookup(name, read::record_type(question.kind)).await {
        Ok(lookup) => read::records(question.kind, lookup.answers()),
        Err(error) if error.is_no_records_found() => (Records::Nothing, Duration::MAX),
        Err(_) => (Records::Failed, Duration::MAX),
    };
    (question, records, ttl)
}
