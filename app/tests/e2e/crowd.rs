//! Too much at once: more packets than the kernel has room for, more connections than there are
//! seats.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use net::tcp::{Read, Stream};

use crate::calls::{healthy, objects};
use crate::platform::{CALLER, Process, Site, eventually};
use crate::senders::Over;
use crate::sipp::{Media, Plan, Via};
use crate::{http, report};

/// Datagrams of line ends, larger than any queue of them, until some were lost.
pub(crate) fn overrun(site: &Site) {
    let over = Over(Arc::default());
    for _ in 0..3 {
        let (over, sip) = (Arc::clone(&over.0), site.sip());
        std::thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let bytes = b"\r\n".repeat(30_000);
            while !over.load(Ordering::Relaxed) {
                socket.send_to(&bytes, sip).unwrap();
            }
        });
    }
    let state = || http::metric(site.rm_http(), "ringmaster_rm_overload_state");
    eventually("an overload", state, |state| *state > 0.0);
}

/// Scenario 60 of rm.md §14.
#[test]
fn scenario_60_an_overrun_buffer_sheds_new_calls_and_no_bye() {
    let media = Media::start();
    let application = "---\nkind: Application\nname: rm-1\nspec:\n  type: resource-manager\n  \
                       options:\n    \
                         rm: { overload-respcode: 500, priority-numbers: [\"1900*\"] }\n";
    let site = Site::new(&(objects(&[&media], "{}") + application));
    let _rs = site.start_rs();
    let rm = site.start_rm();
    healthy(&site, 1);
    let numbers = ["18005550100"];
    let held =
        Plan { hold: Duration::from_secs(20), ..Plan::new(site.sip(), &numbers, 20) }.start();
    let up = || http::json(site.rm_http(), "/v1/calls")["calls"].as_array().unwrap().len();
    eventually("twenty calls up", up, |calls| *calls == 20);
    overrun(&site);
    let calls = Plan::new(site.sip(), &numbers, 400).shed(&site.path("."), 500).start();
    let priority = Plan::new(site.sip(), &["19001234567"], 50).start();
    priority.finish();
    calls.finish();
    held.finish();
    let shed = "ringmaster_rm_answers_total{code=\"500\",reason=\"overload\"}";
    let shed = http::counted(site.rm_http(), shed).unwrap_or_default();
    assert!((1.0..400.0).contains(&shed), "{shed} of 400");
    let line = rm.line_with(" 20111 ");
    assert!(line.contains("reason=kernel-drops"), "{line}");
    let drops = "ringmaster_rm_udp_drops_total{stack=\"proxy\"}";
    assert!(http::metric(site.rm_http(), drops) > 0.0);
    // what was shed has neither leg nor record
    let metric = |name: &str| http::metric(site.rm_http(), name);
    eventually("all have ended", || metric("ringmaster_rm_ledger_open"), |open| *open == 0.0);
    let legs = metric("ringmaster_rm_ledger_in_total");
    let ended = || f64::from(u32::try_from(report::completed(site.rs_http()).len()).unwrap());
    eventually("their records", ended, |ended| *ended >= legs);
    let cdrs = report::completed(site.rs_http());
    assert!((70..470).contains(&cdrs.len()), "{} of 470", cdrs.len());
    assert!(cdrs.iter().all(|cdr| cdr["end-state"] == "USER_END"), "{cdrs:#?}");
    let state = || http::metric(site.rm_http(), "ringmaster_rm_overload_state");
    eventually("it is over", state, |state| *state == 0.0);
}

/// Connections of strangers, from many addresses: there are few seats for each.
const CROWD: usize = 10_000;
const EACH: usize = 250;

fn strangers(to: SocketAddr, count: usize) -> Vec<Stream> {
    let connect = |number: usize| {
        let [high, low] = u16::try_from(number / EACH).unwrap().to_be_bytes();
        let from = IpAddr::V4(Ipv4Addr::new(127, 7, high, low + 1));
        let stream = Stream::connect(to, Some(from), 0).unwrap();
        if number % 100 == 99 {
            // no more at once than the kernel keeps for a listener
            std::thread::sleep(Duration::from_millis(5));
        }
        stream
    };
    (0..count).map(connect).collect()
}

fn only_the_caller_is_a_peer(site: &Site) {
    let settings = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    let peers = format!("peers: [{{ name: s, match: [\"{CALLER}\"], role: sip-server }}]");
    let settings = settings.replace("sip: { listen", &format!("sip: {{ {peers}, listen"));
    site.write("settings.yaml", &settings);
}

/// RM, started by a shell that has set a limit of open files before.
fn start_under(site: &Site, limit: &str) -> Process {
    let mut command = Command::new("sh");
    let start = format!("{limit}; exec {} rm -c settings.yaml", env!("CARGO_BIN_EXE_ringmaster"));
    command.current_dir(site.path(".")).args(["-c", &start]);
    let rm = Process::of(command);
    rm.wait_for("ready");
    rm
}

/// How many streams are open.
fn connected(site: &Site) -> f64 {
    http::metric(site.rm_http(), "ringmaster_rm_connections{transport=\"tcp\"}")
}

fn resident(pid: u32) -> usize {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn ten_thousand_idle_connections_cost_little_and_keep_no_call_out() {
    let enough = u64::try_from(CROWD).unwrap() + 512;
    assert!(net::descriptors::raise(enough) >= enough, "the hard limit of open files is too low");
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    only_the_caller_is_a_peer(&site);
    // as a system starts it: with few descriptors, and leave to ask for more
    let rm = start_under(&site, "ulimit -S -n 1024");
    healthy(&site, 1);
    let before = resident(rm.id());
    let mut crowd = strangers(site.sip(), CROWD);
    // an eighth of the seats is not for strangers: the first have made room for the last
    let open = || connected(&site);
    eventually("as many as may be are connected", open, |open| *open == 8_750.0);
    let grown = resident(rm.id()).saturating_sub(before);
    assert!(grown <= 64 << 20, "{grown} bytes more");
    Plan { via: Via::Tcp, ..Plan::new(site.sip(), &["18005550100"], 20) }.run();
    let mut read = |number: usize| crowd[number].read(&mut [0; 8]);
    for oldest in [0, 1_000] {
        eventually("the oldest have made room", || read(oldest), |read| *read == Read::Ended);
    }
    assert_eq!((read(1_500), read(CROWD - 1)), (Read::Blocked, Read::Blocked));
    assert!(!rm.output().contains(" 20125 "), "{}", rm.output());
}

#[test]
fn a_limit_of_the_size_of_files_is_a_full_disk_and_ends_nothing() {
    let media = Media::start();
    let site = Site::new(&objects(&[&media], "{}"));
    // 8 MiB: less than a segment of the queue on disk
    let mut rm = start_under(&site, "ulimit -f 16384");
    healthy(&site, 1);
    Plan::new(site.sip(), &["18005550100"], 20).run();
    rm.signal("TERM");
    assert_eq!(rm.wait(Duration::from_secs(60)).code(), Some(0), "{}", rm.output());
}

#[test]
fn there_are_as_many_connections_as_the_configuration_says_and_the_system_allows() {
    let media = Media::start();
    let application = "---\nkind: Application\nname: rm-1\nspec:\n  type: resource-manager\n  \
                       options: { proxy: { sip.maxtcpconnections: SEATS } }\n";
    // the seats that are asked for, the limit of open files, the seats that are told
    for (asked, limit, told) in
        [(80, "ulimit -S -n 1024", None), (9_000, "ulimit -n 700", Some(188))]
    {
        let application = application.replace("SEATS", &asked.to_string());
        let site = Site::new(&(objects(&[&media], "{}") + &application));
        only_the_caller_is_a_peer(&site);
        let rm = start_under(&site, limit);
        healthy(&site, 1);
        let seats = told.unwrap_or(asked);
        let most = f64::from(seats - seats / 8);
        let _crowd = strangers(site.sip(), usize::try_from(seats + 50).unwrap());
        eventually("all seats of strangers", || connected(&site), |open| *open == most);
        Plan { via: Via::Tcp, ..Plan::new(site.sip(), &["18005550100"], 10) }.run();
        assert!(connected(&site) >= most, "the caller took nobody's seat");
        match told {
            None => assert!(!rm.output().contains(" 20125 "), "{}", rm.output()),
            Some(given) => {
                let line = rm.line_with(" 20125 ");
                for part in [
                    "limit=proxy.sip.maxtcpconnections".to_owned(),
                    format!("asked={asked}"),
                    format!("given={given}"),
                ] {
                    assert!(line.contains(&part), "{part} in {line}");
                }
            }
        }
    }
}
