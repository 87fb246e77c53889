//! Limits with real callers: scenario 57 of the specification of the Resource Manager.

use crate::calls::{healthy, objects};
use crate::platform::Site;
use crate::sipp::{Media, Plan};

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
