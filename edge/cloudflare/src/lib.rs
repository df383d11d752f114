//! The Selvedge edge on Cloudflare Workers.
//!
//! It only translates: the runtime's request becomes the core's, the core's plan becomes fetches, and an origin's
//! body goes to the viewer as the `ReadableStream` that it came as, so that its bytes never enter WASM memory.
//!
//! The environment configures it: `ORIGIN` (the URL of the origin or of a shield), `CAT_KEYS` (a JWK Set; a
//! secret or a variable), and `SITE` (the site document; `{}` where it is not set).

#![forbid(unsafe_code)]

mod convert;
mod platform;

use std::sync::OnceLock;

use selvedge_edge::{ConfigError, Edge, Handled, OriginUrl, UnixMillis, misconfigured, too_long};
use worker::{
    Context, Date, Env, Request, Response, ResponseBody, console_error, console_log, event, js_sys,
};

use crate::platform::Origin;

/// What the environment configures. It cannot change while an isolate lives.
static POP: OnceLock<Result<Pop, ConfigError>> = OnceLock::new();

/// A point of presence: the core and its door to the world.
struct Pop {
    edge: Edge,
    origin: Origin,
}

impl Pop {
    fn new(env: &Env) -> Result<Self, ConfigError> {
        let keys = variable(env, "CAT_KEYS")?.ok_or(ConfigError::Missing("CAT_KEYS"))?;
        let site = variable(env, "SITE")?;
        let origin = variable(env, "ORIGIN")?.ok_or(ConfigError::Missing("ORIGIN"))?;
        Ok(Self {
            edge: Edge::new(&keys, site.as_deref().unwrap_or("{}"))?,
            origin: Origin(OriginUrl::parse(&origin)?),
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

async fn handle(request: &Request, env: &Env) -> Handled<ResponseBody> {
    match POP.get_or_init(|| Pop::new(env)) {
        Ok(pop) => match convert::request(request) {
            Ok(request) => pop.edge.handle(&pop.origin, &request, now()).await,
            Err(_) => too_long(),
        },
        Err(error) => misconfigured(error),
    }
}

/// A variable or a secret: `None` where it is not set.
fn variable(env: &Env, name: &'static str) -> Result<Option<String>, ConfigError> {
    let value = js_sys::Reflect::get(env, &name.into()).unwrap_or_default();
    if value.is_undefined() {
        return Ok(None);
    }
    value.as_string().map(Some).ok_or(ConfigError::NotText(name))
}

/// The runtime's clock, which stands still while a request computes.
fn now() -> UnixMillis {
    UnixMillis(i64::try_from(Date::now().as_millis()).unwrap_or(i64::MAX))
}
