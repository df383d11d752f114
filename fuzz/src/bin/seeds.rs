//! Writes the inputs that fuzzing starts from: `seeds <folder> [vectors.json]...`, one folder a target.
//!
//! Each is a small token or request that one rule of the standard is about. Files of collected vectors (objects with
//! `token`, and with `url` and `method` under `request`) add theirs.

use std::{env, fs, path::PathBuf};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ciborium::Value;
// Not to fuzz: for the counters that its build puts into everything.
use libfuzzer_sys as _;
use selvedge_fuzz::{Frame, frame};
use sha2::{Digest as _, Sha256};

type Map = Vec<(Value, Value)>;

fn map<K: Into<Value>, V: Into<Value>, const N: usize>(entries: [(K, V); N]) -> Value {
    Value::Map(entries.map(|(key, value)| (key.into(), value.into())).into())
}

fn list<const N: usize>(items: [Value; N]) -> Value {
    Value::Array(items.into())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.into())
}

fn tag(tag: u64, value: Value) -> Value {
    Value::Tag(tag, Box::new(value))
}

fn write(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("writing to memory");
    out
}

const REQUEST: &str = "GET https://cdn.example/live/a.m4s?x=1 1795262400000 203.0.113.7 64500 SE AB 59.3 18.0 10 h2 key t13d1516 7 0";

/// A proof of possession (RFC 9449): `{"typ":"dpop+jwt","alg":"ES256","jwk":{…}}`, its claims, and no signature of
/// anybody's.
const PROOF: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoiYXhmUjh1RXNRa2Y0dk9i",
    "bFk2UkE4bmNEZllFdDZ6T2c5S0U1UmRpWXdwWSIsInkiOiJUX05DNHY0YWY1dU81LXRLZkEtZUZpdk9NMWRyTVY3T3k3WkFhRGUtVWZVIn19.",
    "eyJodG0iOiJHRVQiLCJodHUiOiJodHRwczovL2Nkbi5leGFtcGxlL2xpdmUvYS5tNHMiLCJpYXQiOjE3OTUyNjI0MDAsImp0aSI6ImoxIn0.",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
);

/// A channel of thirty seconds, its segments listed and numbered, and a Period that begins in a break.
fn mpds() -> Vec<(&'static str, String)> {
    let set = |kind: &str, template: &str| {
        let id = &kind[..1];
        format!(
            "<AdaptationSet id=\"{id}\" contentType=\"{kind}\"><SegmentTemplate timescale=\"1000\" {template}<Representation id=\"{id}\"/></AdaptationSet>"
        )
    };
    let timed = "media=\"$Time$\"><SegmentTimeline><S t=\"0\" d=\"2000\" r=\"13\"/><S d=\"1000\" r=\"1\"/></SegmentTimeline></SegmentTemplate>";
    let numbered = "media=\"$Number$\" duration=\"2000\"/>";
    let mpd = |periods: &str| {
        format!(
            "<MPD type=\"dynamic\" availabilityStartTime=\"1970-01-01T00:00:00Z\" publishTime=\"1970-01-01T00:00:30Z\">{periods}</MPD>"
        )
    };
    let period =
        |start: u32, content: &str| format!("<Period id=\"{start}\" start=\"PT{start}S\">{content}</Period>");
    let event = "<EventStream timescale=\"1\"><Event presentationTime=\"9\" duration=\"3\"/></EventStream>";
    vec![
        (
            "timed",
            mpd(&period(
                0,
                &(event.to_owned() + &set("video", timed) + &set("audio", timed)),
            )),
        ),
        ("numbered", mpd(&period(0, &set("video", numbered)))),
        (
            "two",
            mpd(&(period(0, &set("video", timed)) + &period(14, &set("video", timed)))),
        ),
    ]
}

/// A channel of twenty seconds, in the clear and encrypted, of low latency, and an asset in one file.
fn playlists() -> Vec<(&'static str, String)> {
    let list = |head: &str, count: usize, before: &dyn Fn(usize) -> String, tail: &str| {
        let segments = (0..count).map(|index| format!("{}#EXTINF:2,\n{index}.m4s\n", before(index)));
        let segments: String = segments.collect();
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{head}{segments}{tail}")
    };
    let date = "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00Z\n";
    let live = "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12\n#EXT-X-MAP:URI=\"i\"\n";
    let keys =
        "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n";
    let cut = |index: usize| {
        if index == 3 {
            "#EXT-X-DISCONTINUITY\n#EXT-X-CUE-OUT\n"
        } else {
            ""
        }
    };
    let parts = "#EXT-X-PART:DURATION=1,URI=\"p\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"q\"\n\
        #EXT-X-RENDITION-REPORT:URI=\"a\",LAST-MSN=4,LAST-PART=0\n";
    let file = |index: usize| format!("#EXT-X-BYTERANGE:9{}\n", if index == 0 { "@0" } else { "" });
    vec![
        (
            "live",
            list(&(live.to_owned() + date), 10, &|_| String::new(), ""),
        ),
        (
            "keys",
            list(&(keys.to_owned() + date), 9, &|index| cut(index).into(), ""),
        ),
        (
            "parts",
            list(
                &format!("{live}#EXT-X-PART-INF:PART-TARGET=1\n{date}"),
                4,
                &|_| String::new(),
                parts,
            ),
        ),
        (
            "asset",
            list("#EXT-X-PLAYLIST-TYPE:VOD\n", 8, &file, "#EXT-X-ENDLIST\n").replace(".m4s", ""),
        ),
    ]
}

/// One of each document of breaks, and a slice of the log.
fn documents() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "decision",
            r#"{"version":1,"break":"news-1767297616000-si:7","cohort":"all","ads":[{"creative":"a","duration_us":4000000,"renditions":{"v":{"init":"/i.mp4","segments":[[2000000,"/0.m4s",[[1000000,7],[1000000,6]]],[2000000,"/1.m4s"]]}}}]}"#,
        ),
        (
            "creative",
            r#"{"version":1,"creative":"a","duration_us":1920000,"renditions":{"a":{"kind":"audio","codecs":"mp4a.40.2","bandwidth":128000,"channels":2,"sample_rate":48000,"media":{"init":"a/i.mp4","segments":[[1920000,"a/0.m4s",[[960000,9],[960000,8]]]]}}}}"#,
        ),
        (
            "rules",
            r#"{"version":1,"channel":"news","openers":["splice_insert","provider_po"],"lengths":{"default_ms":60000,"max_ms":300000},"returns":{"early":true},"fill":{"pod":[{"creative":"a","duration_ms":30000}],"slate":{"creative":"s","duration_ms":2000},"rest":"slate"},"schedule":[{"name":"noon","at":"2026-11-21T12:00:00Z","duration_ms":60000}]}"#,
        ),
        (
            "slice",
            "#EXT-X-SELVEDGE-LOG:VERSION=1,MSN-SHIFT=-2,DSN-SHIFT=3\n#EXT-X-SELVEDGE-BREAK:ID=\"news-1767297616000-si:7\",OUT=1767297616000000,PLANNED=10000000,IN=1767297626000000,REVISION=2,EFFECTIVE-FROM=1767297610000000,SLOTS=\"2x2000000,3x2002000/1978000\",AFTER=SLATE,SLATE=\"1x2000000\",TOLERANCE=20000,MSN-OUT=108,DSN-BEFORE=0,MSN-IN=113,DSN-IN=0\n",
        ),
    ]
}

/// One claim each, with its name.
fn claims() -> Vec<(&'static str, Map)> {
    let matches = |kind: i64, value: Value| map([(3, map([(kind, value)]))]);
    let one = |label: i64, value: Value| vec![(Value::from(label), value)];
    vec![
        ("iss", one(1, "issuer".into())),
        ("sub", one(2, "s".into())),
        ("aud", one(3, "cdn".into())),
        ("aud-list", one(3, list(["x".into(), "cdn".into()]))),
        ("exp", one(4, 1_800_000_000.into())),
        ("exp-past", one(4, 1_700_000_000.into())),
        ("exp-float", one(4, 1_800_000_000.5.into())),
        ("exp-negative", one(4, (-1).into())),
        ("nbf", one(5, 1_700_000_000.into())),
        ("iat", one(6, 1_700_000_000.into())),
        ("cti", one(7, bytes(&[0x5c; 16]))),
        ("cnf", one(8, map([(323, bytes(&[7; 32]))]))),
        ("cnf-early", one(8, map([(3, bytes(&[7; 32]))]))),
        ("geohash", one(282, "u6sc".into())),
        ("geohash-list", one(282, list(["u6".into(), "gbsuv".into()]))),
        ("watermark", one(300, 1.into())),
        ("watermark-bytes", one(301, bytes(&[1, 2, 3]))),
        ("catreplay", one(308, 1.into())),
        ("catpor", one(309, list([0.5.into(), bytes(b"id")]))),
        (
            "catpor-expiry",
            one(309, list([1.into(), 7.into(), 1_800_000_000.into()])),
        ),
        ("catv", one(310, 1.into())),
        (
            "catnip-address",
            one(311, list([tag(52, bytes(&[203, 0, 113, 7]))])),
        ),
        (
            "catnip-prefix",
            one(311, list([tag(52, list([8.into(), bytes(&[10])])), 64500.into()])),
        ),
        (
            "catnip-6",
            one(
                311,
                list([tag(54, list([32.into(), bytes(&[0x20, 1, 0x0d, 0xb8])]))]),
            ),
        ),
        ("catu-exact", one(312, map([(1, map([(0, "cdn.example")]))]))),
        ("catu-prefix", one(312, matches(1, "/live/".into()))),
        ("catu-suffix", one(312, matches(2, ".m4s".into()))),
        ("catu-contains", one(312, matches(3, "ive".into()))),
        (
            "catu-regex",
            one(312, matches(4, list(["^/live/[a-z]+[.]m4(s|a)$".into()]))),
        ),
        (
            "catu-capture",
            one(312, matches(4, list(["^/(live|vod)/".into(), "live".into()]))),
        ),
        (
            "catu-sha-256",
            one(312, matches(-1, bytes(&Sha256::digest("/live/a.m4s")))),
        ),
        ("catu-sha-512-256", one(312, matches(-2, bytes(&[3; 32])))),
        (
            "catu-all",
            one(
                312,
                map([0, 1, 2, 3, 4, 5, 6, 7, 8].map(|part| (part, map([(3, "")])))),
            ),
        ),
        ("catm", one(313, list(["GET".into(), "HEAD".into()]))),
        ("catalpn", one(314, list([bytes(b"h2"), bytes(b"h3")]))),
        ("cath", one(315, map([("X-Name", map([(0, "value")]))]))),
        ("catgeoiso3166", one(316, list(["SE".into(), "DE-BY".into()]))),
        (
            "catgeocoord",
            one(317, list([list([59.3.into(), 18.into(), 5000.into()])])),
        ),
        ("catgeoalt", one(318, list([10.into(), 100.into()]))),
        ("cattpk", one(319, bytes(b"key"))),
        ("catifdata", one(320, "data".into())),
        ("catdpop", one(321, map([(0, 300), (1, 1)]))),
        ("catdpop-crit", one(321, map([(-1, list([0.into()]))]))),
        (
            "catif",
            one(
                322,
                map([(
                    4,
                    list([302.into(), map([("Location", "https://auth.example/")])]),
                )]),
            ),
        ),
        (
            "catif-token",
            one(
                322,
                map([(
                    list([4.into(), 312.into()]),
                    list([
                        307.into(),
                        map([(
                            "Location",
                            list(["https://auth.example/?CAT=".into(), map([(1, Value::Null)])]),
                        )]),
                        "k".into(),
                    ]),
                )]),
            ),
        ),
        ("catr", one(323, map([(0, 2), (1, 300), (2, 30)]))),
        (
            "catr-cookie",
            one(
                323,
                map([(0, 1.into()), (1, 300.into()), (5, list(["Secure".into()]))]),
            ),
        ),
        ("catr-redirect", one(323, map([(0, 3), (1, 300), (7, 307)]))),
        (
            "cattprint",
            one(324, map([(0, 2.into()), (1, Value::from("t13d1516"))])),
        ),
        ("moqt", one(327, list([list([list([4.into()])])]))),
        ("or", one(41, list([map([(4, 1)]), map([(4, 1_800_000_000)])]))),
        ("nor", one(42, list([map([(313, list(["PUT".into()]))])]))),
        ("and", one(43, list([map([(41, list([map([(310, 1)])]))])]))),
        ("crit", one(45, list([1.into(), 4.into()]))),
        (
            "unknown",
            one(
                9_999,
                list([Value::Null, Value::Bool(true), 1.5.into(), tag(1, 2.into())]),
            ),
        ),
        ("text-key", vec![("name".into(), map([("k", "v")]))]),
    ]
}

fn matchers() -> Vec<(&'static str, &'static str)> {
    vec![
        ("exact", "0\n/live/a.m4s\n/live/a.m4s"),
        ("prefix", "1\n/live/\n/live/../live/a.m4s"),
        ("suffix", "2\n.m4s\n/live/%61.m4s"),
        ("contains", "3\n/%2F/\n/a/%2f/b"),
        ("dots", "1\n/live/\n/live/%2e%2e/vod/./a//b"),
        ("sha-256", "5\n/live/a.m4s\n/live/a.m4s"),
        ("regex", "4\n^/live/[a-z]+[.]m4(s|a)$\n/live/a.m4s"),
        ("regex-classes", "4\n[[:alpha:]]+[^[:digit:]]{2,3}\n/live/abc"),
        ("regex-nested", "4\n((a|b)*c?){0,5}\\.\n/aabbcaabbc.x"),
        ("regex-anchors", "4\n^(^|x)$*\\$\n/"),
    ]
}

/// Headers for the frame's even kind: `protected` and `unprotected`, each with its length before it.
fn framed(protected: &[u8], unprotected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    for piece in [protected, unprotected] {
        out.push(u8::try_from(piece.len()).expect("a short header"));
        out.extend(piece);
    }
    [out, payload.into()].concat()
}

fn main() {
    let mut arguments = env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().expect("usage: seeds <folder> [vectors.json]..."));
    let put = |target: &str, name: &str, content: &[u8]| {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        fs::write(folder.join(name.replace('/', "-")), content).expect("the seed can be written");
    };

    let hs256 = write(&map([(1, 5)]));
    let put_claims = |name: &str, request: &str, payload: &[u8]| {
        put("claims", name, payload);
        let world = [
            format!("{request}\nx-name: value\ndpop: {PROOF}\n\n").as_bytes(),
            payload,
        ]
        .concat();
        put("verifier", name, &world);
        put("renew", name, &world);
        put("frame", name, &framed(&hs256, &[0xa0], payload));
        put(
            "frame",
            &format!("{name}-raw"),
            &[&[1], &frame(&hs256, &[0xa0], payload)[..]].concat(),
        );
    };
    for (name, claim) in claims() {
        let issuer = (Value::from(1), Value::from("issuer"));
        let is_issuer = claim.iter().any(|(key, _)| *key == issuer.0);
        let claims = if is_issuer {
            claim
        } else {
            [vec![issuer], claim].concat()
        };
        put_claims(name, REQUEST, &write(&Value::Map(claims)));
    }
    for (name, protected, unprotected) in [
        (
            "headers-swapped",
            map::<i64, i64, 0>([]),
            map([(1, Value::from(5)), (4, bytes(b""))]),
        ),
        (
            "headers-critical",
            map([(1, 5.into()), (2, list([99.into()]))]),
            map::<i64, i64, 0>([]),
        ),
        (
            "headers-other",
            map([(1, 5)]),
            map([(15, map([(1, "issuer")])), (16, "cat".into())]),
        ),
    ] {
        put(
            "frame",
            name,
            &framed(&write(&protected), &write(&unprotected), &[0xa0]),
        );
    }
    for (name, input) in matchers() {
        put("matchers", name, input.as_bytes());
    }
    for (name, input) in mpds() {
        put("mpd", name, input.as_bytes());
    }
    for (name, input) in playlists() {
        put("playlist", name, input.as_bytes());
    }
    for (name, input) in documents() {
        put("documents", name, input.as_bytes());
    }

    for file in arguments {
        let text = fs::read_to_string(&file).expect("the vectors can be read");
        let json: serde_json::Value = serde_json::from_str(&text).expect("the vectors are JSON");
        for vector in json["vectors"]
            .as_array()
            .or(json.as_array())
            .into_iter()
            .flatten()
        {
            let (Some(name), Some(token)) = (vector["name"].as_str(), vector["token"].as_str()) else {
                continue;
            };
            let Ok(token) = Base64UrlUnpadded::decode_vec(token.trim_end_matches('=')) else {
                continue;
            };
            put("frame", &format!("vector-{name}"), &[&[1], &token[..]].concat());
            let request = format!(
                "{} {} {}000 {} -",
                vector["request"]["method"].as_str().unwrap_or("GET"),
                vector["request"]["url"]
                    .as_str()
                    .unwrap_or("https://cdn.example/"),
                vector["request"]["now"].as_i64().unwrap_or(1_795_262_400),
                vector["request"]["ip"].as_str().unwrap_or("-"),
            );
            if let Some(payload) = Frame::payload(&token) {
                put_claims(&format!("vector-{name}"), &request, &payload);
            }
        }
    }
}
