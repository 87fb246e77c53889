//! `ringmaster calls GUID --sip`: the messages of a call, also of one that is over.
//!
//! First a line for each, as a ladder; then each with its headers.

use std::fmt::Write;

use serde_json::{Value, json};

use super::text;
use crate::ask;
use crate::cli::{self, Output};
use crate::exit::Failure;
use crate::table;

pub(super) fn run(args: &cli::Calls, rm: &ask::Daemon<'_>, guid: &str) -> Result<(), Failure> {
    let ladder = whole(rm, guid)?;
    let messages = ladder["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    match args.from.output {
        Output::Json => println!("{ladder}"),
        Output::Name => messages.iter().for_each(|message| println!("{}", start(message))),
        Output::Table => print!("{}", screen(&ladder, messages)),
    }
    Ok(())
}

/// All pages as one.
fn whole(rm: &ask::Daemon<'_>, guid: &str) -> Result<Value, Failure> {
    let path = format!("/v1/calls/{guid}/sip");
    let first = rm.json(&path, &[], "messages")?;
    let mut messages = first["messages"].as_array().cloned().unwrap_or_default();
    let mut cursor = first["cursor"].as_str().map(str::to_owned);
    while let Some(at) = &cursor {
        let page = rm.json(&path, &[("cursor", Some(at))], "messages")?;
        messages.extend(page["messages"].as_array().cloned().unwrap_or_default());
        let next = page["cursor"].as_str().map(str::to_owned);
        cursor = next.filter(|next| next != at);
    }
    let (session, since, lost) = (&first["session"], &first["since"], &first["lost"]);
    Ok(json!({ "session": session, "since": since, "lost": lost, "messages": messages }))
}

fn screen(ladder: &Value, messages: &[Value]) -> String {
    let mut out = format!("session   {}\n", text(ladder, "session"));
    // writing to a String cannot fail
    if ladder["lost"] == true {
        let _ = writeln!(out, "lost      its messages before {}", text(ladder, "since"));
    }
    let calls: Vec<&Value> = messages.iter().map(|message| &message["call_id"]).collect();
    let several = calls.iter().any(|call| Some(call) != calls.first());
    let mut header = vec!["", "TIME", "DIRECTION", "PEER", "TRANSPORT", "MESSAGE"];
    header.extend(several.then_some("CALL-ID"));
    let row = |(number, message): (usize, &Value)| {
        let mut row = vec![format!("{}", number + 1)];
        row.extend(["time", "direction", "peer", "transport"].map(|one| text(message, one)));
        row.push(start(message));
        row.extend(several.then(|| text(message, "call_id")));
        row
    };
    let rows: Vec<Vec<String>> = messages.iter().enumerate().map(row).collect();
    let _ = write!(out, "\n{}", table::render(&header, &rows));
    for (number, message) in messages.iter().enumerate() {
        let way = if message["direction"] == "in" { "from" } else { "to" };
        let [time, peer] = ["time", "peer"].map(|one| text(message, one));
        let _ = writeln!(out, "\n--- {} {time} {way} {peer}", number + 1);
        for line in message["head"].as_str().unwrap_or_default().trim_end().lines() {
            let _ = writeln!(out, "{}", printable(line));
        }
    }
    out
}

/// The start line, shortened to what tells one message from another.
fn start(message: &Value) -> String {
    let line = message["head"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
    let line = line.strip_suffix(" SIP/2.0").unwrap_or(line);
    printable(line.strip_prefix("SIP/2.0 ").unwrap_or(line))
}

/// A line that moves no cursor.
fn printable(line: &str) -> String {
    let stays = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    line.chars().map(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_then_each_with_its_headers() {
        let message = |time: &str, direction: &str, head: &str| {
            json!({ "time": time, "direction": direction, "transport": "UDP", "call_id": "a",
                    "peer": "10.0.0.2:5090", "bytes": 9, "head": head })
        };
        let mut ladder = json!({ "session": "G", "since": "T0", "lost": false, "messages": [
            message("T1", "in", "INVITE sip:a@b SIP/2.0\r\nX: \u{1b}[2J\r\n\r\n"),
            message("T2", "out", "SIP/2.0 100 Trying\r\n\r\n"),
        ] });
        let shown = |ladder: &Value| screen(ladder, ladder["messages"].as_array().unwrap());
        let expected = "session   G\n\n   TIME  DIRECTION  PEER           TRANSPORT  MESSAGE\n\
             1  T1    in         10.0.0.2:5090  UDP        INVITE sip:a@b\n\
             2  T2    out        10.0.0.2:5090  UDP        100 Trying\n\n\
             --- 1 T1 from 10.0.0.2:5090\nINVITE sip:a@b SIP/2.0\nX: \u{fffd}[2J\n\n\
             --- 2 T2 to 10.0.0.2:5090\nSIP/2.0 100 Trying\n";
        assert_eq!(shown(&ladder), expected);
        ladder["lost"] = true.into();
        ladder["messages"][1]["call_id"] = "b".into();
        let shown = shown(&ladder);
        assert!(shown.starts_with("session   G\nlost      its messages before T0\n\n"), "{shown}");
        assert!(shown.contains("  100 Trying      b\n"), "{shown}");
    }
}
