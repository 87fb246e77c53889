//! Stage 10, record: facts of a call become numbered records (rm.md §9, rs.md §2).
//!
//! Start at the 2xx, end at the end, one record for an attempt. Ids are functions of session, leg,
//! epoch and node, so a record that is made again is the same one. Must not decide anything.

mod cdr;
mod minute;
mod tally;
pub(crate) mod trace;

use std::fmt::Arguments;
use std::sync::Arc;

use model::id::{Epoch, Guid, LegId};
use model::record::{ComponentType, Kind, Level, Object, Phase, Policy, Stream, UpdateReason};
use model::time::Now;
use smallvec::SmallVec;

use crate::forward::verdict::Outcome;
use crate::limits;
use crate::log;
use crate::output::{Event, Events, FrameKind};
use crate::proxy::Proxy;
use crate::session::end::End;
use crate::session::{Leg, ResourceNames, Session, Table, Text, block};
use crate::settings::Settings;
use crate::timer::Timer;
use cdr::Cdr;
pub(crate) use minute::Minutes;
use trace::Trace;

/// What is told of a call once: in its start record, or in the record of its attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub(crate) trace: Trace,
    /// Of the tenants from the root on, then of the profile.
    pub(crate) usage: Figures,
    pub(crate) tries: SmallVec<[Tried; 2]>,
    pub(crate) policy: Option<Policy>,
}

/// How full the levels of a session are, from the root down.
pub(crate) type Figures = SmallVec<[Figure; 8]>;

/// How full one level is with the new session in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) usage: u64,
    /// Burst level, 1–3.
    pub(crate) burst: u8,
}

/// One try that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tried {
    pub(crate) resource: Arc<ResourceNames>,
    pub(crate) status: Option<u16>,
    /// Why it failed; None: it was answered.
    pub(crate) why: Option<Outcome>,
    pub(crate) ms: u64,
}

/// Numbers of records.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Number of the latest record event.
    pub(crate) no: u64,
    cdr: u64,
    event: u64,
    or: u64,
    /// Stories that were told; their memory is used again.
    told: Vec<Story>,
}

impl Recorder {
    /// The latest sequence numbers: CDRs, events, figures.
    fn latest(&self) -> (u64, u64, u64) {
        (self.cdr, self.event, self.or)
    }

    /// An empty story.
    pub(crate) fn story(&mut self) -> Story {
        self.told.pop().unwrap_or_default()
    }

    /// Takes back one that nobody needs any more.
    pub(crate) fn told(&mut self, mut story: Story) {
        if self.told.len() < limits::STORIES {
            story.trace.clear();
            story.usage.clear();
            story.tries.clear();
            story.policy = None;
            self.told.push(story);
        }
    }
}

/// Key of an open or close frame: GUID, leg, epoch, big-endian.
pub(crate) fn frame_key(guid: Guid, leg: LegId, epoch: Epoch) -> [u8; 22] {
    let mut key = [0; 22];
    let parts = guid.0.into_iter().chain(leg.0.to_be_bytes()).chain(epoch.0.to_be_bytes());
    key.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    key
}

/// What every record begins with.
struct Head<'h> {
    kind: Kind,
    id: Arguments<'h>,
    revision: u64,
    frame: FrameKind,
    key: [u8; 22],
    urgent: bool,
    end: bool,
}

/// Where records are written.
struct Desk<'d> {
    now: Now,
    settings: &'d Settings,
    recorder: &'d mut Recorder,
    events: &'d mut Events,
}

impl Proxy {
    /// The call was answered: its open frame, with everything that is told once.
    pub(crate) fn record_start(&mut self, now: Now, key: usize, story: &Story) {
        if let Some(leg) = self.table.leg_mut(key) {
            leg.opened = true;
        }
        let sample = self.options.trace_sample;
        let (desk, table) = self.desk(now);
        let Some((session, leg)) = table.both(key) else { return };
        let trace = cdr::is_sampled(session.guid, sample) || story.tries.len() > 1;
        let cdr = Cdr { story: Some(story), trace, ..facts(session, leg, Phase::Start) };
        desk.cdr(cdr, "cdr.start", FrameKind::Open, false);
        *self.counters.records.entry(("cdr", "start")).or_default() += 1;
        self.watch_updates(now, key);
        self.tell_decision(key, story);
    }

    /// A start record has told its story: kept as long as the call is up, if its trace was told.
    pub(crate) fn keep_story(&mut self, key: usize, mut story: Story) {
        let guid = self.table.both(key).map(|(session, _)| session.guid);
        let sampled = guid.is_some_and(|guid| cdr::is_sampled(guid, self.options.trace_sample));
        if sampled || story.tries.len() > 1 {
            story.trace.settle();
            self.stories.insert(key, story);
        } else {
            self.recorder.told(story);
        }
    }

    /// The whole decision in the log, where it is asked for.
    fn tell_decision(&mut self, key: usize, story: &Story) {
        let Some((session, leg)) = self.table.both(key).filter(|_| self.tells_decisions) else {
            return;
        };
        let trace = serde_json::to_string(&story.trace.shown()).unwrap_or_default();
        let (guid, call_id) = (session.guid, leg.texts.get(Text::CallId).to_owned());
        let mut fields = vec![("call_id", call_id), ("trace", trace)];
        fields.extend(session.named());
        let source = [("peer", Text::SourceName), ("source", Text::SourceAddress)];
        fields.extend(source.map(|(name, text)| (name, leg.texts.get(text).to_owned())));
        self.log(log::DECISION, Some(guid), fields);
    }

    /// The leg was adopted: an update that opens it under its new epoch.
    pub(crate) fn record_adopted(&mut self, now: Now, key: usize) {
        self.record_update(now, key, UpdateReason::Adopted, FrameKind::Open);
        self.watch_updates(now, key);
    }

    /// The session of the leg was mapped: its open frame again, with tenant and profile. To readers
    /// it is one more update that says how the leg stands.
    pub(crate) fn record_mapped(&mut self, now: Now, key: usize) {
        self.record_update(now, key, UpdateReason::Interval, FrameKind::Open);
    }

    /// Long calls say from time to time that they are still up (`records/update-interval`).
    fn watch_updates(&mut self, now: Now, key: usize) {
        let interval = self.options.update_interval;
        if !interval.is_zero() {
            self.timers.set(now.mono + interval, Timer::Update(key));
        }
    }

    /// It is time for that.
    pub(crate) fn on_update_due(&mut self, now: Now, key: usize) {
        self.record_update(now, key, UpdateReason::Interval, FrameKind::Data);
        self.watch_updates(now, key);
    }

    /// An `update` of a leg that is up.
    pub(crate) fn record_update(
        &mut self,
        now: Now,
        key: usize,
        why: UpdateReason,
        frame: FrameKind,
    ) {
        if let Some(leg) = self.table.leg_mut(key) {
            leg.updates += 1;
        }
        let (desk, table) = self.desk(now);
        let Some((session, leg)) = table.both(key) else { return };
        let cdr = Cdr { update: Some(why), ..facts(session, leg, Phase::Update) };
        desk.cdr(cdr, "cdr.update", frame, false);
        *self.counters.records.entry(("cdr", "update")).or_default() += 1;
    }

    /// The leg has ended; gives back the number of its record.
    pub(crate) fn record_end(
        &mut self,
        now: Now,
        key: usize,
        end: End,
        story: Option<&Story>,
    ) -> Option<u64> {
        self.count_out(key, end);
        if let Some(story) = story {
            self.tell_decision(key, story);
        }
        if let Some(told) = self.stories.remove(&key) {
            self.recorder.told(told);
        }
        if let Some((session, leg)) = self.table.both(key) {
            self.heads.ended(session.guid, leg.texts.get(Text::CallId));
        }
        let (desk, table) = self.desk(now);
        let (session, leg) = table.both(key)?;
        let cdr = Cdr {
            sip_status: end.status.or(leg.sip_status),
            end: Some((end.ended, end.state, end.word)),
            story,
            trace: true,
            ..facts(session, leg, Phase::End)
        };
        let frame = if leg.opened { FrameKind::Close } else { FrameKind::Data };
        let number = desk.cdr(cdr, "cdr.end", frame, end.urgent);
        self.counters.ledger_out += 1;
        *self.counters.records.entry(("cdr", "end")).or_default() += 1;
        Some(number)
    }

    /// An event of a leg that is known.
    pub(crate) fn call_event(
        &mut self,
        now: Now,
        key: usize,
        level: Level,
        log_id: &str,
        text: Arguments<'_>,
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
        text: Arguments<'_>,
    ) {
        let (guid, leg, epoch) = whose;
        let revision = self.snapshot.revision.0;
        let node = self.settings.node_id;
        let head = Head {
            kind: Kind::CallEvent,
            id: format_args!("{guid}/{leg}/ev/{epoch}.{node}.{number}"),
            revision,
            frame: FrameKind::Data,
            key: frame_key(guid, leg, epoch),
            urgent: false,
            end: false,
        };
        let body = |out: &mut Object<'_>| {
            out.shown("guid", guid);
            out.shown("leg", leg);
            out.shown("session_id", format_args!("{guid}.{leg}"));
            out.text("level", level.as_str());
            out.text("log_id", log_id);
            out.printed("text", text);
        };
        self.desk(now).0.emit(&head, body, |_| {});
        *self.counters.records.entry(("call.event", "")).or_default() += 1;
    }

    fn desk(&mut self, now: Now) -> (Desk<'_>, &Table) {
        let Self { settings, recorder, events, table, .. } = self;
        (Desk { now, settings, recorder, events }, table)
    }
}

/// What every record of a leg tells.
fn facts<'a>(session: &'a Session, leg: &'a Leg, phase: Phase) -> Cdr<'a> {
    let sip_status = leg.sip_status;
    Cdr { session, leg, phase, sip_status, end: None, update: None, story: None, trace: false }
}

impl Desk<'_> {
    /// One record of a leg; the packed leg goes with an open frame.
    fn cdr(self, cdr: Cdr<'_>, name: &str, frame: FrameKind, urgent: bool) -> u64 {
        let Cdr { session, leg, .. } = cdr;
        let (guid, id, epoch, node) = (session.guid, leg.id, leg.epoch, self.settings.node_id);
        let updates = leg.updates;
        let key = frame_key(guid, id, epoch);
        let head = |id| {
            let revision = session.revision;
            let end = cdr.phase == Phase::End;
            Head { kind: Kind::Cdr, id, revision, frame, key, urgent, end }
        };
        let body = |out: &mut Object<'_>| cdr.write(out);
        let packed = |out: &mut Vec<u8>| {
            if frame == FrameKind::Open {
                block::write(session, leg, out);
            }
        };
        if cdr.update.is_some() {
            let id = format_args!("{guid}/{id}/{name}/{epoch}.{node}.{updates}");
            self.emit(&head(id), body, packed)
        } else {
            self.emit(&head(format_args!("{guid}/{id}/{name}/{epoch}.{node}")), body, packed)
        }
    }

    /// Writes a record, and behind it what belongs to its frame; gives back its number.
    fn emit(
        self,
        head: &Head<'_>,
        body: impl FnOnce(&mut Object<'_>),
        block: impl FnOnce(&mut Vec<u8>),
    ) -> u64 {
        let Self { now, settings, recorder, events } = self;
        let stream = head.kind.stream();
        let seq = match stream {
            Stream::Event => &mut recorder.event,
            Stream::Or => &mut recorder.or,
            Stream::Cdr | Stream::Sq => &mut recorder.cdr,
        };
        *seq += 1;
        let seq = *seq;
        let bytes = events.bytes();
        let before = bytes.len();
        Object::write(bytes, |out| {
            out.number("schema", model::record::SCHEMA);
            out.text("kind", head.kind.as_str());
            out.shown("id", head.id);
            out.shown("time", now.wall);
            out.object("producer", |out| {
                out.text("name", &settings.name);
                out.number("boot", settings.boot.0);
                out.number("seq", seq);
                out.text("stream", stream.as_str());
            });
            out.object("component", |out| {
                out.text("name", &settings.name);
                out.text("type", ComponentType::Rm.as_str());
                if let Some(dbid) = settings.application_dbid {
                    out.number("dbid", dbid.0);
                }
            });
            out.number("config_rev", head.revision);
            body(out);
        });
        let json = bytes.len() - before;
        block(bytes);
        let block = bytes.len() - before - json;
        recorder.no += 1;
        let Head { frame, key, urgent, end, .. } = *head;
        let no = recorder.no;
        events.push(Event::Record { no, stream, frame, key, json, block, urgent, end });
        no
    }
}
