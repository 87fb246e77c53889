//! Who takes which place: the sets of every resource and of its conferences against the legs, hunts
//! and watched tries that live. Each of them is where it belongs, and nobody else is anywhere, so
//! the load of a resource is the number of what lives on it.

use crate::forward::Hunt;
use crate::pool::{Member, Occupant, Pick};
use crate::proxy::Proxy;
use crate::session::State;

impl Proxy {
    /// The first that is not where it belongs.
    pub(super) fn places_agree(&self) -> Result<(), &'static str> {
        self.all_have_their_places()?;
        let mut trying = 0;
        let mut instances = 0;
        for (key, member) in self.pool.members() {
            for occupant in member.occupants.iter() {
                if member.others.contains(occupant) {
                    return Err("a leg that takes a place and takes none");
                }
            }
            for occupant in member.occupants.iter().chain(member.others.iter()) {
                trying += usize::from(self.belongs_on(occupant, key, member)?);
            }
            instances += member.instances.len();
        }
        // every hunt has its leg where its try is (above), but for a host outside: what is more has
        // no try
        let is_inside = |hunt: &Hunt| {
            hunt.current.as_ref().is_none_or(|current| current.member != Pick::OUTSIDE.member)
        };
        if trying != self.hunts.iter().filter(|(_, hunt)| is_inside(hunt)).count() {
            return Err("a place of a leg that is not tried there");
        }
        if instances != self.pool.conferences.len() {
            return Err("a resource keeps places for a conference that is not there");
        }
        Ok(())
    }

    /// Whoever lives is on its resource.
    fn all_have_their_places(&self) -> Result<(), &'static str> {
        let is_on = |key, occupant| self.pool.get(key).is_some_and(|one| one.carries(occupant));
        for leg_key in self.table.walk(None).flat_map(|(_, session)| &session.legs) {
            let Some(leg) = self.table.leg(*leg_key).filter(|leg| leg.state >= State::Up) else {
                continue;
            };
            let member = leg.resource.as_ref().and_then(|one| self.pool.key_of(one.dbid));
            let held = member.is_none_or(|key| is_on(key, Occupant::Leg(*leg_key)));
            // a resource that has come gets its legs back slice by slice
            if !held && self.returns.is_none() {
                return Err("a leg is not on its resource");
            }
        }
        for (_, hunt) in &self.hunts {
            let Some(current) = &hunt.current else { return Err("a hunt without a try") };
            let outside = current.member == Pick::OUTSIDE.member;
            if !outside && !is_on(current.member, Occupant::Leg(hunt.leg)) {
                return Err("a leg is not where it is tried");
            }
        }
        for (_, watch) in &self.watches {
            let Some((member, number)) = watch.place() else { continue };
            if member != Pick::OUTSIDE.member && !is_on(member, Occupant::Watch(number)) {
                return Err("a watched try has lost its place");
            }
        }
        for (number, instance) in self.pool.conferences.iter() {
            let Some(member) = self.pool.get(instance.member) else {
                return Err("a conference on a resource that is not there");
            };
            if member.instances.get(&number) != Some(&instance.unused()) {
                return Err("a conference with other reserved places than its resource keeps");
            }
            if instance.legs.iter().any(|leg| !member.carries(Occupant::Leg(*leg))) {
                return Err("a leg of a conference is not on its resource");
            }
        }
        Ok(())
    }

    /// Whether an occupant of a resource is a leg that is still tried.
    ///
    /// # Errors
    /// It is somewhere else, or nowhere.
    fn belongs_on(
        &self,
        occupant: Occupant,
        key: usize,
        member: &Member,
    ) -> Result<bool, &'static str> {
        match occupant {
            Occupant::Leg(leg) => {
                let leg = self.table.leg(leg).ok_or("a place that nobody takes")?;
                let own = leg.resource.as_ref().is_some_and(|one| one.dbid == member.names.dbid);
                if own { Ok(leg.state < State::Up) } else { Err("a leg on a resource of others") }
            }
            Occupant::Watch(number) => {
                let watch = self.watched.get(&number).and_then(|watch| self.watches.get(*watch));
                let watch = watch.ok_or("a place that nobody takes")?;
                if watch.place() == Some((key, number)) {
                    Ok(false)
                } else {
                    Err("a watched try on a resource of others")
                }
            }
        }
    }
}
