//! A called party that is a stateless proxy for some calls (RFC 3261 §16.11): it changes the number
//! and sends them back to the Resource Manager that brought them, which they pass a second time. It
//! stays out of the route, so all that follows in the dialog passes both legs without it.

use std::time::Duration;

use super::text::{all, header, is_first, method, sent_by, sent_over};
use super::{Agent, Seen, flow};

/// Who calls this number comes back.
pub const TURNED: &str = "1188";
/// How the branches of such a proxy begin.
const BRANCH: &str = "z9hG4bKturn";

impl Agent {
    /// Passes a message on, if it is one of a call that turns here; else it is its own.
    pub(super) fn passes_on(&mut self, now: Duration, text: &str) -> bool {
        let via = header(text, "Via");
        if text.starts_with("SIP/2.0 ") {
            return via.contains(BRANCH) && self.passes_back(text);
        }
        let branch = branch(via).to_owned();
        if !self.turned.contains(&branch) {
            let begins = self.turns && method(text) == "INVITE" && is_first(text);
            let to = header(text, "To").contains(&format!("<sip:{TURNED}@"));
            if !begins || !to || all(text, "Via").any(|via| via.contains(BRANCH)) {
                return false;
            }
            self.note(now, header(text, "Call-ID"), Seen::Turned);
            self.turned.insert(branch.clone());
        }
        let Some(back) = sent_by(text) else { return false };
        let (address, method, over) = (self.address, method(text), sent_over(text));
        let (_, rest) = text.split_once("\r\n").unwrap_or_default();
        let hops = header(text, "Max-Forwards");
        let fewer = hops.parse::<u8>().unwrap_or(1).saturating_sub(1);
        let rest = rest.replacen(
            &format!("Max-Forwards: {hops}\r\n"),
            &format!("Max-Forwards: {fewer}\r\n"),
            1,
        );
        let passed = format!(
            "{method} sip:dialog@{back} SIP/2.0\r\nVia: SIP/2.0/{over} {address};\
             branch={BRANCH}{branch}\r\n{rest}"
        );
        self.passed.push_back((flow(over, back), passed.into_bytes()));
        true
    }

    /// An answer, without its own Via.
    fn passes_back(&mut self, text: &str) -> bool {
        let Some((head, tail)) = text.split_once("Via: ") else { return false };
        let (_, rest) = tail.split_once("\r\n").unwrap_or_default();
        let passed = format!("{head}{rest}");
        let Some(to) = sent_by(&passed) else { return false };
        self.passed.push_back((flow(sent_over(&passed), to), passed.into_bytes()));
        true
    }
}

/// What makes a branch different from others.
fn branch(via: &str) -> &str {
    let rest = via.split(";branch=").nth(1).unwrap_or_default();
    let whole = rest.split(';').next().unwrap_or_default();
    whole.strip_prefix("z9hG4bK").unwrap_or(whole)
}
