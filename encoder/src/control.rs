//! The control door: an HTTP server on loopback through which splices are asked for.
//!
//! | request | what it does |
//! |---|---|
//! | `POST /splice` with `{"at": …, "duration_ms": …, "event_id": …}` | the programme is left |
//! | `POST /splice/<event_id>/return` with `{"at": …}` | it is rejoined |
//! | `DELETE /splice/<event_id>` | what has not begun is called off |
//!
//! `at` is `"now"`, `"next"` or a moment of RFC 3339. Answers are JSON: what was planned, or a `message`. Who can reach
//! the door may splice, so it is opened on loopback alone, and takes no body but `application/json`: a page in a browser on
//! the same machine would have to ask first, and is not answered.

use std::{
    net::SocketAddr,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request as HttpRequest, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use selvedge_breaks::UnixMicros;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
};

use crate::{
    clock::{Grid, Utc},
    splice::{At, EventId, Refusal, Request, Splice},
};

/// A request on its way to the channel's conductor.
#[derive(Debug)]
pub struct Command {
    pub(crate) request: Request,
    pub(crate) answer: oneshot::Sender<Result<Splice, Refusal>>,
}

/// The door's end of the queue of requests.
#[derive(Clone, Debug)]
pub struct Commands(SyncSender<Command>);

/// The queue of requests, between the door and the conductor.
#[must_use]
pub fn queue() -> (Commands, Receiver<Command>) {
    let (sender, receiver) = sync_channel(MAX_WAITING);
    (Commands(sender), receiver)
}

impl Commands {
    /// Asks for a splice, and waits for what becomes of it.
    ///
    /// # Errors
    /// When it is refused, or nobody splices.
    pub async fn ask(&self, request: Request) -> Result<Splice, ControlError> {
        let (answer, answered) = oneshot::channel();
        self.0
            .try_send(Command { request, answer })
            .map_err(|error| match error {
                TrySendError::Full(_) => ControlError::Busy,
                TrySendError::Disconnected(_) => ControlError::Gone,
            })?;
        let answered = tokio::time::timeout(PATIENCE, answered).await;
        let answered = answered.map_err(|_| ControlError::Busy)?;
        Ok(answered.map_err(|_| ControlError::Gone)??)
    }
}

/// Why a request gets no splice.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// It cannot be.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many are waiting.
    #[error("too many requests are waiting; ask again")]
    Busy,
    /// The channel has ended.
    #[error("the channel has ended")]
    Gone,
    /// There is nothing by that path.
    #[error("not found: expected /splice, /splice/<event_id> or /splice/<event_id>/return")]
    NoPath,
    /// The path is there, and takes another method.
    #[error("this path takes {0}")]
    Method(&'static str),
    /// The body is of another type.
    #[error("expected a body of application/json")]
    MediaType,
    /// The body is longer than any request.
    #[error("the body is longer than {MAX_BODY} bytes")]
    TooLarge,
    /// The body says something else.
    #[error("{0}")]
    Body(String),
}

impl ControlError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Refused(Refusal::Unknown(_)) | Self::NoPath => StatusCode::NOT_FOUND,
            Self::Refused(Refusal::TooLong | Refusal::Early | Refusal::Section(_)) | Self::Body(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::Refused(_) => StatusCode::CONFLICT,
            Self::Busy | Self::Gone => StatusCode::SERVICE_UNAVAILABLE,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

/// Serves the door until its task is dropped.
pub async fn serve(listener: TcpListener, commands: Commands, grid: Grid) {
    let room = std::sync::Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = std::sync::Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let commands = commands.clone();
                tokio::spawn(async move {
                    connection(stream, commands, grid).await;
                    drop(place);
                });
            }
            // No more files, mostly: they come back.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Whether a door may be opened there: on loopback alone.
#[must_use]
pub const fn may_listen(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}

async fn connection(stream: TcpStream, commands: Commands, grid: Grid) {
    let service = service_fn(move |request| {
        let commands = commands.clone();
        async move { Ok::<_, std::convert::Infallible>(answer(request, &commands, grid).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that fails is its client's concern, and one that lasts is too.
    let _ = tokio::time::timeout(CONNECTION, served).await;
}

async fn answer(request: HttpRequest<Incoming>, commands: &Commands, grid: Grid) -> Response<Full<Bytes>> {
    let created = request.uri().path() == "/splice";
    let (status, body) = match splice(request, commands).await {
        Ok(splice) => {
            let status = if created {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            (status, planned(&splice, grid))
        }
        Err(error) => (error.status(), json!({ "message": error.to_string() })),
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

async fn splice(request: HttpRequest<Incoming>, commands: &Commands) -> Result<Splice, ControlError> {
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix("/splice").ok_or(ControlError::NoPath)?;
    let event = |text: &str| text.parse().map(EventId).map_err(|_| ControlError::NoPath);
    let asked = match rest.strip_prefix('/') {
        None if rest.is_empty() => {
            method(&request, &Method::POST, "POST")?;
            out(&body(request).await?)?
        }
        None => return Err(ControlError::NoPath),
        Some(rest) => match rest.strip_suffix("/return") {
            Some(of) => {
                let event = event(of)?;
                method(&request, &Method::POST, "POST")?;
                let Back { at } = read(&body(request).await?)?;
                Request::In {
                    event,
                    at: moment(&at)?,
                }
            }
            None => {
                let event = event(rest)?;
                method(&request, &Method::DELETE, "DELETE")?;
                Request::Cancel { event }
            }
        },
    };
    commands.ask(asked).await
}

fn method(request: &HttpRequest<Incoming>, wanted: &Method, name: &'static str) -> Result<(), ControlError> {
    if request.method() == wanted {
        Ok(())
    } else {
        Err(ControlError::Method(name))
    }
}

async fn body(request: HttpRequest<Incoming>) -> Result<Bytes, ControlError> {
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(ControlError::MediaType);
    }
    let body = Limited::new(request.into_body(), MAX_BODY).collect();
    let body = tokio::time::timeout(PATIENCE, body).await;
    let body = body.map_err(|_| ControlError::Body("the body did not come".to_owned()))?;
    Ok(body.map_err(|_| ControlError::TooLarge)?.to_bytes())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Out {
    at: String,
    duration_ms: Option<u64>,
    event_id: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Back {
    at: String,
}

fn out(body: &[u8]) -> Result<Request, ControlError> {
    let Out {
        at,
        duration_ms,
        event_id,
    } = read(body)?;
    Ok(Request::Out {
        at: moment(&at)?,
        duration: duration_ms.map(Duration::from_millis),
        event: event_id.map(EventId),
    })
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, ControlError> {
    serde_json::from_slice(body).map_err(|error| ControlError::Body(error.to_string()))
}

fn moment(text: &str) -> Result<At, ControlError> {
    match text {
        "now" => Ok(At::Now),
        "next" => Ok(At::Next),
        _ => {
            let micros = UnixMicros::read(text).and_then(|moment| u64::try_from(moment.0).ok());
            let moment = micros.and_then(|micros| micros.checked_mul(1000)).map(Utc);
            let wrong = || {
                ControlError::Body(format!(
                    "at: {text:?} is neither now, next nor a moment such as 2026-11-21T12:00:00Z"
                ))
            };
            moment.map(At::Time).ok_or_else(wrong)
        }
    }
}

fn planned(splice: &Splice, grid: Grid) -> Value {
    let micros = i64::try_from(grid.time(splice.frame).0 / 1000).unwrap_or(i64::MAX);
    json!({
        "event_id": splice.event.map(|event| event.0),
        "at": UnixMicros(micros).to_string(),
        "frame": splice.frame,
        "duration_ms": splice.message.duration.map(|ticks| ticks / 90),
    })
}

const MAX_WAITING: usize = 16;
const MAX_CONNECTIONS: usize = 16;
const MAX_HEAD: usize = 16 << 10;
const MAX_BODY: usize = 4 << 10;
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_word_or_a_date() {
        assert_eq!(moment("now"), Ok(At::Now));
        assert_eq!(
            moment("2026-11-21T12:00:00.04Z"),
            Ok(At::Time(Utc::from_millis(1_795_262_400_040)))
        );
        assert!(matches!(moment("soon"), Err(ControlError::Body(_))));
        assert!(matches!(
            moment("1969-12-31T00:00:00Z"),
            Err(ControlError::Body(_))
        ));
    }

    #[test]
    fn a_request_says_nothing_but_what_is_known() {
        assert!(out(br#"{"at":"now","duration_ms":30000,"event_id":7}"#).is_ok());
        assert!(out(br#"{"at":"now","duration":30}"#).is_err());
    }

    #[test]
    fn the_door_is_opened_on_loopback_alone() {
        assert!(may_listen("127.0.0.1:0".parse().unwrap()) && may_listen("[::1]:1".parse().unwrap()));
        assert!(!may_listen("0.0.0.0:0".parse().unwrap()));
    }
}
