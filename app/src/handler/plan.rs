//! What the config handler and RS-Init want to stand in the Config Server, given what stands there
//! (ops.md §3.2, §3.3); pure.

use config::settings::{ConfigHandler, RsInit};
use serde_json::{Value, json};

use super::group;
use super::maker::{Found, Maker, OURS, Plan, Wanted};

/// What cannot be done, and what would help.
#[derive(Debug, PartialEq)]
pub(super) struct Impossible(pub(super) String);

/// A node of RM, as the config handler wants it.
pub(super) struct Node<'n> {
    pub(super) settings: &'n ConfigHandler,
    pub(super) rs_app: &'n str,
    pub(super) name: &'n str,
    /// Where it is reached, `host:port`.
    pub(super) address: Option<&'n str>,
}

/// The plan of the config handler.
pub(super) fn node(node: &Node<'_>, found: &Found) -> Result<Plan, Impossible> {
    let settings = node.settings;
    let names = [
        ("config_handler.rm_app", settings.rm_app.as_str()),
        ("config_handler.snmp_app", &settings.snmp_app),
        ("config_handler.config_app", &settings.config_app),
        ("rs_init.app", node.rs_app),
        ("config_handler.node", node.name),
    ];
    for (at, (key, name)) in names.iter().enumerate() {
        if let Some((other, _)) = names.iter().take(at).find(|(_, other)| other == name) {
            let text = format!("{other} and {key} are both \"{name}\": an Application each");
            return Err(Impossible(text));
        }
    }
    let environment = settings.environment.as_deref();
    let mut maker = Maker { found, by: OURS[0], environment, plan: Plan::default() };
    let template = json!({ "type": "resource-manager", "options": settings.rm_options });
    maker.put(application(&settings.rm_app, settings, template));
    let connections = [node.rs_app, &settings.config_app, &settings.snmp_app];
    let mut own = json!({
        "type": "resource-manager",
        "template": settings.rm_app,
        "connections": connections,
    });
    if let Some(address) = node.address {
        own["address"] = json!(address);
    }
    maker.put(application(node.name, settings, own));
    media(settings, &mut maker);
    let stubs = [
        (settings.snmp_app.as_str(), "snmp-master"),
        (&settings.config_app, "config-server"),
        (node.rs_app, "reporting-server"),
    ];
    for (name, of_type) in stubs {
        let stub = application(name, settings, json!({ "type": of_type }));
        maker.put(Wanted { only_if_missing: true, ..stub });
    }
    voicemail(settings, &mut maker)?;
    Ok(maker.plan)
}

/// The plan of RS-Init.
pub(super) fn reporting(settings: &RsInit, shared: &ConfigHandler, found: &Found) -> Plan {
    let environment = shared.environment.as_deref();
    let mut maker = Maker { found, by: OURS[1], environment, plan: Plan::default() };
    let spec = json!({ "type": "reporting-server", "options": settings.options });
    maker.put(application(&settings.app, shared, spec));
    maker.plan
}

fn application<'w>(name: &'w str, settings: &ConfigHandler, mut spec: Value) -> Wanted<'w> {
    if let Some(folder) = &settings.folder {
        spec["folder"] = json!(folder);
    }
    Wanted { kind: "Application", name, spec, labels: Vec::new(), only_if_missing: false }
}

/// The group of media servers. Who is in it is not ours to say.
fn media(settings: &ConfigHandler, maker: &mut Maker<'_>) {
    let name = settings.group.as_str();
    let (mut spec, labels) = group::spec(&settings.group_options);
    if maker.found.get("ResourceGroup", name).is_none() {
        group::complete(&mut spec, name, settings.namespace.as_deref());
    }
    maker.put(Wanted { kind: "ResourceGroup", name, spec, labels, only_if_missing: false });
}

/// A number for the profile `voicemail`, or for the default profile.
fn voicemail(settings: &ConfigHandler, maker: &mut Maker<'_>) -> Result<(), Impossible> {
    let Some(did) = &settings.voicemail_did else { return Ok(()) };
    let own = maker.found.get("IvrProfile", "voicemail").map(|_| "voicemail");
    let environment = maker.found.get("Tenant", "Environment");
    let default = environment.and_then(|tenant| tenant["spec"]["default_profile"].as_str());
    let Some(profile) = own.or(default) else {
        let text = "config_handler.voicemail_did needs a profile: make an IvrProfile \
                    \"voicemail\" of tenant Environment, or give Environment a default_profile";
        return Err(Impossible(text.to_owned()));
    };
    let spec = json!({ "profile": profile, "dids": [did] });
    let (kind, name, labels) = ("DidGroup", "voicemail", Vec::new());
    maker.put(Wanted { kind, name, spec, labels, only_if_missing: false });
    Ok(())
}

#[cfg(test)]
mod tests;
