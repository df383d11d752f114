//! The core's wants, answered by `fetch`.

use std::{pin::pin, time::Duration};

use futures_util::{
    StreamExt,
    future::{Either, join_all, select},
};
use http::StatusCode;
use selvedge_edge::{
    Answer, Body, OriginRequest, OriginResponse, OriginUrl, Plan, Platform, Read, Unanswered, Want,
};
use worker::{
    AbortController, AbortSignal, Delay, Fetch, Request, RequestInit, RequestRedirect, Response, ResponseBody,
};

use crate::convert::{header_map, headers};

/// How long the origin may take to answer: with its headers, or with the whole of a document that is read. A
/// player that waits for a part (RFC 8216bis §6.2.5.2) is held for less.
const PATIENCE: Duration = Duration::from_secs(20);

/// The origin, or a shield before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Origin(pub(crate) OriginUrl);

impl Origin {
    async fn answer(&self, want: Want) -> Answer<ResponseBody> {
        match want {
            Want::Origin(request) => Answer::Origin(self.ask(request).await),
            other => Answer::Origin(Err(Unanswered::Unreachable(format!(
                "this edge has no answer to {other:?}"
            )))),
        }
    }

    async fn ask(&self, request: OriginRequest) -> Result<OriginResponse<ResponseBody>, Unanswered> {
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
    ) -> Result<OriginResponse<ResponseBody>, Unanswered> {
        let mut init = RequestInit::new();
        init.with_method(request.method.to_string().into())
            .with_headers(headers(&request.headers))
            .with_redirect(RequestRedirect::Manual);
        let url = self.0.join(&request.target);
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
            Read::Handle => Body::Upstream(response.into_parts().1),
            Read::Bytes { limit } => Body::Bytes(read(response, limit).await?),
        };
        Ok(OriginResponse {
            status,
            headers,
            body,
        })
    }
}

impl Platform for Origin {
    type Body = ResponseBody;

    async fn gather(&self, plan: Plan) -> Vec<Answer<ResponseBody>> {
        join_all(plan.wants.into_iter().map(|want| self.answer(want))).await
    }
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

fn unreachable(error: &worker::Error) -> Unanswered {
    Unanswered::Unreachable(error.to_string())
}
