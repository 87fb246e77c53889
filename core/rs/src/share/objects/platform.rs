//! What the configuration says of objects: their names become their DBIDs (rs.md §3.2, Identity),
//! whether or not records have told of them.

use std::collections::{BTreeMap, BTreeSet};

use model::config::ApplicationType;
use model::id::Dbid;
use model::record::ComponentType;
use model::snapshot::Snapshot;

use super::{Mention, ObjectKind, SYNTHETIC};
use crate::rollup::Aliases;

/// All objects of a snapshot, as if records had named them. A name that several objects of a kind
/// have is left out: it says nothing of which of them a record means.
#[must_use]
pub fn platform(snapshot: &Snapshot) -> BTreeSet<Mention> {
    let mut all = Vec::new();
    for (ix, tenant) in snapshot.tenants() {
        let parent = tenant.parent.map(|parent| snapshot.tenant(parent).dbid);
        let path = snapshot.path(ix).iter().map(|ix| snapshot.tenant(*ix).name.clone()).collect();
        let named = named(ObjectKind::Tenant, tenant.dbid, &tenant.name);
        all.push(Mention { path, parent: parent.map(|dbid| (Some(dbid.0), None)), ..named });
    }
    for (_, profile) in snapshot.profiles() {
        let owner = Some((Some(snapshot.tenant(profile.tenant).dbid.0), None));
        let detail = Some(profile.service as u8);
        let named = named(ObjectKind::Profile, profile.dbid, &profile.name);
        all.push(Mention { detail, parent: owner, ..named });
    }
    for (_, resource) in snapshot.resources() {
        all.push(named(ObjectKind::Component, resource.dbid, &resource.name));
    }
    for application in snapshot.applications() {
        let detail = match application.kind {
            ApplicationType::ResourceManager => Some(ComponentType::Rm.number()),
            ApplicationType::MediaServer => Some(ComponentType::Mcp.number()),
            _ => None,
        };
        // what reports call it is the number that it has in its group
        let resource = snapshot.resource_by_name(&application.name);
        let alias_of = resource.map(|ix| snapshot.resource(ix).dbid.0);
        let named = named(ObjectKind::Component, application.dbid, &application.name);
        all.push(Mention { detail, alias_of, ..named });
    }
    let mut names: BTreeMap<(ObjectKind, Option<String>), usize> = BTreeMap::new();
    for mention in all.iter().filter(|mention| mention.alias_of.is_none()) {
        *names.entry((mention.kind, mention.name.clone())).or_default() += 1;
    }
    let is_one = |mention: &Mention| names.get(&(mention.kind, mention.name.clone())) == Some(&1);
    all.into_iter().filter(is_one).collect()
}

/// What a database with these aliases is to learn of a configuration: its objects, and which
/// objects with a DBID are no longer another one. A synthetic id is another's for ever.
#[must_use]
pub fn news(aliases: &Aliases, platform: &BTreeSet<Mention>) -> BTreeSet<Mention> {
    let key = |mention: &Mention| Some((mention.kind, mention.dbid?, mention.alias_of?));
    let there: BTreeSet<_> = platform.iter().filter_map(key).collect();
    let ended = aliases.rows().filter_map(|(kind, id, of)| {
        let id = u32::try_from(id).ok().filter(|id| i64::from(*id) < SYNTHETIC)?;
        let stays = u32::try_from(of).is_ok_and(|of| there.contains(&(kind, id, of)));
        let plain = Mention::plain(kind, Some(id), None);
        (!stays).then_some(Mention { alias_ends: true, ..plain })
    });
    platform.iter().cloned().chain(ended).collect()
}

fn named(kind: ObjectKind, dbid: Dbid, name: &str) -> Mention {
    Mention::plain(kind, Some(dbid.0), Some(name.to_owned()))
}
