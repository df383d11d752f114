//! The whole way of a request: any URL and any document of the origin's give an answer.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use selvedge_edge::{
    Answer, Body, Edge, OriginResponse, Plan, Platform, Read, UnixMillis, Visit, Want, block_on,
};
use selvedge_token::{Jwk, JwkSet, Minter, SigningKey};

struct OneDocument<'d>(&'d str);

impl Platform for OneDocument<'_> {
    type Body = ();

    async fn gather(&self, plan: Plan) -> Vec<Answer<()>> {
        let answer = |want| {
            let Want::Origin(request) = want else {
                unreachable!("the origin is all there is")
            };
            assert!(
                !request.target.contains(TOKEN.as_str()),
                "the token reached the origin"
            );
            let body = match request.read {
                Read::Handle => Body::Upstream(()),
                Read::Bytes { .. } => Body::Bytes(self.0.into()),
            };
            Answer::Origin(Ok(OriginResponse {
                status: http::StatusCode::OK,
                headers: http::HeaderMap::new(),
                body,
            }))
        };
        plan.wants.into_iter().map(answer).collect()
    }
}

static KEY: LazyLock<Jwk> = LazyLock::new(|| Jwk::symmetric("", &[1; 32]));
static TOKEN: LazyLock<String> = LazyLock::new(|| {
    Minter::new()
        .mint(&SigningKey::from_jwk(&KEY).expect("a key of 32 bytes"))
        .expect("a short token")
});
static EDGE: LazyLock<Edge> = LazyLock::new(|| {
    let keys = serde_json::to_string(&JwkSet {
        keys: vec![KEY.clone()],
    })
    .expect("keys serialise");
    Edge::new(&keys, "{}").expect("a key of 32 bytes")
});

fuzz_target!(|input: (&str, &str)| {
    let (path, document) = input;
    for url in [
        format!("https://e/{path}?CAT={}", *TOKEN),
        format!("https://e/t/{}/{path}", *TOKEN),
    ] {
        let Ok(request) = http::Request::get(url).body(()) else {
            return;
        };
        let handled = block_on(EDGE.handle(
            &OneDocument(document),
            &Visit {
                request: &request,
                context: &(),
                now: UnixMillis::from_seconds(0),
                random: Some(0),
            },
        ));
        assert_ne!(handled.response.status(), 500);
    }
});
