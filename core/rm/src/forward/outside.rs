//! A call to the outside for which its tenant has no gateway (rm.md §3.6): with
//! `rm/allow-direct-outbound` the host in its Request-URI is called, as that of a Route entry would
//! be.
//!
//! Looked up before the call is remembered, for the host may be a name; used when stage 7 has
//! nobody. Must not permit anything: stage 6 has done so by then.

use std::net::SocketAddr;
use std::sync::Arc;

use model::config::{Service, TenantIx};
use model::id::Dbid;
use model::record::{Stage, Verdict};
use sip::locate::{Goal, Target};
use sip::uri::Uri;

use super::through::{Found, Through};
use crate::admit::{Request, own};
use crate::call::is_secure;
use crate::pool::{Pick, Plan};
use crate::proxy::Proxy;
use crate::record::trace::{Trace, step};
use crate::reject::{No, Reason};
use crate::session::ResourceNames;
use crate::settings::Role;

/// The host in a Request-URI, in case that nobody else takes the call.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    /// The Request-URI as it came.
    uri: String,
    /// The way there; or why there is none, which counts only when there is no other.
    way: Result<Through, No>,
}

impl Proxy {
    /// The host that a request may leave for: only a media server's may, and only where some tenant
    /// has no gateway. `through`: the Route entry that it goes through, whatever the host.
    ///
    /// # Errors
    /// The name of the host, which is to be resolved first.
    pub(crate) fn outside(
        &mut self,
        request: &Request<'_, '_>,
        through: Option<&Through>,
    ) -> Result<Option<Box<Outside>>, Goal> {
        let Request { now, message, source, .. } = *request;
        let Some(line) = message.request() else { return Ok(None) };
        let uri = &line.target;
        let foreign = uri.scheme.is_sip() && !own::is_own_host(&self.settings, uri);
        let may = self.options.direct_outbound && source.role == Some(Role::Media) && foreign;
        if !may || !self.lacks_gateways() {
            return Ok(None);
        }
        let way = match through {
            Some(through) => Ok(through.clone()),
            None => match self.find(now, uri, is_secure(message)) {
                Ok(Found::Through(through)) => self.past_inside(through, uri),
                Ok(Found::Name(goal)) => return Err(goal),
                Err(no) => Err(no),
            },
        };
        Ok(Some(Box::new(Outside { uri: line.uri.to_owned(), way })))
    }

    /// The way without the addresses that are inside.
    ///
    /// # Errors
    /// `relay-refused`: none is left.
    fn past_inside(&self, mut through: Through, uri: &Uri<'_>) -> Result<Through, No> {
        through.targets.retain(|target| !self.is_inside(*target));
        if through.targets.is_empty() {
            return Err(No::new(Reason::RelayRefused, uri.text));
        }
        Ok(through)
    }

    /// It is ours, which would be a loop, or a resource's, which would be called past its places
    /// and its state.
    fn is_inside(&self, target: Target) -> bool {
        own::is_own_address(&self.settings, target.remote) || self.sources.is_resource(target)
    }

    /// Some tenant sees no group of gateways.
    fn lacks_gateways(&self) -> bool {
        self.snapshot.tenants().any(|(tenant, _)| self.lacks_gateway(tenant))
    }

    /// This tenant does.
    pub(super) fn lacks_gateway(&self, tenant: TenantIx) -> bool {
        self.snapshot.groups_for(tenant, Service::Gateway).is_empty()
    }

    /// What follows when stage 7 has nobody for a call: the host outside, if there is one and its
    /// tenant has no gateway that might have taken the call; else that "no".
    ///
    /// # Errors
    /// That "no"; `next-hop` or `relay-refused`, of a host that cannot be reached.
    pub(crate) fn leave_for(
        &self,
        outside: Option<Box<Outside>>,
        no: No,
        plan: &mut Plan,
        trace: &mut Trace,
    ) -> Result<(Pick, Box<Through>), No> {
        let tenant = self.snapshot.tenant_by_dbid(plan.tenant);
        let gateways = tenant.map_or(&[][..], |ix| self.snapshot.groups_for(ix, plan.service));
        let alone =
            plan.service == Service::Gateway && no.reason == Reason::NoMatch && gateways.is_empty();
        let Some(outside) = outside.filter(|_| alone) else { return Err(no) };
        let Outside { uri, way } = *outside;
        let pick = Pick::OUTSIDE;
        let host = Uri::parse(&uri).map_or_else(|_| String::new(), |uri| uri.host.to_owned());
        let candidate = format_args!("host {host}");
        let verdict = if way.is_ok() { Verdict::Chosen } else { Verdict::Skipped };
        trace.push(step(Stage::Place, &candidate, verdict, &pick.by));
        let through = way?;
        plan.outside = true;
        Ok((pick, Box::new(Through { outside: Some(uri), ..through })))
    }

    /// The URI of who is called, and whether it is a `sips:` one: a host outside, or a member of
    /// the pool.
    ///
    /// # Errors
    /// `internal`: a member without address.
    pub(crate) fn called<'a>(
        &'a self,
        outside: Option<&'a str>,
        member: usize,
    ) -> Result<(&'a str, bool), No> {
        if let Some(uri) = outside {
            return Ok((uri, false));
        }
        let address = self.pool.get(member).and_then(|member| member.address.as_ref());
        let address = address.ok_or_else(|| No::new(Reason::Internal, "no address"))?;
        Ok((&address.uri, address.secure))
    }

    /// Who is tried: a member of the pool, or a host outside, told by the address that is called
    /// and, where its Request-URI says something else, by that.
    pub(super) fn names_of_try(
        &self,
        hunt: usize,
        member: usize,
        remote: SocketAddr,
    ) -> Arc<ResourceNames> {
        if let Some(member) = self.pool.get(member) {
            return Arc::clone(&member.names);
        }
        let through = self.hunts.get(hunt).and_then(|hunt| hunt.through.as_deref());
        let uri = through.and_then(|through| through.outside.as_deref()).map(Uri::parse);
        let host = uri.and_then(Result::ok).filter(|uri| uri.host_ip() != Some(remote.ip()));
        let mut name = remote.to_string();
        if let Some(uri) = host {
            name.push(' ');
            name.push_str(uri.host);
        }
        let (group, address) = (Pick::OUTSIDE.by.to_owned(), remote.to_string());
        Arc::new(ResourceNames { group, name, dbid: Dbid(0), address })
    }

    /// What explain knows of it: it cannot wait for a name.
    pub(crate) fn outside_now(
        &mut self,
        request: &Request<'_, '_>,
        through: Option<&Through>,
    ) -> Option<Box<Outside>> {
        match self.outside(request, through) {
            Ok(outside) => outside,
            Err(goal) => {
                let uri = request.message.request().map_or("", |line| line.uri).to_owned();
                let way = Err(No::new(Reason::NextHop, goal.to_string()));
                Some(Box::new(Outside { uri, way }))
            }
        }
    }
}
