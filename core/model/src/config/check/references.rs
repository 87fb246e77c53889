//! References: does every name exist, is every name used once, is every DBID free?

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::config::read::{Drafts, Head, TenantDraft};
use crate::config::{Kind, ProfileIx, TenantIx};
use crate::id::{Dbid, dbid_of, dbid_of_resource};
use crate::map::Map;
use crate::schema::{Placed, Problems};

/// The tenant that always exists.
pub(crate) const ENVIRONMENT: &str = "Environment";

/// What the names of the drafts mean, by the drafts' order. Tenant 0 is `Environment`; the drafts
/// of other tenants follow in their order.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Which draft a tenant comes from; `None` = `Environment` without a document.
    pub(crate) tenant_drafts: Vec<Option<usize>>,
    pub(crate) parents: Vec<Option<TenantIx>>,
    pub(crate) default_profiles: Vec<Option<ProfileIx>>,
    pub(crate) profile_owners: Vec<TenantIx>,
    pub(crate) did_owners: Vec<TenantIx>,
    pub(crate) did_profiles: Vec<ProfileIx>,
    pub(crate) group_owners: Vec<TenantIx>,
    pub(crate) tenant_dbids: Vec<Dbid>,
    pub(crate) profile_dbids: Vec<Dbid>,
    pub(crate) did_dbids: Vec<Dbid>,
    pub(crate) group_dbids: Vec<Dbid>,
    pub(crate) application_dbids: Vec<Dbid>,
    /// Which application an application takes its defaults from.
    pub(crate) templates: Vec<Option<usize>>,
    /// Group by group.
    pub(crate) resource_dbids: Vec<Dbid>,
}

pub(crate) fn check(drafts: &Drafts, problems: &Problems) -> Links {
    let mut links = Links::default();
    let mut tenants = Map::new(0);
    tenant_order(drafts, &mut links, &mut tenants);
    unique_names(drafts, problems);
    aliases(drafts, problems);
    parents(drafts, &tenants, &mut links, problems);
    let owner = |head: &Head| owner(head, &tenants, problems);
    links.profile_owners = drafts.profiles.iter().map(|draft| owner(&draft.head)).collect();
    links.did_owners = drafts.did_groups.iter().map(|draft| owner(&draft.head)).collect();
    links.group_owners = drafts.groups.iter().map(|draft| owner(&draft.head)).collect();
    profiles(drafts, &mut links, problems);
    preferred(drafts, &links, problems);
    super::applications::check(drafts, &mut links, problems);
    dbids(drafts, &mut links, problems);
    links
}

fn tenant_order<'d>(drafts: &'d Drafts, links: &mut Links, tenants: &mut Map<&'d str, TenantIx>) {
    let environment = drafts.tenants.iter().position(|t| t.head.name.value == ENVIRONMENT);
    links.tenant_drafts.push(environment);
    let others = 0..drafts.tenants.len();
    links.tenant_drafts.extend(others.filter(|at| Some(*at) != environment).map(Some));
    tenants.insert(ENVIRONMENT, TenantIx(0));
    for (ix, draft) in (0..).map(TenantIx).zip(&links.tenant_drafts) {
        if let Some(tenant) = draft.and_then(|at| drafts.tenant(at)) {
            tenants.get_or_insert_with(tenant.head.name.value.as_str(), || ix);
        }
    }
}

pub(super) fn heads(drafts: &Drafts) -> impl Iterator<Item = &Head> {
    let tenants = drafts.tenants.iter().map(|draft| &draft.head);
    let profiles = drafts.profiles.iter().map(|draft| &draft.head);
    let did_groups = drafts.did_groups.iter().map(|draft| &draft.head);
    let groups = drafts.groups.iter().map(|draft| &draft.head);
    let applications = drafts.applications.iter().map(|draft| &draft.head);
    tenants.chain(profiles).chain(did_groups).chain(groups).chain(applications)
}

/// E204: one kind and tenant has no two names that are equal without case.
fn unique_names(drafts: &Drafts, problems: &Problems) {
    let mut first: Map<(Kind, &str, Cow<'_, str>), &str> = Map::new(0);
    for head in heads(drafts) {
        let (kind, name, tenant) = (head.kind, &head.name.value, &head.tenant.value);
        let key = (kind, tenant.as_str(), folded(name));
        let Some(other) = first.insert(key, name) else { continue };
        let kind = kind.as_str();
        problems.note(head.name.place.problem(
            "E204",
            format!("{kind} \"{name}\" already exists in tenant \"{tenant}\" as \"{other}\""),
        ));
    }
}

/// E207: an alias is unique over all names and aliases, without case as names are: calls find both
/// by either.
fn aliases(drafts: &Drafts, problems: &Problems) {
    let mut used: Map<Cow<'_, str>, &str> = Map::new(0);
    used.insert(folded(ENVIRONMENT), ENVIRONMENT);
    for tenant in drafts.tenants.iter() {
        used.insert(folded(&tenant.head.name.value), &tenant.head.name.value);
    }
    for tenant in drafts.tenants.iter() {
        for alias in &tenant.aliases {
            let name = &alias.value;
            match used.get(&folded(name)) {
                Some(other) => problems.note(alias.place.problem(
                    "E207",
                    format!("alias \"{name}\" is already used by tenant \"{other}\""),
                )),
                None => {
                    used.insert(folded(name), &tenant.head.name.value);
                }
            }
        }
    }
}

fn missing_tenant(name: &Placed<String>, problems: &Problems) {
    let text = format!("Tenant \"{}\" of tenant \"{ENVIRONMENT}\" does not exist", name.value);
    problems.note(name.place.problem("E201", text));
}

fn owner(head: &Head, tenants: &Map<&str, TenantIx>, problems: &Problems) -> TenantIx {
    let found = tenants.get(head.tenant.value.as_str()).copied();
    found.unwrap_or_else(|| {
        missing_tenant(&head.tenant, problems);
        TenantIx(0)
    })
}

fn parents(drafts: &Drafts, tenants: &Map<&str, TenantIx>, links: &mut Links, problems: &Problems) {
    links.parents.push(None);
    for draft in links.tenant_drafts.iter().skip(1) {
        let parent = draft.and_then(|at| drafts.tenant(at)).and_then(|t| t.parent.as_ref());
        let found = parent.map_or(Some(TenantIx(0)), |name| {
            let found = tenants.get(name.value.as_str()).copied();
            if found.is_none() {
                missing_tenant(name, problems);
            }
            found
        });
        links.parents.push(found.or(Some(TenantIx(0))));
    }
    cycles(drafts, links, problems);
}

/// E202; every tenant of a cycle is named once, and hung under `Environment` so that the other
/// checks of this stage come to an end.
fn cycles(drafts: &Drafts, links: &mut Links, problems: &Problems) {
    let above: Vec<Option<usize>> =
        links.parents.iter().map(|parent| parent.map(TenantIx::index)).collect();
    for at in super::cycles::members(&above) {
        if let Some(tenant) = draft_of(drafts, links, at) {
            let place = tenant.parent.as_ref().map_or(&tenant.head.name.place, |p| &p.place);
            let name = &tenant.head.name.value;
            let text = format!("tenant \"{name}\": parent chain forms a cycle");
            problems.note(place.problem("E202", text));
        }
        if let Some(parent) = links.parents.get_mut(at) {
            *parent = Some(TenantIx(0));
        }
    }
}

fn draft_of<'d>(drafts: &'d Drafts, links: &Links, at: usize) -> Option<&'d TenantDraft> {
    links.tenant_drafts.get(at).copied().flatten().and_then(|at| drafts.tenant(at))
}

/// E205: profiles that numbers and tenants name, in the tenant or its parents.
fn profiles(drafts: &Drafts, links: &mut Links, problems: &Problems) {
    let mut known: Map<(TenantIx, &str), ProfileIx> = Map::with_capacity(0, drafts.profiles.len());
    let owned = drafts.profiles.iter().zip(&links.profile_owners);
    for (ix, (profile, owner)) in (0..).map(ProfileIx).zip(owned) {
        known.get_or_insert_with((*owner, profile.head.name.value.as_str()), || ix);
    }
    let find = |tenant: TenantIx, tenant_name: &str, name: &Placed<String>| {
        let mut chain = std::iter::successors(Some(tenant), |ix| {
            links.parents.get(ix.index()).copied().flatten()
        });
        let found = chain.find_map(|ix| known.get(&(ix, name.value.as_str())).copied());
        if found.is_none() {
            let name_text = &name.value;
            problems.note(name.place.problem(
                "E205",
                format!(
                    "profile \"{name_text}\" not found in tenant \"{tenant_name}\" or its parents"
                ),
            ));
        }
        found
    };
    let numbers = drafts.did_groups.iter().zip(&links.did_owners);
    let of_numbers: Vec<ProfileIx> = numbers
        .map(|(group, owner)| find(*owner, &group.head.tenant.value, &group.profile))
        .map(|found| found.unwrap_or(ProfileIx(0)))
        .collect();
    let tenants = (0..).map(TenantIx).zip(&links.tenant_drafts);
    let of_tenants = tenants
        .map(|(ix, draft)| {
            let tenant = draft.and_then(|at| drafts.tenant(at))?;
            find(ix, &tenant.head.name.value, tenant.default_profile.as_ref()?)
        })
        .collect();
    links.did_profiles = of_numbers;
    links.default_profiles = of_tenants;
}

/// E205: groups that profiles prefer, in the tenant or its parents.
fn preferred(drafts: &Drafts, links: &Links, problems: &Problems) {
    let groups = drafts.groups.iter().zip(&links.group_owners);
    let known: BTreeSet<(TenantIx, &str)> =
        groups.map(|(group, owner)| (*owner, group.head.name.value.as_str())).collect();
    for (profile, owner) in drafts.profiles.iter().zip(&links.profile_owners) {
        for group in &profile.prefer {
            let mut chain = std::iter::successors(Some(*owner), |ix| {
                links.parents.get(ix.index()).copied().flatten()
            });
            let name = group.value.as_str();
            if !chain.any(|ix| known.contains(&(ix, name))) {
                let tenant = &profile.head.tenant.value;
                problems.note(group.place.problem(
                    "E205",
                    format!("group \"{name}\" not found in tenant \"{tenant}\" or its parents"),
                ));
            }
        }
    }
}

/// The form in which names without case are equal.
fn folded(name: &str) -> Cow<'_, str> {
    match name.chars().any(char::is_uppercase) {
        true => Cow::Owned(name.to_lowercase()),
        false => Cow::Borrowed(name),
    }
}

/// E206: DBIDs given or computed, unique per kind; resources share the numbers of applications.
fn dbids(drafts: &Drafts, links: &mut Links, problems: &Problems) {
    let mut taken = Taken::new(problems);
    taken.numbers.insert(Dbid(1), ("", Cow::Borrowed(ENVIRONMENT)));
    for draft in &links.tenant_drafts {
        let head = draft.and_then(|at| drafts.tenant(at)).map(|tenant| &tenant.head);
        links.tenant_dbids.push(match head {
            Some(head) if head.name.value == ENVIRONMENT => environment_dbid(head, problems),
            Some(head) => taken.take_head(head),
            None => Dbid(1),
        });
    }
    let (mut profiles, mut did_groups) = (Taken::new(problems), Taken::new(problems));
    let (mut groups, mut components) = (Taken::new(problems), Taken::new(problems));
    let all = drafts.profiles.iter().map(|draft| profiles.take_head(&draft.head));
    links.profile_dbids = all.collect();
    let all = drafts.did_groups.iter().map(|draft| did_groups.take_head(&draft.head));
    links.did_dbids = all.collect();
    let all = drafts.groups.iter().map(|draft| groups.take_head(&draft.head));
    links.group_dbids = all.collect();
    let all = drafts.applications.iter().map(|draft| components.take_head(&draft.head));
    links.application_dbids = all.collect();
    for group in drafts.groups.iter() {
        for resource in &group.resources {
            let (tenant, group) = (&group.head.tenant.value, &group.head.name.value);
            let computed = || dbid_of_resource(tenant, group, &resource.name.value);
            // its name is its identity, in whichever group it is
            let identity = ("", folded(&resource.name.value));
            let given = resource.dbid.as_ref();
            let dbid = components.take(given, computed, identity, &resource.name);
            links.resource_dbids.push(dbid);
        }
    }
}

fn environment_dbid(head: &Head, problems: &Problems) -> Dbid {
    if let Some(given) = head.dbid.as_ref().filter(|given| given.value != Dbid(1)) {
        let text = "dbid of an existing object cannot change";
        problems.note(given.place.problem("E206", text));
    }
    Dbid(1)
}

/// Owner and name.
type Identity<'d> = (&'d str, Cow<'d, str>);

/// DBIDs of one counter, each with the identity that has it.
struct Taken<'d> {
    numbers: Map<Dbid, Identity<'d>>,
    problems: &'d Problems,
}

impl<'d> Taken<'d> {
    fn new(problems: &'d Problems) -> Self {
        Self { numbers: Map::new(0), problems }
    }

    fn take_head(&mut self, head: &'d Head) -> Dbid {
        let (tenant, name) = (head.tenant.value.as_str(), head.name.value.as_str());
        let computed = || dbid_of(head.kind.as_str(), tenant, name);
        self.take(head.dbid.as_ref(), computed, (tenant, Cow::Borrowed(name)), &head.name)
    }

    /// One identity twice is a fault of its name, told as such; here it would only confuse.
    fn take(
        &mut self,
        given: Option<&Placed<Dbid>>,
        computed: impl FnOnce() -> Dbid,
        identity: Identity<'d>,
        name: &Placed<String>,
    ) -> Dbid {
        let dbid = given.map_or_else(computed, |given| given.value);
        let other = self.numbers.get(&dbid);
        if other.is_some_and(|other| *other != identity) {
            let place = given.map_or(&name.place, |given| &given.place);
            self.problems.note(place.problem("E206", format!("dbid {dbid} is taken")));
        }
        self.numbers.insert(dbid, identity);
        dbid
    }
}
