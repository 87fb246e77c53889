//! The load of a resource is the number of live legs on it, at every step (rm.md §7.1): judged by
//! what has passed between a node and its parties, whatever the node keeps of it.
//!
//! Of each INVITE that has left for a resource it knows from messages alone whether that certainly
//! takes a place (`least`) or may take one (`most`): from its leaving until it is refused, or until
//! the BYE of its dialog is answered. Where a node alone decides (it gives up, cuts a silent call,
//! has crashed) the two differ, and only there.

mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rm::ResourceView;

use super::placement::Chosen;
use message::Message;

/// A try is watched for so long at least, whatever becomes of it, unless it is answered.
const WATCHED: Duration = Duration::from_secs(32);
/// A call of which nothing is heard is cut after a minute at the earliest.
const SILENT: Duration = Duration::from_secs(55);
/// Nobody waits longer for the end of a try: Timer C, the end of its CANCEL, and a watch.
const TRIED: Duration = Duration::from_secs(150);
/// Nor, when a call has been silent for as long as it may be, for its end: what its session timer
/// has more than that, and the end of its BYE.
const CUT: Duration = Duration::from_secs(110);
/// What was heard of a call so long ago is on disk.
const WRITTEN: Duration = Duration::from_secs(2);

/// What all nodes have on their resources.
#[derive(Debug, Default)]
pub(super) struct Load(BTreeMap<&'static str, Seen>);

/// What has passed between one node and its parties.
#[derive(Debug, Default)]
struct Seen {
    /// How often it has crashed.
    run: u32,
    calls: BTreeMap<String, Call>,
    /// Something has passed since it was judged.
    stirred: bool,
}

/// All tries with one Call-ID.
#[derive(Debug, Default)]
struct Call {
    tries: Vec<Try>,
    /// Those that have left.
    byes: Vec<Bye>,
    /// Branches of those that have come.
    come: BTreeSet<String>,
}

/// One BYE that has left.
#[derive(Debug)]
struct Bye {
    branch: String,
    /// Of its dialog.
    tags: [String; 2],
    answered: bool,
}

/// One INVITE that has left for a resource.
#[derive(Debug)]
struct Try {
    branch: String,
    resource: &'static str,
    run: u32,
    /// By a stream, which may not even be opened.
    stream: bool,
    asked: Duration,
    /// Tag of who has taken it, and when that was heard.
    up: Option<(String, Duration)>,
    /// BYEs of that dialog that were answered before: one that was given up gets another one.
    early: usize,
    /// The latest message of its dialog.
    heard: Duration,
    /// It takes no place any more, since then.
    over: Option<Duration>,
    /// A request in its dialog is not answered.
    waits: bool,
    /// The node may have ended it by itself.
    doubtful: bool,
}

impl Load {
    /// A node has heard this.
    pub(super) fn heard(&mut self, node: &'static str, now: Duration, bytes: &[u8]) {
        let seen = self.0.entry(node).or_default();
        let Some(message) = Message::of(bytes) else { return };
        let Some(call) = seen.calls.get_mut(message.call()) else { return };
        seen.stirred = true;
        match message.status {
            Some(status) => call.answered(now, seen.run, status, &message),
            None if message.is_inside() => {
                call.asked(now, seen.run, &message);
                if message.method == "BYE" {
                    call.come.insert(message.branch().to_owned());
                }
            }
            None => {}
        }
    }

    /// A node has said these, and has chosen this for new calls.
    pub(super) fn said<'m>(
        &mut self,
        node: &'static str,
        now: Duration,
        messages: impl Iterator<Item = &'m [u8]>,
        all_chosen: &[Chosen],
    ) {
        let seen = self.0.entry(node).or_default();
        for message in messages.filter_map(Message::of) {
            if message.status.is_some() || !message.is_inside() {
                continue;
            }
            let Some(call) = seen.calls.get_mut(message.call()) else { continue };
            seen.stirred = true;
            call.asked(now, seen.run, &message);
            call.ends(&message);
        }
        for chosen in all_chosen.iter().filter(|chosen| !chosen.is_outside) {
            seen.stirred = true;
            seen.calls.entry(chosen.call.clone()).or_default().tries.push(Try {
                branch: chosen.branch.clone(),
                resource: chosen.host,
                run: seen.run,
                stream: chosen.stream,
                asked: now,
                up: None,
                early: 0,
                heard: now,
                over: None,
                waits: false,
                doubtful: false,
            });
        }
    }

    /// A node has crashed. `written`: its disk had all that it was given some time ago.
    pub(super) fn crashed(&mut self, node: &'static str, now: Duration, written: bool) {
        let seen = self.0.entry(node).or_default();
        seen.run += 1;
        seen.calls.values_mut().for_each(|call| call.byes.retain(|bye| bye.answered));
        for own in seen.calls.values_mut().flat_map(|call| &mut call.tries) {
            let is_safe = |since: Duration| written && since + WRITTEN <= now;
            own.doubtful |= own.waits || !own.up.as_ref().is_some_and(|(_, at)| is_safe(*at));
            // an end that is not on disk has not been
            own.over = own.over.filter(|at| own.up.is_none() || is_safe(*at));
        }
    }

    /// Something else may have changed on all of them.
    pub(super) fn stir(&mut self) {
        self.0.values_mut().for_each(|seen| seen.stirred = true);
    }

    /// Holds what a node says of its resources against what has passed. `silence`: so long a call
    /// without a session timer may be silent there.
    ///
    /// # Errors
    /// A resource with more or fewer places taken than legs can be on it.
    pub(super) fn judge(
        &mut self,
        node: &'static str,
        (now, silence): (Duration, Duration),
        resources: impl FnOnce() -> Vec<ResourceView>,
    ) -> Result<(), String> {
        let seen = self.0.entry(node).or_default();
        if !std::mem::take(&mut seen.stirred) {
            return Ok(());
        }
        let resources = resources();
        let mut bounds: BTreeMap<&str, [usize; 2]> =
            resources.iter().map(|one| (&*one.name, [0, 0])).collect();
        for own in seen.calls.values_mut().flat_map(|call| &mut call.tries) {
            let Some([least, most]) = bounds.get_mut(own.resource) else {
                // legs of a resource that comes back are led back to it one by one
                own.doubtful = true;
                continue;
            };
            *least += usize::from(own.is_sure(now, seen.run));
            *most += usize::from(own.may_be(now, silence));
        }
        let outside = |one: &&ResourceView| {
            bounds
                .get(&*one.name)
                .is_some_and(|[least, most]| one.used < *least || one.used > *most)
        };
        let Some(wrong) = resources.iter().find(outside) else { return Ok(()) };
        let (name, used) = (&wrong.name, wrong.used);
        let [least, most] = bounds.get(&**name).copied().unwrap_or_default();
        let lately = |own: &Try| own.over.is_none_or(|at| at + WRITTEN > now);
        let own = |own: &&Try| own.resource == name && lately(own);
        let all = seen.calls.values().flat_map(|call| &call.tries);
        let tries: Vec<&Try> = all.filter(own).collect();
        Err(format!("{name} has {used} places taken, by {least} to {most} legs: {tries:?}"))
    }
}

impl Call {
    /// A request in its dialog, from a party or on its way to one.
    fn asked(&mut self, now: Duration, run: u32, message: &Message<'_>) {
        if message.method == "ACK" {
            return;
        }
        for own in &mut self.tries {
            own.heard = now;
            own.waits |= message.method != "BYE";
            own.doubtful |= message.method == "BYE";
            // a run that knows nothing of its end makes the leg again, from the token
            if own.over.is_some() && own.run < run {
                (own.over, own.doubtful) = (None, true);
                let tag = own.up.as_ref().map_or("", |(tag, _)| tag);
                own.early = byes_of(&self.byes, tag).0;
            }
        }
    }

    /// Is it a BYE that leaves for the first time?
    fn ends(&mut self, message: &Message<'_>) {
        let branch = message.branch();
        if message.method == "BYE" && self.byes.iter().all(|bye| bye.branch != branch) {
            let tags = message.tags().map(ToOwned::to_owned);
            self.byes.push(Bye { branch: branch.to_owned(), tags, answered: false });
        }
    }

    fn answered(&mut self, now: Duration, run: u32, status: u16, message: &Message<'_>) {
        if status < 200 {
            return;
        }
        let branch = message.branch();
        let is_it = |own: &&mut Try| message.method == "INVITE" && own.branch == branch;
        if let Some(own) = self.tries.iter_mut().find(is_it) {
            own.heard = now;
            if own.up.is_none() {
                own.over = (status >= 300).then_some(now);
                let tag = message.tags()[1];
                own.up = (status < 300).then(|| (tag.to_owned(), now));
                own.early = byes_of(&self.byes, tag).0;
                own.doubtful |= own.early > 0;
                own.doubtful |= own.run != run;
            }
        } else if message.method == "BYE" {
            let own = self.byes.iter_mut().find(|bye| bye.branch == branch);
            own.into_iter().for_each(|bye| bye.answered = true);
        } else {
            for own in &mut self.tries {
                own.heard = now;
                own.doubtful |= status >= 300;
                own.waits = false;
            }
        }
        self.settle(now);
    }

    /// A dialog is over on each of its legs when a BYE was answered on each of them, and none is
    /// open: who was late is sent one by the node itself. Of a call that has passed twice a node
    /// may have ended one leg alone, and then nobody's BYE has passed both.
    fn settle(&mut self, now: Duration) {
        let of = |own: &Try| own.up.as_ref().map(|(tag, _)| tag.clone());
        let tags: Vec<Option<String>> = self.tries.iter().map(of).collect();
        for (own, tag) in self.tries.iter_mut().zip(&tags) {
            let Some(tag) = tag else { continue };
            let legs = tags.iter().filter(|one| one.as_ref() == Some(tag)).count();
            let (ended, open) = byes_of(&self.byes, tag);
            let passed = legs == 1 || self.come.len() >= legs;
            if ended >= own.early + legs && open == 0 && passed && own.over.is_none() {
                own.over = Some(now);
            }
        }
    }
}

/// How many BYEs of the dialog with this tag are answered, and how many are not.
fn byes_of(byes: &[Bye], tag: &str) -> (usize, usize) {
    let own = || byes.iter().filter(|bye| bye.tags.iter().any(|one| one == tag));
    let answered = own().filter(|bye| bye.answered).count();
    (answered, own().count() - answered)
}

impl Try {
    /// It takes a place.
    fn is_sure(&self, now: Duration, run: u32) -> bool {
        if self.doubtful || self.waits || self.over.is_some() {
            return false;
        }
        match self.up {
            Some((_, since)) => now < since + SILENT,
            None => self.run == run && !self.stream && now < self.asked + WATCHED,
        }
    }

    /// It may take one.
    fn may_be(&self, now: Duration, silence: Duration) -> bool {
        let most = if self.up.is_some() { silence + CUT } else { TRIED };
        self.over.is_none() && now < self.heard + most
    }
}
