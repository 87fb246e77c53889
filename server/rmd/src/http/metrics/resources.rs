//! Resources and their groups as metrics, with what was tried there.

use super::series::{Label, Series};
use super::{Bound, float, nested, size};
use crate::figures::Figures;
use Label::{Name, Word};
use model::config::Source;
use rm::ResourceView;
use std::collections::BTreeMap;
use telemetry::names;
use telemetry::prometheus::{Exposition, Kind};

/// States of a resource that have a series each (rm.md §7.1).
const STATES: [&str; 7] =
    ["unknown", "healthy", "full", "quarantined", "dead", "draining", "disabled"];

pub(super) fn families(out: &mut Exposition, figures: &Figures, bound: &Bound<'_>) {
    let mut all: Vec<&ResourceView> = figures.resources.iter().collect();
    all.sort_by_key(|resource| resource.dbid);
    resources(out, &all, bound.most);
    under_gvps_names(out, &all, bound.most);
    groups(out, &all, bound);
    tries(out, figures, &all, bound);
}

fn resources(out: &mut Exposition, resources: &[&ResourceView], most: usize) {
    out.family(names::RM_RESOURCE_STATE, Kind::Gauge, "1 for the state that a resource is in");
    let mut series = Series::new(&[Name("group"), Name("resource"), Word("state")]);
    for resource in resources {
        for state in STATES {
            let values = [(&*resource.group).into(), (&*resource.name).into(), state.into()];
            series.push(values, f64::from(u8::from(resource.state == state)));
        }
    }
    series.write(out, most);
    let mut each = |name, help, value: &dyn Fn(&ResourceView) -> f64| {
        out.family(name, Kind::Gauge, help);
        let mut series = Series::new(&[Name("group"), Name("resource")]);
        for resource in resources {
            let values = [(&*resource.group).into(), (&*resource.name).into()];
            series.push(values, value(resource));
        }
        series.write(out, most);
    };
    each(names::RM_RESOURCE_USED, "legs and watched tries", &|one| size(one.used));
    each(names::RM_RESOURCE_CAPACITY, "places; -1 = unlimited", &|one| {
        one.capacity.map_or(-1.0, f64::from)
    });
}

fn under_gvps_names(out: &mut Exposition, resources: &[&ResourceView], most: usize) {
    let mut each = |name, kind, help, value: &dyn Fn(&ResourceView) -> f64| {
        out.family(name, kind, help);
        let mut series = Series::new(&[Name("rmPRName")]);
        for resource in resources {
            series.push([(&*resource.name).into()], value(resource));
        }
        series.write(out, most);
    };
    each(names::RM_PR_NAME, Kind::Gauge, "a resource, always 1", &|_| 1.0);
    each(names::RM_PR_ACTIVE_CALLS, Kind::Gauge, "legs on a resource", &|one| size(one.used));
    let help = "legs placed on a resource";
    each(names::RM_PR_TOTAL_CALLS, Kind::Counter, help, &|one| float(one.total));
    out.family(names::RM_PR_STATUS, Kind::Gauge, "a resource's state, always 1");
    let mut series = Series::new(&[Name("rmPRName"), Word("rmPRStatus")]);
    for resource in resources {
        series.push([(&*resource.name).into(), pr_status(resource.state).into()], 1.0);
    }
    series.write(out, most);
}

/// The word of GVP's MIB for a state (rm.md §7.1).
fn pr_status(state: &str) -> &'static str {
    if matches!(state, "healthy" | "full") { "AVAILABLE" } else { "UNAVAILABLE" }
}

/// What the resources of a group are together.
#[derive(Default)]
struct Group {
    /// By state and source.
    states: BTreeMap<(&'static str, &'static str), usize>,
    /// None: one of them is without bound.
    capacity: Option<u64>,
    used: usize,
}

fn groups(out: &mut Exposition, resources: &[&ResourceView], bound: &Bound<'_>) {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for resource in resources {
        let first = || Group { capacity: Some(0), ..Group::default() };
        let group = groups.entry(&resource.group).or_insert_with(first);
        *group.states.entry((resource.state, resource.source)).or_default() += 1;
        let both = group.capacity.zip(resource.capacity);
        group.capacity = both.map(|(sum, own)| sum.saturating_add(u64::from(own)));
        group.used += resource.used;
    }
    let mut groups: Vec<(&str, Group)> = groups.into_iter().collect();
    groups.sort_by_key(|(name, _)| bound.group(name));
    out.family(names::RM_GROUP_RESOURCES, Kind::Gauge, "resources of a group in a state");
    let mut series = Series::new(&[Name("group"), Word("state"), Word("source")]);
    for (group, own) in &groups {
        for state in STATES {
            for source in Source::ALL.map(Source::as_str) {
                let count = own.states.get(&(state, source)).copied().unwrap_or_default();
                series.push([(*group).into(), state.into(), source.into()], size(count));
            }
        }
    }
    series.write(out, bound.most);
    let mut each = |name, help, value: &dyn Fn(&Group) -> f64| {
        out.family(name, Kind::Gauge, help);
        let mut series = Series::new(&[Name("group")]);
        groups.iter().for_each(|(group, own)| series.push([(*group).into()], value(own)));
        series.write(out, bound.most);
    };
    each(names::RM_GROUP_CAPACITY, "places of a group; -1 = unlimited", &|own| {
        own.capacity.map_or(-1.0, float)
    });
    each(names::RM_GROUP_USED, "legs and watched tries of a group", &|own| size(own.used));
}

fn tries(out: &mut Exposition, figures: &Figures, all: &[&ResourceView], bound: &Bound<'_>) {
    let counters = &figures.counters;
    let mut tried: Vec<_> = counters
        .tries
        .iter()
        .flat_map(|(group, resources)| {
            resources.iter().map(move |(name, outcomes)| (group.as_str(), name.as_str(), outcomes))
        })
        .collect();
    let dbids: BTreeMap<_, _> =
        all.iter().map(|one| ((&*one.group, &*one.name), one.dbid)).collect();
    // who is no longer configured comes last
    tried.sort_by_key(|(group, name, _)| dbids.get(&(*group, *name)).copied().unwrap_or(u32::MAX));
    out.family(names::RM_RESOURCE_TRIES_TOTAL, Kind::Counter, "tries, by outcome");
    let mut series = Series::new(&[Name("group"), Name("resource"), Word("outcome")]);
    for (group, resource, outcomes) in tried {
        for (outcome, count) in outcomes {
            series.push([group.into(), resource.into(), (*outcome).into()], float(*count));
        }
    }
    series.write(out, bound.most);
    let of_group = |name: &str| bound.group(name);
    let series = nested(&[Name("group"), Word("reason")], &counters.failovers, of_group);
    out.family(names::RM_FAILOVERS_TOTAL, Kind::Counter, "next resource tried");
    series.write(out, bound.most);
    let series = nested(&[Name("group"), Word("code")], &counters.late_answers, of_group);
    out.family(names::RM_LATE_ANSWERS_TOTAL, Kind::Counter, "answers to tries given up");
    series.write(out, bound.most);
    let mut exhausted: Vec<_> = counters.exhausted.iter().collect();
    exhausted.sort_by_key(|(group, _)| bound.group(group));
    out.family(names::RM_GROUP_EXHAUSTED_TOTAL, Kind::Counter, "requests that found no resource");
    let mut series = Series::new(&[Name("group")]);
    exhausted
        .iter()
        .for_each(|(group, count)| series.push([group.as_str().into()], float(**count)));
    series.write(out, bound.most);
}

#[cfg(test)]
mod tests {
    use super::{STATES, pr_status};

    /// The last column of the table of what states mean.
    #[test]
    fn the_word_of_each_state_is_that_of_the_table() {
        let table = include_str!("../../../../../core/rm/tests/it/testdata/shown.txt");
        let rows = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut told = 0;
        for row in rows {
            let words: Vec<&str> = row.split_whitespace().collect();
            let (state, word) = (words[0], words[2]);
            assert!(STATES.contains(&state), "{state}");
            assert_eq!(pr_status(state), word, "{state}");
            told += 1;
        }
        assert_eq!(told, STATES.len());
    }
}
