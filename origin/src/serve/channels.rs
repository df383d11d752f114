//! What operators and their programs ask for: metrics, probes, and channels as JSON.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get};
use axum::{Router, http::StatusCode};
use serde_json::{Value, json};

use super::answer::text;
use super::{Named, Origin};
use crate::observe::{self, MEDIA_TYPE, OPENAPI, Shown};
use crate::{Error, media::Snapshot};

/// The routes of this module.
pub(super) fn routes() -> Router<Origin> {
    Router::new()
        .route("/healthz", get(async || text("ok\n".to_owned(), "text/plain")))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/channels", get(channels))
        .route("/channels/{channel}", get(channel))
        .route(
            "/openapi.json",
            get(async || text(OPENAPI.to_owned(), "application/json")),
        )
}

/// The routes of this module that change something: for those alone who reach the operators' own address.
pub(super) fn changes() -> Router<Origin> {
    Router::new().route("/channels/{channel}", delete(forget))
}

async fn forget(State(origin): State<Origin>, Named(name): Named<String>) -> Result<StatusCode, Error> {
    origin.forget(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All channels with their blocked players, by name.
fn all(origin: &Origin) -> Vec<(std::sync::Arc<Snapshot>, usize)> {
    let mut cells = origin.cells();
    cells.sort_by(|one, other| one.name.cmp(&other.name));
    cells
        .iter()
        .map(|cell| (cell.snapshot(), cell.blocked()))
        .collect()
}

async fn channels(State(origin): State<Origin>) -> Response {
    let now = origin.0.clock.now();
    let list: Vec<Value> = all(&origin)
        .iter()
        .map(|(snapshot, blocked)| {
            let shown = Shown {
                snapshot,
                blocked: *blocked,
            };
            observe::summary(&shown, now)
        })
        .collect();
    text(Value::from(list).to_string(), "application/json")
}

async fn channel(State(origin): State<Origin>, Named(name): Named<String>) -> Result<Response, Error> {
    let cell = origin.cell(&name)?;
    let shown = Shown {
        snapshot: &cell.snapshot(),
        blocked: cell.blocked(),
    };
    let problems = origin.0.observed.problems(&name);
    let detail = observe::detail(&shown, &problems, origin.0.clock.now());
    Ok(text(detail.to_string(), "application/json"))
}

async fn metrics(State(origin): State<Origin>) -> Response {
    let all = all(&origin);
    let shown: Vec<Shown<'_>> = all
        .iter()
        .map(|(snapshot, blocked)| Shown {
            snapshot,
            blocked: *blocked,
        })
        .collect();
    let pushes = *origin.0.tasks.borrow();
    let now = origin.0.clock.now();
    text(
        observe::metrics(&origin.0.observed, &shown, pushes, now),
        MEDIA_TYPE,
    )
}

/// Whether requests should be sent here: 503 with what is missing while they should not.
async fn ready(State(origin): State<Origin>) -> Response {
    let mut missing = Vec::new();
    if origin.0.observed.is_draining() {
        missing.push("draining: a stop was asked for".to_owned());
    }
    if let Err(error) = origin.0.store.probe().await {
        missing.push(error.to_string());
    }
    let answer = json!({ "ready": missing.is_empty(), "missing": missing });
    let answer = text(answer.to_string(), "application/json");
    match missing.is_empty() {
        true => answer,
        false => (StatusCode::SERVICE_UNAVAILABLE, answer).into_response(),
    }
}
