//! The called and the calling number of a request (rm.md §3.1).
//!
//! Reads text only; what a number leads to is the DID index's.

use model::config::Options;
use model::config::options::DnisHeader;
use model::did::normalise_into;
use sip::header::{Header, NameAddr};
use sip::message::Message;
use sip::uri::{Scheme, Uri, unescape};

/// Appends the dialled number in normal form.
pub(crate) fn dialled(message: &Message<'_>, options: &Options, out: &mut String) {
    let header = match options.dnis_header {
        DnisHeader::RequestUri => None,
        DnisHeader::To => return user_of(message.to().uri, out),
        DnisHeader::HistoryInfo => message.named("History-Info"),
        DnisHeader::PCalledPartyId => message.named("P-Called-Party-ID"),
        DnisHeader::Diversion => message.named("Diversion"),
    };
    if let Some(uri) = header.and_then(|header| first_uri(&header)) {
        return user_of(uri, out);
    }
    let Some(line) = message.request() else { return };
    match (line.target.scheme, &options.sos_number) {
        (Scheme::Urn, Some(number)) => out.push_str(number),
        _ => user_of(line.uri, out),
    }
}

/// Appends the calling number in normal form: the user part of From.
pub(crate) fn calling(message: &Message<'_>, out: &mut String) {
    user_of(message.from().uri, out);
}

/// Appends the number that a call to the outside is for: the user part of the Request-URI in normal
/// form, but with its `+`.
pub(crate) fn wanted(message: &Message<'_>, out: &mut String) {
    let user = message.request().and_then(|line| line.target.user).unwrap_or_default();
    if unescape(user).starts_with('+') {
        out.push('+');
    }
    normalise_into(user, out);
}

fn first_uri<'a>(header: &Header<'a>) -> Option<&'a str> {
    let value = header.values().next()?;
    NameAddr::parse(value).ok().map(|address| address.uri)
}

fn user_of(uri: &str, out: &mut String) {
    if let Some(user) = Uri::parse(uri).ok().and_then(|uri| uri.user) {
        normalise_into(user, out);
    }
}
