//! One and the same publisher, towards our own Reporting Server and towards a real ActiveMQ: no
//! record is lost and none stands twice, whichever broker is killed when.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::activemq::Activemq;
use crate::calls::{healthy, objects};
use crate::platform::{Process, Site, eventually};
use crate::secure::{Authority, Certificate};
use crate::sipp::{Media, Plan};
use crate::{http, report};

const NUMBER: [&str; 1] = ["18005550100"];

/// Where records go.
trait Reporting {
    fn address(&self) -> SocketAddr;
    /// Starts it on what it had, and waits until it listens.
    fn start(&mut self);
    /// SIGKILL.
    fn kill(&mut self);
    /// Call-IDs of the calls whose end it knows, each as often as it has that end.
    fn ended(&mut self) -> Vec<String>;
}

/// A Reporting Server and its folder.
struct Rs(Site, Option<Process>);

impl Rs {
    fn new() -> Self {
        Self(Site::new(""), None)
    }
}

impl Reporting for Rs {
    fn address(&self) -> SocketAddr {
        self.0.broker()
    }

    fn start(&mut self) {
        self.1 = Some(self.0.start_rs());
    }

    fn kill(&mut self) {
        self.1.take().unwrap().kill();
    }

    fn ended(&mut self) -> Vec<String> {
        let unapplied = || http::metric(self.0.rs_http(), "rsQueueSize");
        eventually("nothing unapplied", unapplied, |size| *size == 0.0);
        let all = report::completed(self.0.rs_http()).into_iter();
        all.map(|mut cdr| cdr.remove("call-id").unwrap()).collect()
    }
}

impl Reporting for Activemq {
    fn address(&self) -> SocketAddr {
        Self::address(self)
    }

    fn start(&mut self) {
        Self::start(self);
    }

    fn kill(&mut self) {
        Self::kill(self);
    }

    fn ended(&mut self) -> Vec<String> {
        let taken = self.take();
        for one in &taken {
            assert_eq!(one.json["id"], one.id.as_str(), "the property is the record's own");
            assert_eq!(one.queue == "ringmaster.cdr", one.json["kind"] == "cdr", "{one:?}");
        }
        let ids: BTreeSet<_> = taken.iter().map(|one| &one.id).collect();
        assert_eq!(ids.len(), taken.len(), "no record twice: {taken:#?}");
        let ends = taken.iter().filter(|one| one.json["phase"] == "end");
        ends.map(|one| one.json["call_id"].as_str().unwrap().to_owned()).collect()
    }
}

/// A platform whose records go to `broker`, with more of `rm.reporting`.
fn site(media: &Media, broker: &str, more: &str) -> Site {
    let site = Site::new(&objects(&[media], "{}"));
    let own = format!("\"tcp://{}\"", site.broker());
    let text = std::fs::read_to_string(site.path("settings.yaml")).unwrap();
    assert!(text.contains(&own), "{text}");
    site.write("settings.yaml", &text.replace(&own, &format!("\"{broker}\"{more}")));
    site
}

fn all_acknowledged(site: &Site) {
    let pending = || http::metric(site.rm_http(), "ringmaster_rm_spool_pending");
    eventually("all acknowledged", pending, |pending| *pending == 0.0);
}

/// 0 before there was one.
fn connections(site: &Site, broker: SocketAddr, outcome: &str) -> f64 {
    let labels = format!("{{broker=\"{broker}\",kind=\"cdr\",outcome=\"{outcome}\"}}");
    let name = format!("ringmaster_rm_broker_connections_total{labels}");
    http::counted(site.rm_http(), &name).unwrap_or(0.0)
}

/// What the broker says of the calls of these servers: each has ended, once.
fn each_once(mut told: Vec<String>, media: &Media) {
    let mut answered = media.answered();
    told.sort();
    answered.sort();
    assert_eq!(told, answered);
}

/// A broker that is killed again and again while calls go on.
fn killed_under_load(broker: &mut impl Reporting) {
    let media = Media::start();
    let uri = format!("failover:(tcp://{})?initialReconnectDelay=20", broker.address());
    let site = site(&media, &uri, "");
    broker.start();
    let _rm = site.start_rm();
    healthy(&site, 1);
    for kills in 1..=3_u8 {
        let before = media.answered().len();
        let plan = Plan { rate: 25, ..Plan::new(site.sip(), &NUMBER, 60) };
        let callers = plan.start();
        eventually("calls go on", || media.answered().len(), |now| *now >= before + 15);
        broker.kill();
        let lost = || connections(&site, broker.address(), "lost");
        eventually("it is noticed", lost, |lost| *lost >= f64::from(kills));
        broker.start();
        let up = || connections(&site, broker.address(), "up");
        eventually("it is found again", up, |up| *up > f64::from(kills));
        callers.finish();
    }
    all_acknowledged(&site);
    each_once(broker.ended(), &media);
}

/// A pair: the second takes over, and when neither is there, records wait for the first.
fn fails_over(first: &mut impl Reporting, second: &mut impl Reporting) {
    let media = Media::start();
    let (one, other) = (first.address(), second.address());
    let site = site(&media, &format!("failover:(tcp://{one},tcp://{other})?randomize=false"), "");
    first.start();
    second.start();
    let rm = site.start_rm();
    healthy(&site, 1);
    let calls = |count| Plan::new(site.sip(), &NUMBER, count).run();
    calls(20);
    all_acknowledged(&site);
    assert_eq!((connections(&site, one, "up"), connections(&site, other, "up")), (1.0, 0.0));

    first.kill();
    calls(20);
    all_acknowledged(&site);
    assert_eq!((connections(&site, one, "lost"), connections(&site, other, "up")), (1.0, 1.0));
    rm.line_with(&format!("broker connected peer={other} records=cdr"));

    second.kill();
    calls(20);
    let pending = http::metric(site.rm_http(), "ringmaster_rm_spool_pending");
    assert!(pending >= 40.0, "starts and ends wait: {pending}");
    first.start();
    all_acknowledged(&site);
    second.start();
    let (at_first, at_second) = (first.ended(), second.ended());
    assert_eq!((at_first.len(), at_second.len()), (40, 20));
    each_once([at_first, at_second].concat(), &media);
}

#[test]
fn each_record_once_in_a_reporting_server_that_is_killed() {
    killed_under_load(&mut Rs::new());
}

#[test]
fn each_record_once_on_an_activemq_that_is_killed() {
    killed_under_load(&mut Activemq::new());
}

#[test]
fn the_second_reporting_server_takes_over() {
    fails_over(&mut Rs::new(), &mut Rs::new());
}

#[test]
fn the_second_activemq_takes_over() {
    fails_over(&mut Activemq::new(), &mut Activemq::new());
}

/// Nothing is lost by a password that is wrong for a while, and the log is not filled with it.
#[test]
fn an_activemq_that_refuses_the_password_gets_the_records_when_it_is_right() {
    let mut broker = Activemq::guarded("rm", "right");
    broker.start();
    let media = Media::start();
    let uri = format!("tcp://{}", broker.address());
    let site = site(&media, &uri, ", user: rm, password_file: password");
    site.write("password", "wrong\n");
    let mut rm = site.start_rm();
    healthy(&site, 1);
    Plan::new(site.sip(), &NUMBER, 5).run();
    let refused = || connections(&site, broker.address(), "refused");
    eventually("refused, and tried again", refused, |times| *times >= 4.0);
    let ready = http::get(site.rm_http(), "/ready").unwrap().body;
    assert!(ready.contains("java.lang.SecurityException: User name [rm]"), "{ready}");
    let lost = rm.output().lines().filter(|line| line.contains("broker lost")).count();
    assert_eq!(lost, 2, "once for each of the two connections: {}", rm.output());
    assert!(!rm.output().contains("broker connected"));
    rm.signal("TERM");
    assert!(rm.wait(Duration::from_secs(60)).success());

    site.write("password", "right\n");
    let _rm = site.start_rm();
    all_acknowledged(&site);
    each_once(broker.ended(), &media);
}

#[test]
fn an_activemq_behind_tls_is_who_its_certificate_says() {
    let (authority, media) = (Authority::new(), Media::start());
    let shown = authority.issue("mq", &[IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let mut broker = Activemq::secure(&keystore(&shown));
    broker.start();
    let uri = format!("failover:(ssl://{})", broker.address());
    let site = site(&media, &uri, ", ca_file: ca.pem");
    // An authority that has not signed the broker's.
    std::fs::copy(Authority::new().ca(), site.path("ca.pem")).unwrap();
    let _rm = site.start_rm();
    healthy(&site, 1);
    Plan::new(site.sip(), &NUMBER, 5).run();
    let failed = || connections(&site, broker.address(), "failed");
    eventually("not trusted", failed, |times| *times >= 2.0);
    let ready = http::get(site.rm_http(), "/ready").unwrap().body;
    assert!(ready.contains("tls: invalid peer certificate"), "{ready}");
    // The file is read again.
    std::fs::copy(authority.ca(), site.path("ca.pem")).unwrap();
    all_acknowledged(&site);
    each_once(broker.ended(), &media);
}

/// Certificate and key as Java reads them.
fn keystore(shown: &Certificate) -> PathBuf {
    let file = shown.cert.with_extension("p12");
    let output = Command::new("openssl")
        .args(["pkcs12", "-export", "-passout", "pass:secret", "-in"])
        .args([shown.both.as_path(), Path::new("-out"), file.as_path()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}
