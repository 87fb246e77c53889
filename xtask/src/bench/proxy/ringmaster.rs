//! Ringmaster with everything on: its records go to a Reporting Server of their own process, whose
//! CPU is not counted.

use std::fs::File;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::call::{PROXY, Via};
use super::process::Process;
use super::sipp::Media;
use super::site::{Folder, free};
use super::system::{Running, Tools};

/// Starts both daemons, with objects of a file; where RM is asked.
pub(super) fn start(
    tools: &Tools,
    folder: Folder,
    media: Media,
    via: Via,
) -> Result<(Running, SocketAddr)> {
    folder.write("platform.yaml", &platform(tools, &media, via)?)?;
    start_with(tools, folder, media, "file: platform.yaml")
}

/// Starts both daemons, with objects from there; where RM is asked.
pub(in crate::bench) fn start_with(
    tools: &Tools,
    folder: Folder,
    media: Media,
    objects: &str,
) -> Result<(Running, SocketAddr)> {
    let (sip, monitor, http) = (free(PROXY)?, free(PROXY)?, free(PROXY)?);
    let (broker, reports) = (free(PROXY)?, free(PROXY)?);
    let settings = format!(
        "data_dir: data\n\
         config: {{ {objects} }}\n\
         rm:\n  name: rm-1\n  \
           sip: {{ listen: [\"udp:{sip}\", \"tcp:{sip}\"] }}\n  \
           monitor: {{ listen: \"udp:{monitor}\" }}\n  \
           http: {http}\n  \
           reporting: {{ broker: \"tcp://{broker}\" }}\n\
         rs:\n  name: rs-1\n  broker: {broker}\n  http: {reports}\n"
    );
    folder.write("settings.yaml", &settings)?;
    let daemon = |name: &str| -> Result<Process> {
        let log = File::create(folder.path().join(format!("{name}.log")))?;
        let mut command = Command::new(&tools.program);
        command
            .current_dir(folder.path())
            .args([name, "-c", "settings.yaml"])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null());
        Process::start(command)
    };
    let (reporting, server) = (daemon("rs")?, daemon("rm")?);
    let (_media, _folder) = (media, folder);
    let running = Running { server, sip, control: None, _others: vec![reporting], _media, _folder };
    Ok((running, http))
}

/// The objects of the bench, with these media servers.
pub(in crate::bench) fn platform(tools: &Tools, media: &Media, via: Via) -> Result<String> {
    let mut platform = std::fs::read_to_string(tools.files.join("platform.yaml"))?;
    for (number, address) in (1..).zip(&media.addresses) {
        let uri = format!("sip:{address}{}", via.parameter());
        platform.push_str(&format!(
            "    - {{ name: mcp-{number}, address: \"{uri}\", capacity: 250000 }}\n"
        ));
    }
    Ok(platform)
}
