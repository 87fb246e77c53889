//! The three session headers (rm.md §2.3): bytes that voice applications parse. While a CTI
//! connector is asked first, the name of the profile is empty.

use std::fmt::Write;

use model::id::NodeId;

use crate::session::Session;

/// `X-Genesys-GVP-Session-ID`, a whole line.
pub(crate) fn session_id(session: &Session, node: NodeId, out: &mut String) {
    let guid = session.guid;
    let _ = write!(out, "X-Genesys-GVP-Session-ID: {guid};gvp.rm.datanodes={node}");
    if session.cti {
        out.push_str(";gvp.rm.cti-call=1");
    }
    if let Some(tenant) = &session.tenant {
        out.push_str(";gvp.rm.tenant-id=");
        for (at, (_, dbid)) in tenant.path.iter().enumerate() {
            let dot = if at > 0 { "." } else { "" };
            let _ = write!(out, "{dot}{dbid}");
        }
        let profile = session.profile.as_ref().map_or("", |profile| profile.name.as_str());
        let _ = write!(out, "_{profile}");
    }
    out.push_str("\r\n");
}

/// `X-Genesys-GVP-Session-Data` and `X-Genesys-RM-Application-dbid`, whole lines.
pub(crate) fn session_data(session: &Session, node: NodeId, out: &mut String) {
    let Some(tenant) = &session.tenant else { return };
    let guid = session.guid;
    let _ = write!(out, "X-Genesys-GVP-Session-Data: callsession={guid};{node};0;;;;");
    for (at, (name, _)) in tenant.path.iter().enumerate() {
        let slash = if at > 0 { "/" } else { "" };
        let _ = write!(out, "{slash}{name}");
    }
    let profile = session.profile.as_ref();
    let _ = write!(out, ";{}\r\n", profile.map_or("", |profile| profile.name.as_str()));
    let Some(profile) = profile else { return };
    let _ = write!(out, "X-Genesys-RM-Application-dbid: {}\r\n", profile.dbid);
}
