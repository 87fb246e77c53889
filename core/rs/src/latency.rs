//! Kinds of response times: the category of each, and the threshold that 95 of 100 have to keep
//! (rs.md §2.7).

/// Category, kind, threshold in ms.
const KINDS: [(&str, &str, u64); 37] = [
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

/// The category of a kind; `OTHER` of one that is not known.
#[must_use]
pub fn category(kind: &str) -> &'static str {
    find(kind).map_or("OTHER", |(category, _)| category)
}

/// The time in ms that 95 of 100 have to keep; `None`: any is acceptable.
#[must_use]
pub fn threshold_ms(kind: &str) -> Option<u64> {
    find(kind).map(|(_, threshold)| threshold)
}

fn find(kind: &str) -> Option<(&'static str, u64)> {
    let found = KINDS.iter().find(|(_, known, _)| *known == kind);
    found.map(|(category, _, threshold)| (*category, *threshold))
}

#[cfg(test)]
mod tests {
    use super::{KINDS, category, threshold_ms};

    #[test]
    fn known_kinds_have_thresholds_and_unknown_ones_none() {
        assert_eq!((category("TTS_STOP"), threshold_ms("TTS_STOP")), ("MRCP", Some(500)));
        assert_eq!((category("page_fetch"), threshold_ms("page_fetch")), ("OTHER", None));
        let mut names: Vec<_> = KINDS.iter().map(|(_, kind, _)| kind).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}
