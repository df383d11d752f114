//! The store that all isolates share: a Durable Object for each thing that is asked about.
//!
//! An object has one place in the world and takes one question at a time, so a single use is single everywhere. It
//! lies near where it was asked first, which for a viewer is where the viewer is.

#![expect(
    missing_docs,
    reason = "the macro writes methods for JavaScript, without words for them"
)]

use std::{pin::pin, time::Duration};

use futures_util::future::{Either, select};
use selvedge_edge::{
    Standing, StoreRequest,
    stored::{ask, place, sweep},
};
use worker::{
    Delay, DurableObject, Env, Method, Request, RequestInit, Response, State, console_error, durable_object,
};

use crate::now;

/// The name of the binding. Without it there is no store, and every answer is unknown.
const BINDING: &str = "STORE";

/// How long an answer may take: an object on another continent, starting, answers in a fraction of this.
const PATIENCE: Duration = Duration::from_secs(3);

/// The name of an object's one value.
const KEPT: &str = "kept";

/// How long after something ran out it is forgotten. It counts for nothing then, and a wait saves waking the object
/// for each renewal of a lease.
const SLACK: Duration = Duration::from_secs(600);

/// Asks the object that knows.
pub(crate) async fn remember(env: &Env, request: &StoreRequest) -> Standing {
    let answer = pin!(answer(env, request));
    match select(answer, Delay::from(PATIENCE)).await {
        Either::Left((Ok(standing), _)) => standing,
        Either::Left((Err(error), _)) => {
            console_error!("the store {BINDING} cannot answer: {error}");
            Standing::Unknown
        }
        Either::Right(_) => {
            console_error!("the store {BINDING} does not answer in time");
            Standing::Unknown
        }
    }
}

async fn answer(env: &Env, request: &StoreRequest) -> worker::Result<Standing> {
    let object = env.durable_object(BINDING)?.get_by_name(&place(request))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_body(Some(serde_json::to_string(request)?.into()));
    // The host says nothing: the stub knows where its object is.
    let request = Request::new_with_init("https://store/", &init)?;
    object.fetch_with_request(request).await?.json().await
}

/// One object: whatever bears on one answer, and the alarm that forgets it.
#[durable_object(alarm)]
pub struct SelvedgeStore {
    state: State,
}

impl DurableObject for SelvedgeStore {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    /// Answers a [`StoreRequest`] in JSON with a [`Standing`]. Only this worker can ask.
    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let request: StoreRequest = request.json().await?;
        let storage = self.state.storage();
        // No other question is let in while the storage works, so nothing comes between reading and writing; and
        // no answer is let out before what was written is safe.
        let kept: Option<String> = storage.get(KEPT).await?;
        let now = now();
        let stored = ask(kept.as_deref(), &request, now);
        if let Some(text) = &stored.save {
            storage.put_raw(KEPT, text).await?;
            if let Some(due) = stored.due
                && storage.get_alarm().await?.is_none()
            {
                storage.set_alarm(until(due.0 - now.0)).await?;
            }
        }
        Response::from_json(&stored.standing)
    }

    /// Forgets what has run out. An object that keeps nothing costs nothing.
    async fn alarm(&self) -> worker::Result<Response> {
        let storage = self.state.storage();
        let now = now();
        if let Some(kept) = storage.get::<String>(KEPT).await? {
            match sweep(&kept, now) {
                None => storage.delete_all().await?,
                Some((text, due)) => {
                    storage.put_raw(KEPT, text).await?;
                    if let Some(due) = due {
                        storage.set_alarm(until(due.0 - now.0)).await?;
                    }
                }
            }
        }
        Response::empty()
    }
}

/// When to sweep, from now, for what runs out in so many milliseconds.
fn until(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default()).saturating_add(SLACK)
}
