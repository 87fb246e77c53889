//! The endpoint: accepts, reads requests, keeps them, answers as the script says.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::answer::{self, Answer, Then};
use super::packet;
use super::request::{Request, What};
use super::secure::{Encryption, Identity, Stream};

/// The script: what to say to a request; `None`: done, nothing changed.
type Script = dyn Fn(&Request) -> Option<Answer> + Send + Sync;

/// How the endpoint is.
pub(crate) struct Settings {
    pub(crate) encryption: Encryption,
    pub(crate) identity: Option<Identity>,
    pub(crate) password: &'static str,
    /// Bytes of a reply's packets behind the header, and of the client's whole packets.
    pub(crate) split: usize,
    pub(crate) packet: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            encryption: Encryption::NotSupported,
            identity: None,
            password: "secret",
            split: 4088,
            packet: 4096,
        }
    }
}

impl Settings {
    /// With TLS for all.
    pub(crate) fn secure(identity: Identity) -> Self {
        Self { encryption: Encryption::On, identity: Some(identity), ..Self::default() }
    }
}

/// A running endpoint; it ends with its value.
pub(crate) struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    settings: Settings,
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    open: Mutex<Vec<TcpStream>>,
    closed: Mutex<BTreeSet<usize>>,
    transactions: AtomicU64,
    ended: AtomicBool,
}

impl Shared {
    fn keep(&self, request: Request) {
        self.requests.lock().unwrap().push(request);
    }
}

impl Endpoint {
    pub(crate) fn start(
        settings: Settings,
        script: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            settings,
            script: Box::new(script),
            requests: Mutex::default(),
            open: Mutex::default(),
            closed: Mutex::default(),
            transactions: AtomicU64::new(1),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared, acceptor: Some(acceptor) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was asked until now.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The same without logins.
    pub(crate) fn asked(&self) -> Vec<What> {
        let asked = self.requests().into_iter().map(|request| request.what);
        asked.filter(|what| !matches!(what, What::Login(_))).collect()
    }

    /// Connections that clients have left.
    pub(crate) fn left(&self) -> BTreeSet<usize> {
        self.shared.closed.lock().unwrap().clone()
    }

    /// Whether all is encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.shared.settings.encryption == Encryption::On
    }

    pub(crate) fn authority(&self) -> std::path::PathBuf {
        self.shared.settings.identity.as_ref().expect("an endpoint with TLS").authority()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // wakes the acceptor, which ends the rest
        let _woken = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let ended = acceptor.join();
            if let Err(fault) = ended
                && !thread::panicking()
            {
                std::panic::resume_unwind(fault);
            }
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    while let Ok((tcp, _)) = listener.accept() {
        if shared.ended.load(Ordering::SeqCst) {
            break;
        }
        let (kept, end) = (tcp.try_clone().unwrap(), End(tcp.try_clone().unwrap()));
        shared.open.lock().unwrap().push(kept);
        let number = threads.len();
        let shared = Arc::clone(shared);
        threads.push(thread::spawn(move || {
            let _torn = Connection { number, transaction: 0, shared: &shared }.serve(tcp);
            drop(end);
            shared.closed.lock().unwrap().insert(number);
        }));
    }
    for tcp in &*shared.open.lock().unwrap() {
        let _gone = tcp.shutdown(Shutdown::Both);
    }
    for thread in threads {
        thread.join().expect("the client keeps to the protocol");
    }
}

/// Ends a connection, also when its thread has panicked.
struct End(TcpStream);

impl Drop for End {
    fn drop(&mut self) {
        let _gone = self.0.shutdown(Shutdown::Both);
    }
}

struct Connection<'s> {
    number: usize,
    transaction: u64,
    shared: &'s Shared,
}

impl Connection<'_> {
    fn serve(mut self, tcp: TcpStream) -> io::Result<()> {
        let Settings { encryption, identity, password, split, packet } = &self.shared.settings;
        tcp.set_nodelay(true)?;
        let config = identity.as_ref().map(Identity::config);
        let mut stream = Stream::prelogin(tcp, *encryption, config)?;
        let Some(What::Login(login)) = self.next(&mut stream)? else { return Ok(()) };
        if *encryption == Encryption::Off {
            stream = stream.bare();
        }
        if login.password != *password {
            let refused = answer::refused(&login.user);
            return packet::write(&mut stream, packet::REPLY, &refused, *split);
        }
        let welcome = answer::welcome(&login.database, *packet);
        packet::write(&mut stream, packet::REPLY, &welcome, *split)?;
        while let Some(what) = self.next(&mut stream)? {
            if !self.answer(&what, &mut stream)? {
                break;
            }
        }
        Ok(())
    }

    /// The next request, kept for the test.
    fn next(&self, stream: &mut Stream) -> io::Result<Option<What>> {
        let Some(message) = packet::read(stream)? else { return Ok(None) };
        let (transaction, what) = What::decode(&message);
        if !matches!(what, What::Login(_) | What::Attention | What::Bulk { .. }) {
            assert_eq!(transaction, self.transaction, "a request names its transaction");
        }
        let request =
            Request { connection: self.number, transaction: self.transaction, what: what.clone() };
        self.shared.keep(request);
        Ok(Some(what))
    }

    /// False: the connection ends.
    fn answer(&mut self, what: &What, stream: &mut Stream) -> io::Result<bool> {
        let split = self.shared.settings.split;
        if *what == What::Attention {
            let mut out = Vec::new();
            answer::done(answer::DONE, answer::ATTENTION, 0, &mut out);
            packet::write(stream, packet::REPLY, &out, split)?;
            return Ok(true);
        }
        let request =
            Request { connection: self.number, transaction: self.transaction, what: what.clone() };
        let said = (self.shared.script)(&request);
        let procedure = matches!(what, What::Call { .. });
        let bytes = match (&said, what) {
            (None, What::Begin { .. }) => {
                self.transaction = self.shared.transactions.fetch_add(1, Ordering::SeqCst);
                answer::transaction(8, self.transaction)
            }
            (None, What::Commit) => answer::transaction(9, std::mem::take(&mut self.transaction)),
            (None, What::Rollback) => {
                answer::transaction(10, std::mem::take(&mut self.transaction))
            }
            (said, _) => said.clone().unwrap_or_default().encode(procedure),
        };
        match said.map_or(Then::End, |said| said.then) {
            Then::End => packet::write(stream, packet::REPLY, &bytes, split)?,
            Then::Close => return Ok(false),
            Then::Stall => packet::begin(stream, &bytes, split)?,
        }
        Ok(true)
    }
}
