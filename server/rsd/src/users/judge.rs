//! The thread that checks passwords. A check costs tens of milliseconds and megabytes on purpose:
//! one at a time, in a queue with an end, so that a flood of logins takes nothing from ingest.
//!
//! What has been found right is remembered by a keyed hash, so that a browser or a producer that
//! comes back costs nothing. What is wrong is never remembered: it always costs the same.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use openwire::Secret;

use super::limits::Source;
use super::password::Hash;
use crate::crew::{Crew, Worker};
use crate::priority::{LOW, lower};

/// Logins that may wait; more are told to come again.
const WAITING: usize = 256;
/// Of one source, so that one alone does not keep all others out.
const SHARE: usize = 16;
/// Right passwords that are remembered; then all are forgotten.
const REMEMBERED: usize = 4_096;

/// One question.
pub(super) struct Question {
    pub(super) source: Source,
    pub(super) name: String,
    pub(super) password: Secret,
    pub(super) hash: Hash,
    /// Hears whether it is right; `None`: too many wait.
    pub(super) answer: Box<dyn FnOnce(Option<bool>) + Send>,
}

/// Hands questions to the thread. Dropped, the thread ends.
#[derive(Debug)]
pub(super) struct Judge {
    questions: SyncSender<Question>,
    known: Arc<Known>,
    shares: Arc<Shares>,
}

/// How many of each source wait or are being checked.
#[derive(Debug, Default)]
struct Shares(Mutex<HashMap<Source, usize>>);

/// What has been found right.
struct Known {
    key: [u8; 32],
    right: Mutex<HashSet<[u8; 32]>>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Known")
    }
}

impl Judge {
    /// Starts the thread, over which `crew` watches; `key` is chance.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(key: [u8; 32], crew: Arc<Crew>) -> io::Result<Self> {
        let known = Arc::new(Known { key, right: Mutex::default() });
        let (questions, asked) = sync_channel(WAITING);
        let shares = Arc::new(Shares::default());
        let own = (Arc::clone(&known), Arc::clone(&shares));
        // the question at which it panics is answered by nobody: who asked is told to come again
        let work = move || {
            crew.work(
                Worker::Logins,
                || run(&asked, &own.0, &own.1),
                |pause| {
                    thread::sleep(pause);
                    true
                },
            );
        };
        thread::Builder::new().name("rs-logins".to_owned()).spawn(work)?;
        Ok(Self { questions, known, shares })
    }

    /// Whether this has been found right before; costs nothing.
    pub(super) fn knows(&self, name: &str, password: &Secret, hash: &Hash) -> bool {
        self.known.has(&self.known.mark(name, password, hash))
    }

    /// Has it checked, unless too many wait, of all or of its source.
    pub(super) fn ask(&self, question: Question) {
        let source = question.source;
        if !self.shares.take(source) {
            return (question.answer)(None);
        }
        match self.questions.try_send(question) {
            Ok(()) => {}
            Err(TrySendError::Full(question) | TrySendError::Disconnected(question)) => {
                self.shares.give_back(source);
                (question.answer)(None);
            }
        }
    }
}

fn run(asked: &Receiver<Question>, known: &Known, shares: &Shares) {
    lower(LOW);
    // until the judge is dropped
    while let Ok(Question { source, name, password, hash, answer }) = asked.recv() {
        let _share = Share(shares, source);
        let mark = known.mark(&name, &password, &hash);
        let right = known.has(&mark) || hash.fits(password.reveal());
        if right {
            known.put(mark);
        }
        answer(Some(right));
    }
}

/// A place of a source; given back also by a panic.
struct Share<'s>(&'s Shares, Source);

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.0.give_back(self.1);
    }
}

impl Shares {
    /// `false`: the source has its share.
    fn take(&self, source: Source) -> bool {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(source).or_default();
        let fits = *share < SHARE;
        *share += usize::from(fits);
        fits
    }

    fn give_back(&self, source: Source) {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get_mut(&source) {
            *share -= 1;
            if *share == 0 {
                shares.remove(&source);
            }
        }
    }
}

impl Known {
    fn mark(&self, name: &str, password: &Secret, hash: &Hash) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for part in [name, password.reveal(), hash.text()] {
            // no other three parts make the same bytes
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().into()
    }

    fn has(&self, mark: &[u8; 32]) -> bool {
        self.right.lock().unwrap_or_else(PoisonError::into_inner).contains(mark)
    }

    fn put(&self, mark: [u8; 32]) {
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= REMEMBERED {
            right.clear();
        }
        right.insert(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::super::password::cheap;
    use super::*;

    fn question(password: &str, told: &SyncSender<Option<bool>>) -> Question {
        of(1, password, told)
    }

    /// Of that source.
    fn of(source: usize, password: &str, told: &SyncSender<Option<bool>>) -> Question {
        let told = told.clone();
        let address = std::net::Ipv4Addr::from_bits(u32::try_from(source).unwrap());
        Question {
            source: Source::of(address.into()),
            name: "rm-1".to_owned(),
            password: Secret::new(password.to_owned()),
            hash: cheap(),
            answer: Box::new(move |right| told.send(right).unwrap()),
        }
    }

    #[test]
    fn what_is_right_is_known_from_then_on_and_what_is_wrong_never() {
        let judge = Judge::start([7; 32], crate::crew::tests::idle()).unwrap();
        let (told, heard) = sync_channel(WAITING + 2);
        let [right, wrong] = ["password", "passwort"].map(|text| Secret::new(text.to_owned()));
        for (text, expected) in [("password", true), ("passwort", false)] {
            assert!(!judge.knows("rm-1", &Secret::new(text.to_owned()), &cheap()));
            judge.ask(question(text, &told));
            assert_eq!(heard.recv(), Ok(Some(expected)), "{text}");
        }
        assert!(judge.knows("rm-1", &right, &cheap()));
        assert!(!judge.knows("rm-1", &wrong, &cheap()));
        assert!(!judge.knows("rm-", &Secret::new("1password".to_owned()), &cheap()));
    }

    /// While one is checked, so many wait; the next is told at once, and nothing else has to wait.
    #[test]
    fn a_flood_of_logins_has_an_end() {
        let judge = Judge::start([7; 32], crate::crew::tests::idle()).unwrap();
        let (told, heard) = sync_channel(WAITING + 2);
        let (release, held) = sync_channel(WAITING + 2);
        let (begin, begun) = sync_channel(WAITING + 2);
        let answer = Box::new(move |_right| {
            begin.send(()).unwrap();
            held.recv().unwrap();
        });
        judge.ask(Question { answer, ..question("password", &told) });
        begun.recv().unwrap();
        for n in 0..=SHARE {
            judge.ask(of(2, "passwort", &told));
            assert_eq!(heard.try_recv().ok(), (n == SHARE).then_some(None), "its share");
        }
        for n in SHARE..=WAITING {
            judge.ask(of(3 + n / SHARE, "passwort", &told));
        }
        assert_eq!(heard.recv(), Ok(None), "the one beyond the queue");
        release.send(()).unwrap();
        let answers: Vec<_> = heard.iter().take(WAITING).collect();
        assert_eq!(answers, vec![Some(false); WAITING]);
        // what has been answered makes room
        judge.ask(question("passwort", &told));
        assert_eq!(heard.recv(), Ok(Some(false)));
        let left = || judge.shares.0.lock().unwrap().len();
        while left() > 0 {
            thread::yield_now();
        }
    }
}
