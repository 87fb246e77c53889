//! The reader: objects that know which fields were asked for, and fields that give typed values.
//!
//! A value that is absent or wrong is `None`; what is wrong has then been noted, so that the caller
//! just goes on and the next fault is found too. A null is absent.

use std::cell::RefCell;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::near::nearest;
use super::problem::{Named, Problem, Problems, below_spec};
use crate::config::limits::MAX_TEXT;
use crate::tree::{Key, Node, Position, Value};
use crate::units;

/// A place in a document: the file, where in it, and the path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The file, if there is one.
    pub file: Option<Arc<str>>,
    /// Line and column.
    pub at: Position,
    /// The path: `spec.resources[0].name`.
    pub path: String,
    /// The platform object, where that is known.
    pub object: Option<Arc<Named>>,
}

impl Place {
    /// Another place of the same object.
    #[must_use]
    pub fn within(&self, at: Position, path: String) -> Self {
        Self { file: self.file.clone(), at, path, object: self.object.clone() }
    }

    /// A problem at this place.
    pub fn problem(&self, code: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            code,
            at: self.at,
            path: self.path.clone(),
            message: message.into(),
            file: self.file.clone(),
            object: self.object.clone(),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// One value under its path.
#[derive(Clone, Debug)]
pub struct Field<'n> {
    node: &'n Node,
    place: Place,
    problems: &'n Problems,
}

/// A mapping whose fields are asked for one by one.
#[derive(Debug)]
pub struct Object<'n> {
    entries: &'n [(Key, Node)],
    place: Place,
    problems: &'n Problems,
    asked: RefCell<Vec<&'static str>>,
}

impl<'n> Field<'n> {
    /// The root of a document.
    #[must_use]
    pub fn root(node: &'n Node, file: Option<Arc<str>>, problems: &'n Problems) -> Self {
        let place = Place { file, at: node.at, ..Place::default() };
        Self { node, place, problems }
    }

    /// The same as the root of a platform object.
    #[must_use]
    pub fn of_object(mut self, object: Option<Named>) -> Self {
        self.place.object = object.map(Arc::new);
        self
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Another value in the same place.
    #[must_use]
    pub fn with<'m>(&self, node: &'m Node) -> Field<'m>
    where
        'n: 'm,
    {
        Field { node, place: self.place.clone(), problems: self.problems }
    }

    /// The value with its place.
    pub fn placed<T>(&self, value: T) -> Placed<T> {
        Placed { value, place: self.place.clone() }
    }

    /// The node itself.
    #[must_use]
    pub fn node(&self) -> &'n Node {
        self.node
    }

    /// The path as messages name it: below `spec`.
    #[must_use]
    pub fn name(&self) -> &str {
        below_spec(&self.place.path)
    }

    /// Notes a problem here.
    pub fn note(&self, code: &'static str, message: impl Into<String>) {
        self.problems.note(self.place.problem(code, message));
    }

    /// Notes that the type is another one.
    pub fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        let found = found(&self.node.value);
        self.note("E102", format!("\"{}\" must be {expected}, found {found}", self.name()));
        None
    }

    /// Notes that the value is not a valid `what`.
    pub fn invalid<T>(&self, what: &str, reason: impl Display) -> Option<T> {
        let value = shown(&self.node.value);
        self.note("E105", format!("\"{value}\" is not a valid {what}: {reason}"));
        None
    }

    /// Notes that this value is of a part that is not built.
    pub fn unavailable<T>(&self) -> Option<T> {
        let value = shown(&self.node.value);
        self.unavailable_as(&format!("{}: {value}", self.name()))
    }

    /// The same in other words.
    pub fn unavailable_as<T>(&self, what: &str) -> Option<T> {
        self.note("E107", not_available(what));
        None
    }

    /// Text of at most `MAX_TEXT` characters.
    #[must_use]
    pub fn text(&self) -> Option<&'n str> {
        self.text_up_to(MAX_TEXT)
    }

    /// Text of at most `max` characters.
    #[must_use]
    pub fn text_up_to(&self, max: usize) -> Option<&'n str> {
        let Value::Text(text) = &self.node.value else { return self.wrong_type("text") };
        if text.chars().count() > max {
            return self.invalid("text", format_args!("it is longer than {max} characters"));
        }
        Some(text)
    }

    /// A truth value.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match self.node.value {
            Value::Bool(value) => Some(value),
            _ => self.wrong_type("true or false"),
        }
    }

    /// A whole number from `min` to `max`.
    #[must_use]
    pub fn whole<T: TryFrom<i64> + Display + PartialOrd>(&self, min: T, max: T) -> Option<T> {
        let Value::Int(number) = self.node.value else { return self.wrong_type("a whole number") };
        match T::try_from(number) {
            Ok(value) if value >= min && value <= max => Some(value),
            _ => self.out_of(min, max),
        }
    }

    /// A time of day, `03:10`: minutes after midnight.
    #[must_use]
    pub fn time_of_day(&self) -> Option<u32> {
        let text = self.text()?;
        let two = |text: &str| (text.len() == 2).then(|| text.parse::<u32>().ok()).flatten();
        let read = text.split_once(':').and_then(|(hour, minute)| {
            let (hour, minute) = (two(hour)?, two(minute)?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        });
        if read.is_none() {
            let name = self.name();
            self.note("E104", format!("\"{name}\" must be a time of day such as 03:10"));
        }
        read
    }

    /// A number from `min` to `max`.
    #[must_use]
    pub fn number(&self, min: f64, max: f64) -> Option<f64> {
        let value = match self.node.value {
            #[expect(clippy::cast_precision_loss, reason = "settings are small numbers")]
            Value::Int(number) => number as f64,
            Value::Float(number) => number,
            _ => return self.wrong_type("a number"),
        };
        if (min..=max).contains(&value) { Some(value) } else { self.out_of(min, max) }
    }

    /// A duration from `min` to `max`; a bare 0 is one.
    #[must_use]
    pub fn duration(&self, min: Duration, max: Duration) -> Option<Duration> {
        let value = match &self.node.value {
            Value::Int(0) => Duration::ZERO,
            Value::Text(text) => match units::duration(text) {
                Ok(value) => value,
                Err(reason) => return self.invalid("duration", reason),
            },
            _ => return self.wrong_type("a duration such as 5s"),
        };
        if value < min || value > max {
            return self.out_of(units::print_duration(min), units::print_duration(max));
        }
        Some(value)
    }

    /// A size from `min` to `max` bytes; a bare number is bytes.
    #[must_use]
    pub fn size(&self, min: u64, max: u64) -> Option<u64> {
        let value = match &self.node.value {
            Value::Int(bytes) if *bytes >= 0 => bytes.unsigned_abs(),
            Value::Text(text) => match units::size(text) {
                Ok(value) => value,
                Err(reason) => return self.invalid("size", reason),
            },
            _ => return self.wrong_type("a size such as 64KiB"),
        };
        if value < min || value > max {
            return self.out_of(units::print_size(min), units::print_size(max));
        }
        Some(value)
    }

    /// One of some words.
    #[must_use]
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let Value::Text(text) = &self.node.value else { return self.wrong_type("text") };
        let chosen = choices.iter().find(|(word, _)| word == text);
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let list = words.join(", ");
            self.note("E104", format!("\"{}\" must be one of {list}", self.name()));
        }
        chosen.map(|(_, value)| *value)
    }

    /// The items of a list.
    #[must_use]
    pub fn list(&self) -> Option<Vec<Self>> {
        let nodes = self.nodes()?;
        Some(nodes.iter().enumerate().map(|(at, node)| self.item(at, node)).collect())
    }

    /// The items of a long list, without their paths.
    #[must_use]
    pub fn nodes(&self) -> Option<&'n [Node]> {
        match &self.node.value {
            Value::Seq(items) => Some(items),
            _ => self.wrong_type("a list"),
        }
    }

    /// An item of this list.
    #[must_use]
    pub fn item(&self, at: usize, node: &'n Node) -> Self {
        let path = format!("{}[{at}]", self.place.path);
        let place = self.place.within(node.at, path);
        Self { node, place, problems: self.problems }
    }

    /// The fields of a mapping.
    #[must_use]
    pub fn object(&self) -> Option<Object<'n>> {
        let Value::Map(entries) = &self.node.value else { return self.wrong_type("a mapping") };
        Some(Object {
            entries,
            place: self.place.clone(),
            problems: self.problems,
            asked: RefCell::default(),
        })
    }

    fn out_of<T>(&self, min: impl Display, max: impl Display) -> Option<T> {
        self.note("E106", format!("\"{}\" must be between {min} and {max}", self.name()));
        None
    }
}

impl<'n> Object<'n> {
    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Notes a problem of the whole object.
    pub fn note(&self, code: &'static str, message: impl Into<String>) {
        self.problems.note(self.place.problem(code, message));
    }

    /// Notes a problem of some place in it.
    pub fn report(&self, problem: Problem) {
        self.problems.note(problem);
    }

    /// A field, if it is there and not null.
    pub fn get(&self, key: &'static str) -> Option<Field<'n>> {
        self.asked.borrow_mut().push(key);
        #[cfg(test)]
        super::asked::note(self.path_of(key));
        let (_, node) = self.entries.iter().find(|(k, _)| k.text == key)?;
        (!node.is_null()).then(|| self.field(key, node))
    }

    /// A field that must be there.
    pub fn require(&self, key: &'static str, kind: &str) -> Option<Field<'n>> {
        let field = self.get(key);
        if field.is_none() {
            let path = self.path_of(key);
            let name = below_spec(&path);
            self.note("E103", format!("\"{name}\" is required for kind {kind}"));
        }
        field
    }

    /// A known field of a part that is not built: only its default may stand there.
    pub fn unavailable(&self, key: &'static str, is_default: impl Fn(&Value) -> bool) {
        let Some(field) = self.get(key) else { return };
        if !is_default(&field.node.value) {
            self.refuse(key, &field);
        }
    }

    /// Notes that a field is of a part that is not built, at its key.
    pub fn refuse(&self, key: &str, field: &Field<'_>) {
        let mut place = field.place.clone();
        place.at = self.key_at(key).unwrap_or(place.at);
        self.problems.note(place.problem("E107", not_available(field.name())));
    }

    /// All fields, for a mapping whose keys are free; every key then counts as known.
    pub fn entries(&self) -> impl Iterator<Item = (&'n Key, Field<'n>)> {
        self.entries.iter().map(|(key, node)| (key, self.field(&key.text, node)))
    }

    /// Notes every field that was never asked for.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.entries.iter().filter(|(key, _)| !asked.contains(&&*key.text)) {
            let name = short(&key.text);
            let message = match nearest(&key.text, asked.iter().copied()) {
                Some(near) => format!("unknown field \"{name}\"; did you mean \"{near}\"?"),
                None => format!("unknown field \"{name}\""),
            };
            let path = self.path_of(&key.text);
            let place = self.place.within(key.at, path);
            self.problems.note(place.problem("E101", message));
        }
    }

    /// An object without fields, as if it stood under `key`.
    #[must_use]
    pub fn empty(&self, key: &str) -> Self {
        let place = self.place.within(self.place.at, self.path_of(key));
        Self { entries: &[], place, problems: self.problems, asked: RefCell::default() }
    }

    fn field(&self, key: &str, node: &'n Node) -> Field<'n> {
        let path = self.path_of(key);
        let place = self.place.within(node.at, path);
        Field { node, place, problems: self.problems }
    }

    fn key_at(&self, key: &str) -> Option<Position> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(k, _)| k.at)
    }

    fn path_of(&self, key: &str) -> String {
        let parent = &self.place.path;
        if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
    }
}

fn not_available(what: &str) -> String {
    format!("\"{what}\" is not available in this version")
}

/// What was found, in words.
#[must_use]
pub fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("{value}"),
        Value::Int(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number:?}"),
        Value::Text(text) => format!("text \"{}\"", short(text)),
        Value::Seq(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    }
}

/// A value as it is quoted in a message.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => short(text),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Null | Value::Seq(_) | Value::Map(_) => found(value),
    }
}

/// Long texts are cut: a message must stay readable. Control characters are shown as escapes.
fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(64).flat_map(printable).collect();
    if text.chars().nth(64).is_some() {
        shown.push('…');
    }
    shown
}

fn printable(letter: char) -> impl Iterator<Item = char> {
    let escape = letter.is_control().then(|| letter.escape_default());
    let plain = (!letter.is_control()).then_some(letter);
    escape.into_iter().flatten().chain(plain)
}
