//! `config::objects` and `model::snapshot`: any text is a configuration or a list of problems.

use config::objects::from_text;
use model::id::Revision;
use model::snapshot::Snapshot;

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(documents) = from_text(&text, None) else { return };
    match Snapshot::build(&documents, Revision(1)) {
        Ok((snapshot, _)) => {
            for number in ["18005550100", "1900", "", "x"] {
                let _ = snapshot.did(number);
            }
            for (tenant, _) in snapshot.tenants() {
                assert!(snapshot.chain(tenant).count() <= documents.len() + 1, "a tree ends");
            }
        }
        Err(problems) => assert!(!problems.is_empty(), "a refusal says why"),
    }
}
