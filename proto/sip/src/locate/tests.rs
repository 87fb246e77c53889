//! Every rule of RFC 3263 §4.1, §4.2 and §5 as a row: what is asked, and what is tried.

use super::*;
use crate::uri::Uri;

/// Records as text, one a line: `name KIND fields`; `!KIND` is a question without answer.
struct Zone(Vec<(Question, Records)>);

impl Zone {
    fn read(text: &str) -> Self {
        let mut zone: Vec<(Question, Records)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (kind, records) = record(&words);
            let question = Question { name: HostName::parse(words[0]).unwrap(), kind };
            match (zone.iter_mut().find(|(own, _)| *own == question), records) {
                (Some((_, Records::Naptr(have))), Records::Naptr(more)) => have.extend(more),
                (Some((_, Records::Srv(have))), Records::Srv(more)) => have.extend(more),
                (Some((_, Records::Addresses(have))), Records::Addresses(more)) => {
                    have.extend(more);
                }
                (_, records) => zone.push((question, records)),
            }
        }
        Self(zone)
    }

    fn answer(&self, question: &Question) -> Records {
        let found = self.0.iter().find(|(own, _)| own == question);
        found.map_or(Records::Nothing, |(_, records)| records.clone())
    }
}

fn record(words: &[&str]) -> (Kind, Records) {
    let number = |at: usize| words[at].parse::<u16>().unwrap();
    match words[1] {
        "NAPTR" => {
            let naptr = Naptr {
                order: number(2),
                preference: number(3),
                flags: words[4].to_owned(),
                services: words[5].to_owned(),
                regexp: words.get(7).copied().unwrap_or_default().to_owned(),
                replacement: HostName::parse(words[6]),
            };
            (Kind::Naptr, Records::Naptr(vec![naptr]))
        }
        "SRV" => {
            let (priority, weight, port) = (number(2), number(3), number(4));
            let target = HostName::parse(words[5]);
            (Kind::Srv, Records::Srv(vec![Srv { priority, weight, port, target }]))
        }
        "A" => (Kind::A, Records::Addresses(vec![words[2].parse().unwrap()])),
        "AAAA" => (Kind::Aaaa, Records::Addresses(vec![words[2].parse().unwrap()])),
        "!NAPTR" => (Kind::Naptr, Records::Failed),
        "!SRV" => (Kind::Srv, Records::Failed),
        "!A" => (Kind::A, Records::Failed),
        other => panic!("{other}"),
    }
}

/// `udp tcp tls`, with `6` behind it for IPv6.
fn spoken(text: &str) -> Spoken {
    let mut spoken = Spoken::default();
    for word in text.split_whitespace() {
        let transport = Transport::parse(word.trim_end_matches('6')).unwrap();
        spoken.add(transport, !word.ends_with('6'));
    }
    spoken
}

/// What is asked, round by round, and what comes of it.
fn walk(goal: &Goal, spoken: Spoken, zone: &Zone) -> (String, String) {
    let mut answers = Answers::default();
    let mut asked = Vec::new();
    for _ in 0..4 {
        match locate(goal, spoken, &answers) {
            Step::Ask(questions) => {
                let texts: Vec<String> = questions
                    .iter()
                    .map(|one| format!("{:?} {}", one.kind, one.name.as_str()))
                    .collect();
                asked.push(texts.join(" + "));
                for question in questions {
                    let records = zone.answer(&question);
                    answers.insert(question, records);
                }
            }
            Step::Found(targets) => {
                let order = targets.order(|_| 0);
                let texts: Vec<String> = order
                    .iter()
                    .map(|one| format!("{} {}", one.transport.uri_param(), one.remote))
                    .collect();
                return (asked.join(" > "), texts.join(", "));
            }
            Step::Failed(failure) => return (asked.join(" > "), failure.as_str().to_owned()),
        }
    }
    panic!("no end: {asked:?}");
}

fn check(zone: &Zone, cases: &[(&str, &str, &str, &str)]) {
    for (uri, speaks, asked, tried) in cases {
        let goal = Goal::of_uri(&Uri::parse(uri).unwrap()).unwrap();
        let found = walk(&goal, spoken(speaks), zone);
        let found = (found.0.as_str(), found.1.as_str());
        assert_eq!(found, (*asked, *tried), "{uri} with {speaks}");
    }
}

/// The example of RFC 3263 §4.1, with addresses.
const EXAMPLE: &str = "
    example.com NAPTR 50 50 s SIPS+D2T _sips._tcp.example.com
    example.com NAPTR 90 50 s SIP+D2T _sip._tcp.example.com
    example.com NAPTR 100 50 s SIP+D2U _sip._udp.example.com
    _sips._tcp.example.com SRV 0 1 5061 server1.example.com
    _sip._tcp.example.com SRV 0 1 5060 server1.example.com
    _sip._tcp.example.com SRV 1 2 5080 server2.example.com
    _sip._udp.example.com SRV 0 1 5062 server2.example.com
    server1.example.com A 192.0.2.1
    server1.example.com AAAA 2001:db8::1
    server2.example.com A 192.0.2.2
    server2.example.com A 192.0.2.3
    example.com A 192.0.2.9";

#[test]
fn numeric_hosts_and_explicit_ports() {
    check(
        &Zone::read(EXAMPLE),
        &[
            ("sip:192.0.2.7", "udp tcp", "", "udp 192.0.2.7:5060"),
            ("sip:192.0.2.7", "tcp", "", "tcp 192.0.2.7:5060"),
            ("sip:192.0.2.7:5070", "udp tcp", "", "udp 192.0.2.7:5070"),
            ("sip:192.0.2.7;transport=TCP", "udp tcp", "", "tcp 192.0.2.7:5060"),
            ("sip:192.0.2.7;transport=tls", "udp tls", "", "tls 192.0.2.7:5061"),
            ("sips:192.0.2.7", "udp tcp tls", "", "tls 192.0.2.7:5061"),
            ("sips:192.0.2.7:5070", "udp tcp tls", "", "tls 192.0.2.7:5070"),
            ("sips:192.0.2.7;transport=tcp", "udp tcp tls", "", "tls 192.0.2.7:5061"),
            ("sips:192.0.2.7;transport=udp", "udp tcp tls", "", "unspoken"),
            ("sips:192.0.2.7", "udp tcp", "", "unspoken"),
            ("sip:[2001:db8::7]", "udp", "", "unspoken"),
            ("sip:[2001:db8::7]", "udp6", "", "udp [2001:db8::7]:5060"),
            ("sip:192.0.2.7;transport=tcp", "udp", "", "unspoken"),
            ("sip:example.com:5070", "udp tcp", "A example.com", "udp 192.0.2.9:5070"),
            (
                "sip:example.com:5070;transport=tcp",
                "udp tcp",
                "A example.com",
                "tcp 192.0.2.9:5070",
            ),
            ("sips:example.com:5070", "tls", "A example.com", "tls 192.0.2.9:5070"),
            ("sip:Example.COM.:5070", "udp", "A example.com", "udp 192.0.2.9:5070"),
            ("sip:nobody.example.com:5070", "udp", "A nobody.example.com", "nothing"),
            ("sip:x;maddr=192.0.2.8", "udp", "", "udp 192.0.2.8:5060"),
            ("sip:x:5070;maddr=example.com", "udp", "A example.com", "udp 192.0.2.9:5070"),
        ],
    );
}

#[test]
fn records_of_two_transports_are_asked_for_once() {
    let zone = "
        example.net NAPTR 1 1 s SIP+D2U _sip.example.net
        example.net NAPTR 1 2 s SIP+D2T _sip.example.net
        _sip.example.net SRV 0 1 5060 h.example.net
        h.example.net A 192.0.2.5";
    check(
        &Zone::read(zone),
        &[(
            "sip:example.net",
            "udp tcp",
            "Naptr example.net > Srv _sip.example.net > A h.example.net",
            "udp 192.0.2.5:5060, tcp 192.0.2.5:5060",
        )],
    );
}

#[test]
fn naptr_records_tell_the_transport() {
    check(
        &Zone::read(EXAMPLE),
        &[
            (
                "sip:example.com",
                "udp tcp",
                "Naptr example.com > Srv _sip._tcp.example.com > \
                 A server1.example.com + A server2.example.com",
                "tcp 192.0.2.1:5060, tcp 192.0.2.2:5080, tcp 192.0.2.3:5080",
            ),
            (
                "sip:example.com",
                "udp",
                "Naptr example.com > Srv _sip._udp.example.com > A server2.example.com",
                "udp 192.0.2.2:5062, udp 192.0.2.3:5062",
            ),
            // services with SIPS are kept for a SIP URI, and they alone for a SIPS URI
            (
                "sip:example.com",
                "udp tcp tls",
                "Naptr example.com > Srv _sips._tcp.example.com > A server1.example.com",
                "tls 192.0.2.1:5061",
            ),
            (
                "sips:example.com",
                "udp tcp tls",
                "Naptr example.com > Srv _sips._tcp.example.com > A server1.example.com",
                "tls 192.0.2.1:5061",
            ),
            // a stated transport needs no NAPTR
            (
                "sip:example.com;transport=udp",
                "udp tcp",
                "Srv _sip._udp.example.com > A server2.example.com",
                "udp 192.0.2.2:5062, udp 192.0.2.3:5062",
            ),
            (
                "sips:example.com;transport=tcp",
                "udp tcp tls",
                "Srv _sips._tcp.example.com > A server1.example.com",
                "tls 192.0.2.1:5061",
            ),
            // both families: RFC 7984
            (
                "sip:example.com",
                "tls tls6",
                "Naptr example.com > Srv _sips._tcp.example.com > \
                 A server1.example.com + Aaaa server1.example.com",
                "tls [2001:db8::1]:5061, tls 192.0.2.1:5061",
            ),
        ],
    );
}

#[test]
fn naptr_order_preference_and_what_does_not_count() {
    let zone = Zone::read(
        "pair.test NAPTR 10 20 S sip+d2u _u.pair.test
         pair.test NAPTR 10 10 s SIP+D2T _t.pair.test
         pair.test NAPTR 20 1 s SIP+D2U _never.pair.test
         _t.pair.test SRV 0 0 5070 a.test
         _u.pair.test SRV 0 0 5071 a.test
         odd.test NAPTR 1 1 u SIP+D2U _a.odd.test
         odd.test NAPTR 1 2 s SIP+D2U _b.odd.test !^.*$!x!
         odd.test NAPTR 1 3 s SIP+D2W _c.odd.test
         odd.test NAPTR 1 4 s SIP+D2U .
         _sip._udp.odd.test SRV 0 0 5072 a.test
         bare.test NAPTR 1 1 s SIP+D2T _gone.bare.test
         bare.test A 192.0.2.4
         a.test A 192.0.2.5",
    );
    check(
        &zone,
        &[
            // the whole lowest order, by preference; higher orders never
            (
                "sip:pair.test",
                "udp tcp",
                "Naptr pair.test > Srv _t.pair.test + Srv _u.pair.test > A a.test",
                "tcp 192.0.2.5:5070, udp 192.0.2.5:5071",
            ),
            // other flags, expressions, transports and empty replacements are discarded
            (
                "sip:odd.test",
                "udp",
                "Naptr odd.test > Srv _sip._udp.odd.test > A a.test",
                "udp 192.0.2.5:5072",
            ),
            // a service without SRV records: the domain itself, by the transport found
            (
                "sip:bare.test",
                "udp tcp",
                "Naptr bare.test > Srv _gone.bare.test > A bare.test",
                "tcp 192.0.2.4:5060",
            ),
        ],
    );
}

#[test]
fn without_naptr_each_transport_is_asked_for() {
    let zone = Zone::read(
        "_sip._tcp.tcp.test SRV 0 0 5070 a.test
         _sip._udp.all.test SRV 0 0 5071 a.test
         _sip._tcp.all.test SRV 0 0 5072 a.test
         _sips._tcp.all.test SRV 0 0 5073 a.test
         _sip._udp.off.test SRV 0 0 0 .
         off.test A 192.0.2.6
         _sip._udp.half.test SRV 0 0 0 .
         half.test A 192.0.2.6
         a.test A 192.0.2.5
         plain.test A 192.0.2.8
         mail.test AAAA 2001:db8::8",
    );
    check(
        &zone,
        &[
            (
                "sip:tcp.test",
                "udp tcp",
                "Naptr tcp.test > Srv _sip._udp.tcp.test + Srv _sip._tcp.tcp.test > A a.test",
                "tcp 192.0.2.5:5070",
            ),
            (
                "sip:all.test",
                "udp tcp tls",
                "Naptr all.test > Srv _sip._udp.all.test + Srv _sip._tcp.all.test + \
                 Srv _sips._tcp.all.test > A a.test",
                "udp 192.0.2.5:5071, tcp 192.0.2.5:5072, tls 192.0.2.5:5073",
            ),
            (
                "sips:all.test",
                "udp tcp tls",
                "Naptr all.test > Srv _sips._tcp.all.test > A a.test",
                "tls 192.0.2.5:5073",
            ),
            // nothing but an address
            (
                "sip:plain.test",
                "udp tcp",
                "Naptr plain.test > Srv _sip._udp.plain.test + Srv _sip._tcp.plain.test > \
                 A plain.test",
                "udp 192.0.2.8:5060",
            ),
            (
                "sips:plain.test",
                "udp tls",
                "Naptr plain.test > Srv _sips._tcp.plain.test > A plain.test",
                "tls 192.0.2.8:5061",
            ),
            (
                "sip:plain.test;transport=tcp",
                "udp tcp",
                "Srv _sip._tcp.plain.test > A plain.test",
                "tcp 192.0.2.8:5060",
            ),
            // an address of a family that we do not speak
            ("sip:mail.test:5060", "udp", "A mail.test", "nothing"),
            ("sip:mail.test:5060", "udp6", "Aaaa mail.test", "udp [2001:db8::8]:5060"),
            // "decidedly not available": no way around by the address
            ("sip:off.test;transport=udp", "udp", "Srv _sip._udp.off.test", "nothing"),
            (
                "sip:half.test",
                "udp tcp",
                "Naptr half.test > Srv _sip._udp.half.test + Srv _sip._tcp.half.test > A half.test",
                "tcp 192.0.2.6:5060",
            ),
        ],
    );
}

#[test]
fn a_server_that_fails_is_not_an_empty_answer() {
    let zone = Zone::read(
        "deaf.test !NAPTR
         _sip._udp.deaf.test SRV 0 0 5070 a.test
         mute.test !SRV
         _sip._udp.mute.test !SRV
         mute.test A 192.0.2.4
         _sip._udp.part.test SRV 0 0 5070 gone.test
         _sip._udp.part.test SRV 1 0 5070 a.test
         gone.test !A
         _sip._udp.lost.test SRV 0 0 5070 gone.test
         a.test A 192.0.2.5",
    );
    check(
        &zone,
        &[
            // NAPTR is optional, so a server that cannot answer it is no obstacle
            (
                "sip:deaf.test",
                "udp",
                "Naptr deaf.test > Srv _sip._udp.deaf.test > A a.test",
                "udp 192.0.2.5:5070",
            ),
            // the default port would be a guess while the SRV records are unknown
            ("sip:mute.test;transport=udp", "udp", "Srv _sip._udp.mute.test", "unanswered"),
            (
                "sip:part.test;transport=udp",
                "udp",
                "Srv _sip._udp.part.test > A a.test + A gone.test",
                "udp 192.0.2.5:5070",
            ),
            (
                "sip:lost.test;transport=udp",
                "udp",
                "Srv _sip._udp.lost.test > A gone.test",
                "unanswered",
            ),
        ],
    );
}

/// §5: by the transport of the Via; with port an address, without one SRV, never NAPTR.
#[test]
fn responses_go_to_the_sent_by() {
    let zone = Zone::read(EXAMPLE);
    for (transport, host, port, asked, tried) in [
        (Transport::Udp, "192.0.2.7", None, "", "udp 192.0.2.7:5060"),
        (Transport::Tls, "192.0.2.7", None, "", "tls 192.0.2.7:5061"),
        (Transport::Tcp, "192.0.2.7", Some(5070), "", "tcp 192.0.2.7:5070"),
        (Transport::Tcp, "example.com", Some(5070), "A example.com", "tcp 192.0.2.9:5070"),
        (
            Transport::Tcp,
            "example.com",
            None,
            "Srv _sip._tcp.example.com > A server1.example.com + A server2.example.com",
            "tcp 192.0.2.1:5060, tcp 192.0.2.2:5080, tcp 192.0.2.3:5080",
        ),
        (
            Transport::Tls,
            "example.com",
            None,
            "Srv _sips._tcp.example.com > A server1.example.com",
            "tls 192.0.2.1:5061",
        ),
    ] {
        let goal = Goal::of_sent_by(transport, host, port).unwrap();
        let found = walk(&goal, spoken("udp tcp tls"), &zone);
        assert_eq!(found, (asked.to_owned(), tried.to_owned()), "{transport} {host}");
    }
}

#[test]
fn goals_and_names() {
    let goal = |text: &str| Goal::of_uri(&Uri::parse(text).unwrap());
    for (uri, shown) in [
        ("sip:a@MCP.Voice.test.;lr", "sip:mcp.voice.test"),
        ("sips:[2001:db8::1]:5061;transport=TLS", "sips:[2001:db8::1]:5061;transport=tls"),
        ("sip:192.0.2.1:5070", "sip:192.0.2.1:5070"),
        ("sip:a;maddr=192.0.2.1", "sip:192.0.2.1"),
    ] {
        assert_eq!(goal(uri).unwrap().to_string(), shown, "{uri}");
    }
    for uri in ["tel:+49", "urn:service:sos", "sip:a;transport=sctp", "sip:a;transport"] {
        assert_eq!(goal(uri), None, "{uri}");
    }
    let long = format!("{}.test", "a".repeat(64));
    let longer = vec!["abcdefg"; 33].join(".");
    for text in ["", ".", "a..b", "a b", "1.2.3", "10.0.0.256", "ä.test", &long, &longer] {
        assert_eq!(HostName::parse(text), None, "{text}");
    }
    for text in ["localhost", "_sip._udp.a", "3com.test", "a-1"] {
        assert_eq!(HostName::parse(text).unwrap().as_str(), text);
    }
}

#[test]
fn the_longest_name_has_no_room_for_a_service_and_still_has_an_address() {
    let name = [&"a".repeat(63), &"b".repeat(63), &"c".repeat(63), &"d".repeat(61)];
    let name = name.map(String::as_str).join(".");
    assert_eq!(name.len(), 253);
    let zone = Zone::read(&format!("{name} A 192.0.2.4"));
    let uri = format!("sip:{name}");
    let asked = format!("Naptr {name} > A {name}");
    check(&zone, &[(&uri, "udp tcp", &asked, "udp 192.0.2.4:5060")]);
}
