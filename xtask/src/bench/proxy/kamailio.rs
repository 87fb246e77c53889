//! Debian's Kamailio, set up by `deploy/bench/kamailio.cfg`.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::call::{PROXY, Via};
use super::process::Process;
use super::sipp::Media;
use super::site::{Folder, free};
use super::system::{Running, Tools};

/// Starts it with an allocator.
pub(super) fn start(
    tools: &Tools,
    folder: Folder,
    media: Media,
    via: Via,
    allocator: &str,
) -> Result<Running> {
    let sip = free(PROXY)?;
    let line = |address| format!("1 sip:{address}{}\n", via.parameter());
    let list = folder.write("list", &media.addresses.iter().map(line).collect::<String>())?;
    let control = folder.path().join("control");
    let text = std::fs::read_to_string(tools.files.join("kamailio.cfg"))?
        .replace("$SIP", &sip.port().to_string())
        .replace("$LIST", &list.to_string_lossy())
        .replace("$CTL", &control.to_string_lossy());
    let config = folder.write("kamailio.cfg", &text)?;
    let records = File::create(folder.path().join("records"))?;
    let mut command = Command::new("kamailio");
    // Shared memory is only touched as far as it is used.
    command
        .args(["-DD", "-E", "-x", allocator, "-m", "4096", "-M", "64", "-f"])
        .arg(config)
        .arg("-w")
        .arg(folder.path())
        .arg("-Y")
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(records);
    let server = Process::start(command)?;
    let (_media, _folder) = (media, folder);
    Ok(Running { server, sip, control: Some(control), _others: Vec::new(), _media, _folder })
}

/// Bytes of its shared memory that are in use, what the allocator adds included.
pub(super) fn shared_memory(control: &Path) -> Result<f64> {
    let output = Command::new("kamcmd")
        .arg("-s")
        .arg(format!("unix:{}", control.display()))
        .arg("core.shmmem")
        .output()
        .context("cannot run kamcmd")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = text.lines().find_map(|line| line.trim().strip_prefix("real_used:"));
    Ok(value.context("kamcmd tells no shared memory")?.trim().parse()?)
}
