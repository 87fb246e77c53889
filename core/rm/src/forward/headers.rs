//! The three session headers (rm.md §2.3): bytes that voice applications parse.

use std::fmt::Write;

use model::id::NodeId;

use crate::session::Session;

/// `X-Genesys-GVP-Session-ID`, a whole line.
pub(crate) fn session_id(session: &Session, node: NodeId, out: &mut String) {
    let guid = session.guid;
    let _ = write!(out, "X-Genesys-GVP-Session-ID: {guid};gvp.rm.datanodes={node}");
    if let (Some(tenant), Some(profile)) = (&session.tenant, &session.profile) {
        out.push_str(";gvp.rm.tenant-id=");
        for (at, (_, dbid)) in tenant.path.iter().enumerate() {
            let dot = if at > 0 { "." } else { "" };
            let _ = write!(out, "{dot}{dbid}");
        }
        let _ = write!(out, "_{}", profile.name);
    }
    out.push_str("\r\n");
}

/// `X-Genesys-GVP-Session-Data` and `X-Genesys-RM-Application-dbid`, whole lines.
pub(crate) fn session_data(session: &Session, node: NodeId, out: &mut String) {
    let (Some(tenant), Some(profile)) = (&session.tenant, &session.profile) else { return };
    let guid = session.guid;
    let _ = write!(out, "X-Genesys-GVP-Session-Data: callsession={guid};{node};0;;;;");
    for (at, (name, _)) in tenant.path.iter().enumerate() {
        let slash = if at > 0 { "/" } else { "" };
        let _ = write!(out, "{slash}{name}");
    }
    let _ = write!(out, ";{}\r\n", profile.name);
    let _ = write!(out, "X-Genesys-RM-Application-dbid: {}\r\n", profile.dbid);
}
