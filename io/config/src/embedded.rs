//! The platform of `standalone` without a file: one tenant, one profile, some numbers, one group.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use model::config::Document;

use crate::objects::from_text;

/// The objects, with these media servers in the group `mcp`.
///
/// # Panics
/// Never: the text is ours, and the tests read it.
#[must_use]
pub fn embedded_objects(media: &[SocketAddr]) -> Vec<Document> {
    let mut text = PLATFORM.to_owned();
    for (number, server) in (1..).zip(media) {
        let _ = write!(
            text,
            "\n    - {{ name: mcp-{number}, address: \"sip:{server}\", capacity: 500 }}"
        );
    }
    from_text(&text, Some(Arc::from("embedded"))).expect("the text above is YAML")
}

const PLATFORM: &str = "\
kind: Tenant
name: demo
spec:
  default_profile: demo-main
  policy: { usage_limit: 1000, burst: { level2: 1200, level3: 1500 } }
---
kind: IvrProfile
name: demo-main
tenant: demo
spec:
  service: voicexml
  initial_page_url: \"http://127.0.0.1:8080/demo/start.vxml\"
---
kind: DidGroup
name: demo-numbers
tenant: demo
spec:
  profile: demo-main
  dids: [\"18005550100\", \"18005550200-18005550299\", \"1900*\"]
---
kind: ResourceGroup
name: mcp
spec:
  services: [voicexml, ccxml, msml, conference, announcement, media, cpd]
  monitor: { method: options, interval: 5s, timeout: 2s }
  resources:";

#[cfg(test)]
mod tests {
    use super::embedded_objects;
    use model::config::Service;
    use model::id::Revision;
    use model::snapshot::Snapshot;

    #[test]
    fn the_embedded_platform_is_valid_with_and_without_media_servers() {
        for media in [&[][..], &["127.0.0.3:5070", "[::1]:5071"]] {
            let media: Vec<_> = media.iter().map(|text| text.parse().unwrap()).collect();
            let documents = embedded_objects(&media);
            let (snapshot, warnings) = Snapshot::build(&documents, Revision(1)).unwrap();
            assert!(warnings.is_empty(), "{warnings:?}");
            let found = snapshot.did("19001234").unwrap();
            assert_eq!(snapshot.tenant(found.tenant).name, "demo");
            let groups = snapshot.groups_for(found.tenant, Service::Voicexml);
            assert_eq!(snapshot.group(groups[0]).resources.len(), media.len());
        }
    }
}
