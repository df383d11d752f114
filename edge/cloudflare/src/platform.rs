//! The core's wants, answered by `fetch` and by the store.

use std::{pin::pin, time::Duration};

use futures_util::{
    StreamExt,
    future::{Either, join_all, select},
};
use http::{HeaderMap, StatusCode, header};
use selvedge_edge::{
    Answer, Body, OriginRequest, OriginResponse, OriginUrl, Plan, Platform, Read, Unanswered, Want,
};
use worker::{
    AbortController, AbortSignal, Delay, Env, Fetch, Request, RequestInit, RequestRedirect, Response,
    ResponseBody,
    js_sys::{Uint8Array, futures::JsFuture},
    wasm_bindgen::JsValue,
    wasm_bindgen_futures::spawn_local,
    web_sys,
};

use crate::{
    convert::{header_map, headers},
    store::remember,
};

/// How long the origin may take to answer: with its headers, or with the whole of a document that is read. It holds a
/// request for a part for three target durations at most (RFC 8216bis §6.2.5.2), which is 30 s where segments last ten.
const PATIENCE: Duration = Duration::from_secs(40);

/// The name of the binding of the KV namespace with the documents of operators.
const DOCUMENTS: &str = "DOCUMENTS";

/// How long a document may take: a first read from the other end of the world takes a fraction of this.
const PATIENCE_FOR_DOCUMENTS: Duration = Duration::from_secs(5);

/// The world of one request: the origin, or a shield before it, and the environment with the store.
pub(crate) struct World<'r> {
    pub(crate) origin: &'r OriginUrl,
    pub(crate) env: &'r Env,
}

/// A body of the origin's that nobody has read. One that is dropped is cancelled: while it waits for a reader, it
/// holds one of the six connections that a request may have.
#[derive(Debug)]
pub(crate) struct Upstream(ResponseBody);

impl Upstream {
    /// The runtime's form of it, for the viewer.
    pub(crate) fn into_inner(mut self) -> ResponseBody {
        std::mem::replace(&mut self.0, ResponseBody::Empty)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let ResponseBody::Stream(stream) = &self.0 {
            let cancelled = JsFuture::from(stream.cancel());
            spawn_local(async {
                // A stream that has failed already is as good as cancelled.
                let _ = cancelled.await;
            });
        }
    }
}

impl World<'_> {
    async fn answer(&self, want: Want) -> Answer<Upstream> {
        match want {
            Want::Origin(request) => Answer::Origin(self.ask(request).await),
            Want::Store(request) => Answer::Store(remember(self.env, &request).await),
            Want::Document { key, limit } => Answer::Document(self.document(&key, limit).await),
            other => Answer::Origin(Err(Unanswered::Unreachable(format!(
                "this edge has no answer to {other:?}"
            )))),
        }
    }

    /// From Workers KV, whose copies may be a minute old.
    async fn document(&self, key: &str, limit: usize) -> Result<Option<Vec<u8>>, Unanswered> {
        // Where there is no such store, there is no such document.
        let Ok(store) = self.env.kv(DOCUMENTS) else {
            return Ok(None);
        };
        let read = pin!(store.get(key).bytes());
        let found = match select(read, Delay::from(PATIENCE_FOR_DOCUMENTS)).await {
            Either::Left((found, _)) => found.map_err(|error| Unanswered::Unreachable(error.to_string()))?,
            Either::Right(_) => return Err(Unanswered::Timeout),
        };
        match found {
            Some(document) if document.len() > limit => Err(Unanswered::TooLarge),
            found => Ok(found),
        }
    }

    async fn ask(&self, request: OriginRequest) -> Result<OriginResponse<Upstream>, Unanswered> {
        let abort = AbortController::default();
        let signal = abort.signal();
        let answer = pin!(self.fetch(request, &signal));
        // A signal of the runtime's that fires by itself would cut off a body that is still streaming.
        let answer = match select(answer, Delay::from(PATIENCE)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(Unanswered::Timeout),
        };
        if answer.is_err() {
            // An answer that nobody reads holds one of the six connections.
            abort.abort();
        }
        answer
    }

    async fn fetch(
        &self,
        request: OriginRequest,
        signal: &AbortSignal,
    ) -> Result<OriginResponse<Upstream>, Unanswered> {
        let mut init = RequestInit::new();
        init.with_method(request.method.to_string().into())
            .with_headers(headers(&request.headers))
            .with_redirect(RequestRedirect::Manual);
        let url = self.origin.join(&request.target);
        let fetch = Fetch::Request(Request::new_with_init(&url, &init).map_err(|error| unreachable(&error))?);
        let response = fetch
            .send_with_signal(signal)
            .await
            .map_err(|error| unreachable(&error))?;

        let status = StatusCode::from_u16(response.status_code())
            .map_err(|error| Unanswered::Unreachable(error.to_string()))?;
        let headers = header_map(response.headers());
        if request.read.refuses(&headers) {
            return Err(Unanswered::TooLarge);
        }
        let body = match request.read {
            Read::Handle => Body::Upstream(Upstream(response.into_parts().1)),
            Read::Bytes { limit } if is_measured(&headers) => Body::Bytes(read_whole(response, limit).await?),
            Read::Bytes { limit } => Body::Bytes(read(response, limit).await?),
        };
        Ok(OriginResponse {
            status,
            headers,
            body,
        })
    }
}

impl Platform for World<'_> {
    type Body = Upstream;

    async fn gather(&self, plan: Plan) -> Vec<Answer<Upstream>> {
        join_all(plan.wants.into_iter().map(|want| self.answer(want))).await
    }
}

/// Whether a body is as long as was declared: the runtime decompresses what is compressed.
fn is_measured(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_LENGTH) && !headers.contains_key(header::CONTENT_ENCODING)
}

/// A body whose declared length is within the limit. One promise for all of it costs the runtime much less than one for
/// each of its chunks.
async fn read_whole(response: Response, limit: usize) -> Result<Vec<u8>, Unanswered> {
    let ResponseBody::Stream(stream) = response.into_parts().1 else {
        return Ok(Vec::new());
    };
    let body = web_sys::Response::new_with_opt_readable_stream(Some(&stream)).map_err(broken)?;
    let buffer = JsFuture::from(body.array_buffer().map_err(broken)?).await;
    let bytes = Uint8Array::new(&buffer.map_err(broken)?).to_vec();
    if bytes.len() > limit {
        return Err(Unanswered::TooLarge);
    }
    Ok(bytes)
}

async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Unanswered> {
    let mut bytes = Vec::new();
    if !matches!(response.body(), ResponseBody::Stream(_)) {
        return Ok(bytes);
    }
    let mut chunks = response.stream().map_err(|error| unreachable(&error))?;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| unreachable(&error))?;
        if bytes.len() + chunk.len() > limit {
            return Err(Unanswered::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn broken(error: JsValue) -> Unanswered {
    unreachable(&error.into())
}

fn unreachable(error: &worker::Error) -> Unanswered {
    Unanswered::Unreachable(error.to_string())
}
