//! A state with media servers that were found, joined to those that the configuration lists.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Snapshot;
use super::view::{Names, ResourceNames};
use crate::config::{Admin, Group, GroupIx, Resource, ResourceAddress, ResourceIx, Source};
use crate::id::{Dbid, dbid_of_resource};
use crate::map::Map;

/// A media server that was found for a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The group.
    pub group: GroupIx,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: ResourceAddress,
    /// How many calls it takes.
    pub capacity: Option<u32>,
    /// It is found no longer, and keeps its place only while it has calls.
    pub gone: bool,
}

/// One that could not be joined.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// The group that it was found for.
    pub group: String,
    /// What it would have to share: its name, address or number.
    pub what: &'static str,
    /// The resource that has it.
    pub holder: String,
    /// The group of that one.
    pub holder_group: String,
}

/// Names without case, and addresses, with the resources that have them.
#[derive(Default)]
struct Taken {
    names: BTreeMap<String, ResourceIx>,
    places: BTreeMap<SocketAddr, ResourceIx>,
}

impl Snapshot {
    /// The same state with `found` in its groups, in their order. A resource that its group lists
    /// under the name of a found one is at the address of that, and everything else as it is
    /// written. What has name, address or number of another one is left out.
    #[must_use]
    pub fn joined(&self, found: &[Found]) -> (Self, Vec<LeftOut>) {
        let mut joined = Joining {
            base: self,
            groups: self.groups.to_vec(),
            resources: self.resources.to_vec(),
            dbids: Map::new(0),
        };
        let mut left = Vec::new();
        let mut taken = Taken::default();
        for (ix, resource) in self.resources() {
            taken.names.insert(resource.name.to_lowercase(), ix);
            taken.places.extend(resource.address.addr().map(|at| (at, ix)));
        }
        for one in found {
            if let Err((what, holder)) = joined.join(one, &mut taken) {
                left.extend(joined.left_out(one, what, holder));
            }
        }
        let Joining { groups, resources, .. } = joined;
        let names =
            Names { resources: Arc::new(ResourceNames::of(&resources)), ..self.names.clone() };
        let (groups, resources) = (groups.into(), resources.into());
        (Self { groups, resources, names, ..self.clone() }, left)
    }
}

/// Groups and resources on their way into a new state.
struct Joining<'s> {
    base: &'s Snapshot,
    groups: Vec<Arc<Group>>,
    resources: Vec<Arc<Resource>>,
    /// Of those that were joined.
    dbids: Map<Dbid, ResourceIx>,
}

impl Joining<'_> {
    fn left_out(&self, one: &Found, what: &'static str, holder: ResourceIx) -> Option<LeftOut> {
        let holder = self.resources.get(holder.index())?;
        Some(LeftOut {
            name: one.name.clone(),
            group: self.groups.get(one.group.index())?.name.clone(),
            what,
            holder: holder.name.clone(),
            holder_group: self.groups.get(holder.group.index())?.name.clone(),
        })
    }

    fn join(&mut self, one: &Found, taken: &mut Taken) -> Result<(), (&'static str, ResourceIx)> {
        let at = one.address.addr();
        let folded = one.name.to_lowercase();
        let same = taken.names.get(&folded).copied();
        let others = |ix: &ResourceIx| Some(*ix) != same;
        if let Some(holder) = at.and_then(|at| taken.places.get(&at)).copied().filter(others) {
            return Err(("address", holder));
        }
        if let Some(ix) = same {
            let listed = self.resources.get_mut(ix.index()).map(Arc::make_mut);
            let listed =
                listed.filter(|own| own.group == one.group && own.source == Source::Static);
            return match listed {
                None => Err(("name", ix)),
                Some(_) if one.gone => Ok(()),
                Some(own) => {
                    let before = own.address.addr();
                    own.address = one.address.clone();
                    before.map(|before| taken.places.remove(&before));
                    taken.places.extend(at.map(|at| (at, ix)));
                    Ok(())
                }
            };
        }
        let Some(group) = self.groups.get_mut(one.group.index()) else { return Ok(()) };
        let group = Arc::make_mut(group);
        let tenant = self.base.tenants.get(group.tenant.index());
        let tenant = tenant.map_or("", |tenant| &tenant.name);
        let dbid = dbid_of_resource(tenant, &group.name, &one.name);
        let holder = self.dbids.get(&dbid).copied().or_else(|| self.base.resource_by_dbid(dbid));
        if let Some(holder) = holder {
            return Err(("dbid", holder));
        }
        let state = match (group.enabled, one.gone) {
            (false, _) => Admin::Disabled,
            (true, true) => Admin::Draining,
            (true, false) => Admin::Enabled,
        };
        let resource = Resource {
            name: one.name.clone(),
            dbid,
            group: one.group,
            address: one.address.clone(),
            capacity: one.capacity.or(group.port_capacity),
            weight: 100,
            passive: false,
            capabilities: group.capabilities.clone(),
            conference_size: group.conference_size,
            conference_count: group.conference_count,
            state,
            source_addresses: Vec::new(),
            source: Source::Dns,
        };
        let ix = ResourceIx(u32::try_from(self.resources.len()).unwrap_or(u32::MAX));
        taken.names.insert(folded, ix);
        taken.places.extend(at.map(|at| (at, ix)));
        self.dbids.insert(dbid, ix);
        group.resources.push(ix);
        self.resources.push(Arc::new(resource));
        Ok(())
    }
}
