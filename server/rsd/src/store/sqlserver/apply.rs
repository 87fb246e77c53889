//! Applies a batch in one transaction: ledger, calls, books and the cursor of the spool together,
//! so that a crash or a lost connection leaves all of it or nothing (spec rs.md §1.4).
//!
//! A record that the database refuses is found by trying shares of the batch in transactions that
//! are rolled back; then the whole batch is stored with that record as a dead letter.

use std::collections::{BTreeMap, BTreeSet};

use rs::erase::Secret;
use rs::share::{Batch, Changes, Counts, Mention, Objects, Settled, Share, Tally};
use rs::{Day, Key};

use super::failure::Failure;
use super::link::Link;
use super::statement::load::CURSOR;
use super::{dims, erasing, load, save};
use crate::store::Turned;

/// A batch on its way.
pub(super) struct Work<'w> {
    pub(super) batch: Batch<'w>,
    pub(super) objects: &'w mut Objects,
    /// The highest sequence of the batch.
    pub(super) last: u64,
    pub(super) now_ms: i64,
    /// Whose cursor, of which spool.
    pub(super) name: &'w str,
    pub(super) spool: &'w str,
    /// Items that the database refuses, and what it said.
    pub(super) refused: BTreeMap<usize, String>,
    pub(super) secret: &'w Secret,
    /// The newest erasure whose number was taken out of the batch.
    pub(super) erased: i64,
}

/// What an attempt came to.
pub(super) enum Attempt {
    /// It is done, and this is how far the spool has been applied.
    Done(Box<Done>, u64),
    /// Objects are to be learned first; nothing was stored.
    Learn(BTreeSet<Mention>),
    /// Another number is erased since: it is to be taken out first; nothing was stored.
    Erase,
}

/// What the shares of an attempt did.
#[derive(Default)]
pub(super) struct Done {
    pub(super) counts: Counts,
    pub(super) tally: Tally,
    pub(super) changed: BTreeMap<Key, Turned>,
    pub(super) ended: BTreeSet<(Day, Key)>,
    /// Not written yet.
    settled: Vec<Settled>,
}

/// What happens with what an attempt has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Commit,
    Undo,
}

impl Work<'_> {
    /// Learns what the records name.
    pub(super) async fn meet(&mut self, link: &mut Link) -> Result<(), Failure> {
        let mentions = self.batch.mentions();
        dims::learn(link, self.objects, &mentions, self.now_ms).await
    }

    /// More names than are remembered: those, and those of the batch again.
    pub(super) async fn learn(
        &mut self,
        link: &mut Link,
        wanted: BTreeSet<Mention>,
    ) -> Result<(), Failure> {
        let mut mentions = self.batch.mentions();
        mentions.extend(wanted);
        dims::learn(link, self.objects, &mentions, self.now_ms).await
    }

    /// The items that are not stored yet.
    pub(super) fn items(&self, applied: u64) -> Vec<usize> {
        let items = self.batch.items().iter().enumerate();
        let items = items.filter(|(_, item)| item.origin.seq > applied);
        items.map(|(index, _)| index).collect()
    }

    /// One transaction over the first `most` items that are not stored yet.
    pub(super) async fn attempt(
        &mut self,
        link: &mut Link,
        most: usize,
        end: End,
    ) -> Result<Attempt, Failure> {
        link.begin().await?;
        let applied = load::cursor(link, CURSOR, self.name, self.spool).await?;
        if erasing::held(link, self.secret).await? != self.erased {
            link.rollback().await?;
            return Ok(Attempt::Erase);
        }
        let mut items = self.items(applied);
        items.truncate(most);
        let mut done = Box::<Done>::default();
        let mut first = Share::new(&self.batch, None);
        for index in items {
            first.book(index);
            match self.refused.get(&index) {
                Some(reason) => first.reject(index, reason.clone()),
                None => first.store(index),
            }
        }
        let told = put(link, first, self.objects, self.now_ms, |changes| done.add(changes));
        if let Some(wanted) = told.await? {
            link.rollback().await?;
            return Ok(Attempt::Learn(wanted));
        }
        save::settle(link, std::mem::take(&mut done.settled)).await?;
        if end == End::Undo {
            link.rollback().await?;
            return Ok(Attempt::Done(done, applied));
        }
        dims::touch(link, self.objects, &self.batch.mentions(), self.now_ms).await?;
        if self.last > applied {
            save::cursor(link, (self.name, self.spool), self.last, self.now_ms).await?;
        }
        link.commit().await?;
        Ok(Attempt::Done(done, applied.max(self.last)))
    }
}

impl Done {
    fn add(&mut self, changes: Changes) {
        self.counts.add(changes.counts);
        let changed = changes.calls.iter().map(|line| (line.row.call_key, Turned::of(line)));
        self.changed.extend(changed);
        self.ended.extend(&changes.ended);
        self.tally.add(changes.tally);
        self.settled.extend(changes.settled);
    }
}

/// Reads and writes a share, and those after it, if it is too small; else the objects that it wants
/// to be learned first.
pub(super) async fn put(
    link: &mut Link,
    first: Share<'_>,
    objects: &Objects,
    now_ms: i64,
    mut stored: impl FnMut(Changes),
) -> Result<Option<BTreeSet<Mention>>, Failure> {
    let mut next = Some(first);
    while let Some(mut share) = next {
        if let Some(wanted) = ask(link, &mut share, objects).await? {
            return Ok(Some(wanted));
        }
        let (changes, rest) = share.finish(objects);
        save::save(link, &changes, now_ms).await?;
        stored(changes);
        next = rest;
    }
    Ok(None)
}

/// Reads until the share wants nothing more; else the objects that it wants to be learned first.
async fn ask(
    link: &mut Link,
    share: &mut Share<'_>,
    objects: &Objects,
) -> Result<Option<BTreeSet<Mention>>, Failure> {
    while let Some(wants) = share.wants(objects) {
        if !wants.mentions.is_empty() {
            return Ok(Some(wants.mentions));
        }
        let found = load::load(link, &wants).await?;
        share.found(found, objects).map_err(Failure::State)?;
    }
    Ok(None)
}
