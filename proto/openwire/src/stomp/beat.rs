//! Heart-beats of STOMP: who has to say something how often, and when a silence is too long.
//!
//! Both are agreed at the login and only then (a peer of 1.0, or one that promises nothing, may be
//! silent for ever). We write a line feed when nothing else was written for half of the agreed
//! time; the peer is given up after twice of it, and never before the inactivity of the settings.

use std::time::Duration;

/// The shortest time between our heart-beats that we promise.
const SHORTEST: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Beat {
    inactivity: Duration,
    read_at: Duration,
    written_at: Duration,
    reading: bool,
    write_after: Option<Duration>,
    silence: Option<Duration>,
}

impl Beat {
    pub(super) fn new(inactivity: Duration, now: Duration) -> Self {
        Self {
            inactivity,
            read_at: now,
            written_at: now,
            reading: true,
            write_after: None,
            silence: None,
        }
    }

    /// From the peer's `heart-beat` (`sends,wants`, in ms); gives ours.
    pub(super) fn agree(&mut self, theirs: Option<&str>) -> String {
        let wanted = self.inactivity / 3;
        let mut both = theirs.unwrap_or_default().split(',').map(|number| {
            let millis = number.trim().parse::<u32>().unwrap_or(0);
            Some(Duration::from_millis(u64::from(millis))).filter(|time| !time.is_zero())
        });
        let (sends, wants) = (both.next().flatten(), both.next().flatten());
        self.write_after = wants.map(|wants| wants.max(SHORTEST) / 2);
        self.silence = sends.map(|sends| (sends.max(wanted) * 2).max(self.inactivity));
        format!("{},{}", SHORTEST.as_millis(), wanted.as_millis())
    }

    pub(super) fn heard(&mut self, now: Duration) {
        self.read_at = now;
    }

    pub(super) fn wrote(&mut self, now: Duration) {
        self.written_at = now;
    }

    /// While we do not read, nobody's silence counts.
    pub(super) fn set_reading(&mut self, now: Duration, reading: bool) {
        if reading && !self.reading {
            self.read_at = now;
        }
        self.reading = reading;
    }

    /// A line feed is due.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.write_due().is_some_and(|due| due <= now)
    }

    /// The silence that was too long, if it is.
    pub(super) fn silent(&self, now: Duration) -> Option<Duration> {
        self.read_due().filter(|due| *due <= now).and(self.silence)
    }

    /// When a line feed is to be written, unless something else is.
    pub(super) fn write_due(&self) -> Option<Duration> {
        Some(self.written_at + self.write_after?)
    }

    /// When the peer is given up, unless it says something.
    pub(super) fn read_due(&self) -> Option<Duration> {
        Some(self.read_at + self.silence?).filter(|_| self.reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_agreed() {
        let seconds = Duration::from_secs;
        for (theirs, write_after, silence) in [
            (None, None, None),
            (Some("0,0"), None, None),
            (Some("1000,0"), None, Some(seconds(30))),
            (Some("0,4000"), Some(seconds(2)), None),
            (Some("60000, 10"), Some(Duration::from_millis(500)), Some(seconds(120))),
            (Some("x"), None, None),
        ] {
            let mut beat = Beat::new(seconds(30), Duration::ZERO);
            assert_eq!(beat.agree(theirs), "1000,10000", "{theirs:?}");
            assert_eq!((beat.write_after, beat.silence), (write_after, silence), "{theirs:?}");
        }
    }
}
