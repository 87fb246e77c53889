//! The profile of a call that is to be recorded (rm.md §3.4).

use model::config::{ProfileIx, Service, TenantIx};

use super::Asking;

/// The value of `media-service` that asks for it.
pub(crate) const MEDIA_SERVICE: &str = "record";

/// The header that says where a call is.
pub(crate) const GEO_LOCATION: &str = "X-Genesys-geo-location";

/// The recording profile of a tenant, and by what it was chosen: the location of the call, being
/// the only one, or its name.
pub(crate) fn profile(
    asking: &Asking<'_, '_>,
    tenant: TenantIx,
) -> Option<(ProfileIx, &'static str)> {
    let snapshot = asking.snapshot;
    let location = location(asking);
    let own = || {
        snapshot
            .profiles()
            .filter(|(_, profile)| profile.tenant == tenant && profile.service == Service::Record)
    };
    let here = |place: &str| {
        let alike = |one: &str| one.to_lowercase() == place.to_lowercase();
        let mut of_place = own()
            .filter(|(_, one)| one.geo_location.as_deref().is_some_and(alike))
            .collect::<Vec<_>>();
        of_place.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        of_place.first().map(|(ix, _)| (*ix, "location"))
    };
    let only = || {
        let mut all = own().map(|(ix, _)| ix);
        let first = all.next()?;
        all.next().is_none().then_some((first, "being the only one"))
    };
    let by_rule = match &location {
        Some(place) => here(place),
        None => only(),
    };
    by_rule.or_else(|| Some((snapshot.profile_within(tenant, MEDIA_SERVICE)?, "name")))
}

fn location(asking: &Asking<'_, '_>) -> Option<String> {
    let header = asking.message.named(GEO_LOCATION).filter(|_| asking.source.trusted)?;
    Some(header.text_lossy().trim().to_owned()).filter(|text| !text.is_empty())
}
