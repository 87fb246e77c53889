//! A folder and ports of one run.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};

/// A folder that is removed with it.
pub(in crate::bench) struct Folder(PathBuf);

impl Folder {
    /// A new one.
    pub(in crate::bench) fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (pid, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("ringmaster-bench-{pid}-{number}"));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {path:?}"))?;
        Ok(Self(path))
    }

    pub(in crate::bench) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file of it.
    pub(in crate::bench) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {path:?}"))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind lies in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An address whose port is free for UDP and TCP, below those that the system gives to whoever
/// asks for any.
pub(in crate::bench) fn free(ip: IpAddr) -> Result<SocketAddr> {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let number = TAKEN.fetch_add(1, Ordering::Relaxed) + std::process::id() * 97;
        let address = SocketAddr::new(ip, u16::try_from(FIRST + number % COUNT)?);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port is free on {ip}")
}
