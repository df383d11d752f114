//! A pushed body, from its name to its segments: any bytes, in any split, make the same segments or the same refusal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use selvedge_origin::cmaf::Limits;
use selvedge_origin::ingest::path::ObjectName;
use selvedge_origin::ingest::{Body, Step, sniff};
use selvedge_origin::media::Cuts;
use selvedge_origin::time::UnixMillis;

const LIMITS: Limits = Limits {
    init: 1 << 16,
    chunk: 1 << 18,
};
const NOW: UnixMillis = UnixMillis(1_795_262_400_000);

/// What comes of it in words: init segments by their hash, segments by their place and bytes.
fn take<'a>(pieces: impl Iterator<Item = &'a [u8]>, cuts: Option<Cuts>) -> (Vec<String>, bool) {
    let mut body = Body::new(None, LIMITS, 1_000_000_000);
    body.set_cuts(cuts);
    let mut steps = Vec::new();
    let mut is_well = true;
    for piece in pieces {
        is_well = body.push(piece, NOW, &mut steps).is_ok();
        if !is_well {
            break;
        }
    }
    if is_well {
        is_well = body.finish(NOW, &mut steps).is_ok();
    } else {
        body.abandon(&mut steps);
    }
    let word = |step: &Step| match step {
        Step::Init(init) => format!("init {:x}", init.hash),
        Step::Segment(segment) => {
            assert_eq!(segment.spans.len(), segment.chunks.len());
            assert_eq!(segment.length(), segment.data().len() as u64);
            assert_eq!(segment.spans.last().map(|span| span.end()), Some(segment.end()));
            format!("{}+{} {:?}", segment.start, segment.duration, segment.data())
        }
        Step::End => "end".to_owned(),
    };
    (steps.iter().map(word).collect(), is_well)
}

fuzz_target!(|bytes: &[u8]| {
    let [size, at, bytes @ ..] = bytes else {
        return;
    };
    let _ = ObjectName::parse(&String::from_utf8_lossy(bytes));
    let _ = sniff(bytes);
    let cuts = (*at > 0).then(|| Cuts {
        at: (1..8).map(|slot| slot * u64::from(*at) * 1_000).collect(),
        is_on_air: false,
    });
    let whole = take(std::iter::once(bytes), cuts.clone());
    let split = take(bytes.chunks(usize::from(*size).max(1)), cuts);
    assert_eq!(whole, split);
});
