//! The applier between a real spool and a store that fails on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use model::record::{CallType, ComponentType, Stream};
use model::time::Millis;
use rs::report::Component;
use rs::{Day, Filter, Key};
use spool::fs::real::RealFs;
use spool::{Entry as SpoolEntry, Hooks, Settings};

use super::*;
use crate::backlog::Part;
use crate::entry::{Body, Message, Transport};
use crate::store::checkpoints::{Checkpoints, Due};
use crate::store::custody::Custody;
use crate::store::erasing::Erasing;
use crate::store::exporting::Exporting;
use crate::store::keeping::Keeping;
use crate::store::{
    Books, BooksAsked, CallName, Item, Leg, Lists, Mention, Object, ObjectKind, Page, Position,
    Turned, Unit,
};

/// Remembers what it was given; refuses the first so many batches.
#[derive(Default)]
struct Remembering {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seqs: Vec<u64>,
    records: usize,
    largest: usize,
    failures: u32,
    panics: u32,
    batches: usize,
    /// Which logs were to be moved, and on which thread.
    moves: Vec<(Due, String)>,
    /// Who moves one is told to go on here.
    hold: Option<Arc<Bell>>,
}

impl Remembering {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn away() -> StoreError {
    StoreError::Files(io::Error::other("away"))
}

impl Lists for Remembering {
    fn objects(&self, _: ObjectKind) -> Result<Vec<Object>, StoreError> {
        Err(away())
    }

    fn list(
        &self,
        _: &Filter,
        _: Unit,
        _: Option<Position>,
        _: u32,
        _: Millis,
    ) -> Result<Vec<Item>, StoreError> {
        Err(away())
    }

    fn count(&self, _: &Filter, _: Unit, _: Millis) -> Result<u64, StoreError> {
        Err(away())
    }
}

impl Store for Remembering {
    fn custody(&self) -> &dyn Custody {
        unreachable!("the applier asks for no letter")
    }

    fn keeping(&self) -> &dyn Keeping {
        unreachable!("the applier keeps nothing")
    }

    fn erasing(&self) -> &dyn Erasing {
        unreachable!("the applier begins no erasure")
    }

    fn exporting(&self) -> &dyn Exporting {
        unreachable!("the applier writes nothing down")
    }

    fn server(&self) -> Option<String> {
        None
    }

    fn checkpoints(&self) -> Option<&dyn Checkpoints> {
        Some(self)
    }

    fn applied_seq(&self) -> Result<u64, StoreError> {
        Ok(self.state().seqs.last().copied().unwrap_or(0))
    }

    fn apply(&self, batch: &[Arrival], _: Millis) -> Result<Applied, StoreError> {
        let mut state = self.state();
        if state.panics > 0 {
            state.panics -= 1;
            panic!("a fault of the test");
        }
        if state.failures > 0 {
            state.failures -= 1;
            return Err(away());
        }
        state.seqs.extend(batch.iter().map(|arrival| arrival.seq));
        let entries = batch.iter().filter_map(|arrival| arrival.entry.as_ref());
        let records = entries.map(|entry| entry.messages.len()).sum();
        state.records += records;
        state.largest = state.largest.max(records);
        state.batches += 1;
        let changed = vec![turned()];
        Ok(Applied { seq: batch.last().unwrap().seq, changed, ..Applied::default() })
    }

    fn know(&self, _: &BTreeSet<Mention>, _: Millis) -> Result<(), StoreError> {
        unreachable!("there is no configuration")
    }

    fn calls(&self, _: &[(Day, Key)]) -> Result<Vec<Call>, StoreError> {
        Err(away())
    }

    fn in_progress(&self, _: usize) -> Result<Vec<(Day, Key)>, StoreError> {
        Err(away())
    }

    fn page(&self, _: &Filter, _: u32, _: u32, _: Millis) -> Result<Page, StoreError> {
        Err(away())
    }

    fn call(&self, _: &CallName, _: bool) -> Result<Vec<Leg>, StoreError> {
        Err(away())
    }

    fn dead_letters(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        Err(away())
    }

    fn books(&self, _: &BooksAsked) -> Result<Books, StoreError> {
        Err(away())
    }

    fn sums(&self, _: (i64, i64)) -> Result<Vec<rs::integrity::Told>, StoreError> {
        Err(away())
    }

    fn producers(&self, _: &str, _: u32) -> Result<Vec<String>, StoreError> {
        Err(away())
    }
}

impl Checkpoints for Remembering {
    fn checkpoint(&self, due: Due) -> Result<(), StoreError> {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let hold = {
            let mut state = self.state();
            state.moves.push((due, name));
            state.hold.take()
        };
        if let Some(hold) = hold {
            hold.wait(Duration::from_secs(60));
        }
        Err(away())
    }
}

/// A call of a component whose name is not known.
fn turned() -> Turned {
    let call = Call {
        key: Key::default(),
        session_id: "S1".to_owned(),
        guid: None,
        call_type: CallType::Inbound,
        started: Millis(1),
        answered: None,
        ended: None,
        dn: None,
        local_uri: String::new(),
        remote_uri: String::new(),
        service: None,
        end_state: None,
        sip_status: None,
        call_id: None,
        call_uuid: None,
        reason: None,
        leg: None,
        epoch: 0,
        config_rev: None,
        component: Component { id: 101, name: String::new(), kind: ComponentType::Rm },
        application: None,
        tenants: Vec::new(),
        resource: None,
        led: false,
    };
    Turned { day: 20_260_101, call }
}

fn frame(records: usize) -> Vec<SpoolEntry> {
    let message = Message {
        queue: "ringmaster.cdr".to_owned(),
        message_id: None,
        fallback_id: None,
        properties: Vec::new(),
        body: Body::Text("{}".to_owned()),
    };
    let entry = Entry {
        received: 1,
        transport: Transport::Http,
        user: None,
        peer: ([127, 0, 0, 1], 1).into(),
        messages: vec![message; records],
        letters: Vec::new(),
        produces: Vec::new(),
    };
    vec![SpoolEntry { kind: Kind::Data, key: None, payload: entry.encode().unwrap(), records: 1 }]
}

fn cdrs(records: u64) -> [Part; 1] {
    [Part { stream: Stream::Cdr, records, bytes: 2 * records }]
}

fn spool(dir: &std::path::Path, bell: &Arc<Bell>) -> Spool {
    let clock = Clock::start();
    let bell = Arc::clone(bell);
    let hooks = Hooks {
        clock: Box::new(move || clock.mono()),
        on_durable: Box::new(move |_| bell.ring()),
        on_sync: Box::new(|_| {}),
        carry: Box::new(<[u8]>::to_vec),
    };
    let settings = Settings { segment_bytes: 1 << 20, ..Settings::new(dir.to_owned(), 1 << 30, 1) };
    Spool::open(settings, Arc::new(RealFs), hooks).unwrap().0
}

fn start(
    spool: &Spool,
    store: &Arc<Remembering>,
    bell: &Arc<Bell>,
    backlog: &Arc<Backlog>,
) -> (Applier, Arc<Figures>) {
    let (parts, figures) = parts(spool, store, bell, backlog, broadcast::channel(4).0);
    (Applier::start(parts).unwrap(), figures)
}

fn parts(
    spool: &Spool,
    store: &Arc<Remembering>,
    bell: &Arc<Bell>,
    backlog: &Arc<Backlog>,
    changed: broadcast::Sender<Changed>,
) -> (Parts, Arc<Figures>) {
    let figures = Arc::new(Figures::default());
    let parts = Parts {
        values: Box::new(|| Ok(())),
        platform: Box::new(|| None),
        learned: Arc::default(),
        spool: spool.clone(),
        found: spool.status().last_seq,
        floor: 0,
        disown: Box::new(|| unreachable!("the queue is whole")),
        applied: 0,
        awaited: false,
        store: Arc::clone(store) as Arc<dyn Store>,
        bell: Arc::clone(bell),
        changed,
        view: Arc::new(View::new(10)),
        figures: Arc::clone(&figures),
        backlog: Arc::clone(backlog),
        crew: crate::crew::tests::idle(),
        log: Log::silent(|| Millis(0)),
        clock: Clock::start(),
        seed: 1,
    };
    (parts, figures)
}

#[expect(clippy::disallowed_methods, reason = "a test waits for threads")]
fn until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn all_frames_in_order_in_batches_through_an_outage_and_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bell = Arc::new(Bell::default());
    let queue = spool(dir.path(), &bell);
    let store = Arc::new(Remembering::default());
    store.state().failures = 1;
    let mut last = 0;
    for _ in 0..30 {
        last = queue.append(frame(150), true).unwrap();
    }
    queue.append(frame(3000), true).unwrap();
    until(|| queue.durable() > last);
    let backlog = Arc::new(Backlog::default());
    let (applier, figures) = start(&queue, &store, &bell, &backlog);
    until(|| store.applied_seq().unwrap() == queue.durable());
    assert_eq!(figures.failures(), 1);
    assert!(figures.up(Duration::ZERO));
    until(|| queue.status().released == queue.durable());
    until(|| (backlog.records(), backlog.age(Millis(9_001))) == (0, Duration::ZERO));
    backlog.came(Millis(1), &cdrs(1));
    last = queue.append(frame(1), true).unwrap();
    until(|| store.applied_seq().unwrap() == last);
    until(|| backlog.records() == 0);
    applier.stop(Duration::from_secs(10));
    {
        let state = store.state();
        assert_eq!(state.seqs, (1..=last).collect::<Vec<_>>());
        assert_eq!(state.records, 30 * 150 + 3000 + 1);
        assert_eq!(state.largest, 3000, "a frame is taken whole, alone");
    }
    // what came while nobody applied is stored after the start, and nothing twice
    last = queue.append(frame(2), true).unwrap();
    queue.close();
    let bell = Arc::new(Bell::default());
    let queue = spool(dir.path(), &bell);
    let (applier, _) = start(&queue, &store, &bell, &Arc::default());
    until(|| store.applied_seq().unwrap() >= last);
    applier.stop(Duration::from_secs(10));
    assert_eq!(store.state().seqs, (1..=last).collect::<Vec<_>>());
}

/// Nothing is stored twice or passed over, and what waits is counted once.
#[test]
fn it_begins_again_after_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let bell = Arc::new(Bell::default());
    let queue = spool(dir.path(), &bell);
    let store = Arc::new(Remembering::default());
    store.state().panics = 2;
    queue.append(frame(1500), true).unwrap();
    let last = queue.append(frame(1500), true).unwrap();
    until(|| queue.durable() == last);
    let backlog = Arc::new(Backlog::default());
    let (applier, _) = start(&queue, &store, &bell, &backlog);
    until(|| store.state().panics == 1);
    assert_eq!(backlog.records(), 3000);
    until(|| store.applied_seq().unwrap() == last);
    until(|| backlog.records() == 0);
    applier.stop(Duration::from_secs(10));
    let state = store.state();
    assert_eq!((&*state.seqs, state.records), (&[1, 2][..], 3000));
}

#[test]
fn it_stops_in_the_middle_of_an_outage() {
    let dir = tempfile::tempdir().unwrap();
    let bell = Arc::new(Bell::default());
    let queue = spool(dir.path(), &bell);
    let store = Arc::new(Remembering::default());
    store.state().failures = u32::MAX;
    queue.append(frame(5), true).unwrap();
    let last = queue.append(frame(6), true).unwrap();
    until(|| queue.durable() == last);
    let backlog = Arc::new(Backlog::default());
    let (applier, figures) = start(&queue, &store, &bell, &backlog);
    assert!(backlog.records() > 0, "never empty, not even while it is counted");
    until(|| figures.failures() > 0);
    assert_eq!((backlog.records(), backlog.age(Millis(9_001))), (11, Duration::from_secs(9)));
    // one more arrives in the meantime
    backlog.came(Millis(1), &cdrs(3));
    queue.append(frame(3), true).unwrap();
    assert_eq!(backlog.records(), 14);
    assert!(!figures.up(Duration::ZERO));
    applier.stop(Duration::ZERO);
    assert_eq!(store.applied_seq().unwrap(), 0, "the spool keeps it");
}

#[test]
fn what_comes_one_by_one_is_stored_together() {
    let dir = tempfile::tempdir().unwrap();
    let bell = Arc::new(Bell::default());
    let queue = spool(dir.path(), &bell);
    let store = Arc::new(Remembering::default());
    let (applier, _) = start(&queue, &store, &bell, &Arc::default());
    let mut last = 0;
    for _ in 0..60 {
        last = queue.append(frame(1), true).unwrap();
        until(|| queue.durable() == last);
    }
    until(|| store.applied_seq().unwrap() == last);
    applier.stop(Duration::from_secs(10));
    assert!(store.state().batches <= 30, "{} batches", store.state().batches);
}

/// A disk that is slow to take what a log holds holds up no batch.
#[test]
fn logs_are_moved_on_a_thread_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let bell = Arc::new(Bell::default());
    let queue = spool(dir.path(), &bell);
    let store = Arc::new(Remembering::default());
    let hold = Arc::new(Bell::default());
    store.state().hold = Some(Arc::clone(&hold));
    let (applier, _) = start(&queue, &store, &bell, &Arc::default());
    let mut last = queue.append(frame(1), true).unwrap();
    until(|| !store.state().moves.is_empty());
    for _ in 0..3 {
        last = queue.append(frame(1), true).unwrap();
        until(|| store.applied_seq().unwrap() == last);
    }
    assert_eq!(store.state().moves.len(), 1, "still at it");
    hold.ring();
    until(|| store.state().moves.len() > 1);
    applier.stop(Duration::from_secs(10));
    let state = store.state();
    assert_eq!(state.seqs, (1..=last).collect::<Vec<_>>());
    assert!(state.moves.iter().all(|(_, thread)| thread == "checkpoint"), "{:?}", state.moves);
    assert_eq!(state.moves.last().unwrap().0, Due::All);
}

#[test]
fn those_who_watch_are_told_of_calls() {
    let dir = tempfile::tempdir().unwrap();
    let bell = Arc::new(Bell::default());
    let queue = spool(dir.path(), &bell);
    let store = Arc::new(Remembering::default());
    let (changed, nobody) = broadcast::channel(4);
    drop(nobody);
    let store_one = |last: u64| {
        let (bell, backlog) = (Arc::new(Bell::default()), Arc::default());
        let (parts, _) = parts(&queue, &store, &bell, &backlog, changed.clone());
        let applier = Applier::start(parts).unwrap();
        until(|| store.applied_seq().unwrap() == last);
        applier.stop(Duration::from_secs(10));
    };
    store_one(queue.append(frame(1), true).unwrap());
    let mut watcher = changed.subscribe();
    store_one(queue.append(frame(1), true).unwrap());
    let told = watcher.try_recv().unwrap();
    assert_eq!((told.len(), told[0].component.name.as_str()), (1, "101"), "by its id");
}

/// Its calls have limits of their own: nobody is to end the process for that.
#[test]
fn waiting_for_the_database_is_an_outage_and_no_standstill() {
    let (figures, clock) = (Figures::default(), Clock::start());
    let span = Duration::from_secs(60);
    let asking = figures.asking(clock);
    let later = clock.mono() + 2 * span;
    assert!(figures.turned_within(later, span) && !figures.up(later));
    assert!(figures.up(clock.mono()), "not yet");
    assert_eq!(figures.outage().map(|outage| outage.attempts), Some(0));
    drop(asking);
    assert!(!figures.turned_within(later, span) && figures.up(later));
    assert_eq!(figures.outage(), None);
}

#[test]
fn what_the_database_counts_as_stored_already_waits_for_another_start() {
    let dir = tempfile::tempdir().unwrap();
    let bell = Arc::new(Bell::default());
    let queue = spool(dir.path(), &bell);
    let store = Arc::new(Remembering::default());
    store.state().seqs = vec![9];
    let backlog = Arc::new(Backlog::default());
    let (parts, figures) = parts(&queue, &store, &bell, &backlog, broadcast::channel(4).0);
    let disowned = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&disowned);
    let disown = move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    };
    let applier = Applier::start(Parts { disown: Box::new(disown), ..parts }).unwrap();
    let last = queue.append(frame(1), true).unwrap();
    until(|| queue.durable() == last && disowned.load(Ordering::Relaxed) > 1);
    assert!(!figures.up(Duration::ZERO));
    assert_eq!((store.state().batches, queue.status().released), (0, 0));
    applier.stop(Duration::ZERO);
    // a start that finds another queue
    store.state().seqs.clear();
    let (applier, _) = start(&queue, &store, &bell, &backlog);
    until(|| store.applied_seq().unwrap() == last);
    applier.stop(Duration::from_secs(10));
}
