//! Which dialog a request belongs to, and from which side it comes (rm.md §1.4, §1.8).
//!
//! By the token in our Route entry, else by Call-ID and both tags. A token with a wrong MAC
//! influences nothing.

use sip::message::Message;
use sip::uri::Uri;

use crate::admit::own;
use crate::proxy::Proxy;
use crate::reject::{No, Reason};
use crate::session::{Side, Text};
use crate::token::{BARE, PREFIX, Token, TokenError};

/// What a request says of its dialog.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located {
    /// Own Route values on top, to be removed.
    pub(crate) own: usize,
    /// The Request-URI is ours: the target must be what was learnt.
    pub(crate) targetless: bool,
    pub(crate) token: Option<Token>,
    /// Key of the leg, if it is known.
    pub(crate) leg: Option<usize>,
    /// Who sent it.
    pub(crate) side: Side,
}

impl Proxy {
    /// Finds the dialog of a request.
    ///
    /// # Errors
    /// `no-dialog`, `bad-token`, `relay-refused`.
    pub(crate) fn locate(&self, message: &Message<'_>) -> Result<Located, No> {
        let line = message.request().ok_or_else(|| No::from(Reason::Malformed))?;
        let ours = line.target.scheme.is_sip() && own::is_own_host(&self.settings, &line.target);
        let in_uri = line.target.user.filter(|user| ours && user.starts_with(PREFIX));
        let own = self.routes_of_leg(message, in_uri.is_some_and(|user| user != BARE));
        let mut bad = false;
        let mut token = None;
        let entries = message.routes().take(own);
        let users = entries.filter_map(|route| Uri::parse(route.uri).ok()?.user);
        for user in in_uri.into_iter().chain(users).filter(|user| *user != BARE) {
            match Token::open(user, &self.settings.keys, message.call_id()) {
                Ok(read) => {
                    token = Some(read);
                    break;
                }
                Err(TokenError::Shape | TokenError::Unknown | TokenError::Mac) => bad = true,
            }
        }
        let from = message.from().tag().unwrap_or_default();
        let to = message.to().tag().unwrap_or_default();
        let leg = match token {
            Some(token) => self
                .table
                .leg_of(token.guid, token.leg)
                .filter(|key| self.is_of_dialog(*key, [from, to])),
            None => self.table.leg_of_dialog(message.call_id(), [from, to]),
        };
        if token.is_none() && leg.is_none() {
            let reason = if bad {
                Reason::BadToken
            } else if ours || own > 0 {
                Reason::NoDialog
            } else {
                Reason::RelayRefused
            };
            let relay = reason == Reason::RelayRefused;
            return Err(No::new(reason, if relay { line.uri } else { message.call_id() }));
        }
        let by_leg = |key| self.table.leg(key).map(|leg| leg.texts.get(Text::FromTag) == from);
        let caller = match token {
            Some(token) => token.from_caller(from),
            None => leg.and_then(by_leg).unwrap_or(false),
        };
        let side = if caller { Side::Caller } else { Side::Callee };
        Ok(Located { own, targetless: ours, token, leg, side })
    }

    /// How many topmost Route values are ours and of one leg: an entry with its token, or both
    /// halves of a double one, of which one is bare; and entries without user, which whoever uses
    /// us as its outbound proxy puts in front. Those behind belong to another leg of a call that
    /// passes through us again: it gets the request next. `token`: the Request-URI has it.
    fn routes_of_leg(&self, message: &Message<'_>, mut token: bool) -> usize {
        let mut bare = false;
        let of_leg = |route: &sip::header::NameAddr<'_>| {
            let half = match Uri::parse(route.uri).ok().and_then(|uri| uri.user) {
                None => return true,
                Some(BARE) => &mut bare,
                Some(_) => &mut token,
            };
            !std::mem::replace(half, true)
        };
        message.routes().take(self.own_routes(message)).take_while(of_leg).count()
    }

    /// Whether a request with these tags is of the dialog that the leg has become. All tries of a
    /// call carry its leg in their tokens; one that was answered late is another dialog.
    fn is_of_dialog(&self, key: usize, tags: [&str; 2]) -> bool {
        self.table.leg(key).is_some_and(|leg| {
            let (from, to) = (leg.texts.get(Text::FromTag), leg.texts.get(Text::ToTag));
            to.is_empty() || tags == [from, to] || tags == [to, from]
        })
    }
}
