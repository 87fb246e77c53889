//! What every document has: kind, name, tenant, enabled, labels, dbid.

use crate::config::Kind;
use crate::config::limits::{MAX_LABEL_KEY, MAX_LABEL_VALUE, MAX_NAME};
use crate::id::Dbid;
use crate::schema::{Field, Named, Object, Place, Placed};
use crate::tree::{Node, Value};

/// The head of a document.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) name: Placed<String>,
    /// The owner; `Environment` for tenants and applications.
    pub(crate) tenant: Placed<String>,
    pub(crate) enabled: bool,
    pub(crate) dbid: Option<Placed<Dbid>>,
    /// How many labels there are; their number is a limit of the last stage.
    pub(crate) labels: Placed<usize>,
}

pub(super) fn read(object: &Object<'_>) -> Option<Head> {
    let kind = kind(object)?;
    // what the Config Server writes, and ignores when it comes in
    for field in ["revision", "created_at", "created_by", "updated_at", "updated_by"] {
        object.get(field);
    }
    let name = object.require("name", kind.as_str()).and_then(|field| name_of(kind, &field));
    let tenant = kind.is_owned().then(|| object.get("tenant")).flatten();
    let tenant = match tenant {
        Some(field) => field.text_up_to(MAX_NAME).map(|name| field.placed(name.to_owned())),
        None => Some(Placed { value: "Environment".to_owned(), place: object.place().clone() }),
    };
    let enabled = object.get("enabled").map_or(Some(true), |field| field.boolean());
    let dbid = object
        .get("dbid")
        .map(|field| field.whole(1, i32::MAX.unsigned_abs()).map(|dbid| field.placed(Dbid(dbid))));
    let labels = labels(object);
    Some(Head {
        kind,
        name: name?,
        tenant: tenant?,
        enabled: enabled?,
        dbid: dbid.flatten(),
        labels,
    })
}

/// How problems of a document name its object, where that can be read.
pub(super) fn named(root: &Node) -> Option<Named> {
    let Value::Map(entries) = &root.value else { return None };
    let text = |key: &str| {
        let text = entries.iter().find(|(own, _)| own.text == key)?.1.as_text()?;
        let short = (1..=MAX_NAME).contains(&text.chars().count());
        short.then(|| text.chars().flat_map(char::escape_debug).collect::<String>())
    };
    Some(Named { kind: text("kind")?, tenant: text("tenant"), name: text("name")? })
}

fn kind(object: &Object<'_>) -> Option<Kind> {
    let list = Kind::ALL.map(Kind::as_str).join(", ");
    let Some(field) = object.get("kind") else {
        object.note("E103", format!("\"kind\" is required: one of {list}"));
        return None;
    };
    let text = field.text()?;
    let kind = Kind::parse(text);
    if kind.is_none() {
        field.note("E104", format!("\"kind\" must be one of {list}"));
    }
    kind
}

fn name_of(kind: Kind, field: &Field<'_>) -> Option<Placed<String>> {
    let dots = !matches!(kind, Kind::Tenant | Kind::IvrProfile);
    name(field, dots)
}

/// A name: letters, digits, blank, `_`, `@`, `-`, and `.` where headers do not carry it.
pub(super) fn name(field: &Field<'_>, dots: bool) -> Option<Placed<String>> {
    let name = field.text()?;
    let letter = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '@' | '-') || dots && c == '.'
    };
    if name.is_empty() {
        return field.invalid("name", "it is empty");
    }
    if !name.chars().all(letter) {
        let text = "contains a character that call headers cannot carry";
        let shown: String = name.chars().take(MAX_NAME).flat_map(char::escape_debug).collect();
        field.note("E108", format!("name \"{shown}\" {text}"));
        return None;
    }
    if name.chars().count() > MAX_NAME {
        return field.invalid("name", format_args!("it is longer than {MAX_NAME} characters"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return field.invalid("name", "it must begin with a letter or digit");
    }
    Some(field.placed(name.to_owned()))
}

fn labels(object: &Object<'_>) -> Placed<usize> {
    let none = Placed { value: 0, place: Place::default() };
    let Some(field) = object.get("labels") else { return none };
    let Some(labels) = field.object() else { return none };
    let mut count = 0;
    for (key, value) in labels.entries() {
        if key.text.chars().count() > MAX_LABEL_KEY {
            let text = format!("a label's key is longer than {MAX_LABEL_KEY} characters");
            value.note("E105", format!("\"{}…\" is not a valid label: {text}", head(&key.text)));
        }
        count += usize::from(value.text_up_to(MAX_LABEL_VALUE).is_some());
    }
    field.placed(count)
}

fn head(text: &str) -> String {
    text.chars().take(32).flat_map(char::escape_debug).collect()
}
