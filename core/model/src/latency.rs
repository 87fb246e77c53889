//! Kinds of response times: the category of each, and what most of them have to keep (rs.md §2.7,
//! §4.7): a table, over which `rs.latency` and options lie.

use std::collections::BTreeMap;

/// Category, kind, threshold in ms.
const KINDS: [(&str, &str, u32); 37] = [
    ("CALL_CONTROL", "CALL_ANSWER", 500),
    ("CALL_CONTROL", "CALL_REJECT", 500),
    ("PROMPT", "FIRST_PROMPT_INBOUND", 2000),
    ("PROMPT", "FIRST_PROMPT_OUTBOUND", 2000),
    ("PROMPT", "INTER_PROMPT", 1500),
    ("PROMPT", "PROMPT_STOP", 500),
    ("RESPONSE", "INITIAL_RESPONSE_INBOUND", 2000),
    ("RESPONSE", "INITIAL_RESPONSE_OUTBOUND", 2000),
    ("RESPONSE", "DTMF_INPUT_RESPONSE", 1500),
    ("RESPONSE", "ASR_INPUT_RESPONSE", 2500),
    ("RESPONSE", "NO_INPUT_RESPONSE", 1500),
    ("RESPONSE", "RECORDING_RESPONSE", 2000),
    ("RESPONSE", "TRANSFER_RESPONSE", 5000),
    ("FETCHING", "PAGE_FETCH", 1000),
    ("FETCHING", "AUDIO_FETCH", 1000),
    ("FETCHING", "GRAMMAR_FETCH", 1000),
    ("FETCHING", "SCRIPT_FETCH", 1000),
    ("FETCHING", "DATA_FETCH", 2000),
    ("MRCP", "ASR_OPEN", 1000),
    ("MRCP", "ASR_CLOSE", 500),
    ("MRCP", "ASR_SET_PARAMS", 500),
    ("MRCP", "ASR_GET_PARAMS", 500),
    ("MRCP", "ASR_DEFINE_GRAMMAR", 2000),
    ("MRCP", "ASR_RECOGNIZE", 1000),
    ("MRCP", "ASR_START_TIMERS", 500),
    ("MRCP", "ASR_GET_RESULT", 500),
    ("MRCP", "ASR_STOP", 500),
    ("MRCP", "TTS_OPEN", 1000),
    ("MRCP", "TTS_CLOSE", 500),
    ("MRCP", "TTS_SET_PARAMS", 500),
    ("MRCP", "TTS_GET_PARAMS", 500),
    ("MRCP", "TTS_SPEAK", 1000),
    ("MRCP", "TTS_PAUSE", 500),
    ("MRCP", "TTS_RESUME", 500),
    ("MRCP", "TTS_STOP", 500),
    ("EXECUTION", "PAGE_COMPILE", 500),
    ("EXECUTION", "SCRIPT_EXECUTION", 500),
];

/// The part of all response times that keeps the threshold, in thousandths.
const PART: u16 = 950;
/// A threshold at most: an hour, in ms.
pub const MOST_MS: u32 = 3_600_000;
/// The smallest and the greatest part that may have to keep it.
pub const PARTS: (f64, f64) = (0.5, 0.999);

/// What is said of response times; what is not said is as the table has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Acceptance {
    /// In ms, by kind.
    thresholds: BTreeMap<&'static str, u32>,
    /// In thousandths.
    part: Option<u16>,
}

impl Acceptance {
    /// The threshold of a known kind, in ms.
    pub fn set_threshold(&mut self, kind: &'static str, ms: u32) {
        self.thresholds.insert(kind, ms);
    }

    /// The part that has to keep it, as one of [`PARTS`] or between; what is finer than a
    /// thousandth is rounded.
    pub fn set_part(&mut self, part: f64) {
        let thousandths = (part.clamp(PARTS.0, PARTS.1) * 1e3).round();
        self.part = (0..=999).find(|of| f64::from(*of) >= thousandths);
    }

    /// This, and where it says nothing what the other one says.
    #[must_use]
    pub fn over(&self, below: &Self) -> Self {
        let mut all = below.clone();
        all.thresholds.extend(&self.thresholds);
        all.part = self.part.or(below.part);
        all
    }

    /// Of what is said only what `keep` keeps: it is asked for each kind, and with `None` for the
    /// part.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(Option<&str>) -> bool) -> Self {
        self.thresholds.retain(|kind, _| keep(Some(kind)));
        self.part = self.part.filter(|_| keep(None));
        self
    }

    /// The thresholds that are said, in ms, by kind.
    pub fn thresholds(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.thresholds.iter().map(|(kind, ms)| (*kind, *ms))
    }

    /// Whether the part is said.
    #[must_use]
    pub fn says_part(&self) -> bool {
        self.part.is_some()
    }

    /// The time in ms that response times of a kind have to keep; `None`: any is acceptable.
    #[must_use]
    pub fn threshold_ms(&self, kind: &str) -> Option<u32> {
        let said = self.thresholds.get(kind).copied();
        said.or_else(|| find(kind).map(|(_, _, threshold)| *threshold))
    }

    /// The part of them that has to, 0 to 1.
    #[must_use]
    pub fn part(&self) -> f64 {
        f64::from(self.part.unwrap_or(PART)) / 1e3
    }
}

/// The kind of the key of an option (`page.fetch`) or of a setting (`page_fetch`).
#[must_use]
pub fn kind_of(key: &str) -> Option<&'static str> {
    let is_it = |kind: &str| {
        let letters = kind.bytes().map(|byte| if byte == b'_' { b'.' } else { byte });
        let key = key.bytes().map(|byte| if byte == b'_' { b'.' } else { byte });
        letters.map(|byte| byte.to_ascii_lowercase()).eq(key.map(|byte| byte.to_ascii_lowercase()))
    };
    KINDS.iter().map(|(_, kind, _)| *kind).find(|kind| is_it(kind))
}

/// Keys of all kinds as options have them.
pub fn keys() -> impl Iterator<Item = String> {
    KINDS.iter().map(|(_, kind, _)| kind.to_ascii_lowercase().replace('_', "."))
}

/// The category of a kind; `OTHER` of one that is not known.
#[must_use]
pub fn category(kind: &str) -> &'static str {
    find(kind).map_or("OTHER", |(category, ..)| category)
}

fn find(kind: &str) -> Option<&'static (&'static str, &'static str, u32)> {
    KINDS.iter().find(|(_, known, _)| *known == kind)
}

#[cfg(test)]
mod tests {
    use super::{Acceptance, KINDS, category, keys, kind_of};

    #[test]
    fn known_kinds_have_thresholds_and_unknown_ones_none() {
        let table = Acceptance::default();
        assert_eq!((category("TTS_STOP"), table.threshold_ms("TTS_STOP")), ("MRCP", Some(500)));
        assert_eq!((category("page_fetch"), table.threshold_ms("page_fetch")), ("OTHER", None));
        assert!((table.part() - 0.95).abs() < 1e-12);
        let mut names: Vec<_> = KINDS.iter().map(|(_, kind, _)| kind).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }

    #[test]
    fn what_is_said_lies_over_the_table_and_what_is_not_does_not() {
        let mut boot = Acceptance::default();
        boot.set_threshold("PAGE_FETCH", 1500);
        boot.set_threshold("TTS_OPEN", 700);
        boot.set_part(0.9);
        let mut option = Acceptance::default();
        option.set_threshold("PAGE_FETCH", 200);
        let both = option.over(&boot);
        let of = |kind| both.threshold_ms(kind);
        assert_eq!([of("PAGE_FETCH"), of("TTS_OPEN")], [Some(200), Some(700)]);
        assert_eq!([of("ASR_OPEN"), of("MINE")], [Some(1000), None]);
        assert!((both.part() - 0.9).abs() < 1e-12);
        let kept = both.clone().only(|kind| kind == Some("TTS_OPEN"));
        assert_eq!(kept.thresholds().collect::<Vec<_>>(), [("TTS_OPEN", 700)]);
        assert_eq!((both.says_part(), kept.says_part()), (true, false));
        for (said, part) in [(0.9994, 0.999), (0.1, 0.5), (0.955, 0.955), (0.5, 0.5)] {
            option.set_part(said);
            assert!((option.over(&boot).part() - part).abs() < 1e-12, "{said}");
        }
    }

    #[test]
    fn kinds_are_found_by_their_keys() {
        for key in ["page.fetch", "page_fetch", "PAGE_FETCH"] {
            assert_eq!(kind_of(key), Some("PAGE_FETCH"));
        }
        for key in ["page.fetch.", "pagefetch", "page-fetch", ""] {
            assert_eq!(kind_of(key), None, "{key}");
        }
        let kinds: Vec<_> = keys().filter_map(|key| kind_of(&key)).collect();
        assert_eq!(kinds.len(), KINDS.len());
    }
}
