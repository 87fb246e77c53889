//! `/ems-rs/{RT,HIST}/CDRs/RM/details`: calls of RM in progress and completed (rs.md §5.4, C1, C3).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use model::record::ComponentType;
use rs::query::{self, Settings};
use rs::report::{Manifest, Pages};
use rs::{Details, Refused, report};

use super::Shared;
use super::access::Asker;
use super::answer::{self, Shape};
use super::scope::Scope;
use crate::store::Store;

/// Any report.
pub(super) async fn report(
    State(shared): State<Arc<Shared>>,
    asker: Asker,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !shared.parts.live.reports().enabled {
        return answer::nothing_here(uri).await;
    }
    let shape = match Shape::of_report(&uri, &headers) {
        Ok(shape) => shape,
        Err(refused) => return answer::refusal(Shape::Xml, &refused),
    };
    let live = match uri.path() {
        "/ems-rs/RT/CDRs/RM/details" => true,
        "/ems-rs/HIST/CDRs/RM/details" => false,
        _ => {
            let message = "there is no such report in this version";
            return answer::refusal(shape, &Refused::other(404, "no-such-report", message));
        }
    };
    if shape == Shape::Json {
        let message = "this report is text/xml; /api/v1/calls has the same calls as JSON";
        return answer::refusal(shape, &Refused::other(406, "no-such-format", message));
    }
    match details(&shared, &asker, (&uri, &headers), live).await {
        Ok(document) => {
            let cache = if live { "no-store" } else { "private, max-age=5" };
            answer::document(200, answer::XML, cache, document)
        }
        Err(refused) => answer::refusal(shape, &refused),
    }
}

async fn details(
    shared: &Arc<Shared>,
    asker: &Asker,
    (uri, headers): (&Uri, &HeaderMap),
    live: bool,
) -> Result<String, Refused> {
    let begun = shared.parts.clock.now();
    let own = shared.parts.live.reports();
    let settings = Settings { now: begun.wall, page_size_max: own.page_size_max };
    let kind = ComponentType::Rm;
    let mut plan = query::details(live, kind, uri.query().unwrap_or_default(), &settings)?;
    shared.allow(asker, &plan.filter)?;
    shared.count_search(asker, plan.filter.numbers_asked())?;
    let heavy = shared.heavy_place(asker, &plan.filter, begun.wall).await?;
    let scope = shared.scope(asker).await?;
    Scope::covers(scope.as_ref(), &plan.filter.tenants)?;
    Scope::narrow(scope.as_ref(), &mut plan.filter);
    if !plan.parameters.iter().any(|(name, _)| name == "page-size") {
        plan.page_size = own.page_size;
    }
    let (filter, page, size) = (plan.filter.clone(), plan.page, plan.page_size);
    let ask = move |store: &dyn Store| {
        // also when nobody waits for the answer any more
        let _heavy = heavy;
        store.page(&filter, page, size, begun.wall)
    };
    let mut found = answer::ask(shared, ask).await?;
    if let Some(scope) = &scope {
        found.calls.retain_mut(|call| call.narrow(scope.roots()));
    }
    shared.show(asker, &mut found.calls);
    let total = plan.pages(found.records)?;
    let now = shared.parts.clock.now();
    let manifest = Manifest {
        request_uri: request_uri(uri, headers),
        pages: Some(Pages {
            current: u64::from(plan.page),
            total,
            records: found.records,
            page_size: plan.page_size,
            exact: true,
        }),
        generation_time: now.mono.saturating_sub(begun.mono),
        ..manifest(&plan)
    };
    Ok(report::details(&manifest, kind, &found.calls, now.wall))
}

fn manifest(plan: &Details) -> Manifest {
    Manifest {
        request_params: plan.parameters.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        warning: plan.warning.map(str::to_owned),
        ..Manifest::default()
    }
}

/// The complete URI as the client wrote it.
fn request_uri(uri: &Uri, headers: &HeaderMap) -> String {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("http://{host}{path}")
}
