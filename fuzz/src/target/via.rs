//! `sip::header::Via`: what is read is in the text, and the stamp of the source can be read.

use sip::header::Via;

pub(super) fn run(data: &[u8]) {
    let Ok(via) = Via::parse(data) else { return };
    assert!(!via.host.is_empty() && via.text.contains(via.host));
    assert!(via.text.contains(via.transport) && via.port != Some(0));
    if let Some(branch) = via.rfc3261_branch() {
        assert!(branch.len() > 7 && via.branch == Some(branch));
    }
    for param in via.params.iter() {
        assert!(via.params.get(param.name).is_some(), "a parameter is found by its name");
    }
    let _ = (via.parsed_transport(), via.sent_by());
    let source = std::net::SocketAddr::from(([192, 0, 2, 7], 4711));
    let mut stamped = Vec::new();
    via.write_received(source, &mut stamped);
    let again = Via::parse(&stamped).ok();
    let again = again.map(|again| (again.host, again.port, again.branch, again.received));
    assert_eq!(again, Some((via.host, via.port, via.branch, Some("192.0.2.7"))));
}
