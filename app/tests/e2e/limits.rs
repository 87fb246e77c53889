//! Limits with real callers: scenarios 11 and 57 of the specification of the Resource Manager.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::calls::{healthy, objects};
use crate::platform::{Site, eventually};
use crate::sipp::{Media, Plan};
use crate::{http, report};

/// Scenario 11: levels 1, 2 and 3 in the records, the 151st is refused, the alarm comes once.
#[test]
fn a_hundred_and_fifty_calls_at_once_and_no_more() {
    let media = Media::start();
    let policy = "{ usage_limit: 100, burst: { level2: 120, level3: 150 }, \
                  alarms: { usage_limit: true } }";
    let site = Site::new(&objects(&[&media], policy));
    let _rs = site.start_rs();
    let rm = site.start_rm();
    healthy(&site, 1);
    let numbers = ["18005550100"];
    let held = Plan { hold: Duration::from_secs(20), ..Plan::new(site.sip(), &numbers, 150) };
    let held = held.start();
    let up = || http::json(site.rm_http(), "/v1/status")["sessions"].as_u64().unwrap();
    eventually("all calls up", up, |sessions| *sessions == 150);
    let alarm = "ringmaster_rm_alarm{name=\"RMPolicyViolation\"}";
    assert_eq!(http::counted(site.rm_http(), alarm), Some(0.0));
    Plan::new(site.sip(), &numbers, 3).refused(&site.path("."), 480).run();
    let line = rm.line_with(" 20301 ");
    for part in ["status=480", "tenant acme usage_limit 150/150", "alarm=RMPolicyViolation"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert_eq!(http::counted(site.rm_http(), alarm), Some(1.0));
    held.finish();
    let mut levels: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused = 0;
    for cdr in report::exactly(site.rm_http(), site.rs_http(), 153) {
        match cdr.get("tenant/burst-tenant") {
            Some(level) => *levels.entry(level.clone()).or_default() += 1,
            None => refused += usize::from(cdr["reason"] == "usage-limit"),
        }
    }
    let expected = [("1", 100), ("2", 20), ("3", 30)];
    assert_eq!(levels, expected.map(|(level, count)| (level.to_owned(), count)).into());
    assert_eq!(refused, 3);
    let burst = "ringmaster_rm_burst_total{tenant=\"acme\",level=\"3\"}";
    assert_eq!(http::counted(site.rm_http(), burst), Some(30.0));
}

/// Scenario 57: a full profile takes calls to numbers of priority and emergencies; where no number
/// is set for those, there is nowhere to take them.
#[test]
fn priority_and_emergencies_pass_a_full_profile() {
    for sos in [None, Some("18005550100")] {
        let media = Media::start();
        let number = sos.map(|number| format!(", sos-number: \"{number}\"")).unwrap_or_default();
        let application = format!(
            "---\nkind: Application\nname: rm-1\nspec:\n  type: resource-manager\n  \
             options:\n    rm: {{ priority-numbers: [\"1900*\"]{number} }}\n"
        );
        let objects = objects(&[&media], "{ usage_limit: 0 }") + &application;
        let site = Site::new(&objects);
        let _rs = site.start_rs();
        let _rm = site.start_rm();
        healthy(&site, 1);
        let dir = site.path(".");
        Plan::new(site.sip(), &["18005550234"], 1).refused(&dir, 480).run();
        Plan::new(site.sip(), &["19001234567"], 2).run();
        let emergency = Plan::new(site.sip(), &["urn"], 1);
        match sos {
            Some(_) => emergency.dialling_sos(&dir).run(),
            None => emergency.refused(&dir, 416).dialling_sos(&dir).run(),
        }
    }
}
