//! `model::record`: bodies from a broker. What is read is written, read again, and merged.

use model::record::{Arrived, Record};
use model::time::Millis;

pub(super) fn run(data: &[u8]) {
    let arrived = Arrived { at: Millis(1_767_225_600_000), message_id: Some("m-1") };
    let Ok((record, notes)) = Record::read(data, &arrived) else { return };
    let _ = rs::fact::Fact::of(&record, &notes);
    let _ = rs::key::Keys::of(&record);
    let mut written = Vec::new();
    record.write(&mut written);
    let again = Record::read(&written, &arrived).ok().map(|(again, _)| again);
    assert_eq!(again.as_ref(), Some(&record), "{}", String::from_utf8_lossy(&written));
}
