//! The targets: each is one function over bytes, which panics when something is wrong.
//!
//! Whoever writes a parser of bytes that come from outside adds a row.

mod address;
mod certificate;
mod endpoint;
mod framing;
mod meter;
mod names;
mod objects;
mod openwire;
mod proxy;
mod query;
mod record;
mod script;
mod settings;
mod snapshot;
mod split;
mod spool;
mod stomp;
mod token;
mod uri;
mod via;
mod watch;
mod words;

/// What the property tests of the parser ask, too.
#[path = "../../proto/sip/tests/it/sound.rs"]
mod sound;

use words::{BLOCK, CONFIG, DER, DNS, JSON, OPENWIRE, QUERY, RECORDS, SCRIPT, SIP, STOMP, YAML};

/// One thing that reads bytes.
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Which code it is about.
    pub about: &'static str,
    /// Runs one input.
    pub run: fn(&[u8]),
    /// Words of its language, for the mutator.
    pub words: &'static [&'static [u8]],
    /// Files and folders with more inputs, from the root of the workspace.
    pub seeds: &'static [&'static str],
    /// Its part of a run that is bounded by runs, per cent: slow ones get less.
    pub share: u64,
    /// Found inputs beyond this many bytes are not committed.
    pub largest: usize,
}

const TORTURE: &[&str] = &[
    "proto/sip/tests/it/testdata/torture/rfc4475",
    "proto/sip/tests/it/testdata/torture/rfc5118",
    "proto/sip/tests/it/testdata/invite_1k.sip",
];

/// All targets.
pub static TARGETS: &[Target] = &[
    Target {
        name: "message",
        about: "sip::parse, everything that a message tells, and what is made of it",
        run: |data| _ = sound::message(data),
        words: SIP,
        seeds: TORTURE,
        share: 100,
        largest: 2_000,
    },
    Target {
        name: "framing",
        about: "sip::stream, in whatever pieces it comes",
        run: framing::run,
        words: SIP,
        seeds: TORTURE,
        share: 60,
        largest: 1_000,
    },
    Target {
        name: "uri",
        about: "sip::uri: parts, comparison, escapes",
        run: uri::run,
        words: SIP,
        seeds: &[],
        share: 100,
        largest: 200,
    },
    Target {
        name: "via",
        about: "sip::header::Via",
        run: via::run,
        words: SIP,
        seeds: &[],
        share: 100,
        largest: 200,
    },
    Target {
        name: "address",
        about: "sip::header::NameAddr, Params, and the values of a list",
        run: address::run,
        words: SIP,
        seeds: &[],
        share: 100,
        largest: 200,
    },
    Target {
        name: "names",
        about: "net::dns and sip::locate: a URI, and answers of a name service to it",
        run: names::run,
        words: DNS,
        seeds: &[],
        share: 40,
        largest: 600,
    },
    Target {
        name: "certificate",
        about: "net::tls: names and times of a stranger's certificate",
        run: certificate::run,
        words: DER,
        seeds: &[],
        share: 40,
        largest: 1_000,
    },
    Target {
        name: "meter",
        about: "net::tls: where the records of a stream end, and how many may say nothing",
        run: meter::run,
        words: RECORDS,
        seeds: &[],
        share: 60,
        largest: 600,
    },
    Target {
        name: "token",
        about: "rm::token: what a stranger puts into a Route; the key file",
        run: token::run,
        words: SIP,
        seeds: &[],
        share: 20,
        largest: 300,
    },
    Target {
        name: "endpoint",
        about: "sip::endpoint: scripts of packets, answers, time and failures",
        run: endpoint::run,
        words: SCRIPT,
        seeds: &[],
        share: 20,
        largest: 3_000,
    },
    Target {
        name: "proxy",
        about: "rm::Proxy: scripts of callers, media servers, time, failures, configurations",
        run: proxy::run,
        words: SCRIPT,
        seeds: &[],
        share: 4,
        largest: 4_000,
    },
    Target {
        name: "block",
        about: "rm::Proxy::restore: a packed leg of the spool, alone",
        run: proxy::block,
        words: BLOCK,
        seeds: &[],
        share: 10,
        largest: 1_000,
    },
    Target {
        name: "openwire",
        about: "openwire: first bytes, frames, and both ends of a connection",
        run: openwire::run,
        words: OPENWIRE,
        seeds: &[],
        share: 40,
        largest: 2_000,
    },
    Target {
        name: "stomp",
        about: "openwire: the receiving end of STOMP",
        run: stomp::run,
        words: STOMP,
        seeds: &[],
        share: 40,
        largest: 2_000,
    },
    Target {
        name: "record",
        about: "model::record: bodies of messages that arrive at the Reporting Server",
        run: record::run,
        words: JSON,
        seeds: &["core/model/tests/it/testdata/records.ndjson"],
        share: 40,
        largest: 3_000,
    },
    Target {
        name: "split",
        about: "rs::split: bodies of records over HTTP",
        run: split::run,
        words: JSON,
        seeds: &["core/model/tests/it/testdata/records.ndjson"],
        share: 60,
        largest: 300,
    },
    Target {
        name: "query",
        about: "rs::query: query strings of reports",
        run: query::run,
        words: QUERY,
        seeds: &[],
        share: 60,
        largest: 300,
    },
    Target {
        name: "settings",
        about: "config::Settings: the YAML of a daemon",
        run: settings::run,
        words: YAML,
        seeds: &["deploy/samples/settings.yaml", "deploy/samples/settings-full.yaml"],
        share: 4,
        largest: 1_000,
    },
    Target {
        name: "objects",
        about: "config::objects and model::snapshot: the YAML of a platform",
        run: objects::run,
        words: YAML,
        seeds: &["deploy/samples/platform.yaml"],
        share: 4,
        largest: 2_000,
    },
    Target {
        name: "watch",
        about: "config::source: the stream of changes of a Config Server",
        run: watch::run,
        words: CONFIG,
        seeds: &[],
        share: 20,
        largest: 1_000,
    },
    Target {
        name: "snapshot",
        about: "config::source: a whole configuration, from the Config Server or the disk",
        run: snapshot::run,
        words: CONFIG,
        seeds: &[],
        share: 20,
        largest: 1_000,
    },
    Target {
        name: "spool",
        about: "spool: recovery of damaged segments",
        run: spool::run,
        words: &[],
        seeds: &[],
        share: 1,
        largest: 500,
    },
];
