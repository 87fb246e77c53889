//! A visitor's seat: whether it is its turn or ours, and whether it must go.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// What door, connection and service know of one visitor.
#[derive(Debug)]
pub(super) struct Seat {
    turn: Mutex<Turn>,
    /// All places of the door.
    places: Arc<Semaphore>,
    most: usize,
    /// A handshake is under way.
    shakes: AtomicBool,
    /// A body has been announced that has not come whole.
    owes: AtomicBool,
    /// Requests that have come,
    heard: AtomicU64,
    /// and which of them has two lengths, from 0.
    both_lengths: AtomicU64,
    /// What the handshake has proven.
    certificate: OnceLock<CertificateDer<'static>>,
}

#[derive(Debug)]
enum Turn {
    /// A whole request is waited for since then, by this task.
    Waits(Instant, Option<Waker>),
    /// Its head has come; its body may still be on its way.
    Asked,
    /// It is answered; what comes next is another request.
    Answered,
    /// Somebody else gets the place.
    Dismissed,
}

impl Seat {
    pub(super) fn new(places: Arc<Semaphore>, most: usize) -> Self {
        let turn = Mutex::new(Turn::Waits(Instant::now(), None));
        let [shakes, owes] = [false; 2].map(AtomicBool::new);
        let (heard, both_lengths) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let certificate = OnceLock::new();
        Self { turn, places, most, shakes, owes, heard, both_lengths, certificate }
    }

    /// A handshake begins, or has ended.
    pub(super) fn shake(&self, shakes: bool) {
        self.shakes.store(shakes, Ordering::Relaxed);
    }

    pub(super) fn is_shaking(&self) -> bool {
        self.shakes.load(Ordering::Relaxed)
    }

    /// A body has been announced, or has come whole.
    pub(super) fn owes(&self, owes: bool) {
        self.owes.store(owes, Ordering::Relaxed);
    }

    pub(super) fn still_owes(&self) -> bool {
        self.owes.load(Ordering::Relaxed)
    }

    /// This request of the connection, from 0, has two lengths.
    pub(super) fn set_both_lengths(&self, request: u64) {
        self.both_lengths.store(request, Ordering::Relaxed);
    }

    /// Whether the one whose head has come last has.
    pub(super) fn has_both_lengths(&self) -> bool {
        let last = self.heard.load(Ordering::Relaxed).wrapping_sub(1);
        self.both_lengths.load(Ordering::Relaxed) == last
    }

    /// Whose certificate it was; there is one handshake.
    pub(super) fn prove(&self, certificate: Option<CertificateDer<'static>>) {
        if let Some(certificate) = certificate {
            self.certificate.get_or_init(|| certificate);
        }
    }

    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certificate.get()
    }

    /// More than half of the places are taken.
    pub(super) fn is_crowded(&self) -> bool {
        self.places.available_permits() < self.most / 2
    }

    /// The head of a request has come.
    pub(super) fn hear(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        let mut turn = self.turn();
        if !matches!(*turn, Turn::Dismissed) {
            *turn = Turn::Asked;
        }
    }

    /// The request has its answer, which is about to be written.
    pub(super) fn answer(&self) {
        let mut turn = self.turn();
        if !matches!(*turn, Turn::Dismissed) {
            *turn = Turn::Answered;
        }
    }

    /// Something is being written: the rest of an answer, and until its end the next request need
    /// not be whole. Ahead of an answer it is `100 Continue`, which ends nothing: what comes then
    /// is the body that it asks for.
    pub(super) fn write(&self) {
        let mut turn = self.turn();
        if matches!(*turn, Turn::Waits(..)) {
            *turn = Turn::Answered;
        }
    }

    /// Nothing will be answered any more: whoever comes may have the place.
    pub(super) fn linger(&self) {
        let mut turn = self.turn();
        if !matches!(*turn, Turn::Dismissed) {
            *turn = Turn::Waits(Instant::now(), None);
        }
    }

    /// Something has come; true when that is the begin of another request.
    pub(super) fn begin(&self) -> bool {
        let mut turn = self.turn();
        let begins = matches!(*turn, Turn::Answered);
        if begins {
            *turn = Turn::Waits(Instant::now(), None);
        }
        begins
    }

    /// Whether a whole request is waited for; if it is, this task is woken by [`Seat::dismiss`].
    pub(super) fn waits(&self, task: &Waker) -> bool {
        match &mut *self.turn() {
            Turn::Waits(_, woken) => {
                *woken = Some(task.clone());
                true
            }
            _ => false,
        }
    }

    pub(super) fn waits_since(&self) -> Option<Instant> {
        match &*self.turn() {
            Turn::Waits(since, _) => Some(*since),
            _ => None,
        }
    }

    pub(super) fn is_dismissed(&self) -> bool {
        matches!(*self.turn(), Turn::Dismissed)
    }

    /// Has the connection closed, unless its request has come meanwhile.
    pub(super) fn dismiss(&self) {
        let mut turn = self.turn();
        if let Turn::Waits(_, task) = &mut *turn {
            let task = task.take();
            *turn = Turn::Dismissed;
            drop(turn);
            if let Some(task) = task {
                task.wake();
            }
        }
    }

    /// Nobody panics while holding the lock; if someone did, the turn is still one.
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
