//! The database behind the spool: the ledger and the events as the shares of `core/rs` have them
//! written, in maps. How often each record was written is counted: the ledger alone lets none be
//! written twice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use model::record::{Arrived, ContentHash, Record};
use model::time::Millis;
use rs::share::{
    Batch, Changes, DayKey, EventRow, Found, Good, Item, Learning, Mention, ObjectKind, ObjectRow,
    Objects, Origin, Share, Wants,
};
use rs::{Fact, Key};

/// 2026-11-22T10:00:00Z, when everything happens.
const NOW_MS: u64 = 1_795_341_600_000;
const NOW: &str = "2026-11-22T10:00:00Z";

/// What is stored.
#[derive(Debug, Default)]
pub(super) struct Database {
    /// Committed together with what they stored.
    applied: u64,
    ledger: BTreeMap<DayKey, ContentHash>,
    events: BTreeMap<DayKey, EventRow>,
    objects: BTreeMap<(ObjectKind, i64), ObjectRow>,
    /// Ids of the records that came, by key.
    ids: BTreeMap<Key, String>,
    /// How often each record was written, whatever came how often.
    written: BTreeMap<String, u32>,
}

/// A record of this id, as long as records are.
pub(super) fn record(id: &str) -> String {
    let pad = "x".repeat(500);
    format!(
        "{{\"schema\":1,\"kind\":\"call.event\",\"id\":\"{id}\",\"time\":\"{NOW}\",\
         \"producer\":{{\"name\":\"mcp-1\"}},\"component\":{{\"name\":\"mcp-1\",\"type\":\"MCP\"}},\
         \"session_id\":\"S\",\"level\":\"INFO\",\"log_id\":\"sent\",\"text\":\"{pad}\"}}"
    )
}

impl Database {
    /// The last frame that is in it.
    pub(super) const fn applied(&self) -> u64 {
        self.applied
    }

    /// How often a record was written.
    pub(super) fn times(&self, id: &str) -> u32 {
        self.written.get(id).copied().unwrap_or(0)
    }

    /// Ids of all records that were written.
    pub(super) fn records(&self) -> impl Iterator<Item = &String> {
        self.written.keys()
    }

    /// Applies frames, each of records one a line, as one transaction.
    pub(super) fn apply(&mut self, frames: &[(u64, String)]) -> Result<(), String> {
        let lines =
            frames.iter().flat_map(|(seq, text)| text.lines().map(move |body| (*seq, body)));
        let items = lines.map(|(seq, body)| item(seq, body));
        let batch = Batch::new(items.collect::<Result<_, _>>()?);
        for Item { read, .. } in batch.items() {
            let Ok(Good { record, fact, .. }) = read else { continue };
            self.ids.insert(fact.keys.id_key, record.id.clone());
        }
        let mut objects = Objects::default();
        self.learn(&mut objects, &batch.mentions())?;
        let mut first = Share::new(&batch, None);
        for index in 0..batch.items().len() {
            first.book(index);
            first.store(index);
        }
        let mut next = Some(first);
        while let Some(mut share) = next {
            while let Some(wants) = share.wants(&objects) {
                if wants.mentions.is_empty() {
                    share.found(self.load(&wants), &objects).map_err(|error| error.to_string())?;
                } else {
                    self.learn(&mut objects, &wants.mentions)?;
                }
            }
            let (changes, rest) = share.finish(&objects);
            self.write(changes)?;
            next = rest;
        }
        self.applied = frames.last().map_or(self.applied, |(seq, _)| *seq);
        Ok(())
    }

    fn load(&self, wants: &Wants) -> Found {
        let hash = |at: &DayKey| Some((*at, *self.ledger.get(at)?));
        let mut found = Found::of(wants);
        found.ledger = wants.ledger.iter().filter_map(hash).collect();
        found.events = wants.events.iter().filter_map(|at| self.events.get(at).cloned()).collect();
        found
    }

    fn learn(&mut self, objects: &mut Objects, mentions: &BTreeSet<Mention>) -> Result<(), String> {
        let now_ms = i64::try_from(NOW_MS).map_err(|error| error.to_string())?;
        let mut learning = Learning::new(objects.unknown(mentions), now_ms);
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
        Ok(())
    }

    fn write(&mut self, changes: Changes) -> Result<(), String> {
        if let Some(letter) = changes.letters.first() {
            return Err(format!("a dead letter: {letter:?}"));
        }
        for row in changes.ledger {
            if self.ledger.insert((row.day, row.id_key), row.content_hash).is_some() {
                return Err(format!("twice in the ledger: {:?}", self.ids.get(&row.id_key)));
            }
        }
        for row in changes.events {
            let id = self.ids.get(&row.id_key).ok_or("an event that nobody has sent")?;
            *self.written.entry(id.clone()).or_default() += 1;
            self.events.insert((row.day, row.id_key), row);
        }
        Ok(())
    }
}

fn item(seq: u64, body: &str) -> Result<Item<'_>, String> {
    let arrived = Arrived { at: Millis(NOW_MS), message_id: None };
    let read = Record::read(body.as_bytes(), &arrived);
    let (record, notes) = read.map_err(|refusal| format!("{refusal:?}: {body}"))?;
    let fact = Fact::of(&record, &notes);
    let good = Good {
        record,
        fact,
        again: false,
        misrouted: false,
        flaws: (0, 0),
        refused: None,
        unsaid: false,
    };
    let origin = Origin {
        seq,
        letter: None,
        received_ms: i64::try_from(NOW_MS).map_err(|error| error.to_string())?,
        queue: "ringmaster.event",
        transport: "openwire",
        user: None,
        peer: SocketAddr::from(([127, 0, 0, 1], 5000)),
        message_id: None,
        fallback_id: None,
        properties: &[],
        body: body.as_bytes(),
    };
    Ok(Item { origin, read: Ok(good), hushed: false })
}
