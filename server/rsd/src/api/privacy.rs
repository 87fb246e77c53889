//! Who sees numbers whole (rs.md §8): whatever shows calls goes through here.

use config::settings::Mask;
use rs::privacy::{masked_json, masked_text};
use rs::report::Call;
use rs::{Filter, Refused};

use super::Shared;
use super::access::Asker;
use crate::store::Leg;
use crate::users::Role;

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

    /// Refuses to search for parts of numbers that are hidden.
    pub(super) fn allow(&self, asker: &Asker, filter: &Filter) -> Result<(), Refused> {
        if !filter.asks_for_parts() || !self.hides(asker) {
            return Ok(());
        }
        let text = "numbers are hidden here: only whole numbers and URIs can be searched for";
        Err(Refused::other(403, "numbers-hidden", text))
    }
}

/// What hangs on a call; the call itself is apart.
fn mask(leg: &mut Leg) {
    for json in [&mut leg.extra, &mut leg.trace].into_iter().flatten() {
        *json = masked_json(json);
    }
    for event in &mut leg.events {
        hide([&mut event.text, &mut event.label].into_iter().flatten());
    }
    if let Some(call) = &mut leg.var.call {
        hide([&mut call.reason, &mut call.notes].into_iter().flatten());
    }
    for action in &mut leg.var.actions {
        let texts = [&mut action.reason, &mut action.notes].into_iter().flatten();
        hide(texts.chain([&mut action.action]));
    }
    hide(leg.var.custom.iter_mut().map(|row| &mut row.value));
}

/// Texts without the middle digits of numbers.
pub(super) fn hide<'t>(texts: impl Iterator<Item = &'t mut String>) {
    texts.for_each(|text| *text = masked_text(text));
}
