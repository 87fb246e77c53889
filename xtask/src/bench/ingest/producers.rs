//! The Java producers, and what they tell.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::Tools;
use super::plan::Plan;
use super::system::{Killed, class_path};
use crate::bench::printed::number;

/// Messages answered.
#[derive(Debug, Clone)]
pub(super) struct Load {
    /// A second.
    pub(super) rate: f64,
    /// From a send to its answer, ms.
    pub(super) p50_ms: f64,
    /// The same of 99 of 100.
    pub(super) p99_ms: f64,
}

/// Lets them send; `at` is called when measuring begins and when it ends.
pub(super) fn run(
    tools: &Tools,
    plan: &Plan,
    address: SocketAddr,
    producers: u32,
    mut at: impl FnMut(&str) -> Result<()>,
) -> Result<Load> {
    let mut child = begun(tools, plan, address, producers, 0)?;
    let stdout = child.0.stdout.take().context("stdout is a pipe")?;
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        if line.starts_with("rate=") {
            return Load::read(&line);
        }
        at(&line)?;
    }
    bail!("the producers failed")
}

/// Starts them, and leaves them alone: so many messages a second all together; 0: as many as are
/// answered.
pub(super) fn begun(
    tools: &Tools,
    plan: &Plan,
    address: SocketAddr,
    producers: u32,
    rate: u32,
) -> Result<Killed> {
    let millis = |seconds: u32| (u64::from(seconds) * 1000).to_string();
    let mut command = Command::new("java");
    command
        .args(["-Xmx512m", "-cp", &class_path()])
        .arg(&tools.producers)
        .arg(format!("tcp://{address}"))
        .args([producers.to_string(), millis(plan.warm), millis(plan.seconds), word()?])
        .arg(rate.to_string())
        .stdout(Stdio::piped());
    Ok(Killed(command.spawn().context("cannot start java")?))
}

/// Until all are connected, and have sent for as long as nothing is measured.
pub(super) fn are_measured(child: &mut Killed) -> Result<()> {
    let stdout = child.0.stdout.as_mut().context("stdout is a pipe")?;
    let mut byte = [0];
    while stdout.read(&mut byte)? == 1 {
        if byte == [b'\n'] {
            return Ok(());
        }
    }
    bail!("the producers failed")
}

/// Until they have ended by themselves; what they tell.
pub(super) fn ended(mut child: Killed) -> Result<Load> {
    let stdout = child.0.stdout.take().context("stdout is a pipe")?;
    let text = std::io::read_to_string(stdout)?;
    let line = text.lines().find(|line| line.starts_with("rate="));
    Load::read(line.context("the producers failed")?)
}

impl Load {
    fn read(line: &str) -> Result<Self> {
        let ms = |key| number(line, key).map(|us| us / 1000.0);
        let rate = number(line, "rate=")?;
        Ok(Self { rate, p50_ms: ms("p50_us=")?, p99_ms: ms("p99_us=")? })
    }
}

/// The first half of ids of calls (RFC 9562, version 7), as time makes it.
#[expect(clippy::disallowed_methods, reason = "ids of calls hold the time")]
fn word() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    Ok(format!("{:08X}", now >> 16))
}
