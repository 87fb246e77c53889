//! One JSON object written field by field, straight into a buffer: for a producer whose facts lie
//! elsewhere, and which must not allocate for a record.
//!
//! The order of the calls is the order on the wire. Values that are absent are left out by whoever
//! calls; an empty list leaves itself out.

use std::fmt::Display;
use std::io::Write;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// An object that is being written; [`Object::write`] opens and closes it.
#[derive(Debug)]
pub struct Object<'b> {
    out: &'b mut Vec<u8>,
    empty: bool,
}

impl Object<'_> {
    /// Appends one object, filled in by `fill`.
    pub fn write(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        out.push(b'{');
        fill(&mut Object { out, empty: true });
        out.push(b'}');
    }

    /// A text; what JSON wants escaped is.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push(b'"');
        escape(value.as_bytes(), self.out);
        self.out.push(b'"');
    }

    /// A text that is still to be put together, of any characters.
    pub fn printed(&mut self, name: &str, value: impl Display) {
        self.name(name);
        self.out.push(b'"');
        // writing into a vector cannot fail
        let _ = write!(Escaped(&mut *self.out), "{value}");
        self.out.push(b'"');
    }

    /// A text that may be missing.
    pub fn some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// A text that is printed and has nothing to escape, such as an id or a time.
    pub fn shown(&mut self, name: &str, value: impl Display) {
        self.name(name);
        // writing into a vector cannot fail
        let _ = write!(self.out, "\"{value}\"");
    }

    /// A number.
    pub fn number(&mut self, name: &str, value: impl Into<u64>) {
        self.name(name);
        let _ = write!(self.out, "{}", value.into());
    }

    /// A flag that is absent when it is false.
    pub fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.name(name);
            self.out.extend_from_slice(b"true");
        }
    }

    /// An object inside.
    pub fn object(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        Self::write(self.out, fill);
    }

    /// A list of objects; nothing, when there is none.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Object<'_>, T),
    ) {
        let mut empty = true;
        for item in items {
            if std::mem::take(&mut empty) {
                self.name(name);
                self.out.push(b'[');
            } else {
                self.out.push(b',');
            }
            Self::write(self.out, |object| fill(object, item));
        }
        if !empty {
            self.out.push(b']');
        }
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.empty) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

/// As `serde_json` does it: the short escapes where there is one.
/// What is printed here is escaped.
struct Escaped<'o>(&'o mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        escape(bytes, self.0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        let short = match byte {
            b'"' | b'\\' => *byte,
            0x08 => b'b',
            0x09 => b't',
            0x0A => b'n',
            0x0C => b'f',
            0x0D => b'r',
            _ => b'u',
        };
        out.extend([b'\\', short]);
        if short == b'u' {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend([b'0', b'0', digit(byte >> 4), digit(byte & 0xF)]);
        }
        rest = after;
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn the_bytes_are_those_of_serde_json() {
        let nasty: String = (0..0x80_u8).map(char::from).chain("ü\u{2028}😀".chars()).collect();
        let mut out = b"before".to_vec();
        Object::write(&mut out, |object| {
            object.text("nasty", &nasty);
            object.printed("printed", format_args!("{nasty}{}", '"'));
            object.some("none", None);
            object.shown("id", format_args!("{}-{}", 1, 2));
            object.number("n", u64::MAX);
            object.flag("no", false);
            object.flag("yes", true);
            object.object("empty", |_| {});
            object.list("nothing", std::iter::empty::<u8>(), |_, _| {});
            object.list("list", [1_u8, 2], |one, n| one.number("n", n));
        });
        let expected = format!(
            "before{{\"nasty\":{},\"printed\":{},\"id\":\"1-2\",\"n\":{},\"yes\":true,\
             \"empty\":{{}},\"list\":[{{\"n\":1}},{{\"n\":2}}]}}",
            serde_json::to_string(&nasty).unwrap(),
            serde_json::to_string(&(nasty.clone() + "\"")).unwrap(),
            u64::MAX
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
