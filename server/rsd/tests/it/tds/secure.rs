//! PRELOGIN and TLS inside TDS (MS-TDS 2.2.6.5): the handshake travels in packets, what comes after
//! it does not.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::packet;

/// What the server says of encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// Only the login.
    Off = 0,
    /// All of it.
    On = 1,
    /// It has no certificate.
    NotSupported = 2,
}

/// A certificate of `127.0.0.1` and `localhost`, by an authority of its own.
pub(crate) struct Identity {
    dir: TempDir,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = "[req]\ndistinguished_name = dn\n[dn]\n";
        fs::write(dir.path().join("req.cnf"), config).unwrap();
        let authority = "-keyout ca.key -out ca.pem -subj /CN=ca -addext basicConstraints=CA:TRUE";
        let own = "-CA ca.pem -CAkey ca.key -keyout own.key -out own.pem -subj /CN=canned \
                   -addext subjectAltName=IP:127.0.0.1,DNS:localhost";
        let fixed = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config req.cnf";
        for options in [authority, own] {
            let output = Command::new("openssl")
                .args(fixed.split(' ').chain(options.split_whitespace()))
                .current_dir(dir.path())
                .output()
                .expect("openssl is installed (test.sh does it)");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Self { dir }
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Its own certificate and key.
    pub(crate) fn own(&self) -> (PathBuf, PathBuf) {
        (self.dir.path().join("own.pem"), self.dir.path().join("own.key"))
    }

    /// TLS 1.2, as SQL Server has it up to TDS 7.4.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let (chain, key) = self.own();
        let chain = CertificateDer::from_pem_file(chain).unwrap();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        Arc::new(config)
    }
}

/// The way to a client.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Answers PRELOGIN and shakes hands if both want it.
    pub(super) fn prelogin(
        mut tcp: TcpStream,
        encryption: Encryption,
        config: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let Some(hello) = packet::read(&mut tcp)? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        assert_eq!(hello.kind, packet::PRELOGIN);
        let asked = hello.bytes[option(&hello.bytes, 1).expect("ENCRYPTION is asked for")];
        // 2: the client cannot; else the server's word, which may be more than was asked
        let tls = asked != 2 && encryption != Encryption::NotSupported;
        packet::write(&mut tcp, packet::REPLY, &reply(encryption), 512)?;
        let Some(config) = config.filter(|_| tls) else { return Ok(Self::Plain(tcp)) };
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let mut wrapped = Wrapped { tcp, read: Vec::new(), written: Vec::new() };
        while connection.is_handshaking() {
            connection.complete_io(&mut wrapped)?;
        }
        wrapped.flush()?;
        assert!(wrapped.read.is_empty(), "the handshake ends with a packet");
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, wrapped.tcp))))
    }

    /// Goes on in the clear.
    pub(super) fn bare(self) -> Self {
        match self {
            Self::Tls(tls) => Self::Plain(tls.sock),
            plain @ Self::Plain(_) => plain,
        }
    }
}

/// Where the value of an option lies.
fn option(bytes: &[u8], wanted: u8) -> Option<usize> {
    let entries = bytes.chunks(5).take_while(|entry| entry[0] != 0xFF);
    let mut entries = entries.filter(|entry| entry[0] == wanted);
    entries.next().map(|entry| usize::from(u16::from_be_bytes([entry[1], entry[2]])))
}

/// VERSION, ENCRYPTION and MARS.
fn reply(encryption: Encryption) -> Vec<u8> {
    let mut out = vec![0, 0, 16, 0, 6, 1, 0, 22, 0, 1, 4, 0, 23, 0, 1, 0xFF];
    out.extend([13, 0, 0x10, 0x75, 0, 0]);
    out.extend([encryption as u8, 0]);
    out
}

/// The handshake in PRELOGIN packets.
struct Wrapped {
    tcp: TcpStream,
    read: Vec<u8>,
    written: Vec<u8>,
}

impl Read for Wrapped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.flush()?;
        if self.read.is_empty()
            && let Some(message) = packet::read(&mut self.tcp)?
        {
            assert_eq!(message.kind, packet::PRELOGIN);
            self.read = message.bytes;
        }
        let length = self.read.len().min(buffer.len());
        let rest = self.read.split_off(length);
        buffer[..length].copy_from_slice(&self.read);
        self.read = rest;
        Ok(length)
    }
}

impl Write for Wrapped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.written.is_empty() {
            packet::write(&mut self.tcp, packet::PRELOGIN, &self.written, 4088)?;
            self.written.clear();
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
