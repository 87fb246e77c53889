//! Stage 5, select: number → tenant → profile → service (rm.md §3).
//!
//! Reads the request and the snapshot; decides nothing about permission or place. Says why it
//! chose, for the record. A request that joins a session has its tenant and profile from there.

pub(crate) mod cucm;
pub(crate) mod joining;
pub(crate) mod number;
pub(crate) mod outbound;
pub(crate) mod profile;
pub(crate) mod recording;

use std::fmt;

use model::config::{DidGroupIx, Group, Options, ProfileIx, Service, TenantIx, UseCti};
use model::record::{SelectedBy, Stage, Verdict};
use model::snapshot::{ENVIRONMENT, Level, Snapshot};
use sip::message::Message;
use sip::uri::unescape;

use crate::admit::{Source, Who};
use crate::record::trace::{Later, Trace, Word, step};
use crate::reject::{No, Reason};
use crate::settings::Role;

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'s, 'm> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) options: &'s Options,
    pub(crate) source: &'s Source,
    pub(crate) message: &'s Message<'m>,
    /// The dialled number in normal form.
    pub(crate) dn: &'s str,
    /// The Request-URI's host is ours.
    pub(crate) is_for_us: bool,
    /// Connectors were asked in vain: as if there were no CTI.
    pub(crate) past_cti: bool,
}

/// What a call is to get, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) tenant: TenantIx,
    /// None: a CTI connector is asked first.
    pub(crate) profile: Option<ProfileIx>,
    pub(crate) service: Service,
    pub(crate) by: SelectedBy,
    /// Tenant, an ancestor or the profile is disabled.
    pub(crate) disabled: bool,
    /// `gvp-tenant-id` was understood and leaves the Request-URI.
    pub(crate) consumed: bool,
    /// A profile that was asked for and that nobody has.
    pub(crate) missed: Option<String>,
    /// A page instead of that of the profile.
    pub(crate) page: Option<String>,
}

impl<'s, 'm> Asking<'s, 'm> {
    /// The group of the gateway that it comes from.
    pub(crate) fn gateway(&self) -> Option<&'s Group> {
        let group = self.group()?;
        group.services.contains(&Service::Gateway).then_some(group)
    }

    /// It comes from a CTI connector.
    pub(crate) fn is_of_connector(&self) -> bool {
        self.group().is_some_and(|group| group.services.contains(&Service::Cti))
    }

    /// It comes from a media server.
    pub(crate) fn is_of_media(&self) -> bool {
        self.source.role == Some(Role::Media)
    }

    fn group(&self) -> Option<&'s Group> {
        let Who::Resource(number) = self.source.who else { return None };
        Some(self.snapshot.group(self.snapshot.nth_resource(number)?.group))
    }

    /// It is for a host that is not ours; what a SIP Server writes there says nothing.
    pub(crate) fn is_foreign(&self) -> bool {
        !self.is_for_us && self.source.role != Some(Role::SipServer)
    }

    pub(crate) fn user(&self) -> &'m str {
        self.message.request().and_then(|line| line.target.user).unwrap_or_default()
    }

    /// A parameter of the Request-URI, unescaped.
    pub(crate) fn parameter(&self, name: &str) -> Option<std::borrow::Cow<'m, str>> {
        let line = self.message.request()?;
        line.target.param(name).flatten().map(unescape).filter(|value| !value.is_empty())
    }
}

/// Selects tenant, profile and service of a request. `under`: a CTI session that has no profile
/// yet; its tenant, as a gateway's would be.
///
/// # Errors
/// `no-profile`, `tenant-mismatch`.
pub(crate) fn select(
    asking: &Asking<'_, '_>,
    under: Option<TenantIx>,
    trace: &mut Trace,
) -> Result<Choice, No> {
    let snapshot = asking.snapshot;
    let gateway = asking.gateway();
    let heeded = gateway.filter(|_| !asking.options.ignore_gateway_group);
    let over = under.or(heeded.map(|group| group.tenant));
    let asks = |group: &&Group, when| group.use_cti == when && !asking.past_cti;
    if let Some(group) = heeded.filter(|group| asks(group, UseCti::AtOnce)) {
        return Ok(to_connector(snapshot, group.tenant, None, SelectedBy::Gateway, trace));
    }
    let named = profile::named(asking, over)?;
    let missed = named.missed.as_deref().map(str::to_owned);
    if let Some(name) = &missed {
        let candidate = format_args!("profile {name}");
        trace.push(step(Stage::Select, &candidate, Verdict::Skipped, &"unknown"));
    }
    let Some((tenant, profile, by, reason)) = found(asking, &named, over) else {
        let candidate = format_args!("number {}", asking.dn);
        trace.push(step(Stage::Select, &candidate, Verdict::Refused, &Reason::NoProfile.word()));
        let status = Some(asking.options.profile_not_found_respcode);
        return Err(No::new(Reason::NoProfile, asking.dn).with_status(status));
    };
    let chosen = snapshot.profile(profile);
    let candidate = Later::Level(Level::Profile(profile));
    trace.push(step(Stage::Select, candidate, Verdict::Chosen, reason.word()));
    let choice = Choice {
        tenant,
        profile: Some(profile),
        service: service(asking, profile),
        by,
        disabled: !chosen.enabled || !snapshot.tenant(tenant).enabled,
        consumed: named.tenant.is_some() || named.profile.is_some(),
        missed,
        page: None,
    };
    let cti_allowed = || snapshot.nearest(tenant, Some(profile), |policy| policy.cti_allowed);
    if gateway.is_some_and(|group| asks(&group, UseCti::WithProfile))
        && cti_allowed() != Some(false)
    {
        let cti = to_connector(snapshot, tenant, Some(profile), by, trace);
        return Ok(Choice { service: cti.service, ..choice });
    }
    Ok(choice)
}

/// A call that a CTI connector gets first.
fn to_connector(
    snapshot: &Snapshot,
    tenant: TenantIx,
    profile: Option<ProfileIx>,
    by: SelectedBy,
    trace: &mut Trace,
) -> Choice {
    let owner = snapshot.tenant(tenant);
    let candidate = Later::Level(Level::Tenant(tenant));
    trace.push(step(Stage::Select, candidate, Verdict::Chosen, Later::Word("use_cti")));
    let disabled = !owner.enabled;
    let service = Service::Cti;
    Choice { tenant, profile, service, by, disabled, consumed: false, missed: None, page: None }
}

type Found<'a> = (TenantIx, ProfileIx, SelectedBy, Why<'a>);

/// Why a profile was chosen, for the trace.
enum Why<'a> {
    /// The pattern that the number has, and its group.
    Did(&'a str, DidGroupIx),
    /// The default profile of this tenant.
    Default(TenantIx),
    Said(Said<'a>),
}

impl Why<'_> {
    fn word(&self) -> Word<'_> {
        match self {
            Self::Did(pattern, group) => Word::Did(pattern, *group),
            Self::Default(tenant) => Later::Default(*tenant).into(),
            Self::Said(said) => said.into(),
        }
    }
}

/// What a request has said.
enum Said<'a> {
    Asked(SelectedBy, &'a str),
    /// As `media-service` says.
    Service(&'a str),
    /// A recording profile, by what it was chosen.
    Recording(&'static str),
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(by, wanted) => write!(f, "{by} {wanted}"),
            Self::Service(name) => write!(f, "media-service {name}"),
            Self::Recording(how) => write!(f, "recording by {how}"),
        }
    }
}

/// Parts A and B of rm.md §3.2, once the names are read: the first that has a profile.
fn found<'a>(
    asking: &Asking<'a, '_>,
    named: &'a profile::Named<'_>,
    over: Option<TenantIx>,
) -> Option<Found<'a>> {
    let snapshot = asking.snapshot;
    let tenant = named.tenant.or(over);
    let how = named.by.or(over.map(|_| SelectedBy::Gateway));
    if let Some((profile, wanted)) = &named.profile {
        let by = how.unwrap_or(SelectedBy::Headers);
        let owner = tenant.unwrap_or(snapshot.profile(*profile).tenant);
        return Some((owner, *profile, by, Why::Said(Said::Asked(by, wanted))));
    }
    if named.missed.is_some() {
        return default(snapshot, tenant);
    }
    let service = named.media_service.as_deref();
    let recorded = || {
        let tenant = tenant.filter(|_| service == Some(recording::MEDIA_SERVICE))?;
        let (profile, why) = recording::profile(asking, tenant)?;
        Some((tenant, profile, how?, Why::Said(Said::Recording(why))))
    };
    let by_number = || {
        let found = snapshot.did(asking.dn)?;
        let below = |tenant| snapshot.chain(found.tenant).any(|one| one == tenant);
        let fits = tenant.is_none_or(|tenant| {
            tenant == found.tenant || (how == Some(SelectedBy::Gateway) && below(tenant))
        });
        let by = how.unwrap_or(SelectedBy::Did);
        let why = Why::Did(found.pattern, found.group);
        fits.then_some((found.tenant, found.profile, by, why))
    };
    let by_service = || {
        let (tenant, name) = (tenant?, service?);
        let profile = snapshot.profile_within(tenant, name)?;
        Some((tenant, profile, how?, Why::Said(Said::Service(name))))
    };
    recorded().or_else(by_number).or_else(by_service).or_else(|| default(snapshot, tenant))
}

/// The nearest default profile on the way to the root; without a tenant that of `Environment`.
fn default(snapshot: &Snapshot, tenant: Option<TenantIx>) -> Option<Found<'_>> {
    let from = tenant.unwrap_or(ENVIRONMENT);
    snapshot.chain(from).find_map(|one| {
        let profile = snapshot.tenant(one).default_profile?;
        let owner = tenant.unwrap_or(snapshot.profile(profile).tenant);
        Some((owner, profile, SelectedBy::Default, Why::Default(one)))
    })
}

/// Part C: by the user part, else that of the profile; a call to the outside is one for a gateway.
pub(crate) fn service(asking: &Asking<'_, '_>, profile: ProfileIx) -> Service {
    if asking.parameter("media-service").as_deref() == Some(recording::MEDIA_SERVICE) {
        return Service::Recordingclient;
    }
    if asking.is_of_media() && outbound::is_outbound(asking) {
        return Service::Gateway;
    }
    Service::of_user(asking.user()).unwrap_or_else(|| of_profile(asking.snapshot, profile))
}

/// The service of a profile; one of recordings has its calls recorded.
pub(crate) fn of_profile(snapshot: &Snapshot, profile: ProfileIx) -> Service {
    snapshot.profile(profile).service.of_legs()
}
