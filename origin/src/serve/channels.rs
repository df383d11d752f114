//! What operators and their programs ask for: metrics, probes, and channels as JSON.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get};
use axum::{Router, http::StatusCode};
use serde_json::{Value, json};

use super::answer::text;
use super::cell::Cell;
use super::{Named, Origin};
use crate::observe::{self, MEDIA_TYPE, OPENAPI, Shown, Unfit};
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
        .merge(super::ops::routes())
}

/// The routes of this module that change something: for those alone who reach the operators' own address.
pub(super) fn changes() -> Router<Origin> {
    Router::new().route("/channels/{channel}", delete(forget))
}

async fn forget(State(origin): State<Origin>, Named(name): Named<String>) -> Result<StatusCode, Error> {
    origin.forget(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All channels as they are now, by name.
fn all(origin: &Origin) -> Vec<Seen> {
    let mut cells = origin.cells();
    cells.sort_by(|one, other| one.name.cmp(&other.name));
    cells.iter().map(|cell| Seen::of(origin, cell)).collect()
}

/// A channel at the moment at which somebody asks.
struct Seen {
    snapshot: Arc<Snapshot>,
    blocked: usize,
    unfit: Option<Unfit>,
}

impl Seen {
    fn of(origin: &Origin, cell: &Cell) -> Self {
        let snapshot = cell.snapshot();
        Self {
            blocked: cell.blocked(),
            unfit: origin.0.fitness.judge(&snapshot, origin.0.clock.now()),
            snapshot,
        }
    }

    fn shown(&self) -> Shown<'_> {
        Shown {
            snapshot: &self.snapshot,
            blocked: self.blocked,
            unfit: self.unfit.clone(),
        }
    }
}

async fn channels(State(origin): State<Origin>) -> Response {
    let now = origin.0.clock.now();
    let all = all(&origin);
    let list: Vec<Value> = all
        .iter()
        .map(|seen| observe::summary(&seen.shown(), now))
        .collect();
    text(Value::from(list).to_string(), "application/json")
}

async fn channel(State(origin): State<Origin>, Named(name): Named<String>) -> Result<Response, Error> {
    let cell = origin.cell(&name)?;
    let seen = Seen::of(&origin, &cell);
    let problems = origin.0.observed.problems(&name);
    let detail = observe::detail(&seen.shown(), &problems, origin.0.clock.now());
    Ok(text(detail.to_string(), "application/json"))
}

async fn metrics(State(origin): State<Origin>) -> Response {
    let all = all(&origin);
    let shown: Vec<Shown<'_>> = all.iter().map(Seen::shown).collect();
    let pushes = *origin.0.tasks.borrow();
    let now = origin.0.clock.now();
    text(
        observe::metrics(&origin.0.observed, &origin.0.desk, &shown, pushes, now),
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
