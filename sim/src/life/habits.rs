//! How everybody behaves, by chance: what is called, how calls are taken, what is said in them, and
//! what is called next in the same session.

use std::time::Duration;

use model::chance::Chance;
use model::config::Service;

use super::platform::PRIORITY_NUMBER;
use crate::agent::{Call, Manner, Meant, TURNED};

/// Services of calls through a connector: it has them, or they went on without it.
const BY_CONNECTOR: &[Service] = &[Service::Cti, Service::Voicexml];

/// A time below this, evenly.
fn below(chance: &mut Chance, ms: u64) -> Duration {
    Duration::from_millis(chance.below(ms))
}

/// One time of so many.
fn one_in(chance: &mut Chance, times: u64) -> bool {
    chance.below(times) == 0
}

/// A call of the SIP Server: a number, a conference, an announcement.
pub fn of_sip_server(chance: &mut Chance) -> Call {
    let voicexml = &[Service::Voicexml][..];
    let room = 1 + chance.below(3);
    let (user, tenant, parameters, services) = match chance.below(22) {
        0 => ("4711".to_owned(), None, "", &[][..]),
        1 | 2 => ("2001".to_owned(), Some("south"), "", voicexml),
        3 => ("2077".to_owned(), Some("south"), "", voicexml),
        4 => ("2900".to_owned(), Some("south"), "", &[Service::Announcement][..]),
        5 => ("3001".to_owned(), Some("other"), "", voicexml),
        6 => ("3900".to_owned(), Some("other"), "", &[Service::Announcement][..]),
        7..=9 => {
            let tenant = ";gvp-tenant-id=north";
            (format!("conf=team{room}"), Some("north"), tenant, &[Service::Conference][..])
        }
        10 => {
            let tenant = ";gvp-tenant-id=south";
            (format!("msml={room}"), Some("south"), tenant, &[Service::Msml][..])
        }
        11 => ("1142".to_owned(), Some("north"), "", voicexml),
        12 | 13 | 18 | 19 => ("4001".to_owned(), Some("west"), "", voicexml),
        14 => return priority(PRIORITY_NUMBER, chance),
        15 | 16 => return naming(chance),
        17 => (TURNED.to_owned(), Some("north"), "", voicexml),
        _ => ("1001".to_owned(), Some("north"), "", voicexml),
    };
    let parameters = parameters.to_owned();
    Call { number: user, parameters, meant: Some(Meant { tenant, services }), ..any(chance) }
}

/// A call of the emergency services, for a number like any.
pub fn of_emergency(chance: &mut Chance) -> Call {
    priority("1001", chance)
}

/// A call that no limit refuses.
fn priority(number: &str, chance: &mut Chance) -> Call {
    let meant = Some(Meant { tenant: Some("north"), services: &[Service::Voicexml] });
    Call { number: number.to_owned(), priority: true, meant, ..any(chance) }
}

/// A call that names a dialog of the same caller, which it replaces or wants to be heard with.
fn naming(chance: &mut Chance) -> Call {
    let header = match chance.below(3) {
        0 => "Replaces",
        1 => "Join",
        _ => "Target-Dialog",
    };
    let meant = Some(Meant { tenant: Some("north"), services: &[Service::Voicexml] });
    Call { number: "1001".to_owned(), names: Some(header), meant, ..any(chance) }
}

/// A call of a gateway; `cti`: the connector is asked first.
pub fn of_gateway(chance: &mut Chance, cti: bool) -> Call {
    let (number, tenant) = match chance.below(3) {
        0 => ("2001", "south"),
        _ => ("1001", "north"),
    };
    let services = if cti { BY_CONNECTOR } else { &[Service::Voicexml] };
    let meant = Some(Meant { tenant: Some(tenant), services });
    Call { number: number.to_owned(), meant, ..any(chance) }
}

/// Everything about a call but where it goes.
fn any(chance: &mut Chance) -> Call {
    let (patience, hold) = (below(chance, 6000), below(chance, 20_000));
    let (say, vanish) = (below(chance, 9000), below(chance, 12_000));
    let timer = one_in(chance, 8);
    Call {
        lines: if timer { "Supported: timer\r\nSession-Expires: 90\r\n" } else { "" }.to_owned(),
        patience: one_in(chance, 5).then_some(patience),
        hold: (!one_in(chance, 3)).then_some(hold),
        says: if one_in(chance, 3) { vec![(say, said(chance))] } else { Vec::new() },
        vanish: one_in(chance, 12).then_some(vanish),
        ..Call::default()
    }
}

fn said(chance: &mut Chance) -> &'static str {
    match chance.below(4) {
        0 => "INVITE",
        1 => "UPDATE",
        2 => "REFER",
        _ => "INFO",
    }
}

/// How any called party takes a call: soon or late, with an answer or without, for good or not.
fn taken(chance: &mut Chance) -> Manner {
    let (ring, answer, hold) = (below(chance, 300), below(chance, 3000), below(chance, 20_000));
    let say = below(chance, 9000);
    let rings = one_in(chance, 3).then_some((ring, 180));
    let (code, lines) = match chance.below(24) {
        0 => (503, ""),
        1 => (503, "Retry-After: 2\r\n"),
        2 => (486, ""),
        3 => (404, ""),
        4 => (500, ""),
        5 => (603, ""),
        6 => (480, ""),
        7 => (200, "Require: timer\r\nSession-Expires: 90;refresher=uac\r\n"),
        _ => (200, ""),
    };
    Manner {
        rings,
        answers: (!one_in(chance, 15)).then_some((answer, code)),
        lines: lines.to_owned(),
        hold: (!one_in(chance, 3)).then_some(hold),
        says: if one_in(chance, 4) { vec![(say, said(chance))] } else { Vec::new() },
        further: Vec::new(),
    }
}

/// A media server: now and then it transfers a call to the outside, has it recorded, or takes it
/// into a conference.
pub fn media(chance: &mut Chance) -> Manner {
    let mut manner = taken(chance);
    for _ in 0..chance.below(3) {
        let outside = &[Service::Gateway, Service::Cti][..];
        let (number, services) = match chance.below(9) {
            0 => ("030456789", outside),
            1 => ("09001234", outside),
            2 => ("record=call7", &[Service::Recordingserver][..]),
            3 => ("conf=team2", &[Service::Conference][..]),
            4..=6 => {
                let host = if one_in(chance, 3) { "198.51.100.7" } else { "far.example" };
                let call = Call { host: Some(host), ..joining(chance, "030456789", outside) };
                manner.further.push((below(chance, 3000), call));
                continue;
            }
            _ => continue,
        };
        manner.further.push((below(chance, 3000), joining(chance, number, services)));
    }
    manner
}

/// A gateway that leads to the outside.
pub fn gateway(chance: &mut Chance) -> Manner {
    taken(chance)
}

/// A connector: it does not know the number, or takes the call and hands it back for its profile.
pub fn connector(chance: &mut Chance) -> Manner {
    let mut manner = taken(chance);
    match chance.below(4) {
        0 => manner.answers = Some((below(chance, 500), 404)),
        1 => {}
        _ => {
            // it has mapped the call: the number leads to the profile, or the service is named
            let number = if one_in(chance, 2) { "dialog" } else { "1001" };
            let services = &[Service::Voicexml, Service::Gateway][..];
            manner.further.push((below(chance, 500), joining(chance, number, services)));
        }
    }
    manner
}

/// A recorder.
pub fn recorder(chance: &mut Chance) -> Manner {
    taken(chance)
}

/// A call in the session of another one.
fn joining(chance: &mut Chance, number: &str, services: &'static [Service]) -> Call {
    let meant = Some(Meant { tenant: None, services });
    Call { number: number.to_owned(), meant, ..any(chance) }
}
