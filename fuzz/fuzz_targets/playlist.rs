//! Media playlists with breaks: any text is stitched, guided or passed on, and the programme keeps its order.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use selvedge_breaks::{Decision, Slice};
use selvedge_edge::hls::{Cues, Guiding, Stitching, guide, stitch};

/// What fills the breaks: a name that no programme has.
const AD: &str = "/ad-of-the-edge/";

/// Breaks near the begin of 1970: two that replace, one of them open; the same by number, behind others; two that are
/// inserted.
static SLICES: LazyLock<Vec<Slice>> = LazyLock::new(|| {
    let log = "#EXT-X-SELVEDGE-LOG:VERSION=1,MSN-SHIFT=-1,DSN-SHIFT=3\n";
    let first = "#EXT-X-SELVEDGE-BREAK:ID=\"a-4000-si:1\",OUT=4000000,PLANNED=8000000,REVISION=1,EFFECTIVE-FROM=0,\
        SLOTS=\"2x2000000,1x2000000\",AFTER=SLATE,SLATE=\"1x1000000\",TOLERANCE=20000,IN=12000000";
    let second = "#EXT-X-SELVEDGE-BREAK:ID=\"a-14000-si:2\",OUT=14000000,PLANNED=6000000,REVISION=1,EFFECTIVE-FROM=0,\
        SLOTS=\"3x2000000\",AFTER=RESUME,TOLERANCE=20000\n";
    let anchored = ",MSN-OUT=2,DSN-BEFORE=0,MSN-IN=6,DSN-IN=1\n";
    let inserted = first.replace(":ID", ":MODE=INSERT,ID");
    let texts = [
        format!("{log}{first}\n{second}"),
        format!("{log}{first}{anchored}{second}"),
        format!("{log}{inserted}\n{}", second.replace(":ID", ":MODE=INSERT,ID")),
    ];
    let read = |text: String| Slice::read(&text).expect("a slice").expect("a log");
    texts.map(read).into()
});

static DECISIONS: LazyLock<Vec<Arc<Decision>>> = LazyLock::new(|| {
    let media = |count: usize, micros: u32| {
        let half = micros / 2;
        let segments: Vec<String> = (0..count)
            .map(|index| format!("[{micros},\"{AD}{index}.m4s\",[[{half},10],[{half},10]]]"))
            .collect();
        format!(r#"{{"init":"{AD}i.mp4","segments":[{}]}}"#, segments.join(","))
    };
    let ad = |count: usize, micros: u32| {
        let media = media(count, micros);
        format!(r#"{{"creative":"x","duration_us":1000000,"renditions":{{"v":{media}}}}}"#)
    };
    let decision = |id: &str, ads: &[String]| {
        let (ads, slate) = (ads.join(","), ad(1, 1_000_000));
        let text = format!(r#"{{"version":1,"break":"{id}","cohort":"all","ads":[{ads}],"slate":{slate}}}"#);
        Arc::new(Decision::read(text.as_bytes()).expect("a decision"))
    };
    let (two, one, three) = (ad(2, 2_000_000), ad(1, 2_000_000), ad(3, 2_000_000));
    vec![
        decision("a-4000-si:1", &[two, one]),
        decision("a-14000-si:2", &[three]),
    ]
});

/// The lines that are URIs.
fn uris(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.split('\n').map(str::trim_ascii);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Those of the programme stand in the one as in the other, in order; some may be missing.
fn check_order(source: &str, written: &str) {
    let mut all = uris(source);
    for uri in uris(written).filter(|uri| !uri.starts_with(AD) && *uri != "gap.m4s") {
        assert!(all.any(|one| one == uri), "{uri} is out of order in {written}");
    }
}

fuzz_target!(|text: &str| {
    if text.contains(AD) {
        return;
    }
    for slice in SLICES.iter() {
        for skips in [false, true] {
            let stitching = Stitching {
                slice,
                decisions: &DECISIONS,
                rendition: "v",
                cues: Cues::Stripped,
                tells_ads: true,
                skips,
                path: None,
            };
            let once = stitch(text, &stitching, None);
            check_order(text, &once);
            assert_eq!(stitch(text, &stitching, None), once, "the same again");
            let guiding = Guiding {
                slice,
                cues: Cues::Stripped,
                restrict: &[],
                skips,
            };
            check_order(text, &guide(text, &guiding, None));
        }
    }
    let nothing = Stitching {
        slice: &Slice::default(),
        decisions: &[],
        rendition: "v",
        cues: Cues::Kept,
        tells_ads: true,
        skips: false,
        path: None,
    };
    // Numbers that stand among the segments are put where they belong.
    if !text.contains("SELVEDGE") && !text.contains("-SEQUENCE") {
        assert_eq!(
            stitch(text, &nothing, None),
            text,
            "where there is no break nothing changes"
        );
    }
});
