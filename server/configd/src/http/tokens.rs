//! `/v1/tokens`: who may come (ops.md §1.12). The secret of a token is told once.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use config::settings::Access;
use model::config::Set;
use model::config::limits::MAX_NAME;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::access::Asked;
use super::body::{self, Form};
use super::path::Path;
use super::query::{Query, malformed};
use super::{Shared, limits};
use crate::books::{NewToken, Token, role_word};
use crate::refusal::Refusal;

/// Longest life of a token that ends: who wants more wants one that does not.
const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    role: Role,
    #[serde(default)]
    tenants: Vec<String>,
    #[serde(default)]
    expires_in: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    Reader,
    Editor,
    Admin,
}

/// `GET /v1/tokens`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    let tokens = shared.books.tokens(&asked.who).await?;
    let now = shared.books.now();
    let items: Vec<Json> = tokens.iter().map(|token| shown(token, &now.set)).collect();
    Ok(asked.wanted.ok(&json!({ "items": items })))
}

/// `POST /v1/tokens`.
pub(super) async fn create(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    Query::of(&uri)?.finish()?;
    Form::json(&headers)?;
    let bytes = body::read(&headers, body, limits::SMALL, shared.times.body).await?;
    let Given { name, role, tenants, expires_in } = body::fields(&bytes)?;
    let role = match role {
        Role::Reader => Access::Reader,
        Role::Editor => Access::Editor,
        Role::Admin => Access::Admin,
    };
    if name.chars().count() > MAX_NAME {
        return Err(malformed(format!("name: at most {MAX_NAME} characters")));
    }
    let expires_in = expires_in.as_deref().map(life).transpose()?;
    let new = NewToken { name, role, tenants, expires_in };
    let (token, secret) = shared.books.create_token(new, &asked.who).await?;
    let mut told = shown(&token, &shared.books.now().set);
    told["token"] = json!(secret);
    Ok(asked.wanted.document(StatusCode::CREATED, &told))
}

/// `DELETE /v1/tokens/{id}`.
pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    asked: Asked,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Refusal> {
    Query::of(&uri)?.finish()?;
    shared.books.revoke_token(&id, &asked.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn life(text: &str) -> Result<Duration, Refusal> {
    let life = config::units::duration(text);
    let life = life.map_err(|problem| malformed(format!("expires_in: {problem}")))?;
    if life.is_zero() || life > LONGEST {
        return Err(malformed("expires_in: expected more than 0s and at most 3650d"));
    }
    Ok(life)
}

fn shown(token: &Token, set: &Set) -> Json {
    json!({
        "id": token.id,
        "name": token.name,
        "role": role_word(token.role),
        "tenants": token.scope.names(set),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    })
}
