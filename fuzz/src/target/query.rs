//! `rs::query`: query strings of reports become a filter or a refusal.

use model::record::ComponentType;
use model::time::Millis;
use rs::query::{Settings, details};

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let settings = Settings { now: Millis(1_767_225_600_000), page_size_max: 1_000 };
    for live in [false, true] {
        for component in [ComponentType::Rm, ComponentType::Mcp] {
            if let Ok(details) = details(live, component, &text, &settings) {
                let (page, size) = (details.page, details.page_size);
                assert!(page >= 1 && (1..=1_000).contains(&size), "page {page} of {size}");
                let _ = details.pages(0);
            }
        }
    }
}
