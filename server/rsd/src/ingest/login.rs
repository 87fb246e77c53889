//! Who a producer is: a user with a password, the owner of a certificate, or nobody (rs.md §8).
//!
//! Passwords are checked elsewhere, slowly: the connection goes on meanwhile, and what has come
//! behind the login waits in its machine.

use std::sync::Arc;

use openwire::{Class, Secret};
use tokio::sync::oneshot;

use super::connection::Connection;
use super::roster::Identity;
use crate::users::{NotIn, Role, User, Verdict};

/// A login as it came.
pub(super) struct Login {
    pub(super) client: Option<String>,
    pub(super) connection: String,
}

/// One whose password is being checked.
pub(super) struct Deciding {
    login: Login,
    pub(super) verdict: oneshot::Receiver<Verdict>,
}

impl Deciding {
    /// Who it is; a checker that is gone lets nobody in.
    pub(super) async fn decided(this: &mut Option<Self>) -> Verdict {
        match this {
            Some(deciding) => (&mut deciding.verdict).await.unwrap_or(Err(NotIn::Busy)),
            None => std::future::pending().await,
        }
    }
}

impl Connection {
    /// A login has come.
    pub(super) fn login(&mut self, user: Option<String>, password: Option<Secret>, login: Login) {
        let named = user.filter(|user| !user.is_empty());
        let from = self.peer.ip();
        let Some(users) = &self.shared.settings.users else {
            return match self.shared.settings.anonymous {
                true => self.admit(named, &login),
                false => self.turn_away("this listener needs a user, and none is configured"),
            };
        };
        if let Some(name) = named {
            let password = password.unwrap_or_else(|| Secret::new(String::new()));
            let now = self.shared.parts.clock.mono();
            let verdict = users.login(from, &name, password, now);
            self.deciding = Some(Deciding { login, verdict });
            return;
        }
        let certificate = self.socket.certificate();
        let now = self.shared.parts.clock.mono();
        let certified = |certificate| users.certified(certificate, from, now);
        match certificate.and_then(certified) {
            Some(user) => self.admit_user(&user, &login),
            None if self.shared.settings.anonymous => self.admit(None, &login),
            None => self.turn_away("this listener needs a user name and a password"),
        }
    }

    /// The password has been checked.
    pub(super) fn decide(&mut self, verdict: Verdict) {
        let Some(Deciding { login, .. }) = self.deciding.take() else { return };
        match verdict {
            Ok(user) => self.admit_user(&user, &login),
            // no fault of the client's, which may come again: clients give up for a security error
            Err(NotIn::Busy) => {
                self.refuse_login(Class::ResourceAllocation, &NotIn::Busy.to_string())
            }
            Err(why) => self.turn_away(&why.to_string()),
        }
    }

    fn admit_user(&mut self, user: &Arc<User>, login: &Login) {
        if user.roles.have(Role::Producer) {
            self.produces.clone_from(&user.produces);
            return self.admit(Some(user.name.clone()), login);
        }
        let role = Role::Producer.as_str();
        self.turn_away(&format!("user {} may not send records: the role is {role}", user.name));
    }

    fn admit(&mut self, user: Option<String>, login: &Login) {
        let now = self.shared.parts.clock.mono();
        let Login { client, connection } = login;
        let client = client.as_deref();
        let member = Arc::clone(&self.member);
        match self.shared.registry.enter(connection, client, member, now) {
            Ok(place) => {
                self.place = Some(place);
                let identity = Identity { user: user.clone(), client: login.client.clone() };
                self.member.logged_in(identity);
                self.user = user;
                self.log(32001, client.unwrap_or(connection));
                self.wire.accept_login();
            }
            Err(_taken) => {
                let text = "another connection has this client id";
                self.refuse_login(Class::InvalidClientId, text);
            }
        }
    }

    fn turn_away(&mut self, text: &str) {
        self.refuse_login(Class::Security, text);
    }

    fn refuse_login(&mut self, class: Class, text: &str) {
        self.shared.parts.counters.login_failed();
        self.wire.refuse_login(class, text);
    }
}
