//! What is accepted and does nothing, or something else than it looks like (W405, W406). It blocks
//! nothing: what an import brings along may stay.

use crate::config::read::{Drafts, GroupDraft, ProfileDraft, ResourceDraft};
use crate::config::{Scheme, Service};
use crate::did::normalise;
use crate::schema::{Place, Placed, Problems};

pub(crate) fn warn(drafts: &Drafts, warnings: &Problems) {
    drafts.profiles.iter().for_each(|profile| of_profile(profile, warnings));
    drafts.groups.iter().for_each(|group| of_group(group, warnings));
    for group in drafts.did_groups.iter() {
        let Some(Placed { value: text, place }) = &group.doubtful else { continue };
        let (name, number) = (&group.head.name.value, normalise(text));
        let text = format!("DID \"{text}\" of group \"{name}\" is the one number {number}");
        let text = format!("{text}; a range has one hyphen, between numbers without any");
        warnings.note(place.problem("W406", text));
    }
}

fn of_profile(profile: &ProfileDraft, warnings: &Problems) {
    let own = profile.service.value;
    for Placed { value: (field, service), place } in &profile.only_with {
        if *service != own {
            let why = format!("with service {own}; it is for service {service}");
            note(place, field, &why, warnings);
        }
    }
}

fn of_group(group: &GroupDraft, warnings: &Problems) {
    let rooms = [Service::Conference, Service::Msml];
    let has_rooms = group.services.iter().any(|service| rooms.contains(service));
    let weighs = matches!(group.scheme, Scheme::Weighted | Scheme::Hash(_));
    let no_rooms = |size: &Option<Placed<u32>>, count: &Option<Placed<u32>>| {
        let fields = [("confmaxsize", size), ("confmaxcount", count)];
        let given = fields.into_iter().filter_map(|(name, field)| Some((name, field.as_ref()?)));
        for (name, field) in given.filter(|_| !has_rooms) {
            let why = "in a group without service conference or msml";
            note(&field.place, name, why, warnings);
        }
    };
    no_rooms(&group.conference_size, &group.conference_count);
    for resource in &group.resources {
        let ResourceDraft { conference_size, conference_count, weight, .. } = resource;
        no_rooms(conference_size, conference_count);
        if let Some(weight) = weight.as_ref().filter(|_| !weighs) {
            let why =
                format!("with scheme {}; weighted and hash have weights", group.scheme.as_str());
            note(&weight.place, "weight", &why, warnings);
        }
    }
}

fn note(place: &Place, field: &str, why: &str, warnings: &Problems) {
    warnings.note(place.problem("W405", format!("\"{field}\" has no effect {why}")));
}
