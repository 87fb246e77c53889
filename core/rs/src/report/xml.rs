//! A small writer of XML: attributes in the order they are given, everything escaped.
//!
//! Documents have no namespace and no DOCTYPE (rs.md §5.14). Characters that XML 1.0 forbids
//! become U+FFFD, so that hostile text can break no document.

use std::fmt::{Display, Write};

/// A document that grows; elements are indented by two blanks.
pub(super) struct Xml {
    out: String,
    open: Vec<&'static str>,
    /// A start tag stands open: `>` or `/>` is still to come.
    in_tag: bool,
}

impl Xml {
    pub(super) fn new() -> Self {
        let out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned();
        Self { out, open: Vec::new(), in_tag: false }
    }

    /// Begins an element; [`Xml::end`] closes it.
    pub(super) fn start(&mut self, name: &'static str) -> &mut Self {
        self.close_tag();
        self.new_line();
        self.out.push('<');
        self.out.push_str(name);
        self.open.push(name);
        self.in_tag = true;
        self
    }

    /// An attribute of the element just begun.
    pub(super) fn attribute(&mut self, name: &str, value: impl Display) -> &mut Self {
        let _ = write!(self.out, " {name}=\"");
        escape(&value.to_string(), &mut self.out);
        self.out.push('"');
        self
    }

    /// An attribute that is left out without a value.
    pub(super) fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.attribute(name, value);
        }
        self
    }

    /// Ends the element that was begun last.
    pub(super) fn end(&mut self) {
        let Some(name) = self.open.pop() else { return };
        if self.in_tag {
            self.out.push_str("/>");
            self.in_tag = false;
        } else {
            self.new_line();
            let _ = write!(self.out, "</{name}>");
        }
    }

    /// A whole element that holds text only.
    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        self.close_tag();
        self.new_line();
        let _ = write!(self.out, "<{name}>");
        escape(text, &mut self.out);
        let _ = write!(self.out, "</{name}>");
    }

    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.out.push('\n');
        self.out
    }

    fn close_tag(&mut self) {
        if self.in_tag {
            self.out.push('>');
            self.in_tag = false;
        }
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        for _ in &self.open {
            self.out.push_str("  ");
        }
    }
}

/// Escapes text for an attribute or an element alike.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // as themselves they would be read back as blanks
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\0'..=' ' if c != ' ' => out.push('\u{FFFD}'),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
}
