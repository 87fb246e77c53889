//! The live view: calls in progress in memory (rs.md §4.10), for whoever asks while the database
//! is away.
//!
//! Only the applier changes it: it reads the view from the database between two batches, and gives
//! it what each batch has changed, so that it is what the database has. After an attempt that
//! failed nobody knows what was stored, so it is read anew. What an erasure may not have reached is
//! not told: while numbers are erased there is no view, and a call that is erased is taken off and
//! read again.

mod names;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::time::Millis;
use rs::live::Board;
use rs::report::Call;
use rs::{Day, Filter, Key};

use self::names::Names;
use crate::store::{
    Applied, Item, Lists, Object, ObjectKind, Position, Store, StoreError, Turned, Unit,
};

/// Legs that are kept, ended ones of sessions in progress included,
pub const LEGS: usize = 50_000;
/// and their bytes, 2 KB each: of a producer with long texts fewer are kept.
const LEG_BYTES: usize = 2048;
/// Calls that are read from the database at once, whatever texts they have.
const PIECE: usize = 200;
/// Between two looks at objects that calls name otherwise than we know them,
const NAMES: Duration = Duration::from_secs(1);
/// and between two tries to read the whole.
const AGAIN: Duration = Duration::from_secs(5);

/// Calls in progress as the database had them last.
#[derive(Debug)]
pub struct View {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// `None`: not read yet, or not to be told.
    content: Option<Content>,
    /// Erasures under way.
    erasing: u32,
    /// Erasures that have begun: what was read before one of them is not used.
    erased: u64,
    /// The database may have something else.
    doubtful: bool,
    /// Legs that are being erased.
    leaving: BTreeMap<Key, Leaving>,
    /// Legs that are read again.
    due: BTreeSet<(Day, Key)>,
    /// Somebody has another name than we know.
    renamed: bool,
    looked: Option<Duration>,
    tried: Option<Duration>,
}

/// A leg that is not told until it is erased.
#[derive(Clone, Copy, Debug, Default)]
struct Leaving {
    /// How many erase it.
    erasing: u32,
    /// Where it lies, if it is known to be in progress.
    day: Option<Day>,
}

#[derive(Debug)]
struct Content {
    board: Board,
    names: Names,
}

impl State {
    /// Takes off what is being erased.
    fn hide(&mut self) {
        let Some(Content { board, .. }) = &mut self.content else { return };
        let keys: Vec<Key> = self.leaving.keys().copied().collect();
        for (day, key) in board.leave(&keys) {
            self.leaving.entry(key).or_default().day = Some(day);
        }
    }
}

impl View {
    /// One of so many legs at most, of which nothing is known yet.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These calls with the names of their objects.
    pub fn named(&self, changed: &[Turned]) -> Vec<Call> {
        let (state, none) = (self.state(), Names::default());
        let names = state.content.as_ref().map_or(&none, |content| &content.names);
        let mut calls: Vec<Call> = changed.iter().map(|leg| leg.call.clone()).collect();
        calls.iter_mut().for_each(|call| names.name(call));
        calls
    }

    /// What a batch has changed.
    pub fn take(&self, store: &dyn Store, applied: Applied) {
        let mut state = self.state();
        let State { content, renamed, leaving, due, .. } = &mut *state;
        let Some(Content { board, names }) = content else { return };
        let mut changed = applied.changed;
        *renamed |= changed.iter().any(|leg| !names.agree(&leg.call));
        changed.retain(|leg| match leaving.get_mut(&leg.call.key) {
            Some(leaving) => {
                leaving.day = Some(leg.day);
                false
            }
            None => true,
        });
        board.take(changed.into_iter().map(|leg| names.strip(leg)).collect());
        due.extend(board.lacks(&applied.ended));
        drop(state);
        self.read_due(store);
    }

    /// An attempt to store a batch failed: it may have been stored all the same.
    pub fn doubt(&self) {
        self.state().doubtful = true;
    }

    /// Objects have other names by now.
    pub fn renamed(&self) {
        let mut state = self.state();
        (state.renamed, state.looked) = (true, None);
    }

    /// Numbers are being erased, until [`View::erased`]: nothing is told meanwhile.
    pub fn erasing(&self) {
        let mut state = self.state();
        state.content = None;
        state.erasing += 1;
        state.erased += 1;
    }

    /// See [`View::erasing`].
    pub fn erased(&self) {
        let mut state = self.state();
        state.erasing = state.erasing.saturating_sub(1);
        state.tried = None;
    }

    /// These legs are about to be erased: they are not told until they are read [`View::again`].
    pub fn leave(&self, keys: &[Key]) {
        let mut state = self.state();
        // what is being read may have them as they were
        state.erased += 1;
        for key in keys {
            state.leaving.entry(*key).or_default().erasing += 1;
        }
        state.hide();
    }

    /// They are erased. One that was not known to be in progress may have been stored just before,
    /// and come as it was: all is read anew then.
    pub fn again(&self, keys: &[Key]) {
        let mut state = self.state();
        state.erased += 1;
        let State { leaving, due, doubtful, .. } = &mut *state;
        for key in keys {
            let Some(left) = leaving.get_mut(key) else { continue };
            left.erasing = left.erasing.saturating_sub(1);
            if left.erasing > 0 {
                continue;
            }
            match leaving.remove(key).and_then(|left| left.day) {
                Some(day) => {
                    due.insert((day, *key));
                }
                None => *doubtful = true,
            }
        }
    }

    /// Reads from the database what is to be read; the applier's work between two batches. What
    /// cannot be read now is read later.
    pub fn refresh(&self, store: &dyn Store, now: Duration) {
        if self.is_to_be_read(now) {
            self.read(store);
        }
        if self.are_names_due(now)
            && let Ok(names) = Names::read(store)
        {
            let mut state = self.state();
            state.renamed = false;
            if let Some(content) = &mut state.content {
                content.names = names;
            }
        }
        self.read_due(store);
    }

    /// No leg is left out, of more than there is room for, or until it is read again.
    pub fn is_whole(&self) -> bool {
        let state = self.state();
        let hidden = state.leaving.values().any(|leaving| leaving.day.is_some());
        !hidden
            && state.due.is_empty()
            && state.content.as_ref().is_some_and(|it| it.board.is_whole())
    }

    /// Legs that are kept.
    pub fn legs(&self) -> usize {
        self.state().content.as_ref().map_or(0, |content| content.board.legs())
    }

    fn with<T>(&self, ask: impl FnOnce(&Content) -> T) -> Result<T, StoreError> {
        let state = self.state();
        let content = state.content.as_ref();
        content.map(ask).ok_or_else(|| {
            StoreError::Unavailable("calls in progress have not been read yet".into())
        })
    }

    /// Whether all is to be read, because nothing is known, something may be wrong, or there is
    /// room again for what was left out.
    fn is_to_be_read(&self, now: Duration) -> bool {
        let mut state = self.state();
        let has_room = |content: &Content| !content.board.is_whole() && content.board.has_room();
        let due = state.doubtful || state.content.as_ref().is_none_or(has_room);
        let rested = state.tried.is_none_or(|tried| now.saturating_sub(tried) >= AGAIN);
        let begins = due && rested && state.erasing == 0;
        if begins {
            state.tried = Some(now);
        }
        begins
    }

    fn are_names_due(&self, now: Duration) -> bool {
        let mut state = self.state();
        let rested = state.looked.is_none_or(|looked| now.saturating_sub(looked) >= NAMES);
        let due = state.content.is_some() && state.renamed && rested;
        if due {
            state.looked = Some(now);
        }
        due
    }

    fn read(&self, store: &dyn Store) {
        let begun = self.state().erased;
        let Ok(content) = self.content(store) else { return };
        let mut state = self.state();
        if state.erased == begun {
            (state.content, state.doubtful, state.renamed) = (Some(content), false, false);
            state.due.clear();
            state.hide();
        } else {
            state.tried = None;
        }
    }

    fn content(&self, store: &dyn Store) -> Result<Content, StoreError> {
        let names = Names::read(store)?;
        let mut board = Board::new(self.most, self.most.saturating_mul(LEG_BYTES));
        let mut keys = store.in_progress(self.most.saturating_add(1))?;
        if keys.len() > self.most {
            keys.truncate(self.most);
            board.leave_out();
        }
        for keys in keys.chunks(PIECE) {
            board.read(legs_of(store, keys)?.into_iter().map(|leg| names.strip(leg)));
        }
        board.settle();
        Ok(Content { board, names })
    }

    /// Reads legs that are missing; those that cannot be read now stay so.
    fn read_due(&self, store: &dyn Store) {
        let (begun, due) = {
            let state = self.state();
            (state.erased, Vec::from_iter(state.due.iter().copied()))
        };
        if due.is_empty() {
            return;
        }
        let Ok(legs) = legs_of(store, &due) else { return };
        let mut state = self.state();
        if state.erased != begun {
            return;
        }
        due.iter().for_each(|at| {
            state.due.remove(at);
        });
        if let Some(Content { board, names }) = &mut state.content {
            board.take(legs.into_iter().map(|leg| names.strip(leg)).collect());
        }
    }
}

/// Of calls in progress, as the database had them last; an error where nothing is known.
impl Lists for View {
    fn objects(&self, kind: ObjectKind) -> Result<Vec<Object>, StoreError> {
        self.with(|content| content.names.objects(kind))
    }

    fn list(
        &self,
        filter: &Filter,
        unit: Unit,
        after: Option<Position>,
        limit: u32,
        now: Millis,
    ) -> Result<Vec<Item>, StoreError> {
        self.with(|Content { board, names }| {
            let filter = names.with_aliases(filter);
            let after = after.map(|at| (at.started_ms, at.call_key));
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            let items = board.list(&filter, unit, after, most, now).into_iter();
            let items = items.map(|((started_ms, call_key), mut legs)| {
                legs.iter_mut().for_each(|leg| names.name(leg));
                Item { position: Position { started_ms, call_key }, legs }
            });
            items.collect()
        })
    }

    fn count(&self, filter: &Filter, unit: Unit, now: Millis) -> Result<u64, StoreError> {
        self.with(|Content { board, names }| board.count(&names.with_aliases(filter), unit, now))
    }
}

/// These legs as they are stored.
fn legs_of(store: &dyn Store, at: &[(Day, Key)]) -> Result<Vec<Turned>, StoreError> {
    let days = at.iter().map(|(day, key)| (*key, *day));
    let days: HashMap<Key, Day> = days.collect();
    let calls = store.calls(at)?.into_iter();
    Ok(calls.filter_map(|call| Some(Turned { day: *days.get(&call.key)?, call })).collect())
}
