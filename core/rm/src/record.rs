//! Stage 10, record: facts of a call become numbered records (rm.md §9, rs.md §2).
//!
//! Start at the 2xx, end at the end, one record for an attempt. Ids are functions of session, leg,
//! epoch and node, so a record that is made again is the same one. Must not decide anything.

pub(crate) mod cdr;
pub(crate) mod trace;

use model::id::{Epoch, Guid, LegId};
use model::record::{
    Body, CallEvent, Component, ComponentType, Level, Phase, Policy, Producer, Record, Stream, Try,
    UpdateReason, Usage,
};
use model::time::Now;

use crate::output::{Event, FrameKind};
use crate::proxy::Proxy;
use crate::session::end::End;
use crate::session::{Leg, Session, block};
use trace::Trace;

/// What is told of a call once: in its start record, or in the record of its attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Story {
    pub(crate) trace: Trace,
    pub(crate) usage: Vec<Usage>,
    pub(crate) tries: Vec<Try>,
    pub(crate) policy: Option<Policy>,
}

/// Numbers of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorder {
    /// Number of the latest record event.
    pub(crate) no: u64,
    cdr: u64,
    event: u64,
}

/// Key of an open or close frame: GUID, leg, epoch, big-endian.
pub(crate) fn frame_key(guid: Guid, leg: LegId, epoch: Epoch) -> [u8; 22] {
    let mut key = [0; 22];
    let parts = guid.0.into_iter().chain(leg.0.to_be_bytes()).chain(epoch.0.to_be_bytes());
    key.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    key
}

impl Proxy {
    /// The call was answered: its open frame, with everything that is told once.
    pub(crate) fn record_start(&mut self, now: Now, key: usize, story: &Story) {
        if let Some(leg) = self.table.leg_mut(key) {
            leg.opened = true;
        }
        let Some((session, leg)) = self.table.both(key) else { return };
        let mut cdr = cdr::facts(session, leg, Phase::Start);
        let sampled = cdr::is_sampled(session.guid, self.options.trace_sample);
        cdr::tell(&mut cdr, leg, story, sampled || story.tries.len() > 1);
        let packed = block::write(session, leg);
        let id = self.record_id(session, leg, "cdr.start", None);
        let body = Body::Cdr(Box::new(cdr));
        let made = (id, session.revision, frame_key(session.guid, leg.id, leg.epoch));
        *self.counters.records.entry(("cdr", "start")).or_default() += 1;
        self.emit(now, made, body, FrameKind::Open, packed, false);
    }

    /// The leg was adopted: an update that opens it under its new epoch.
    pub(crate) fn record_adopted(&mut self, now: Now, key: usize) {
        if let Some(leg) = self.table.leg_mut(key) {
            leg.updates += 1;
        }
        let Some((session, leg)) = self.table.both(key) else { return };
        let mut cdr = cdr::facts(session, leg, Phase::Update);
        cdr.rm.update_reason = Some(UpdateReason::Adopted);
        let packed = block::write(session, leg);
        let id = self.record_id(session, leg, "cdr.update", Some(leg.updates));
        let made = (id, session.revision, frame_key(session.guid, leg.id, leg.epoch));
        *self.counters.records.entry(("cdr", "update")).or_default() += 1;
        self.emit(now, made, Body::Cdr(Box::new(cdr)), FrameKind::Open, packed, false);
    }

    /// The leg has ended; gives back the number of its record.
    pub(crate) fn record_end(
        &mut self,
        now: Now,
        key: usize,
        end: End,
        story: Option<&Story>,
    ) -> Option<u64> {
        let (session, leg) = self.table.both(key)?;
        let mut cdr = cdr::facts(session, leg, Phase::End);
        cdr.ended_at = Some(end.ended.max(leg.started));
        cdr.end_state = Some(end.state);
        cdr.reason = Some(end.word.to_owned());
        cdr.sip_status = end.status.or(leg.sip_status);
        if let Some(story) = story {
            cdr::tell(&mut cdr, leg, story, true);
            cdr.usage.clear();
        }
        let frame = if leg.opened { FrameKind::Close } else { FrameKind::Data };
        let id = self.record_id(session, leg, "cdr.end", None);
        let made = (id, session.revision, frame_key(session.guid, leg.id, leg.epoch));
        self.counters.ledger_out += 1;
        *self.counters.records.entry(("cdr", "end")).or_default() += 1;
        Some(self.emit(now, made, Body::Cdr(Box::new(cdr)), frame, Vec::new(), end.urgent))
    }

    /// An event of a leg that is known.
    pub(crate) fn call_event(
        &mut self,
        now: Now,
        key: usize,
        level: Level,
        log_id: &str,
        text: String,
    ) {
        let Some(leg) = self.table.leg_mut(key) else { return };
        leg.events += 1;
        let number = leg.events;
        let Some((session, leg)) = self.table.both(key) else { return };
        let whose = (session.guid, leg.id, leg.epoch);
        self.write_event(now, whose, number, level, log_id, text);
    }

    /// An event by the ids of its leg, which may have ended.
    pub(crate) fn write_event(
        &mut self,
        now: Now,
        whose: (Guid, LegId, Epoch),
        number: u32,
        level: Level,
        log_id: &str,
        text: String,
    ) {
        let (guid, leg, epoch) = whose;
        let node = self.settings.node_id;
        let body = Body::Event(CallEvent {
            guid: Some(guid.into()),
            leg: Some(leg),
            session_id: Some(format!("{guid}.{leg}")),
            level,
            log_id: log_id.to_owned(),
            text: Some(text),
            label: None,
        });
        let id = format!("{guid}/{leg}/ev/{epoch}.{node}.{number}");
        let revision = self.snapshot.revision.0;
        let made = (id, revision, frame_key(guid, leg, epoch));
        *self.counters.records.entry(("call.event", "")).or_default() += 1;
        self.emit(now, made, body, FrameKind::Data, Vec::new(), false);
    }

    fn record_id(&self, session: &Session, leg: &Leg, kind: &str, number: Option<u32>) -> String {
        let (guid, node) = (session.guid, self.settings.node_id);
        let (id, epoch) = (leg.id, leg.epoch);
        let tail = number.map(|number| format!(".{number}")).unwrap_or_default();
        format!("{guid}/{id}/{kind}/{epoch}.{node}{tail}")
    }

    fn emit(
        &mut self,
        now: Now,
        made: (String, u64, [u8; 22]),
        body: Body,
        frame: FrameKind,
        block: Vec<u8>,
        urgent: bool,
    ) -> u64 {
        let (id, revision, key) = made;
        let stream = if matches!(body, Body::Event(_)) { Stream::Event } else { Stream::Cdr };
        let seq = match stream {
            Stream::Event => &mut self.recorder.event,
            Stream::Cdr | Stream::Or | Stream::Sq => &mut self.recorder.cdr,
        };
        *seq += 1;
        let record = Record {
            schema: model::record::SCHEMA,
            id,
            time: now.wall,
            producer: Producer {
                name: self.settings.name.clone(),
                boot: Some(u64::from(self.settings.boot.0)),
                seq: Some(*seq),
                stream: Some(stream),
            },
            component: Component {
                name: self.settings.name.clone(),
                kind: ComponentType::Rm,
                dbid: self.settings.application_dbid.map(|dbid| dbid.0),
            },
            config_rev: Some(revision),
            body,
            extra: serde_json::Map::new(),
        };
        let bytes = self.events.bytes();
        let before = bytes.len();
        record.write(bytes);
        let json = bytes.len() - before;
        bytes.extend_from_slice(&block);
        self.recorder.no += 1;
        let (no, block) = (self.recorder.no, block.len());
        self.events.push(Event::Record { no, stream, frame, key, json, block, urgent });
        no
    }
}
