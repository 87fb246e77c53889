//! The called and the calling number of a request (rm.md §3.1).
//!
//! Reads text only; what a number leads to is the DID index's.

use model::config::Options;
use model::config::options::DnisHeader;
use model::did::normalise;
use sip::header::{Header, NameAddr};
use sip::message::Message;
use sip::uri::{Scheme, Uri};

/// The dialled number in normal form.
pub(crate) fn dialled(message: &Message<'_>, options: &Options) -> String {
    let by_header = match options.dnis_header {
        DnisHeader::RequestUri => None,
        DnisHeader::To => Some(user_of(message.to().uri)),
        DnisHeader::HistoryInfo => message.named("History-Info").and_then(|one| first_user(&one)),
        DnisHeader::PCalledPartyId => {
            message.named("P-Called-Party-ID").and_then(|one| first_user(&one))
        }
        DnisHeader::Diversion => message.named("Diversion").and_then(|one| first_user(&one)),
    };
    if let Some(number) = by_header {
        return number;
    }
    let Some(line) = message.request() else { return String::new() };
    match (line.target.scheme, &options.sos_number) {
        (Scheme::Urn, Some(number)) => normalise(number),
        _ => user_of(line.uri),
    }
}

/// The calling number in normal form: the user part of From.
pub(crate) fn calling(message: &Message<'_>) -> String {
    user_of(message.from().uri)
}

fn first_user(header: &Header<'_>) -> Option<String> {
    let value = header.values().next()?;
    NameAddr::parse(value).ok().map(|address| user_of(address.uri))
}

fn user_of(uri: &str) -> String {
    Uri::parse(uri).ok().and_then(|uri| uri.user.map(normalise)).unwrap_or_default()
}
