//! One JSON object being read, and the log of what the reader set aside on the way.
//!
//! Fields are asked for by name; what nobody asked for is unknown and kept under its path
//! (`media.asr.vendor`), so that nothing a producer sends is lost. A fault knows its path.

use serde_json::{Map, Value};

use super::shape::{clean, without_nul};
use crate::record::limits::EXTRA_BYTES;
use crate::record::refusal::{Notes, Refusal};
use crate::time::Millis;

/// Where `extra` keeps optional fields of a wrong type.
const BAD: &str = "_bad";

/// What is noticed while a record is read.
pub(super) struct Log {
    pub(super) notes: Notes,
    /// When the body arrived.
    pub(super) arrived: Millis,
    path: String,
    unknown: Vec<(String, Value)>,
    bad: Vec<(String, Value)>,
}

/// An object of which fields are taken.
pub(super) struct Fields<'v> {
    map: &'v Map<String, Value>,
    asked: Vec<&'static str>,
    found: usize,
}

impl<'v> Fields<'v> {
    pub(super) fn new(map: &'v Map<String, Value>) -> Self {
        Self { map, asked: Vec::with_capacity(40), found: 0 }
    }

    /// The fields of a nested value, which must be an object.
    pub(super) fn of(value: &'v Value, log: &Log) -> Result<Self, Refusal> {
        let map = value.as_object().ok_or_else(|| log.fault("bad_type", "an object"))?;
        Ok(Self { map, asked: Vec::new(), found: 0 })
    }

    /// The value of a field; null is absent.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        let value = self.map.get(name);
        self.asked.push(name);
        self.found += usize::from(value.is_some());
        value.filter(|value| !value.is_null())
    }

    /// Whether a field is there; null is absent.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// A field without which the object says nothing.
    pub(super) fn required<T>(
        &mut self,
        log: &mut Log,
        name: &'static str,
        read: impl FnOnce(&Value, &mut Log) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        match self.take(name) {
            Some(value) => log.inside(name, |log| read(value, log)),
            None => Err(log.fault_at(name, "missing_field", "required")),
        }
    }

    /// A field that may be absent; of a wrong type it is set aside.
    pub(super) fn optional<T>(
        &mut self,
        log: &mut Log,
        name: &'static str,
        read: impl FnOnce(&Value, &mut Log) -> Result<T, Refusal>,
    ) -> Option<T> {
        let value = self.take(name)?;
        log.inside(name, |log| log.or_bad(value, read))
    }

    /// Keeps what nobody asked for.
    pub(super) fn finish(self, log: &mut Log) {
        if self.found == self.map.len() {
            return;
        }
        for (key, value) in self.map {
            if !value.is_null() && !self.asked.contains(&key.as_str()) {
                let key = without_nul(key, log);
                let path = log.path_of(&key);
                let value = clean(value, log);
                log.unknown.push((path, value));
            }
        }
    }
}

impl Log {
    pub(super) fn new(arrived: Millis) -> Self {
        Self {
            notes: Notes::default(),
            arrived,
            path: String::new(),
            unknown: Vec::new(),
            bad: Vec::new(),
        }
    }

    /// A refusal of the value that is being read.
    pub(super) fn fault(&self, code: &'static str, expected: &str) -> Refusal {
        Refusal { code, field: self.path.clone(), text: expected.to_owned() }
    }

    /// A refusal of a field of the object that is being read.
    pub(super) fn fault_at(&self, name: &str, code: &'static str, expected: &str) -> Refusal {
        Refusal { code, field: self.path_of(name), text: expected.to_owned() }
    }

    /// Reads something one step further down.
    pub(super) fn inside<T>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(step);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// Reads the optional value at the present path, or sets it aside as a whole.
    pub(super) fn or_bad<T>(
        &mut self,
        value: &Value,
        read: impl FnOnce(&Value, &mut Self) -> Result<T, Refusal>,
    ) -> Option<T> {
        let (unknown, bad) = (self.unknown.len(), self.bad.len());
        match read(value, self) {
            Ok(read) => Some(read),
            Err(_) => {
                self.unknown.truncate(unknown);
                self.bad.truncate(bad);
                self.set_aside(value);
                None
            }
        }
    }

    /// Keeps the value at the present path in `_bad`.
    pub(super) fn set_aside(&mut self, value: &Value) {
        let value = clean(value, self);
        self.bad.push((self.path.clone(), value));
    }

    /// Unknown fields in the order of their names, then `_bad`, as far as they fit.
    pub(super) fn extra(&mut self) -> Map<String, Value> {
        let mut unknown = std::mem::take(&mut self.unknown);
        let bad = std::mem::take(&mut self.bad);
        self.notes.bad_fields = u32::try_from(bad.len()).unwrap_or(u32::MAX);
        if !bad.is_empty() {
            let sent = unknown.iter().position(|(key, _)| key == BAD);
            let mut all = match sent.map(|at| unknown.swap_remove(at).1) {
                Some(Value::Object(sent)) => sent,
                _ => Map::new(),
            };
            all.extend(bad);
            unknown.push((BAD.to_owned(), Value::Object(all)));
        }
        unknown.sort_by(|(a, _), (b, _)| (a == BAD, a).cmp(&(b == BAD, b)));
        let mut room = EXTRA_BYTES;
        let mut extra = Map::new();
        for (key, value) in unknown {
            match room.checked_sub(key.len() + size(&value) + 4) {
                Some(left) => {
                    room = left;
                    extra.insert(key, value);
                }
                None => self.notes.extra_cut += 1,
            }
        }
        extra
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// Bytes of a value as JSON.
fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX / 2,
    }
}
