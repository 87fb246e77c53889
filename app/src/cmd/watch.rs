//! `ringmaster watch`: changes of the configuration as they are made, until Ctrl-C.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use config::source::sse::{Message, Parser};
use serde_json::Value;

use crate::ask::Daemon;
use crate::cli::{self, Shape};
use crate::exit::{Exit, Failure};
use crate::table;

/// Bytes of one message; what is larger comes as `resync`.
const MESSAGE: usize = 9 << 20;
/// From a stream that broke to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Where the stream is.
struct Seen {
    /// The last revision that was told.
    revision: Option<u64>,
    shape: Shape,
    /// Nobody reads what is printed.
    closed: bool,
}

/// A stream that breaks is taken up again where it broke; one that cannot begin is told.
pub(crate) fn run(args: &cli::Watch) -> Result<(), Failure> {
    let server = Daemon::config_server(&args.from)?;
    let mut seen = Seen { revision: args.since, shape: args.from.output, closed: false };
    let mut begun = false;
    loop {
        let since = seen.revision.map(|revision| revision.to_string());
        let query = [
            ("since", since.as_deref()),
            ("kind", args.kind.map(|kind| kind.name())),
            ("tenant", args.tenant.as_deref()),
        ];
        let mut parser = Parser::new(MESSAGE);
        let ended = server.stream("/v1/watch", &query, |bytes| {
            begun = true;
            let mut messages = Vec::new();
            parser.feed(bytes, &mut messages).map_err(|_| {
                Failure::new(Exit::PeerAway, "a message of the stream is too large")
            })?;
            for message in &messages {
                if seen.tell(message).is_err() {
                    seen.closed = true;
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        });
        match ended {
            Err(failure) if !begun || failure.exit != Exit::PeerAway => return Err(failure),
            _ if seen.closed => return Ok(()),
            _ => std::thread::sleep(PAUSE),
        }
    }
}

impl Seen {
    /// Prints a change; an error means that nobody reads on.
    fn tell(&mut self, message: &Message) -> std::io::Result<()> {
        let data: Value = serde_json::from_str(&message.data).unwrap_or_default();
        self.revision = data["revision"].as_u64().or(self.revision);
        let line = match (message.event.as_str(), self.shape) {
            ("change", Shape::Json) => data.to_string(),
            ("change", Shape::Yaml) => format!("---\n{}", config::yaml::print(&data).trim_end()),
            ("change", Shape::Name) => data["revision"].to_string(),
            ("change", Shape::Table) => line(&data),
            ("resync", Shape::Table) => format!("{}  too large to be shown", data["revision"]),
            ("resync", _) => data.to_string(),
            _ => return Ok(()),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }
}

/// `42  2026-11-22T09:30:00.123Z  ci  put Tenant acme, delete DidGroup acme/old  new number`
fn line(change: &Value) -> String {
    let text = |name: &str| table::cell(&change[name]);
    let objects = change["changes"].as_array().into_iter().flatten().map(|one| {
        let object = if one["op"] == "put" { &one["object"] } else { one };
        let word = |name: &str| object[name].as_str().unwrap_or_default();
        let tenant = object["tenant"].as_str();
        let owned = tenant.map_or_else(String::new, |tenant| format!("{tenant}/"));
        let op = one["op"].as_str().unwrap_or_default();
        format!("{op} {} {owned}{}", word("kind"), word("name"))
    });
    let objects = objects.collect::<Vec<_>>().join(", ");
    let line = format!(
        "{}  {}  {}  {objects}  {}",
        change["revision"],
        text("time"),
        text("actor"),
        Some(&change["message"])
            .filter(|text| !text.is_null())
            .map_or_else(String::new, table::cell)
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::line;
    use serde_json::json;

    #[test]
    fn a_change_is_one_line() {
        let change = json!({"revision": 42, "time": "2026-11-22T09:30:00.123Z", "actor": "ci",
            "message": "new number", "changes": [
                {"op": "put", "object": {"kind": "Tenant", "name": "acme"}},
                {"op": "delete", "kind": "DidGroup", "tenant": "acme", "name": "old"}]});
        let expected = "42  2026-11-22T09:30:00.123Z  ci  put Tenant acme, \
                        delete DidGroup acme/old  new number";
        assert_eq!(line(&change), expected);
    }
}
