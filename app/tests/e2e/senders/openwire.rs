//! Our own OpenWire client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use net::Clock;
use openwire::{Client, ClientEvent, ClientSettings, Limits, Outbound};

use super::{Line, is_silence};
use crate::book::Send;

pub(super) struct Openwire {
    stream: TcpStream,
    client: Client,
    clock: Clock,
    sequence: u64,
}

impl Line for Openwire {
    const MIXED: bool = false;

    fn connect(broker: SocketAddr, name: &str, attempt: u32) -> Option<Self> {
        let stream = TcpStream::connect(broker).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(Duration::from_millis(100))).ok()?;
        let clock = Clock::start();
        let settings = ClientSettings {
            client_id: None,
            connection_id: format!("ID:{name}-{attempt}:1"),
            user: None,
            password: None,
            attempt,
            limits: Limits::default(),
        };
        let client = Client::new(settings, clock.mono());
        let mut line = Self { stream, client, clock, sequence: 0 };
        loop {
            match line.event()? {
                Some(ClientEvent::Ready) => return Some(line),
                Some(ClientEvent::Closed { .. }) => return None,
                Some(_) | None => {}
            }
        }
    }

    fn send(&mut self, tag: u64, send: &Send) -> Option<()> {
        let mut all = Vec::new();
        for record in &send.records {
            self.sequence += 1;
            let (sequence, body, kind) = (self.sequence, record.body.as_bytes(), record.kind);
            all.push(Outbound { record_id: &record.id, kind, schema: 1, body, sequence });
        }
        // as RM does: all of a transaction to one queue
        let queue = send.records[0].queue;
        match &all[..] {
            [one] => self.client.send(queue, tag, one).unwrap(),
            all => self.client.send_transaction(queue, tag, all).unwrap(),
        }
        Some(())
    }

    fn answer(&mut self) -> Option<Option<u64>> {
        match self.event()? {
            Some(ClientEvent::Acknowledged { tag }) => Some(Some(tag)),
            Some(ClientEvent::Closed { .. }) => None,
            Some(ClientEvent::Refused { text, .. }) => panic!("{text}"),
            Some(ClientEvent::Ready | ClientEvent::Referred(_)) | None => Some(None),
        }
    }
}

impl Openwire {
    fn event(&mut self) -> Option<Option<ClientEvent>> {
        if let Some(event) = self.client.poll_event() {
            return Some(Some(event));
        }
        let mut bytes = Vec::new();
        if self.client.poll_transmit(&mut bytes) {
            self.stream.write_all(&bytes).ok()?;
        }
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(read) => self.client.handle_input(self.clock.mono(), &buffer[..read]),
            Err(error) if is_silence(&error) => self.client.handle_timeout(self.clock.mono()),
            Err(_) => return None,
        }
        Some(self.client.poll_event())
    }
}
