//! A call in a few words, written out as a scenario of SIPp.
//!
//! `> INVITE; < 180; < 200; > ACK; > BYE; < 200` is a caller, the same with the arrows turned a
//! media server. `>` sends, `<` waits for exactly that and nothing else. Words behind it:
//!
//! | word | meaning |
//! |---|---|
//! | `hold` | the body says `a=inactive`; when receiving, it must |
//! | `rel` | a provisional answer that asks for PRACK; when receiving, it must |
//! | `once` | not repeated when nothing comes back |
//! | `slow` | an INVITE whose better answers take long: 100 must come |
//! | `maybe` | may be missing |
//! | `foreign` | sent by a peer that plays no script |
//! | `of METHOD` | which request is answered, where it is not the last one |
//!
//! `< CUE` waits until the test says so ([`crate::player::Player::cue`]).
//! `wait 200` waits, in milliseconds; `stay 200` at the end does too, and says its last word again
//! to whoever did not get it. After an INVITE a 100 may come, and must where it has to be waited
//! for (before a CANCEL, RFC 3261 §9.1); answers are matched by number and method of CSeq; CANCEL
//! and ACK keep the branch that RFC 3261 asks for.

use std::fmt::Write;

use crate::player::Play;

/// Who plays the script.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Caller,
    Media,
}

/// The scenario of a script.
pub(crate) fn scenario(role: Role, play: &Play<'_>) -> String {
    let Play { script, lossy, uri, lines, .. } = *play;
    let mut writer = Writer {
        role,
        lossy,
        uri,
        lines,
        xml: String::new(),
        listens: false,
        index: 0,
        cseq: 0,
        sent: Vec::new(),
        received: Vec::new(),
        acknowledges: None,
    };
    let mut steps = script.split(';').map(str::trim).filter(|step| !step.is_empty()).peekable();
    while let Some(step) = steps.next() {
        writer.listens = steps.peek().is_some_and(|next| next.starts_with('<'));
        writer.step(step);
    }
    let mut known = match role {
        Role::Caller => "peer",
        Role::Media if lossy => "peer,own",
        Role::Media => "peer,own,via,rr,cseq",
    }
    .to_owned();
    if writer.xml.contains("\"checked\"") {
        known.push_str(",checked");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"script\">\n{}\
         <Reference variables=\"{known}\"/>\n</scenario>\n",
        writer.xml
    )
}

/// A request that was sent.
#[derive(Clone, Copy)]
struct Sent<'a> {
    method: &'a str,
    cseq: u32,
    /// Its place in the scenario: SIPp makes branches of it.
    index: u32,
    /// It made the dialog.
    first: bool,
}

struct Writer<'a> {
    role: Role,
    /// What is only told, not promised, may be missing.
    lossy: bool,
    /// Request-URI of the first request.
    uri: &'a str,
    /// Further header lines of it.
    lines: &'a str,
    /// The next step waits for something.
    listens: bool,
    xml: String,
    index: u32,
    cseq: u32,
    /// Requests without final answer, of both directions, newest last.
    sent: Vec<Sent<'a>>,
    received: Vec<(&'a str, bool)>,
    /// The INVITE whose final answer has come, and whether it was a 2xx.
    acknowledges: Option<(Sent<'a>, bool)>,
}

impl<'a> Writer<'a> {
    fn step(&mut self, step: &'a str) {
        let words: Vec<&str> = step.split_whitespace().collect();
        let (arrow, what, words) = (words[0], words[1], &words[2..]);
        let of = words.iter().position(|word| *word == "of").map(|at| words[at + 1]);
        let answer = what.parse::<u16>().ok();
        match (arrow, answer) {
            ("wait", Some(_)) => {
                writeln!(self.xml, "<pause milliseconds=\"{what}\"/>").unwrap();
                self.index += 1;
            }
            ("stay", Some(_)) => {
                writeln!(self.xml, "<timewait milliseconds=\"{what}\"/>").unwrap();
            }
            (">", None) => self.request(what, words),
            (">", Some(code)) => self.answer(code, of, words),
            ("<", None) => self.expect_request(what, words),
            ("<", Some(code)) => self.expect_answer(code, of, words),
            _ => panic!("no step: {step}"),
        }
    }

    fn request(&mut self, method: &'a str, words: &[&str]) {
        let first = self.role == Role::Caller && self.cseq == 0;
        let about = match method {
            "CANCEL" => self.sent.iter().rev().find(|one| one.method == "INVITE").copied(),
            "ACK" => self.acknowledges.map(|(invite, _)| invite),
            _ => None,
        };
        // CANCEL, and ACK to a failure, belong to the transaction of their INVITE.
        let inside =
            about.filter(|_| method == "CANCEL" || matches!(self.acknowledges, Some((_, false))));
        if about.is_none() {
            self.cseq += 1;
        }
        let cseq = about.map_or(self.cseq, |invite| invite.cseq);
        let branch = inside
            .map_or("[branch]".to_owned(), |one| format!("[branch-{}]", self.index - one.index));
        let by_invite = inside.is_some_and(|invite| invite.first);
        let uri = if first || by_invite { self.uri } else { "[next_url]" };
        let mut lines = format!(
            "{method} {uri} SIP/2.0\n\
             Via: SIP/2.0/[via] [local_ip]:[local_port];branch={branch}\n"
        );
        if !first && !by_invite {
            lines.push_str("[routes]\n");
        }
        let tagless = first || (by_invite && method == "CANCEL");
        lines.push_str(&self.parties(tagless));
        writeln!(lines, "Call-ID: [call_id]\nCSeq: {cseq} {method}\nMax-Forwards: 70").unwrap();
        if first {
            lines.push_str(self.lines);
        }
        match method {
            "INVITE" | "UPDATE" => {
                lines.push_str(self.contact());
                lines.push_str("Supported: 100rel\nX-Untouched:  as ; it=\"is\"\n");
            }
            "REFER" => lines.push_str("Refer-To: <sip:other@192.0.2.1>\n"),
            "PRACK" => lines.push_str("RAck: 1 1 INVITE\n"),
            "CANCEL" => lines.push_str("Reason: Q.850;cause=16;text=\"Terminated\"\n"),
            _ => {}
        }
        lines.push_str(&body(method, words));
        let repeats = method != "ACK" && !words.contains(&"once");
        let sent = Sent { method, cseq, index: self.index, first };
        let transaction = about.map_or(sent.index, |invite| invite.index);
        let role = if method == "ACK" { "ack" } else { "start" };
        let attributes = self.transaction(role, transaction);
        self.send(&lines, repeats, &attributes);
        if method == "ACK" {
            return;
        }
        self.sent.push(sent);
        if method == "INVITE" {
            // It says no more than that the request has come.
            let maybe = self.lossy || self.listens && !words.contains(&"slow");
            let of = self.transaction("response", sent.index);
            writeln!(self.xml, "<recv response=\"100\" optional=\"{maybe}\"{of}/>").unwrap();
            self.index += 1;
        }
    }

    /// Where packets get lost SIPp must tell by transaction what is said again; elsewhere it shall
    /// take nothing for a repetition.
    fn transaction(&self, role: &str, number: u32) -> String {
        if self.lossy { format!(" {role}_txn=\"t{number}\"") } else { String::new() }
    }

    /// From and To of a request of our own.
    fn parties(&self, tagless: bool) -> String {
        match self.role {
            Role::Caller => {
                let own = "From: \"A. Müller, \\\"x\\\"\" <[from]>\
                           ;tag=[pid]c[call_number]\n";
                let to = "To: <sip:[number]@[remote_ip]:[remote_port]>\n";
                format!("{own}{}", if tagless { to } else { "To:[$peer]\n" })
            }
            Role::Media => "From:[$own];tag=[pid]m[call_number]\nTo:[$peer]\n".to_owned(),
        }
    }

    fn contact(&self) -> &'static str {
        match self.role {
            Role::Caller => "Contact: <sip:caller@[contact];transport=[via]>\n",
            Role::Media => "Contact: <sip:media@[contact];transport=[via]>\n",
        }
    }

    fn answer(&mut self, code: u16, of: Option<&str>, words: &[&str]) {
        let open = |(method, _): &(&str, bool)| of.is_none_or(|of| of == *method);
        let at = self.received.iter().rposition(open).expect("a request to answer");
        let (method, first) = self.received[at];
        if code >= 200 {
            self.received.remove(at);
        }
        // A SIPp that calls takes the first `CSeq` of the text for the header, and a token in
        // Record-Route may have these letters: it comes behind.
        let mut lines = format!("SIP/2.0 {code} {}\n", phrase(code));
        if first && self.lossy {
            lines.push_str(
                "[last_Via:]\n[last_CSeq:]\n[last_Record-Route:]\n[last_From:]\n\
                 [last_To:];tag=[pid]m[call_number]\n",
            );
        } else if first {
            lines.push_str(
                "[$via]\n[$cseq]\n[$rr]\nFrom:[$peer]\nTo:[$own];tag=[pid]m[call_number]\n",
            );
        } else {
            lines.push_str("[last_Via:]\n[last_From:]\n[last_To:]\n[last_CSeq:]\n");
        }
        lines.push_str("Call-ID: [call_id]\n");
        if code == 302 {
            lines.push_str("Contact: <sip:elsewhere@192.0.2.1>;q=0.5\n");
        } else if matches!(method, "INVITE" | "UPDATE") && code < 300 {
            lines.push_str(self.contact());
        }
        if words.contains(&"rel") {
            lines.push_str("Require: 100rel\nRSeq: 1\n");
        }
        let with_body = matches!((method, code), ("INVITE", 183 | 200..=299) | ("UPDATE", 200));
        lines.push_str(&body(if with_body { "INVITE" } else { "" }, words));
        let repeats = method == "INVITE" && code >= 200 && !words.contains(&"once");
        self.send(&lines, repeats, "");
    }

    fn send(&mut self, lines: &str, repeats: bool, attributes: &str) {
        // What is said again brings a second ACK, which no script awaits: on a good line it is said
        // again only where the machine stood still for long.
        let first = if self.lossy { 500 } else { 4000 };
        let retrans = if repeats { format!(" retrans=\"{first}\"") } else { String::new() };
        writeln!(self.xml, "<send{retrans}{attributes}><![CDATA[\n{lines}\n]]></send>").unwrap();
        self.index += 1;
    }

    fn expect_request(&mut self, method: &'a str, words: &[&str]) {
        let first = self.role == Role::Media && self.received.is_empty() && self.index == 0;
        let mut actions = check_body(words);
        if first {
            actions.push_str(
                "<ereg regexp=\".*\" search_in=\"hdr\" header=\"From:\" assign_to=\"peer\"/>\n\
                 <ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"own\"/>\n",
            );
        }
        if (method == "INVITE" || method == "UPDATE") && !words.contains(&"foreign") {
            // Header fields that RM does not know arrive as they were sent, with every blank.
            actions.push_str(&check("hdr", "X-Untouched:", "  as ; it=&quot;is&quot;"));
        }
        self.recv(&format!("request=\"{method}\" rrs=\"{first}\""), words, &actions);
        if first && !self.lossy {
            // Only the step behind knows the message as the last one. With such a step SIPp does
            // not know a repeated INVITE again; so there is none where packets get lost.
            self.xml.push_str(
                "<nop><action>\n\
                 <assignstr assign_to=\"via\" value=\"[last_Via:]\"/>\n\
                 <assignstr assign_to=\"rr\" value=\"[last_Record-Route:]\"/>\n\
                 <assignstr assign_to=\"cseq\" value=\"[last_CSeq:]\"/>\n\
                 </action></nop>\n",
            );
            self.index += 1;
        }
        if method != "ACK" {
            self.received.push((method, first));
        }
    }

    fn expect_answer(&mut self, code: u16, of: Option<&str>, words: &[&str]) {
        let open = |one: &Sent<'_>| of.is_none_or(|of| of == one.method);
        let at = self.sent.iter().rposition(open).expect("a request to be answered");
        let request = self.sent[at];
        if code >= 200 && !words.contains(&"maybe") {
            self.sent.remove(at);
            if request.method == "INVITE" {
                self.acknowledges = Some((request, code < 300));
            }
        }
        let mut actions = check_body(words);
        actions.push_str(&check("hdr", "CSeq:", &format!("{} {}", request.cseq, request.method)));
        let dialog = request.first && (101..300).contains(&code);
        if request.first && code > 100 {
            actions.push_str(
                "<ereg regexp=\".*\" search_in=\"hdr\" header=\"To:\" assign_to=\"peer\"/>\n",
            );
        }
        if words.contains(&"rel") {
            actions.push_str(&check("hdr", "Require:", "100rel"));
            actions.push_str(&check("hdr", "RSeq:", "1"));
        }
        let of = self.transaction("response", request.index);
        self.recv(&format!("response=\"{code}\" rrs=\"{dialog}\"{of}"), words, &actions);
    }

    fn recv(&mut self, what: &str, words: &[&str], actions: &str) {
        let maybe = if words.contains(&"maybe") { " optional=\"true\"" } else { "" };
        let actions = if actions.is_empty() {
            String::new()
        } else {
            format!("<action>\n{actions}</action>")
        };
        writeln!(self.xml, "<recv {what}{maybe}>{actions}</recv>").unwrap();
        self.index += 1;
    }
}

fn check(place: &str, header: &str, text: &str) -> String {
    format!(
        "<ereg regexp=\"{text}\" search_in=\"{place}\" header=\"{header}\" check_it=\"true\" \
         assign_to=\"checked\"/>\n"
    )
}

/// The body that was asked for, unharmed.
fn check_body(words: &[&str]) -> String {
    if !words.contains(&"hold") {
        return String::new();
    }
    "<ereg regexp=\"a=inactive\" search_in=\"body\" check_it=\"true\" assign_to=\"checked\"/>\n"
        .to_owned()
}

fn body(method: &str, words: &[&str]) -> String {
    let direction = if words.contains(&"hold") { "inactive" } else { "sendrecv" };
    match method {
        "INVITE" | "UPDATE" => format!(
            "Content-Type: application/sdp\nContent-Length: [len]\n\n\
             v=0\no=- 1 1 IN IP[local_ip_type] [local_ip]\ns=-\n\
             c=IN IP[media_ip_type] [media_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 0\n\
             a={direction}\n"
        ),
        "INFO" => "Content-Type: application/dtmf-relay\nContent-Length: [len]\n\n\
                   Signal=5\nDuration=160\n"
            .to_owned(),
        _ => "Content-Length: 0\n\n".to_owned(),
    }
}

fn phrase(code: u16) -> &'static str {
    match code {
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        404 => "Not Found",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        486 => "Busy Here",
        487 => "Request Terminated",
        491 => "Request Pending",
        500 => "Server Internal Error",
        503 => "Service Unavailable",
        603 => "Decline",
        _ => "Other",
    }
}
