//! Which path has which methods. There is one table of them, which also tells whoever asks with
//! another one.

use axum::Router;
use axum::handler::Handler;
use axum::http::Uri;
use axum::routing::{MethodFilter, MethodRouter};

use super::answer;

/// Paths, each with what it offers.
pub(crate) struct Routes<S>(Router<S>);

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub(super) fn new() -> Self {
        Self(Router::new())
    }

    /// What is answered at this path, of which there is one call. A method that it does not offer
    /// is refused with those that it does.
    pub(crate) fn route(self, path: &str, offer: Offer<S>) -> Self {
        let Offer { methods, handlers } = offer;
        let refuse = async move |uri: Uri| answer::method(&uri, &methods);
        Self(self.0.route(path, handlers.fallback(refuse)))
    }

    /// All of them, for what goes around them.
    pub(super) fn into_router(self) -> Router<S> {
        self.0
    }
}

/// What one path offers, by method.
pub(crate) struct Offer<S> {
    methods: Vec<&'static str>,
    handlers: MethodRouter<S>,
}

/// Of a path that can be read, which HEAD does, too.
pub(crate) fn get<H: Handler<T, S>, T: 'static, S>(handler: H) -> Offer<S>
where
    S: Clone + Send + Sync + 'static,
{
    Offer::none().on(MethodFilter::GET, &["GET", "HEAD"], handler)
}

/// Of a path that only takes something.
pub(super) fn post<H: Handler<T, S>, T: 'static, S>(handler: H) -> Offer<S>
where
    S: Clone + Send + Sync + 'static,
{
    Offer::none().post(handler)
}

/// Of a path that only goes away.
pub(super) fn delete<H: Handler<T, S>, T: 'static, S>(handler: H) -> Offer<S>
where
    S: Clone + Send + Sync + 'static,
{
    Offer::none().delete(handler)
}

impl<S: Clone + Send + Sync + 'static> Offer<S> {
    fn none() -> Self {
        Self { methods: Vec::new(), handlers: MethodRouter::new() }
    }

    pub(super) fn post<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.on(MethodFilter::POST, &["POST"], handler)
    }

    pub(super) fn put<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.on(MethodFilter::PUT, &["PUT"], handler)
    }

    pub(super) fn delete<H: Handler<T, S>, T: 'static>(self, handler: H) -> Self {
        self.on(MethodFilter::DELETE, &["DELETE"], handler)
    }

    fn on<H: Handler<T, S>, T: 'static>(
        mut self,
        filter: MethodFilter,
        methods: &[&'static str],
        handler: H,
    ) -> Self {
        self.methods.extend(methods);
        Self { handlers: self.handlers.on(filter, handler), ..self }
    }
}
