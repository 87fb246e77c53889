//! Who sees numbers whole (rs.md §8): whatever shows calls goes through here.

use config::settings::Mask;
use net::failures::Failures;
use rs::privacy::{masked_json, masked_text};
use rs::report::Call;
use rs::{Filter, Refused};

use super::access::Asker;
use super::{Parts, Shared};
use crate::store::Leg;
use crate::users::Role;

/// Searches for numbers by user, or by address where there is none: each tells one who sees no
/// number whether a guess was right.
pub(super) type Searches = Failures<String>;

impl Shared {
    /// Whether numbers are hidden from this one.
    pub(super) fn hides(&self, asker: &Asker) -> bool {
        match self.parts.settings.mask {
            Mask::None => false,
            Mask::Reporter => !asker.is(Role::Admin),
            Mask::All => true,
        }
    }

    /// Calls as this one may see them, with the names that their objects have now.
    pub(super) fn show<'c>(&self, asker: &Asker, calls: impl IntoIterator<Item = &'c mut Call>) {
        let mut calls: Vec<&mut Call> = calls.into_iter().collect();
        if self.hides(asker) {
            calls.iter_mut().for_each(|call| call.mask());
        }
        self.parts.known.name(calls);
    }

    /// The same of legs with all that hangs on them.
    pub(super) fn show_legs(&self, asker: &Asker, legs: &mut [Leg]) {
        if self.hides(asker) {
            legs.iter_mut().for_each(mask);
        }
        self.show(asker, legs.iter_mut().map(|leg| &mut leg.call));
    }

    /// Refuses to search for parts of numbers that are hidden, or for several at once.
    pub(super) fn allow(&self, asker: &Asker, filter: &Filter) -> Result<(), Refused> {
        if self.hides(asker) && (filter.asks_for_parts() || filter.numbers_asked() > 1) {
            return Err(hidden());
        }
        Ok(())
    }

    /// Counts a search for so many whole numbers, of which one may be searched for at a time; and
    /// refuses it to whoever has tried many.
    pub(super) fn count_search(&self, asker: &Asker, numbers: usize) -> Result<(), Refused> {
        if numbers == 0 || !self.hides(asker) {
            return Ok(());
        }
        if numbers > 1 {
            return Err(hidden());
        }
        let peer = asker.address.ip().to_string();
        let who = asker.user.as_ref().unwrap_or(&peer);
        let Parts { clock, log, .. } = &self.parts;
        self.searches.note(who.clone(), clock.mono()).map_err(|seconds| {
            log.emit(36007, None, &[("user", who), ("peer", &peer)]);
            let text =
                format!("numbers are hidden here, and many were tried: again in {seconds} s");
            Refused::other(429, "rate-limit", text)
        })
    }
}

fn hidden() -> Refused {
    let text = "numbers are hidden here: one whole number or URI can be searched for at a time";
    Refused::other(403, "numbers-hidden", text)
}

/// What hangs on a call; the call itself is apart.
fn mask(leg: &mut Leg) {
    for json in [&mut leg.extra, &mut leg.trace].into_iter().flatten() {
        *json = masked_json(json);
    }
    for event in &mut leg.events.first {
        event.extra = event.extra.as_deref().map(masked_json);
        hide([&mut event.text, &mut event.label].into_iter().flatten());
    }
    if let Some(call) = &mut leg.var.call {
        hide([&mut call.reason, &mut call.notes].into_iter().flatten());
    }
    for action in &mut leg.var.actions {
        let texts = [&mut action.reason, &mut action.notes].into_iter().flatten();
        hide(texts.chain([&mut action.action]));
    }
    hide(leg.var.custom.iter_mut().flat_map(|row| [&mut row.name, &mut row.value]));
}

/// Texts without the middle digits of numbers.
pub(super) fn hide<'t>(texts: impl Iterator<Item = &'t mut String>) {
    texts.for_each(|text| *text = masked_text(text));
}
