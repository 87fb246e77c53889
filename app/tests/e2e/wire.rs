//! What a SIPp has seen on the wire, read out of its message log.

use model::time::Millis;

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    /// Not got.
    pub(crate) sent: bool,
    /// When it was written down: behind the arrival of what was got, and the departure of what was
    /// sent.
    pub(crate) at: Millis,
    /// Its lines end with `\n` only.
    pub(crate) text: String,
}

/// All messages of a log, in order.
pub(crate) fn messages(log: &str) -> Vec<Message> {
    let line = format!("{} ", "-".repeat(47));
    log.split(&line).skip(1).filter_map(message).collect()
}

/// `DATE TIME\nUDP message sent (258 bytes):\n\nTEXT\n`; nothing, of one that is being written.
fn message(entry: &str) -> Option<Message> {
    let (head, text) = entry.split_once("\n\n")?;
    let (at, what) = head.split_once('\n')?;
    let (_, what) = what.split_once(" message ")?;
    // `DATE TIME` to the microsecond
    let at = Millis::parse(&format!("{}Z", at.trim().get(..23)?.replace([' ', '\t'], "T")))?;
    let text = text.replace('\r', "");
    text.contains("\n\n").then(|| Message {
        sent: what.starts_with("sent"),
        at,
        text: text.trim_start().to_owned(),
    })
}

impl Message {
    /// Request or status line.
    pub(crate) fn start(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The lines of its header.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().skip(1).take_while(|line| !line.is_empty())
    }

    /// The first value of this header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }

    /// What follows its header.
    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\n\n").map_or("", |(_, body)| body.trim_end())
    }

    /// It begins so: `INVITE `, `SIP/2.0 100 `.
    pub(crate) fn is(&self, start: &str) -> bool {
        self.text.starts_with(start)
    }
}

/// The first that begins so.
pub(crate) fn first<'m>(messages: &'m [Message], start: &str) -> &'m Message {
    let found = messages.iter().find(|one| one.is(start));
    found.unwrap_or_else(|| panic!("no {start} in {messages:#?}"))
}
