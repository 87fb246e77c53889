//! Tables in memory, and a dialect that carries shares out on them.

use super::*;
use crate::merge::Trace;
use crate::rollup::{KeptFacts, PORT_EVENTS};

/// A row of `kept_record` as it is read.
pub(super) fn facts(row: &KeptRow) -> KeptFacts {
    KeptFacts {
        component_id: row.component_id,
        received_ms: row.received_ms,
        id: row.id.clone(),
        body: row.body.clone(),
    }
}

/// All tables, dumb.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) ledger: BTreeMap<DayKey, ContentHash>,
    pub(super) calls: BTreeMap<DayKey, CallLine>,
    pub(super) traces: BTreeMap<DayKey, String>,
    pub(super) events: BTreeMap<DayKey, EventRow>,
    pub(super) kept: BTreeMap<DayKey, KeptRow>,
    pub(super) quality: BTreeMap<DayKey, QualityRow>,
    pub(super) failures: BTreeMap<DayKey, FailureLine>,
    pub(super) letters: Vec<LetterRow>,
    pub(super) figures: BTreeMap<(&'static str, String), i64>,
    pub(super) stored_minutes: BTreeMap<MinuteKey, i64>,
    pub(super) streams: BTreeMap<StreamKey, StreamRow>,
    pub(super) minutes: BTreeMap<MinuteKey, MinuteRow>,
    pub(super) call_days: BTreeSet<(String, Day)>,
    pub(super) objects: BTreeMap<(ObjectKind, i64), ObjectRow>,
    /// Each batch is a frame of the spool.
    frames: u64,
    /// What a share may read, if not what it may otherwise; and how many wrote something.
    pub(super) limit: Option<usize>,
    pub(super) shares: usize,
    /// What one has read that could have read less, and what all have read.
    pub(super) most_read: usize,
    pub(super) read: usize,
    pub(super) marks: BTreeSet<crate::rollup::DayMark>,
}

impl Tables {
    pub(super) fn load(&self, wants: &Wants) -> Found {
        fn of<K: Ord + Copy, V: Clone>(rows: &BTreeMap<K, V>, keys: &BTreeSet<K>) -> Vec<(K, V)> {
            keys.iter().filter_map(|key| Some((*key, rows.get(key)?.clone()))).collect()
        }
        let is_wanted = |at: &DayKey, line: &CallLine| {
            let guid = line.row.guid.clone().map(|guid| (line.day, guid));
            let session = SessionName::Id(line.row.session_id.clone());
            let by_guid = line.row.guid.clone().map(SessionName::Guid);
            let is_rm = line.row.component_type == model::record::ComponentType::Rm.number();
            let asked =
                |name| !is_rm && wants.session_calls.contains(&(line.day, line.component_id, name));
            wants.calls.contains(at)
                || guid.is_some_and(|guid| wants.guids.contains(&guid))
                || asked(session)
                || by_guid.is_some_and(asked)
        };
        let calls = self.calls.iter().filter(|(at, line)| is_wanted(at, line));
        let streams = wants.streams.iter();
        let mut found = Found::of(wants);
        for ((day, call_key), line) in calls {
            found.put_call(StoredCall {
                day: *day,
                call_key: *call_key,
                guid: line.row.guid.clone(),
                state: line.state.clone(),
                last_fact_ms: line.last_fact_ms,
                boot: line.boot,
                row_version: line.row_version,
            });
        }
        for (session, report) in self.reports(&wants.sessions) {
            found.put_report(session, report);
        }
        let by_key = of(&self.quality, &wants.quality).into_iter().map(|(_, row)| row);
        for row in self.quality_of(&wants.sessions).into_iter().chain(by_key) {
            found.put_quality(row);
        }
        for (at, row) in of(&self.kept, &wants.kept) {
            found.put_kept(at, facts(&row));
        }
        let call_days = self.call_days.iter().filter(|(guid, _)| wants.call_days.contains(guid));
        let letters = self.letters.iter().map(|row| row.letter_key);
        found.ledger = of(&self.ledger, &wants.ledger);
        found.call_days = call_days.cloned().collect();
        found.letters = letters.filter(|key| wants.letters.contains(key)).collect();
        found.events = of(&self.events, &wants.events).into_iter().map(|(_, row)| row).collect();
        found.streams =
            streams.filter_map(|key| Some((key.clone(), self.streams.get(key)?.clone()))).collect();
        found.ports = self.with_ports(&wants.sessions);
        found
    }

    pub(super) fn reports(&self, sessions: &BTreeSet<SessionKey>) -> Vec<(SessionKey, Report)> {
        let rows = self.events.values().filter_map(|row| {
            let label = row.label.as_deref()?.strip_prefix(PREFIX)?.to_owned();
            let name = named(&row.session_id, row.guid.as_deref());
            let (time_ms, number, id_key) = (row.time_ms, row.seq, row.id_key);
            let text = row.text.clone().unwrap_or_default();
            let report = Report { time_ms, number, id_key, label, text };
            Some(((row.day, row.component_id, name), report))
        });
        rows.filter(|(session, _)| sessions.contains(session)).collect()
    }

    fn with_ports(&self, sessions: &BTreeSet<SessionKey>) -> Vec<SessionKey> {
        let ports = self.events.values().filter(|row| PORT_EVENTS.contains(&&*row.log_id));
        let of = |row: &EventRow| {
            (row.day, row.component_id, named(&row.session_id, row.guid.as_deref()))
        };
        ports.map(of).filter(|session| sessions.contains(session)).collect()
    }

    pub(super) fn quality_of(&self, sessions: &BTreeSet<SessionKey>) -> Vec<QualityRow> {
        let rows = self.quality.values().filter(|row| {
            let name = named(&row.session_id, row.guid.as_deref());
            sessions.contains(&(row.day, row.component_id, name))
        });
        rows.cloned().collect()
    }

    pub(super) fn save(&mut self, changes: Changes) {
        for row in changes.ledger {
            let before = self.ledger.insert((row.day, row.id_key), row.content_hash);
            assert_eq!(before, None, "a new row");
        }
        for row in changes.replaced {
            let before = self.ledger.insert((row.day, row.id_key), row.content_hash);
            assert!(before.unwrap() > row.content_hash);
        }
        for at in &changes.gone {
            self.events.remove(at);
            self.kept.remove(at);
            self.quality.remove(at);
            self.failures.retain(|_, line| (line.day, line.row.id_key) != *at);
        }
        for mut line in changes.calls {
            let at = (line.day, line.row.call_key);
            match std::mem::take(&mut line.trace) {
                Trace::Same => {}
                Trace::New(trace) => _ = self.traces.insert(at, trace),
                Trace::Gone => _ = self.traces.remove(&at),
            }
            let before = self.calls.insert(at, line.clone());
            assert_eq!(before.map_or(0, |before| before.row_version) + 1, line.row_version);
        }
        for row in changes.events {
            assert_eq!(self.events.insert((row.day, row.id_key), row), None);
        }
        for row in changes.kept {
            assert_eq!(self.kept.insert((row.day, row.id_key), row), None);
        }
        for row in changes.quality {
            assert_eq!(self.quality.insert((row.day, row.id_key), row), None);
        }
        for line in changes.failures {
            self.failures.insert((line.day, line.row.failure_key), line);
        }
        self.letters.extend(changes.letters);
        for (key, value) in changes.figures {
            *self.figures.entry(key).or_default() += value;
        }
        for (key, value) in changes.stored_minutes {
            *self.stored_minutes.entry(key).or_default() += value;
        }
        self.streams.extend(changes.streams);
        self.minutes.extend(changes.minutes);
        self.call_days.extend(changes.call_days);
        self.marks.extend(changes.marks);
    }

    pub(super) fn learn(&mut self, objects: &mut Objects, mentions: &BTreeSet<Mention>) {
        let mut learning = Learning::new(objects.unknown(mentions), 5);
        for kind in ObjectKind::ALL {
            let (names, ids) = learning.wants(kind);
            let of_kind = || self.objects.values().filter(|row| row.kind == kind);
            let wanted = |row: &&ObjectRow| names.contains(&row.name) || ids.contains(&row.id);
            let rows = of_kind().filter(wanted).cloned().collect();
            learning.known(kind, rows, of_kind().map(|row| row.id).max());
        }
        let rows = learning.finish().into_iter();
        self.objects.extend(rows.map(|row| ((row.kind, row.id), row)));
        learning.committed(objects);
    }

    /// As a server does it: one share for all.
    pub(super) fn apply(&mut self, messages: &[&Message]) -> Counts {
        let (batch, mut objects) = self.settle(messages);
        let mut counts = Counts::default();
        let mut share = self.share(&batch, None);
        for item in 0..batch.items().len() {
            share.book(item);
            share.store(item);
        }
        self.run(share, &mut objects, |tables, changes| {
            counts.add(changes.counts);
            tables.save(changes);
        });
        counts
    }

    /// Applies these as one share, and counts the rows of failures that it writes.
    pub(super) fn written_failures(&mut self, messages: &[Message]) -> usize {
        let (batch, mut objects) = self.settle(&messages.iter().collect::<Vec<_>>());
        let mut share = self.share(&batch, None);
        (0..messages.len()).for_each(|item| share.store(item));
        let mut written = 0;
        self.run(share, &mut objects, |tables, changes| {
            written += changes.failures.len();
            tables.save(changes);
        });
        written
    }

    /// What the erasure of a call writes.
    pub(super) fn erase(&mut self, at: DayKey) -> Changes {
        let (batch, mut objects) = self.settle(&[]);
        let mut share = self.share(&batch, None);
        share.erase(at, None);
        let mut all = Vec::new();
        self.run(share, &mut objects, |_, changes| all.push(changes));
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// As files by day do it: one share for each, then what calls of other days borrow and what
    /// hangs on them, then the rest.
    pub(super) fn apply_days(&mut self, messages: &[&Message]) {
        let (batch, mut objects) = self.settle(messages);
        let mut beside: BTreeMap<Day, BTreeSet<SessionKey>> = BTreeMap::new();
        let mut lent: BTreeMap<Day, BTreeSet<String>> = BTreeMap::new();
        let mut store = |tables: &mut Self, day: Day, mut changes: Changes| {
            for (day, session) in std::mem::take(&mut changes.beside) {
                beside.entry(day).or_default().insert(session);
            }
            assert!(changes.calls.iter().all(|line| line.day == day));
            assert!(changes.failures.iter().all(|line| line.day == day));
            let lent = std::mem::take(&mut changes.lent);
            tables.save(changes);
            lent
        };
        for (day, items) in batch.days() {
            let mut share = self.share(&batch, Some(day));
            items.into_iter().for_each(|item| share.store(item));
            self.run(share, &mut objects, |tables, changes| {
                for (day, guid) in store(tables, day, changes) {
                    lent.entry(day).or_default().insert(guid);
                }
            });
        }
        for (day, guids) in lent {
            let mut share = self.share(&batch, Some(day));
            share.lend(guids);
            self.run(share, &mut objects, |tables, changes| {
                assert_eq!(store(tables, day, changes), BTreeSet::new());
            });
        }
        for (day, sessions) in beside {
            let mut share = self.share(&batch, Some(day));
            share.revisit(sessions);
            self.run(share, &mut objects, |tables, changes| {
                assert!(changes.calls.iter().all(|line| line.day == day));
                tables.save(changes);
            });
        }
        let mut share = self.share(&batch, None);
        for item in 0..batch.items().len() {
            share.book(item);
            if !batch.is_of_a_call(item) {
                share.store(item);
            }
        }
        self.run(share, &mut objects, Self::save);
    }

    fn settle<'b>(&mut self, messages: &[&'b Message]) -> (Batch<'b>, Objects) {
        self.frames += 1;
        let frame = self.frames;
        let items = messages.iter().map(|message| {
            let mut item = message.item();
            item.origin.seq = frame;
            item
        });
        let batch = Batch::new(items.collect());
        let mut objects = Objects::default();
        self.learn(&mut objects, &batch.mentions());
        (batch, objects)
    }

    pub(super) fn share<'b>(&self, batch: &'b Batch<'b>, only: Option<Day>) -> Share<'b> {
        Share::within(self.limit.unwrap_or(SHARE_BYTES), batch, only)
    }

    /// Gives a share and those after it what they want, and what they write to `put`.
    pub(super) fn run(
        &mut self,
        first: Share<'_>,
        objects: &mut Objects,
        mut put: impl FnMut(&mut Self, Changes),
    ) {
        let mut next = Some(first);
        while let Some(mut share) = next {
            while let Some(wants) = share.wants(objects) {
                if wants.mentions.is_empty() {
                    let found = self.load(&wants);
                    self.read += found.weight;
                    share.found(found, objects).unwrap();
                } else {
                    self.learn(objects, &wants.mentions);
                }
            }
            if !share.whole {
                self.most_read = self.most_read.max(share.weight);
            }
            let (changes, rest) = share.finish(objects);
            self.shares += 1;
            put(self, changes);
            next = rest;
        }
    }

    /// What does not depend on the way: without numbers of versions, synthetic ids by their names.
    pub(super) fn seen(&self) -> Vec<String> {
        let name = |kind, id: i64| &self.objects[&(kind, id)].name;
        let mut seen = Vec::new();
        for ((_, at), line) in &self.calls {
            let mut line = line.clone();
            let tenants: Vec<_> = line
                .tenants
                .iter()
                .map(|t| (name(ObjectKind::Tenant, t.tenant_id), t.depth, t.usage))
                .collect();
            let profile = line.profile_id.map(|id| name(ObjectKind::Profile, id));
            let component = name(ObjectKind::Component, line.component_id);
            seen.push(format!("{at:?} {component} {profile:?} {tenants:?}"));
            (line.row_version, line.component_id, line.tenant_id, line.profile_id) =
                (0, 0, None, None);
            line.tenants.clear();
            line.owners.iter_mut().for_each(|(id, _)| *id = 0);
            seen.push(format!("{line:?}"));
        }
        let mut events: Vec<_> = self.events.values().cloned().collect();
        events.iter_mut().for_each(|event| event.component_id = 0);
        let mut kept: Vec<_> = self.kept.values().cloned().collect();
        kept.iter_mut().for_each(|kept| kept.component_id = 0);
        let names: BTreeSet<_> = self.objects.values().map(|row| (row.kind, &row.name)).collect();
        // which of two contents met the other first is all that is left of an order
        let conflicts = |name: &str| ["duplicate", "id_conflict"].contains(&name);
        let again: i64 =
            self.figures.iter().filter(|((name, _), _)| conflicts(name)).map(|(_, n)| n).sum();
        let figures: Vec<_> =
            self.figures.iter().filter(|((name, _), _)| !conflicts(name)).collect();
        let refused = self.letters.iter().filter(|letter| letter.code != "id_conflict");
        let refused = refused.map(|row| LetterRow { seq: 0, ..row.clone() });
        let mut refused: Vec<_> = refused.map(|letter| format!("{letter:?}")).collect();
        refused.sort();
        let quality: Vec<_> = self.quality.values().map(|row| (row.id_key, &row.fact)).collect();
        let failures: Vec<_> = self
            .failures
            .values()
            .map(|line| {
                let profile = line.profile_id.map(|id| name(ObjectKind::Profile, id));
                (profile, line.row.clone())
            })
            .collect();
        seen.push(format!("{quality:?} {failures:?}"));
        seen.push(format!("{:?}", self.ledger));
        seen.push(format!("{:?} {events:?} {kept:?} {names:?}", self.traces));
        seen.push(format!("{figures:?} {again} {refused:?}"));
        seen.push(format!("{:?} {:?}", self.stored_minutes, self.streams));
        seen.push(format!("{:?} {:?}", self.minutes, self.call_days));
        seen
    }
}
