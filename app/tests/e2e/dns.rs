//! Debian's dnsmasq as the name service, at an address and port of its own, with the records that
//! a test gives it.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::platform::{Site, eventually, free_port, loopback};
use crate::player::is_bound;
use crate::sipp::Via;

/// A name server for `test.`, whose answers live for a second; ended with the value.
pub(crate) struct Dnsmasq {
    child: Option<Child>,
    pub(crate) address: SocketAddr,
}

impl Dnsmasq {
    /// One that is away.
    pub(crate) fn away() -> Self {
        let ip = loopback().ip();
        Self { child: None, address: SocketAddr::new(ip, free_port(ip)) }
    }

    pub(crate) fn start(records: &[String]) -> Self {
        let mut server = Self::away();
        server.serve(records);
        server
    }

    /// From now on these records, as options of dnsmasq.
    pub(crate) fn serve(&mut self, records: &[String]) {
        let more = ["--local=/test/".to_owned(), "--local-ttl=1".to_owned()];
        let at = [format!("--listen-address={}", self.address.ip())];
        let at = at.into_iter().chain([format!("--port={}", self.address.port())]);
        let fixed = ["--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"];
        let fixed = fixed.map(str::to_owned);
        self.run(&fixed.into_iter().chain(at).chain(more).collect::<Vec<_>>(), records);
    }

    /// With these options alone, which name its address.
    pub(crate) fn run(&mut self, options: &[String], records: &[String]) {
        self.stop();
        let mut child = Command::new("/usr/sbin/dnsmasq")
            .args(["--no-daemon", "--pid-file=", "--user=", "--group="])
            .args(options)
            .args(records)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq is installed (test.sh does it)");
        let address = self.address;
        let up = || is_bound(address, Via::Tcp) || child.try_wait().unwrap().is_some();
        eventually("dnsmasq listens", up, |up| *up);
        self.child = Some(child);
    }

    /// It goes away, and its port with it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// RM asks this server and nobody else.
    pub(crate) fn tell(&self, site: &Site) {
        let text = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
        let with = format!("rm:\n  dns: {{ servers: [\"{}\"] }}\n", self.address);
        assert!(text.contains("rm:\n"), "{text}");
        site.write("settings.yaml", &text.replacen("rm:\n", &with, 1));
    }
}

impl Drop for Dnsmasq {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The records of a domain whose media servers speak `transport`: NAPTR, and SRV with priority and
/// weight.
pub(crate) fn domain(
    name: &str,
    transport: Via,
    servers: &[(u16, u16, SocketAddr)],
) -> Vec<String> {
    let (service, place) = match transport {
        Via::Udp => ("SIP+D2U", "_sip._udp"),
        Via::Tcp => ("SIP+D2T", "_sip._tcp"),
        Via::Tls => ("SIPS+D2T", "_sips._tcp"),
    };
    let mut records = vec![format!("--naptr-record={name},10,10,s,{service},,{place}.{name}")];
    for (n, (priority, weight, at)) in (1..).zip(servers) {
        let host = format!("host-{n}-of-{name}");
        let port = at.port();
        records.push(format!("--srv-host={place}.{name},{host},{port},{priority},{weight}"));
        records.push(format!("--host-record={host},{}", at.ip()));
    }
    records
}
