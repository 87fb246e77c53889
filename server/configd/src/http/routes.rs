//! Every route of the port, once; the OpenAPI document is compared with this table.

use std::sync::Arc;

use axum::routing::{MethodRouter, delete, get, post, put};

use super::{
    Shared, admin, audit, clients, history, log, metrics, objects, openapi, probes, schema,
    snapshot, tokens, transactions, watch,
};

/// One path.
pub(super) struct Route {
    /// As the router and the OpenAPI document have it.
    pub(super) path: &'static str,
    /// Nobody gets an answer who may not even read.
    pub(super) guarded: bool,
    /// What answers its methods.
    pub(super) handlers: fn() -> MethodRouter<Arc<Shared>>,
}

const fn guarded(path: &'static str, handlers: fn() -> MethodRouter<Arc<Shared>>) -> Route {
    Route { path, guarded: true, handlers }
}

const fn open(path: &'static str, handlers: fn() -> MethodRouter<Arc<Shared>>) -> Route {
    Route { path, guarded: false, handlers }
}

/// All of them.
pub(super) const ROUTES: &[Route] = &[
    guarded("/v1/objects", || get(objects::all)),
    guarded("/v1/objects/{kind}", || get(objects::of_kind)),
    guarded("/v1/objects/{kind}/{name}", || {
        get(objects::one).put(objects::put).delete(objects::delete)
    }),
    guarded("/v1/transactions", || post(transactions::post)),
    guarded("/v1/snapshot", || get(snapshot::get)),
    guarded("/v1/watch", || get(watch::get)),
    guarded("/v1/diff", || get(history::diff)),
    guarded("/v1/revisions", || get(history::list)),
    guarded("/v1/revisions/{rev}", || get(history::one)),
    guarded("/v1/revisions/{rev}/rollback", || post(history::rollback)),
    guarded("/v1/audit", || get(audit::list)),
    guarded("/v1/tokens", || get(tokens::list).post(tokens::create)),
    guarded("/v1/tokens/{id}", || delete(tokens::revoke)),
    guarded("/v1/clients", || get(clients::list)),
    guarded("/v1/clients/{name}", || put(clients::put)),
    guarded("/v1/schema", || get(schema::all)),
    guarded("/v1/schema/{kind}", || get(schema::one)),
    guarded("/v1/backup", || get(admin::backup)),
    guarded("/v1/restore", || post(admin::restore)),
    guarded("/v1/log", || put(log::put)),
    open("/live", || get(probes::live)),
    open("/ready", || get(probes::ready)),
    open("/metrics", || get(metrics::get)),
    open("/openapi.json", || get(openapi::get)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ROUTES;

    #[test]
    fn the_openapi_document_describes_exactly_these_paths() {
        let document = include_str!("../../../../docs/reference/openapi-config.json");
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        let described = document["paths"].as_object().unwrap();
        let described: BTreeSet<&str> = described.keys().map(String::as_str).collect();
        let routes: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
        assert_eq!(routes, described);
    }
}
