//! Marks: any bytes as pace information, as a pattern, and as what an origin says of a marked segment, to a token with any
//! claims of a watermark.
#![no_main]

use std::sync::{LazyLock, Mutex};

use ciborium::Value;
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use selvedge_edge::{
    Answer, Body, Edge, OriginResponse, OriginToken, Plan, Platform, Read, UnixMillis, Visit, Want, block_on,
};
use selvedge_fuzz::{KEY, seal};
use selvedge_token::{Algorithm, Jwk, JwkSet, KeySet};
use selvedge_watermark::pace::{self, PaceInfo, Position, Sidecar};

const NEUTRAL: &str = "/live/c/v/t-480000.m4s";
const VARIANT_B: &str = "/live/c/v/b/t-480000.m4s";
const SIDECAR: &str = "/live/c/v/WMPaceInfo/t-480000.m4s";
const NOW: i64 = 1_790_000_000;

static KEYS: LazyLock<Vec<Jwk>> = LazyLock::new(|| {
    vec![
        KEY.clone(),
        Jwk::octets("p", Algorithm::A256Gcm, &[6; 32]),
        Jwk::agreement("e", &[3; 32]).expect("a scalar"),
    ]
});
static SET: LazyLock<KeySet> = LazyLock::new(|| KeySet::from_jwks(&*KEYS).expect("keys that can be used"));
static SITE: LazyLock<String> = LazyLock::new(|| {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    format!(
        r#"{{"watermark":{{"keys":{{"3":"{key}"}},"channels":[{{"path":"/live/c/","media":"^v/[^/]+[.]m4s$",
            "service":"c","pace":["header","sidecar",{{"number":{{"start":480001}}}},{{"duration":{{}}}}]}}]}}}}"#
    )
});

/// An origin that says one thing of everything.
struct OneWord<'w> {
    header: &'w [u8],
    sidecar: &'w [u8],
    asked: Mutex<Vec<String>>,
}

impl Platform for OneWord<'_> {
    type Body = bool;

    async fn gather(&self, plan: Plan) -> Vec<Answer<bool>> {
        let answer = |want| {
            let Want::Origin(request) = want else {
                unreachable!("the origin is all there is")
            };
            assert!(
                [NEUTRAL, VARIANT_B, SIDECAR].contains(&request.target.as_str()),
                "{}",
                request.target
            );
            assert!(request.headers.contains_key("authorization"), "who asks is shown");
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(self.header) {
                headers.insert("wmpaceinfoegress", value);
            }
            let body = match request.read {
                Read::Handle => Body::Upstream(request.target == VARIANT_B),
                Read::Bytes { .. } => Body::Bytes(self.sidecar.to_vec()),
            };
            if let Ok(mut asked) = self.asked.lock() {
                asked.push(request.target);
            }
            Answer::Origin(Ok(OriginResponse {
                status: StatusCode::OK,
                headers,
                body,
            }))
        };
        plan.wants.into_iter().map(answer).collect()
    }
}

/// What was read is written as it was read.
fn pace(bytes: &[u8]) {
    if let Some(Ok(read)) = bytes.first_chunk().map(|bytes| PaceInfo::of_bytes(*bytes)) {
        assert_eq!(PaceInfo::of_bytes(read.to_bytes()).ok(), Some(read));
        assert_eq!(PaceInfo::of_box(&read.to_box()).ok(), Some(read));
        assert_eq!(PaceInfo::of_header(&read.to_header()).ok(), Some(read));
    }
    let _ = PaceInfo::of_box(bytes);
    if let Ok(read) = Sidecar::of_cbor(bytes) {
        assert_eq!(Sidecar::of_cbor(&read.to_cbor()).ok(), Some(read.clone()));
        if let Sidecar::Ranges(ranges) = read {
            // Each start is the position that it says, and nothing lies beyond the file.
            for (start, position) in ranges.starts() {
                assert_eq!(ranges.position_of(&(*start..=*start)).ok(), Some(*position));
            }
            assert!(ranges.position_of(&(0..=ranges.size())).is_err());
        }
    }
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(read) = PaceInfo::of_header(text) {
        assert_eq!(PaceInfo::of_header(&read.to_header()).ok(), Some(read));
    }
    if let Ok(read) = pace::position_of_egress(text) {
        assert_eq!(pace::position_of_egress(&pace::egress_header(read)).ok(), Some(read));
    }
}

/// What is opened is as long as it was said to be.
fn pattern(bits: u16, bytes: &[u8]) {
    let now = UnixMillis::from_seconds(NOW);
    if let Ok(opened) = SET.open_pattern(bytes, bits, None, now) {
        assert_eq!(opened.len(), usize::from(bits).div_ceil(8));
    }
}

/// A token of these claims gets a variant where the origin or the name says a position, and the variant that its bits say
/// where they stand in the clear.
fn request(claims: &[u8], header: &[u8], sidecar: &[u8]) {
    let Ok(Value::Map(claims)) = ciborium::from_reader(claims) else {
        return;
    };
    let ours = |key: &Value| (300..308).any(|label| *key == Value::from(label));
    let mut payload: Vec<(Value, Value)> = vec![
        (4.into(), (NOW + 60).into()),
        (6.into(), NOW.into()),
        (310.into(), 1.into()),
    ];
    payload.extend(claims.into_iter().filter(|(key, _)| ours(key)));
    let bits = payload.iter().find(|(key, _)| *key == Value::from(304));
    let bits = bits.and_then(|(_, value)| value.as_bytes()).cloned();
    let length = payload.iter().find(|(key, _)| *key == Value::from(302));
    let length = length.and_then(|(_, value)| value.as_integer());
    let length = length.and_then(|length| u16::try_from(length).ok()).unwrap_or(1).max(1);
    let mut bytes = Vec::new();
    ciborium::into_writer(&Value::Map(payload), &mut bytes).expect("writing to memory");
    let token = seal(&bytes);

    let keys = serde_json::to_string(&JwkSet { keys: KEYS.clone() }).expect("keys serialise");
    let edge = Edge::new(&keys, &SITE).expect("a site that can be used");
    let edge = edge.with_origin_token(OriginToken::parse("shown").ok());
    let Ok(request) = http::Request::get(format!("https://e/t/{token}{NEUTRAL}")).body(()) else {
        return;
    };
    let visit = Visit {
        request: &request,
        context: &(),
        now: UnixMillis::from_seconds(NOW),
        random: None,
    };
    let world = OneWord {
        header,
        sidecar,
        asked: Mutex::default(),
    };
    let first = block_on(edge.handle(&world, &visit)).response;
    let again = block_on(edge.handle(&world, &visit)).response;
    assert_eq!(first.status(), again.status(), "what is remembered changes nothing");
    assert_eq!(first.body(), again.body());
    assert!(!first.headers().contains_key("wmpaceinfoegress"));
    let Body::Upstream(is_b) = first.body() else {
        return;
    };
    let said = core::str::from_utf8(header).ok();
    let said = said.and_then(|value| pace::position_of_egress(value.trim()).ok());
    if let (Some(position), Some(bits)) = (said.map(Position::index), bits)
        && bits.len() == usize::from(length).div_ceil(8)
    {
        let due = position.is_some_and(|at| {
            let at = at % length;
            bits[usize::from(at / 8)] >> (7 - at % 8) & 1 == 1
        });
        assert_eq!(*is_b, due);
    }
}

fuzz_target!(|input: (u16, &[u8], &[u8], &[u8])| {
    let (bits, claims, header, sidecar) = input;
    pace(sidecar);
    pattern(bits, claims);
    request(claims, header, sidecar);
});
