//! A canned TDS endpoint (MS-TDS 7.4): speaks the wire of SQL Server and answers from the script of
//! a test. It proves login, requests, errors, attention and TLS; of T-SQL it knows nothing.
//!
//! ```text
//!   tiberius ──► packet (any split) ──► secure (PRELOGIN, TLS inside TDS) ──► serve ──► request
//!      ▲                                                                        │         │
//!      └───────────── tokens ◄──────────── answer ◄──────── script of the test ◄┴─────────┘
//! ```

mod answer;
mod login;
mod packet;
mod reader;
mod request;
mod secure;
mod serve;
mod standin;
mod value;

pub(crate) use self::answer::Answer;
pub(crate) use self::request::{Request, What};
pub(crate) use self::secure::{Encryption, Identity};
pub(crate) use self::serve::{Endpoint, Settings};
pub(crate) use self::standin::StandIn;
pub(crate) use self::value::{Column, Type, Value};
