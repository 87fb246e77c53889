//! Facts as figures take them: read, their names learned, their objects under the ids that these
//! have now, and with what is known of their numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::alias::Aliases;
use super::five::{Facts, Numbers, numbers};
use super::state::State;
use super::stored::Question;
use super::tables::Tables;
use super::work::Rules;
use crate::share::Objects;

/// The facts that a question asks for. `room`: whether numbers that are not known may get figures.
pub(super) fn read<T: Tables + ?Sized>(
    (tables, objects): (&T, &mut Objects),
    (rules, state, aliases): (&Rules<'_>, &State, &Aliases),
    question: &Question,
    room: bool,
) -> Result<Facts, T::Error> {
    let stored = tables.facts(question)?;
    let unknown = objects.unknown(&stored.mentions());
    if !unknown.is_empty() {
        tables.learn(objects, &unknown, rules.now_ms)?;
    }
    let mut facts = stored.facts(objects, aliases);
    let asked = numbers(&facts);
    if !asked.is_empty() {
        let of_day = |(day, (known, all)): (_, (BTreeSet<i64>, usize))| {
            let open = room && !state.is_full(day);
            let room = if open { rules.numbers.saturating_sub(all) } else { 0 };
            (day, Numbers { known, room })
        };
        facts.numbers = tables.numbers(&asked)?.into_iter().map(of_day).collect::<BTreeMap<_, _>>();
    }
    Ok(facts)
}
