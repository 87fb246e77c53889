//! The platform of the bench: 1,000 tenants with three profiles and 100 numbers each, and 500
//! resources in ten groups.

use std::fmt::Write;

const TENANTS: usize = 1_000;
const NUMBERS: usize = 100;
/// The group whose numbers change, and its tenant.
pub(super) const GROUP: &str = "n7";
pub(super) const TENANT: &str = "t7";

/// All of it as one file. Each generation has other numbers and limits for all.
pub(super) fn all(generation: u32) -> String {
    let mut text = String::new();
    for group in 0..10 {
        let first = group * 50;
        let members = (first..first + 50).map(|n| {
            format!(
                "{{name: r{n}, address: \"sip:10.{}.{}.1:5070\", capacity: 100}}",
                n / 250,
                n % 250
            )
        });
        let members = members.collect::<Vec<_>>().join(", ");
        add(
            &mut text,
            &format!(
                "kind: ResourceGroup\nname: g{group}\n\
                 spec: {{services: [voicexml], resources: [{members}]}}"
            ),
        );
    }
    for tenant in 0..TENANTS {
        add(
            &mut text,
            &format!(
                "kind: Tenant\nname: t{tenant}\nspec: {{policy: {{usage_limit: {}}}}}",
                100 + generation
            ),
        );
        for profile in 0..3 {
            add(
                &mut text,
                &format!(
                    "kind: IvrProfile\nname: p{tenant}-{profile}\ntenant: t{tenant}\n\
                 spec: {{service: voicexml, initial_page_url: \"http://a.example/{tenant}\"}}"
                ),
            );
        }
        let numbers = numbers(generation, tenant).map(|number| format!("\"{number}\""));
        let numbers = numbers.collect::<Vec<_>>().join(", ");
        add(
            &mut text,
            &format!(
                "kind: DidGroup\nname: n{tenant}\ntenant: t{tenant}\n\
             spec: {{profile: p{tenant}-0, dids: [{numbers}]}}"
            ),
        );
    }
    text
}

/// The group that changes, with another number each time.
pub(super) fn one_group(change: usize) -> String {
    let numbers = numbers(0, 7).chain([format!("49{change:09}")]);
    let numbers = numbers.map(|number| format!("\"{number}\"")).collect::<Vec<_>>().join(",");
    format!(
        "{{\"kind\":\"DidGroup\",\"name\":\"{GROUP}\",\"tenant\":\"{TENANT}\",\
         \"spec\":{{\"profile\":\"p7-0\",\"dids\":[{numbers}]}}}}"
    )
}

fn numbers(generation: u32, tenant: usize) -> impl Iterator<Item = String> {
    (0..NUMBERS).map(move |number| format!("3{generation}{:010}", tenant * NUMBERS + number))
}

fn add(text: &mut String, document: &str) {
    // a String takes everything
    let _ = write!(text, "{document}\n---\n");
}
