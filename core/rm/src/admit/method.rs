//! The table of methods outside dialogs (rm.md §1.5).

use sip::method::Method;

use super::{Request, Way, own};
use crate::proxy::Proxy;
use crate::reject::{No, Reason};

/// All methods that are served, in the order of the Allow header.
const SERVED: [&str; 10] =
    ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO", "PRACK", "NOTIFY", "MESSAGE"];

impl Proxy {
    /// Counts a request by its method, outside dialogs and inside.
    pub(crate) fn count_request(&mut self, request: &Request<'_, '_>, monitor: bool) {
        let method = match request.method() {
            Method::Invite => "INVITE",
            Method::Ack => "ACK",
            Method::Bye => "BYE",
            Method::Cancel => "CANCEL",
            Method::Options => "OPTIONS",
            Method::Register => "REGISTER",
            Method::Update => "UPDATE",
            Method::Info => "INFO",
            Method::Prack => "PRACK",
            Method::Subscribe => "SUBSCRIBE",
            Method::Notify => "NOTIFY",
            Method::Refer => "REFER",
            Method::Message => "MESSAGE",
            Method::Publish => "PUBLISH",
            Method::Other(_) => "other",
        };
        let stack = if monitor { "monitor" } else { "proxy" };
        *self.counters.requests.entry((stack, method)).or_default() += 1;
    }
}

/// Which way a request without To tag goes.
///
/// # Errors
/// Refused methods, and those that need a dialog.
pub(crate) fn way(proxy: &Proxy, request: &Request<'_, '_>) -> Result<Way, No> {
    let method = request.method();
    let name = method.as_str();
    match method {
        Method::Invite => Ok(Way::Call),
        Method::Options if is_to_rm(proxy, request) => Ok(Way::Answer),
        Method::Register | Method::Subscribe => Err(No::new(Reason::Method, name)),
        Method::Bye | Method::Notify | Method::Info | Method::Update | Method::Prack => {
            Err(Reason::NoDialog.into())
        }
        _ if proxy.options.refused_methods.iter().any(|refused| refused == name) => {
            Err(No::new(Reason::Method, name))
        }
        _ => Ok(Way::Single),
    }
}

/// Appends the value of an Allow header: what is served less what is refused.
pub(crate) fn allowed(refused: &[String], out: &mut String) {
    let served = SERVED.iter().filter(|name| !refused.iter().any(|one| one == **name));
    for (number, name) in served.enumerate() {
        out.push_str(if number == 0 { "" } else { ", " });
        out.push_str(name);
    }
}

/// No user, or user `rm`, at our host.
fn is_to_rm(proxy: &Proxy, request: &Request<'_, '_>) -> bool {
    request.message.request().is_some_and(|line| {
        line.target.scheme.is_sip()
            && line.target.user.is_none_or(|user| user.eq_ignore_ascii_case("rm"))
            && own::is_own_host(&proxy.settings, &line.target)
    })
}
