//! What a leg that joins a session is to get (rm.md §2.4, §3.5): tenant and profile are the
//! session's; only the service is chosen.
//!
//! A session that a CTI connector was given before any profile was looked for gets it here, when
//! the connector comes back.

use model::config::{ProfileIx, Service, TenantIx};
use model::record::{SelectedBy, Stage, Verdict};

use super::{Asking, Choice, of_profile, outbound, recording, select};
use crate::record::trace::{Trace, step};
use crate::reject::{No, Reason};
use crate::session::Session;

/// Selects for one more leg of a session; `first` is the number that its first call was for.
///
/// # Errors
/// `disabled`: the configuration no longer has its tenant or profile; and as of [`select`].
pub(crate) fn join(
    asking: &Asking<'_, '_>,
    session: &Session,
    first: &str,
    trace: &mut Trace,
) -> Result<Choice, No> {
    let snapshot = asking.snapshot;
    let gone = || No::from(Reason::Disabled);
    let names = session.tenant.as_ref().ok_or_else(gone)?;
    let tenant = snapshot.tenant_by_dbid(names.dbid).ok_or_else(gone)?;
    let Some(profile) = &session.profile else {
        let choice = select(asking, Some(tenant), trace)?;
        let service = chosen(asking, session, first, choice.profile);
        return Ok(Choice { service: service.unwrap_or(choice.service), ..choice });
    };
    let profile = snapshot.profile_by_dbid(profile.dbid).ok_or_else(gone)?;
    let service = chosen(asking, session, first, Some(profile))
        .unwrap_or_else(|| of_profile(snapshot, profile));
    let candidate = format_args!("session {}", session.guid);
    trace.push(step(Stage::Select, &candidate, Verdict::Chosen, &"joined"));
    Ok(joined(tenant, profile, service))
}

fn joined(tenant: TenantIx, profile: ProfileIx, service: Service) -> Choice {
    Choice {
        tenant,
        profile: Some(profile),
        service,
        by: SelectedBy::Joined,
        // what has begun goes on, whatever the configuration says meanwhile
        disabled: false,
        consumed: false,
        missed: None,
        page: None,
    }
}

/// The service that the request itself asks for; None: that of the profile.
fn chosen(
    asking: &Asking<'_, '_>,
    session: &Session,
    first: &str,
    profile: Option<ProfileIx>,
) -> Option<Service> {
    if asking.parameter("media-service").as_deref() == Some(recording::MEDIA_SERVICE) {
        return Some(Service::Recordingclient);
    }
    let of_user = Service::of_user(asking.user()).filter(|_| !asking.is_foreign());
    if of_user.is_some() {
        return of_user;
    }
    // a connector hands back the call that it was given
    let handed_back = session.cti && asking.is_of_connector() && asking.dn == first;
    if handed_back {
        return profile.map(|profile| of_profile(asking.snapshot, profile));
    }
    if !outbound::is_outbound(asking) {
        return None;
    }
    let by_connector =
        session.cti && asking.is_of_media() && !asking.is_of_connector() && !asking.past_cti;
    Some(if by_connector { Service::Cti } else { Service::Gateway })
}
