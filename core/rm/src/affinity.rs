//! A call that names a dialog goes to the media server that holds it (rm.md §7.7): `Replaces`
//! (RFC 3891), `Join` (RFC 3911), `Target-Dialog` (RFC 4538).
//!
//! Between select and place. The tags are those of whoever receives the INVITE. A dialog nobody
//! knows pins nothing. Must not judge whether the dialog may be replaced: its holder does.

use model::id::Dbid;
use sip::header::Name;
use sip::message::Message;
use sip::uri::Uri;

use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::session::{Kind, Leg, Text};
use crate::token::Token;

/// A dialog as its holder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    call_id: &'a str,
    local: &'a str,
    remote: &'a str,
}

/// Each header with its names of the holder's own tag and of the other one.
const HEADERS: [(Name, &str, &str); 3] = [
    (Name::Replaces, "to-tag", "from-tag"),
    (Name::Join, "to-tag", "from-tag"),
    (Name::TargetDialog, "local-tag", "remote-tag"),
];

/// The dialog that an INVITE names.
///
/// # Errors
/// `malformed`: one of the headers twice, `Replaces` beside `Join`, or no Call-ID with exactly one
/// tag of each side (RFC 3891 §3, RFC 3911 §4).
pub(crate) fn named<'a>(message: &Message<'a>) -> Result<Option<Named<'a>>, No> {
    let mut found = [None; HEADERS.len()];
    for ((name, local, remote), found) in HEADERS.into_iter().zip(&mut found) {
        let malformed = || No::new(Reason::Malformed, name.as_str());
        let mut headers = message.all(name);
        let Some(header) = headers.next() else { continue };
        if headers.next().is_some() {
            return Err(malformed());
        }
        let text = header.text().ok_or_else(malformed)?;
        *found = Some(read(text, local, remote).ok_or_else(malformed)?);
    }
    match found {
        [Some(_), Some(_), _] => Err(No::new(Reason::Malformed, "Replaces and Join")),
        [replaces, join, target] => Ok(replaces.or(join).or(target)),
    }
}

/// One value; a comma would begin a second one, which no Call-ID and no tag can hold.
fn read<'a>(text: &'a str, local_name: &str, remote_name: &str) -> Option<Named<'a>> {
    let mut parts = text.split(';').map(str::trim);
    let call_id = parts.next().filter(|id| !id.is_empty() && !id.contains(char::is_whitespace))?;
    let (mut local, mut remote) = (None, None);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let is = |wanted: &str| name.trim_end().eq_ignore_ascii_case(wanted);
        let place = match (is(local_name), is(remote_name)) {
            (true, _) => &mut local,
            (_, true) => &mut remote,
            _ => continue,
        };
        if place.replace(value.trim_start()).is_some() {
            return None;
        }
    }
    let (local, remote) = (local?, remote?);
    let whole = !text.contains(',') && !local.is_empty() && !remote.is_empty();
    whole.then_some(Named { call_id, local, remote })
}

impl Proxy {
    /// The resource that holds the dialog which an INVITE names: by the leg that is known, else
    /// by the token of our Route entry, which is sealed for the Call-ID of that dialog.
    pub(crate) fn holder(&self, message: &Message<'_>) -> Option<Dbid> {
        let named = named(message).ok().flatten()?;
        let Named { call_id, local, remote } = named;
        if let Some(key) = self.table.leg_of_dialog(call_id, [local, remote]) {
            return self.holder_of(self.table.leg(key)?, local);
        }
        let routes = message.routes().take(self.own_routes(message));
        let users = routes.filter_map(|route| Uri::parse(route.uri).ok()?.user);
        let token = users
            .filter_map(|user| Token::open(user, &self.settings.keys, call_id).ok())
            .find(|token| token.from_caller(remote))?;
        Some(token.resource).filter(|dbid| *dbid != Dbid(0))
    }

    /// Which of the two parties has this tag: the called resource, or one that called.
    fn holder_of(&self, leg: &Leg, local: &str) -> Option<Dbid> {
        if leg.texts.get(Text::ToTag) == local {
            return leg.resource.as_ref().map(|names| names.dbid);
        }
        let caller = leg.texts.get(Text::SourceName);
        let called_from = |names: &crate::session::ResourceNames| names.name == caller;
        let mut all = self.pool.configured().map(|(_, member)| &member.names);
        all.find(|names| leg.kind != Kind::Inbound && called_from(names)).map(|names| names.dbid)
    }
}

#[cfg(test)]
mod tests {
    use super::{Named, named};

    fn check(lines: &str, expected: Result<Option<(&str, &str, &str)>, &str>) {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
             From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\
             {lines}Content-Length: 0\r\n\r\n"
        );
        let message = sip::parse::parse(text.as_bytes(), &sip::limits::Limits::DEFAULT).unwrap();
        let found = named(&message);
        let found = match &found {
            Ok(found) => Ok(found.map(|Named { call_id, local, remote }| (call_id, local, remote))),
            Err(no) => Err(no.subject.as_str()),
        };
        assert_eq!(found, expected, "{lines}");
    }

    #[test]
    fn the_table() {
        let dialog = Ok(Some(("98732@host", "mine", "theirs")));
        check("", Ok(None));
        check("Replaces: 98732@host;to-tag=mine;from-tag=theirs;early-only\r\n", dialog);
        check("replaces : 98732@host\r\n ; From-Tag = theirs; TO-TAG=mine\r\n", dialog);
        check("Join: 98732@host;from-tag=theirs;to-tag=mine\r\n", dialog);
        check("Target-Dialog: 98732@host;local-tag=mine;remote-tag=theirs\r\n", dialog);
        // what replaces a dialog may prove that it knows another
        check(
            "Target-Dialog: x;local-tag=a;remote-tag=b\r\n\
             Replaces: 98732@host;to-tag=mine;from-tag=theirs\r\n",
            dialog,
        );
        for lines in [
            "Replaces: a;to-tag=1;from-tag=2\r\nReplaces: a;to-tag=1;from-tag=2\r\n",
            "Replaces: a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2\r\n",
            "Replaces: a;to-tag=1\r\n",
            "Replaces: a;to-tag=1;from-tag=2;to-tag=1\r\n",
            "Replaces: a;to-tag=;from-tag=2\r\n",
            "Replaces: ;to-tag=1;from-tag=2\r\n",
            "Replaces: \r\n",
        ] {
            check(lines, Err("Replaces"));
        }
        check("Join: a;local-tag=1;remote-tag=2\r\n", Err("Join"));
        check("Target-Dialog: a;to-tag=1;from-tag=2\r\n", Err("Target-Dialog"));
        let both = "Join: a;to-tag=1;from-tag=2\r\nReplaces: b;to-tag=1;from-tag=2\r\n";
        check(both, Err("Replaces and Join"));
    }
}
