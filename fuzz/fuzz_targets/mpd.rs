//! MPDs with breaks: any document is stitched or passed on, and what was whole stays whole.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use selvedge_breaks::{Decision, Slice};
use selvedge_edge::dash::{Stitching, stitch};

/// Two breaks near the begin of 1970, one that ends and one that is open.
static SLICE: LazyLock<Slice> = LazyLock::new(|| {
    let first = r#"ID="a-10000-s:1",OUT=10000000,PLANNED=8000000,IN=18000000,REVISION=1,EFFECTIVE-FROM=0,SLOTS="2x2000000,1x2000000",AFTER=SLATE,SLATE="1x1000000",TOLERANCE=20000"#;
    let second = r#"ID="a-24000-s:2",OUT=24000000,PLANNED=6000000,REVISION=1,EFFECTIVE-FROM=0,SLOTS="3x2000000",AFTER=WAIT,TOLERANCE=20000"#;
    let properties = [
        ("urn:selvedge:log:1", "VERSION=1,MSN-SHIFT=0,DSN-SHIFT=0"),
        ("urn:selvedge:break:1", first),
        ("urn:selvedge:break:1", second),
    ];
    Slice::read_properties(properties)
        .expect("a slice")
        .expect("a log")
});

static DECISIONS: LazyLock<Vec<Arc<Decision>>> = LazyLock::new(|| {
    let media = |count: usize, name: &str| {
        let segments: Vec<String> = (0..count)
            .map(|index| format!("[2000000,\"/{name}/{index}.m4s\"]"))
            .collect();
        format!(
            r#"{{"init":"/{name}/i.mp4","segments":[{}]}}"#,
            segments.join(",")
        )
    };
    let ad = |count: usize, name: &str| {
        let (video, audio) = (media(count, name), media(count, "x&y"));
        format!(r#"{{"creative":"<{name}>","duration_us":1,"renditions":{{"v":{video},"a":{audio}}}}}"#)
    };
    let decision = |id: &str, ads: &[String]| {
        let (ads, slate) = (ads.join(","), ad(1, "s"));
        let text = format!(r#"{{"version":1,"break":"{id}","cohort":"all","ads":[{ads}],"slate":{slate}}}"#);
        Arc::new(Decision::read(text.as_bytes()).expect("a decision"))
    };
    vec![
        decision("a-10000-s:1", &[ad(2, "b"), ad(1, "c")]),
        decision("a-24000-s:2", &[ad(3, "$d$")]),
    ]
});

/// Whether every element ends, in order; the names of those that have begun are kept by hand.
fn is_whole(text: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        let close = match after.get(..1) {
            Some("!" | "?") => return true,
            _ => after.find('>'),
        };
        let Some(close) = close else { return false };
        let tag = &after[..close];
        if tag.contains(['<', '\'']) || tag.matches('"').count() % 2 > 0 {
            // Values are quoted, without angle brackets (XML 1.0 2.3); what is none is not judged.
            return false;
        }
        rest = &after[close + 1..];
        let name = |text: &'_ str| {
            text.split([' ', '\t', '\r', '\n', '/'])
                .next()
                .map(str::len)
                .unwrap_or(0)
        };
        if let Some(ended) = tag.strip_prefix('/') {
            if open.pop() != Some(&ended[..name(ended)]) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(&tag[..name(tag)]);
        }
    }
    open.is_empty()
}

fuzz_target!(|text: &str| {
    let stitching = Stitching {
        slice: &SLICE,
        decisions: &DECISIONS,
        path: Some("/live/a/manifest.mpd"),
    };
    let once = stitch(text, &stitching);
    // Values with angle brackets in them are more than this check understands.
    let is_plain = !text.contains(['!', '?']) && text.matches('<').count() == text.matches('>').count();
    if is_plain && is_whole(text) {
        assert!(is_whole(&once), "{once}");
    }
    assert_eq!(stitch(text, &stitching), once, "the same again");
    let nothing = Stitching {
        slice: &Slice::default(),
        decisions: &[],
        path: None,
    };
    let passed = stitch(text, &nothing);
    assert!(
        passed.len() <= text.len(),
        "nothing is put in where there is no break"
    );
});
