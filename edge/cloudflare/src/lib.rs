//! The Selvedge edge on Cloudflare Workers.
//!
//! It only translates: the runtime's request becomes the core's, the core's plan becomes fetches, and an origin's
//! body goes to the viewer as the `ReadableStream` that it came as, so that its bytes never enter WASM memory.
//!
//! The environment configures it: `ORIGIN` (the URL of the origin or of a shield), `CAT_KEYS` (a JWK Set; a
//! secret or a variable), `ORIGIN_TOKEN` (a secret: what an origin that marks media asks edges for; not sent where it is
//! not set), `SITE` (the site document; `{}` where it is not set), and `STORE` (the Durable Objects of
//! this worker's class [`SelvedgeStore`]; where they are not bound, nothing is remembered between requests), and
//! `DOCUMENTS` (a KV namespace with operators' documents; where it is not bound, there are none). An
//! isolate reads it once: what changes it, a secret included, deploys a new version, which runs in new isolates.

#![forbid(unsafe_code)]

mod client;
mod convert;
mod platform;
mod store;

use std::sync::OnceLock;

use selvedge_edge::{
    ConfigError, Edge, Handled, OriginToken, OriginUrl, UnixMillis, Visit, misconfigured, too_long,
};
use worker::{
    Context, Date, Env, Request, Response, console_error, console_log, event,
    js_sys::{self, Function, Reflect, Uint8Array},
    wasm_bindgen::{self, JsCast as _},
};

pub use crate::store::SelvedgeStore;
use crate::{
    client::Client,
    platform::{Upstream, World},
};

/// What the environment configures. It cannot change while an isolate lives.
static POP: OnceLock<Result<Pop, ConfigError>> = OnceLock::new();

/// A point of presence: the core, and where its origin is.
struct Pop {
    edge: Edge,
    origin: OriginUrl,
}

impl Pop {
    fn new(env: &Env) -> Result<Self, ConfigError> {
        let keys = variable(env, "CAT_KEYS")?.ok_or(ConfigError::Missing("CAT_KEYS"))?;
        let site = variable(env, "SITE")?;
        let token = variable(env, "ORIGIN_TOKEN")?;
        let token = token.map(|token| OriginToken::parse(&token)).transpose()?;
        let origin = variable(env, "ORIGIN")?.ok_or(ConfigError::Missing("ORIGIN"))?;
        Ok(Self {
            edge: Edge::new(&keys, site.as_deref().unwrap_or("{}"))?.with_origin_token(token),
            origin: OriginUrl::parse(&origin)?,
        })
    }
}

/// Answers a request. Whatever goes wrong is an answer of the core's too, never an exception.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    let handled = handle(&request, &env).await;
    let line = handled.record.to_json();
    if handled.record.is_failure() {
        console_error!("{line}");
    } else {
        console_log!("{line}");
    }
    Ok(convert::response(handled.response))
}

async fn handle(request: &Request, env: &Env) -> Handled<Upstream> {
    let pop = match POP.get_or_init(|| Pop::new(env)) {
        Ok(pop) => pop,
        Err(error) => return misconfigured(error),
    };
    let Ok(converted) = convert::request(request) else {
        return too_long();
    };
    let world = World {
        origin: &pop.origin,
        env,
    };
    let visit = Visit {
        request: &converted,
        context: &Client::of(request),
        now: now(),
        random: random().ok(),
    };
    pop.edge.handle(&world, &visit).await
}

/// From `crypto.getRandomValues`.
fn random() -> Result<u64, wasm_bindgen::JsValue> {
    let mut bytes = [0; 8];
    let array = Uint8Array::new_with_length(8);
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into())?;
    let fill: Function = Reflect::get(&crypto, &"getRandomValues".into())?.dyn_into()?;
    fill.call1(&crypto, &array)?;
    array.copy_to(&mut bytes);
    Ok(u64::from_le_bytes(bytes))
}

/// A variable or a secret: `None` where it is not set.
fn variable(env: &Env, name: &'static str) -> Result<Option<String>, ConfigError> {
    let value = Reflect::get(env, &name.into()).unwrap_or_default();
    if value.is_undefined() {
        return Ok(None);
    }
    value.as_string().map(Some).ok_or(ConfigError::NotText(name))
}

/// The runtime's clock, which stands still while a request computes.
pub(crate) fn now() -> UnixMillis {
    UnixMillis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
}
