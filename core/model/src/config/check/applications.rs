//! References between applications: templates and connections (ops.md §1.2).

use std::iter::successors;

use super::Links;
use super::references::ENVIRONMENT;
use crate::config::Options;
use crate::config::read::Drafts;
use crate::map::Map;
use crate::schema::{Placed, Problems};

/// E201, E202 and E209; a template that does not do is none.
pub(crate) fn check(drafts: &Drafts, links: &mut Links, problems: &Problems) {
    let mut known: Map<&str, usize> = Map::new(0);
    for (at, draft) in drafts.applications.iter().enumerate() {
        known.get_or_insert_with(draft.head.name.value.as_str(), || at);
    }
    let find = |name: &Placed<String>| {
        let found = known.get(name.value.as_str()).copied();
        if found.is_none() {
            let name_text = &name.value;
            let text = format!("Application \"{name_text}\" of tenant \"{ENVIRONMENT}\"");
            problems.note(name.place.problem("E201", format!("{text} does not exist")));
        }
        found
    };
    links.templates = Vec::with_capacity(drafts.applications.len());
    for draft in drafts.applications.iter() {
        draft.connections.iter().for_each(|name| {
            find(name);
        });
        let template = draft.template.as_ref().and_then(|name| Some((name, find(name)?)));
        let fits = template.filter(|(name, at)| {
            let kind = drafts.applications.get(*at).map(|template| template.kind);
            let same = kind == Some(draft.kind);
            if let (false, Some(kind)) = (same, kind) {
                let (own, other) = (draft.kind.as_str(), kind.as_str());
                let text = format!("template \"{}\" is of type {other}, not {own}", name.value);
                problems.note(name.place.problem("E209", text));
            }
            same
        });
        links.templates.push(fits.map(|(_, at)| at));
    }
    cycles(drafts, links, problems);
}

/// E202; every application of a cycle is named, and loses its template so that walks end.
fn cycles(drafts: &Drafts, links: &mut Links, problems: &Problems) {
    for at in super::cycles::members(&links.templates) {
        if let Some(draft) = drafts.applications.get(at) {
            let place = draft.template.as_ref().map_or(&draft.head.name.place, |t| &t.place);
            let name = &draft.head.name.value;
            let text = format!("application \"{name}\": template chain forms a cycle");
            problems.note(place.problem("E202", text));
        }
        if let Some(template) = links.templates.get_mut(at) {
            *template = None;
        }
    }
}

/// An application and the templates above it, nearest first.
pub(crate) fn chain(links: &Links, application: usize) -> impl Iterator<Item = usize> {
    successors(Some(application), |at| links.templates.get(*at).copied().flatten())
}

/// What an application says over what its templates do.
pub(crate) fn options(drafts: &Drafts, links: &Links, application: usize) -> Options {
    let mut options = Options::default();
    let chain: Vec<usize> = chain(links, application).collect();
    for at in chain.into_iter().rev() {
        let own = drafts.applications.get(at).into_iter().flat_map(|draft| &draft.options);
        own.for_each(|written| written.lay_over(&mut options));
    }
    options
}
