//! A broker over a real socket (the receiving machine of `proto/openwire`), which can be away,
//! store without answering, and come back.

use openwire::{Body, Broker, BrokerEvent, BrokerSettings};
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
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (arrived, mute) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicBool::new(false)));
        let (all, silent) = (Arc::clone(&arrived), Arc::clone(&mute));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (all, silent) = (Arc::clone(&all), Arc::clone(&silent));
                thread::spawn(move || serve(&mut stream.unwrap(), &all, &silent));
            }
        });
        Self { address, arrived, mute }
    }

    pub(crate) fn set_mute(&self, mute: bool) {
        self.mute.store(mute, Ordering::Release);
    }

    /// The setting that leads here.
    pub(crate) fn setting(&self) -> String {
        format!("  reporting: {{ broker: \"tcp://{}\" }}", self.address)
    }
}

fn serve(stream: &mut TcpStream, arrived: &Mutex<Vec<Arrived>>, mute: &AtomicBool) {
    let now = Duration::ZERO; // it does not time out
    let mut broker = Broker::new(BrokerSettings::new("test"), now);
    let mut buffer = [0; 64 * 1024];
    loop {
        while let Some(event) = broker.poll_event() {
            match event {
                BrokerEvent::Login { .. } => broker.accept_login(),
                BrokerEvent::Store { ticket, messages } => {
                    for message in messages {
                        let Body::Text(text) = message.body else { panic!("no text message") };
                        let id = message.record_id.unwrap();
                        arrived.lock().unwrap().push((id, message.queue, text));
                    }
                    if mute.load(Ordering::Acquire) {
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
