//! What every state of the receiving end writes with: frames out, events, receipts that wait for
//! the disk, heart-beats.

use std::collections::VecDeque;
use std::time::Duration;

use super::beat::Beat;
use super::frame;
use super::version::{SPOKEN, Version};
use crate::broker::{BrokerEvent, BrokerSettings, Inbound, Note};
use crate::frame::Coming;
use crate::link::earliest;
use crate::refusal::Refusal;
use crate::ticket::Pending;

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) settings: BrokerSettings,
    pub(super) now: Duration,
    pub(super) beat: Beat,
    pub(super) coming: Coming,
    pub(super) events: VecDeque<BrokerEvent>,
    /// With the receipt that each wants.
    pub(super) pending: Pending<Option<String>>,
    /// Agreed with the login.
    pub(super) version: Option<Version>,
    out: Vec<u8>,
}

impl Desk {
    pub(super) fn new(settings: BrokerSettings, now: Duration) -> Self {
        let beat = Beat::new(settings.limits.inactivity, now);
        Self {
            settings,
            now,
            beat,
            coming: Coming::default(),
            events: VecDeque::new(),
            pending: Pending::default(),
            version: None,
            out: Vec::new(),
        }
    }

    /// Appends all that waits.
    pub(super) fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        if self.out.is_empty() {
            return false;
        }
        out.append(&mut self.out);
        self.beat.wrote(self.now);
        true
    }

    /// When a heart-beat or the peer's silence is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        // what waits to be written is as good as a heart-beat
        let write = self.beat.write_due().filter(|_| self.out.is_empty());
        earliest(earliest(write, self.beat.read_due()), self.coming.due())
    }

    pub(super) fn beat_if_due(&mut self) {
        if self.out.is_empty() && self.beat.is_due(self.now) {
            self.out.push(b'\n');
        }
    }

    /// CONNECTED, whose head nobody escapes.
    pub(super) fn connected(&mut self, version: Version, session: &str, beats: Option<&str>) {
        self.version = Some(version);
        let server = concat!("Ringmaster/", env!("CARGO_PKG_VERSION"));
        let mut headers = vec![("version", version.as_str()), ("session", session)];
        let ours;
        if version > Version::V1_0 {
            ours = self.beat.agree(beats);
            headers.extend([("heart-beat", ours.as_str()), ("server", server)]);
        }
        frame::write("CONNECTED", &headers, b"", None, &mut self.out);
    }

    /// A RECEIPT, if one is wanted.
    pub(super) fn receipt(&mut self, wanted: Option<&str>) {
        if let Some(id) = wanted {
            let headers = [("receipt-id", id)];
            frame::write("RECEIPT", &headers, b"", self.version, &mut self.out);
        }
    }

    /// An ERROR that says so, to the frame with that receipt.
    pub(super) fn error(&mut self, receipt: Option<&str>, text: &str) {
        let length = text.len().to_string();
        let mut headers =
            vec![("message", text), ("content-type", "text/plain"), ("content-length", &length)];
        headers.extend(receipt.map(|id| ("receipt-id", id)));
        frame::write("ERROR", &headers, text.as_bytes(), self.version, &mut self.out);
    }

    /// The ERROR of a login without a common version has one header more.
    pub(super) fn unknown_version(&mut self) {
        let text = format!("Supported protocol versions are {SPOKEN}");
        let headers = [("version", SPOKEN), ("content-type", "text/plain"), ("message", &text)];
        frame::write("ERROR", &headers, text.as_bytes(), None, &mut self.out);
    }

    pub(super) fn refuse(&mut self, receipt: Option<&str>, refusal: Refusal) {
        self.error(receipt, &refusal.to_string());
        self.note(Note::Refused(refusal));
    }

    pub(super) fn note(&mut self, note: Note) {
        self.events.push_back(BrokerEvent::Note(note));
    }

    /// Gives messages out to be stored; the receipt waits.
    pub(super) fn store(&mut self, messages: Vec<Inbound>, bytes: usize, receipt: Option<String>) {
        let ticket = self.pending.put(messages.len(), bytes, receipt);
        self.events.push_back(BrokerEvent::Store { ticket, messages });
    }
}
