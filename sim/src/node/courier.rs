//! One line of a Resource Manager to the broker: records from the spool by `openwire::Client`,
//! kept until acknowledged, sent again after a loss (rm.md §9.6).
//!
//! The daemon's publisher does the same around sockets and threads (`server/rmd/src/publish.rs`).

use std::collections::VecDeque;
use std::time::Duration;

use model::record::{Kind as RecordKind, Stream};
use openwire::{Client, ClientEvent, ClientSettings, Outbound};
use rm::frame;
use spool::{Frame, Kind, Reader, Spool};

use crate::network::{Conn, Packet};

/// Records and bytes of one transaction, and transactions under way.
const GROUP: (usize, usize, usize) = (256, 1 << 20, 2);
/// Wait before the next attempt to connect.
const RETRY: Duration = Duration::from_secs(1);
/// No more is looked for so long after everything was sent.
const REST: Duration = Duration::from_millis(100);

/// Records that travel together.
struct Group {
    tag: u64,
    /// Everything up to here is acknowledged with it.
    upto: u64,
    passed: bool,
    stream: Stream,
    records: Vec<Record>,
}

struct Record {
    seq: u64,
    id: String,
    kind: String,
    payload: Vec<u8>,
}

/// One connection, one cursor.
pub(super) struct Courier {
    cursor: u8,
    name: String,
    spool: Spool,
    reader: Reader,
    groups: VecDeque<Group>,
    next_tag: u64,
    attempt: u32,
    link: Option<(Conn, Client, bool)>,
    /// Without a link: when the next one is tried. With one: before this nothing is looked for.
    not_before: Duration,
    /// It is to be called then.
    resting: bool,
}

impl Courier {
    /// That of the CDRs (0), or of the rest (1), from this position on.
    pub(super) fn new(cursor: u8, name: String, spool: &Spool, position: u64) -> Self {
        let (groups, not_before) = (VecDeque::new(), Duration::ZERO);
        let (spool, reader) = (spool.clone(), spool.reader(position));
        Self {
            cursor,
            name,
            spool,
            reader,
            groups,
            next_tag: 1,
            attempt: 0,
            link: None,
            not_before,
            resting: false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match &self.link {
            None => Some(self.not_before),
            Some((_, client, _)) => {
                let rest = self.resting.then_some(self.not_before);
                rest.into_iter().chain(client.poll_timeout()).min()
            }
        }
    }

    /// Everything that is on disk is acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.groups.is_empty()
    }

    /// Something of a connection has arrived; false: of another one.
    pub(super) fn arrived(&mut self, now: Duration, packet: &Packet) -> bool {
        let Some((own, client, _)) = &mut self.link else { return false };
        match packet {
            Packet::Stream { conn, bytes, .. } if conn == own => client.handle_input(now, bytes),
            Packet::Closed { conn, .. } if conn == own => self.lose(now),
            _ => return false,
        }
        true
    }

    /// Whatever can be done now; the packets go to `out`.
    pub(super) fn turn(&mut self, now: Duration, conns: &mut u64, out: &mut Vec<Packet>) {
        if self.link.is_none() && now >= self.not_before {
            *conns += 1;
            out.push(Packet::Connect(Conn(*conns)));
            self.link = Some((Conn(*conns), Client::new(self.settings(), now), false));
        }
        self.listen(now, out);
        if matches!(self.link, Some((.., true))) {
            self.fill(now);
        }
        if let Some((conn, client, _)) = &mut self.link {
            let mut bytes = Vec::new();
            if client.poll_transmit(&mut bytes) {
                out.push(Packet::Stream { conn: *conn, up: true, bytes });
            }
        }
    }

    fn listen(&mut self, now: Duration, out: &mut Vec<Packet>) {
        let Some((_, client, _)) = &mut self.link else { return };
        if client.poll_timeout().is_some_and(|due| due <= now) {
            client.handle_timeout(now);
        }
        loop {
            let Some((conn, client, ready)) = &mut self.link else { return };
            match client.poll_event() {
                None => return,
                Some(ClientEvent::Ready) => {
                    *ready = true;
                    for group in &self.groups {
                        group.send(client);
                    }
                }
                Some(ClientEvent::Acknowledged { tag }) => self.passed(tag),
                // There is one broker.
                Some(ClientEvent::Referred(_)) => {}
                Some(ClientEvent::Refused { .. } | ClientEvent::Closed { .. }) => {
                    out.push(Packet::Closed { conn: *conn, up: true });
                    self.lose(now);
                }
            }
        }
    }

    fn fill(&mut self, now: Duration) {
        let (records, bytes, most) = GROUP;
        let mut sent = false;
        self.resting &= now < self.not_before;
        while self.groups.len() < most && !self.resting {
            let frames = self.reader.read(records, bytes).unwrap_or_default();
            if frames.is_empty() {
                if sent {
                    (self.not_before, self.resting) = (now + REST, true);
                }
                return;
            }
            let newest = frames.iter().rev().find(|frame| frame.kind != Kind::Cursor);
            let Some(upto) = newest.map(|frame| frame.seq) else { continue };
            let mut groups: Vec<Group> = Vec::new();
            for (stream, record) in frames.into_iter().filter_map(|one| self.record(one)) {
                match groups.iter_mut().find(|group| group.stream == stream) {
                    Some(group) => group.records.push(record),
                    None => {
                        let records = vec![record];
                        groups.push(Group { tag: 0, upto: 0, passed: false, stream, records });
                    }
                }
            }
            match groups.last_mut().or(self.groups.back_mut()) {
                Some(last) => last.upto = upto,
                None => self.spool.set_cursor(self.cursor, upto),
            }
            for mut group in groups {
                group.tag = self.next_tag;
                self.next_tag += 1;
                if let Some((_, client, _)) = &mut self.link {
                    group.send(client);
                }
                self.groups.push_back(group);
                sent = true;
            }
        }
    }

    /// The record of a frame, if it is one of this line.
    fn record(&self, frame: Frame) -> Option<(Stream, Record)> {
        if matches!(frame.kind, Kind::Carried | Kind::Cursor) {
            return None;
        }
        let (json, _) = frame::decode(&frame.payload)?;
        let json: serde_json::Value = serde_json::from_slice(json).ok()?;
        let text = |name: &str| Some(json.get(name)?.as_str()?.to_owned());
        let (id, kind) = (text("id")?, text("kind")?);
        let stream = RecordKind::parse(&kind)?.stream();
        let own = if stream == Stream::Cdr { 0 } else { 1 };
        let record = Record { seq: frame.seq, id, kind, payload: frame.payload };
        (own == self.cursor).then_some((stream, record))
    }

    fn passed(&mut self, tag: u64) {
        if let Some(group) = self.groups.iter_mut().find(|group| group.tag == tag) {
            group.passed = true;
        }
        while let Some(group) = self.groups.pop_front_if(|group| group.passed) {
            if group.upto > 0 {
                self.spool.set_cursor(self.cursor, group.upto);
            }
        }
    }

    fn lose(&mut self, now: Duration) {
        self.link = None;
        self.attempt += 1;
        (self.not_before, self.resting) = (now + RETRY, false);
    }

    fn settings(&self) -> ClientSettings {
        ClientSettings {
            client_id: None,
            connection_id: self.name.clone(),
            user: None,
            password: None,
            attempt: self.attempt,
            limits: openwire::Limits::default(),
        }
    }
}

impl Group {
    /// One record plainly, more as a transaction. What is not ready is sent when it is.
    fn send(&self, client: &mut Client) {
        let messages: Vec<Outbound<'_>> = self.records.iter().map(Record::outbound).collect();
        let queue = self.stream.queue();
        let _when_ready = match messages.as_slice() {
            [only] => client.send(queue, self.tag, only),
            all => client.send_transaction(queue, self.tag, all),
        };
    }
}

impl Record {
    fn outbound(&self) -> Outbound<'_> {
        Outbound {
            record_id: &self.id,
            kind: &self.kind,
            schema: 1,
            body: frame::decode(&self.payload).map_or(&[], |(json, _)| json),
            sequence: self.seq,
        }
    }
}
