//! A broker over a real socket (the receiving machine of `proto/openwire`), which can be away,
//! store without answering, refuse transactions, and come back.

use openwire::{Body, Broker, BrokerEvent, BrokerSettings, Class};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A record that arrived: its id, the queue, its text.
pub(crate) type Arrived = (String, String, String);

/// One broker address; connections are served until [`Server::close`].
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) arrived: Arc<Mutex<Vec<Arrived>>>,
    /// Stores without an answer, and hangs up after the first, while true.
    mute: Arc<AtomicBool>,
    /// Takes no transaction, while true.
    single: Arc<AtomicBool>,
    /// Connection ids of the logins, in their order.
    pub(crate) logins: Arc<Mutex<Vec<String>>>,
}

/// The broker as its connections see it.
#[derive(Clone)]
struct Desk {
    arrived: Arc<Mutex<Vec<Arrived>>>,
    mute: Arc<AtomicBool>,
    single: Arc<AtomicBool>,
    logins: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Desk {
            arrived: Arc::default(),
            mute: Arc::default(),
            single: Arc::default(),
            logins: Arc::default(),
        };
        let Desk { arrived, mute, single, logins } = desk.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let desk = desk.clone();
                thread::spawn(move || serve(&mut stream.unwrap(), &desk));
            }
        });
        Self { address, arrived, mute, single, logins }
    }

    pub(crate) fn set_single(&self, single: bool) {
        self.single.store(single, Ordering::Release);
    }

    pub(crate) fn set_mute(&self, mute: bool) {
        self.mute.store(mute, Ordering::Release);
    }

    /// The setting that leads here.
    pub(crate) fn setting(&self) -> String {
        format!("  reporting: {{ broker: \"tcp://{}\" }}", self.address)
    }
}

fn serve(stream: &mut TcpStream, desk: &Desk) {
    let now = Duration::ZERO; // it does not time out
    let mut broker = Broker::new(BrokerSettings::new("test"), now);
    let mut buffer = [0; 64 * 1024];
    loop {
        while let Some(event) = broker.poll_event() {
            match event {
                BrokerEvent::Login { connection_id, .. } => {
                    desk.logins.lock().unwrap().push(connection_id);
                    broker.accept_login();
                }
                BrokerEvent::Store { ticket, messages }
                    if messages.len() > 1 && desk.single.load(Ordering::Acquire) =>
                {
                    broker.failed(ticket, Class::TransactionRolledBack, "one at a time");
                }
                BrokerEvent::Store { ticket, messages } => {
                    for message in messages {
                        let Body::Text(text) = message.body else { panic!("no text message") };
                        let id = message.record_id.unwrap();
                        desk.arrived.lock().unwrap().push((id, message.queue, text));
                    }
                    if desk.mute.load(Ordering::Acquire) {
                        return;
                    }
                    broker.stored(ticket);
                }
                BrokerEvent::Note(_) => {}
                BrokerEvent::Closed { .. } => return,
            }
        }
        let mut out = Vec::new();
        while broker.poll_transmit(&mut out) {}
        if stream.write_all(&out).is_err() {
            return;
        }
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => broker.handle_input(now, &buffer[..count]),
            Ok(0) | Err(_) => return,
        }
    }
}
