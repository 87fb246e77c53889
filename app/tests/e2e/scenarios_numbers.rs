//! Scenarios of rm.md §14 about numbers in the configuration: 3 and 4. Each changes it, so each has
//! a platform of its own.

use crate::calls::{healthy, objects};
use crate::platform::{Site, run};
use crate::player::Play;
use crate::scenarios_stage::{ANSWERED, call_id, steps};
use crate::sipp::{Media, Via};
use crate::{http, report};

const TRACED: &str = "---\nkind: Application\nname: rm-1\nspec:\n  type: resource-manager\n  \
                      options: { records: { trace-sample: 1 } }\n";
const NUMBERS: &str = "[\"18005550100\", \"18005550200-18005550299\", \"1900*\"]";

#[test]
fn scenario_3_exact_before_range_before_prefix() {
    let media = Media::start();
    let patterns = ["180055501*", "18005550140-18005550160", "18005550150"];
    let with = |patterns: &[&str]| {
        let objects = objects(&[&media], "{}");
        assert_eq!(objects.matches(NUMBERS).count(), 1);
        objects.replace(NUMBERS, &format!("{patterns:?}")) + TRACED
    };
    let site = Site::new(&with(&patterns));
    let _rs = site.start_rs();
    let _rm = site.start_rm();
    healthy(&site, 1);
    // the most exact one is removed each time
    for (count, revision) in [(3, 1), (2, 2), (1, 3)] {
        if count < 3 {
            site.write("platform.yaml", &with(&patterns[..count]));
            let (code, out, errors) = reload(&site);
            assert_eq!(
                (code, out.split(" of ").next()),
                (0, Some(&*format!("revision {revision}"))),
                "{errors}"
            );
        }
        let name = format!("precedence-{count}");
        Play::new(&name, ANSWERED, Via::Udp).call(site.sip(), "18005550150").finish();
        let leg = report::leg(site.rs_http(), &call_id(&name));
        let chosen =
            format!("chosen profile acme-main: did {} of acme-numbers", patterns[count - 1]);
        assert_eq!(steps(&leg, "select"), [chosen]);
        let did = http::json(site.rm_http(), "/v1/dids/18005550150");
        assert_eq!(did["pattern"], patterns[count - 1]);
    }
}

/// `ringmaster reload`: exit code, stdout, stderr.
pub(crate) fn reload(site: &Site) -> (i32, String, String) {
    run(&site.path("."), &["reload", "--rm", &site.rm_http().to_string()])
}

#[test]
fn scenario_4_numbers_of_two_tenants_may_not_overlap() {
    let media = Media::start();
    let good = objects(&[&media], "{}");
    let site = Site::new(&good);
    let _rs = site.start_rs();
    let rm = site.start_rm();
    healthy(&site, 1);
    let more = "---\nkind: Tenant\nname: other\nspec: {}\n---\n\
                kind: IvrProfile\nname: theirs\ntenant: other\nspec: { service: media }\n---\n\
                kind: DidGroup\nname: theirs\ntenant: other\n\
                spec: { profile: theirs, dids: [\"180055501*\"] }\n";
    let both = good + more;
    let at = both.lines().position(|line| line.contains("180055501*")).unwrap() + 1;
    site.write("platform.yaml", &both);
    let text = "DID \"180055501*\" of group \"theirs\" overlaps \"18005550100\" of tenant \"acme\"";
    let (code, out, _) = run(&site.path("."), &["check", "platform.yaml"]);
    let told: Vec<&str> = out.lines().filter(|line| line.contains(text)).collect();
    assert_eq!((code, told.len()), (3, 1), "{out}");
    assert!(told[0].starts_with(&format!("platform.yaml:{at}:")), "{out}");
    // nor does one start with it, and who runs serves on with what it has
    let (code, _, errors) = run(&site.path("."), &["rm", "-c", "settings.yaml"]);
    assert!(code == 3 && errors.contains(text), "{code}: {errors}");
    // nor does a reload bring it in
    let (code, _, errors) = reload(&site);
    assert!(code == 3 && errors.contains(text), "{code}: {errors}");
    assert!(errors.contains(&format!("platform.yaml:{at}:")), "{errors}");
    rm.line_with(" 20603 ");
    Play::new("overlap", ANSWERED, Via::Udp).call(site.sip(), "18005550100").finish();
    let leg = report::leg(site.rs_http(), &call_id("overlap"));
    assert_eq!((&leg["tenant"]["name"], &leg["reason"]), (&"acme".into(), &"normal".into()));
    assert_eq!(http::json(site.rm_http(), "/v1/status")["config_rev"], 1);
}
