//! `<cdrs>`: the lists C1, C3 and, without their own children, those of other components
//! (rs.md §5.2 document 1, §5.4).
//!
//! Attribute order is that of the document. What a media server adds (`asr`, `tts`,
//! `call-result` …) comes with its reports C5 and C7.

use model::record::ComponentType;
use model::time::Millis;

use super::call::Call;
use super::manifest::Manifest;
use super::xml::Xml;

/// The whole report of a page of calls.
#[must_use]
pub fn details(manifest: &Manifest, of: ComponentType, calls: &[Call], now: Millis) -> String {
    let mut xml = Xml::new();
    xml.start("report");
    manifest.write(&mut xml);
    xml.start("cdrs").attribute("type", of);
    for call in calls {
        cdr(&mut xml, call, now);
    }
    xml.finish()
}

fn cdr(xml: &mut Xml, call: &Call, now: Millis) {
    xml.start("cdr")
        .attribute("session-id", &call.session_id)
        .maybe("gvp-guid", call.guid.as_ref())
        .attribute("call-type", call.call_type)
        .attribute("start", time(call.started))
        .maybe("answer", call.answered.map(time))
        .maybe("end", call.ended.map(time))
        .attribute("duration", call.duration_ms(now))
        .maybe("dn", call.dn.as_ref())
        .attribute("local-uri", &call.local_uri)
        .attribute("remote-uri", &call.remote_uri)
        .maybe("service", call.service.map(|service| service.as_str()))
        .maybe("end-state", call.ended.and(call.end_state))
        .maybe("sip-status", call.sip_status)
        .maybe("call-id", call.call_id.as_ref())
        .maybe("call-uuid", call.call_uuid.as_ref())
        .maybe("reason", call.reason.as_ref())
        .maybe("leg", call.leg)
        .maybe("epoch", call.leg.map(|_| call.epoch))
        .maybe("config-rev", call.config_rev);
    xml.start("component")
        .attribute("href", format_args!("/components/{}", call.component.id))
        .attribute("name", &call.component.name)
        .attribute("type", call.component.kind)
        .end();
    if let Some(application) = &call.application {
        xml.start("application")
            .attribute("href", format_args!("/applications/{}", application.id))
            .attribute("name", &application.name)
            .maybe("type", application.service.map(|service| service.as_str()))
            .maybe("usage", application.usage)
            .maybe("burst", application.burst)
            .end();
    }
    if !call.tenants.is_empty() {
        xml.start("tenants");
        for tenant in &call.tenants {
            xml.start("tenant")
                .attribute("href", format_args!("/tenants/{}", tenant.id))
                .attribute("name", &tenant.name)
                .maybe("usage-tenant", tenant.usage)
                .maybe("burst-tenant", tenant.burst)
                .end();
        }
        xml.end();
    }
    if let Some(resource) = &call.resource {
        xml.start("resource")
            .maybe("group", resource.group.as_ref())
            .maybe("name", resource.name.as_ref())
            .maybe("address", resource.address.as_ref())
            .maybe("attempts", resource.attempts)
            .end();
    }
    xml.end();
}

/// UTC with `Z`, the fraction without trailing zeros, and none at all when it is zero.
fn time(time: Millis) -> String {
    let text = time.to_string();
    let text = text.trim_end_matches('Z').trim_end_matches('0');
    match text.strip_suffix('.') {
        Some(whole) => format!("{whole}Z"),
        None => format!("{text}Z"),
    }
}
