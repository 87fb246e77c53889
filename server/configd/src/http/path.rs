//! What stands in the path of a request.

use axum::extract::{self, FromRequestParts};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::query::malformed;
use crate::refusal::Refusal;

/// The variable parts of the path, decoded; where they are no text the answer is a problem.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(parts)) => Ok(Self(parts)),
            Err(_) => Err(malformed("the path is not UTF-8 text")),
        }
    }
}
