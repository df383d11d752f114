use selvedge_breaks::{After, Anchor, BreakId, Key, Mode, Slot, Structure};

use super::*;

const SECOND: i64 = 1_000_000;

/// Segments of 2 s; the first of all began at second 0 with number 100.
fn segments(first: i64, count: i64) -> Vec<Segment> {
    (first..first + count)
        .map(|index| Segment {
            start: UnixMicros(index * 2 * SECOND),
            duration: Micros::from_seconds(2),
            ..Segment::default()
        })
        .collect()
}

fn window(segments: &[Segment]) -> Window<'_> {
    let last = segments.last().unwrap();
    Window {
        media: MediaSequence(100).plus(segments[0].start.0 / 2 / SECOND),
        discontinuity: DiscontinuitySequence(0),
        segments,
        next: Segment {
            start: last.start.plus(last.duration),
            ..Segment::default()
        },
        extent: Extent::Slides,
    }
}

/// A break with one slot of segments of 2 s.
fn airing(out: i64, t_in: i64) -> Airing {
    let length = Micros::from_seconds(t_in - out);
    let out = UnixMicros(out * SECOND);
    Airing {
        id: BreakId::new("news", out, &Key::Insert(1)),
        mode: Mode::Replace,
        out,
        planned: length,
        t_in: Some(out.plus(length)),
        revision: 1,
        effective_from: out,
        structure: Structure {
            slots: vec![Slot::cut(length, Micros::from_seconds(2)).unwrap()],
            after: After::Wait,
            tolerance: Micros::from_millis(40),
        },
        anchor: None,
    }
}

fn slice(breaks: &[Airing]) -> Slice {
    Slice {
        before: Sums::default(),
        breaks: breaks.to_vec(),
    }
}

#[test]
fn breaks_that_meet_share_one_discontinuity() {
    let segments = segments(0, 12);
    let slice = slice(&[airing(4, 8), airing(8, 12)]);
    let spans = resolve(&slice, &window(&segments));
    let places: Vec<_> = spans.iter().map(|span| (span.out, span.back)).collect();
    assert_eq!(places, [(2, Some(4)), (4, Some(6))]);
    let first = &spans[1].places[0];
    assert_eq!(spans[1].numbers(0, first).1, DiscontinuitySequence(2));
    assert_eq!(spans[1].after, Sums { msn: 0, dsn: 3 });
}

#[test]
fn a_break_within_another_is_void() {
    let segments = segments(0, 12);
    let slice = slice(&[airing(4, 12), airing(8, 16)]);
    assert_eq!(resolve(&slice, &window(&segments)).len(), 1);
}

#[test]
fn a_break_that_began_before_the_window_has_the_numbers_it_had() {
    let whole = segments(0, 12);
    let unanchored = slice(&[airing(4, 12)]);
    let anchored = slice(&[Airing {
        anchor: Some(Anchor {
            msn_out: 102,
            dsn_before: 0,
            back: None,
        }),
        ..airing(4, 12)
    }]);
    let expected = resolve(&unanchored, &window(&whole));
    for first in 3..6 {
        let later = segments(first, 12 - first);
        for slice in [&unanchored, &anchored] {
            let spans = resolve(slice, &window(&later));
            assert_eq!(spans[0].media, expected[0].media, "from {first}");
            assert_eq!(spans[0].after, expected[0].after, "from {first}");
        }
    }
}

#[test]
fn a_break_to_come_is_seen_when_the_source_has_come_to_it() {
    let segments = segments(0, 4);
    let find = |out| resolve(&slice(&[airing(out, out + 4)]), &window(&segments)).len();
    assert_eq!(find(8), 1, "the next segment is its first");
    assert_eq!(find(10), 0);
}

#[test]
fn a_segment_is_out_when_the_source_has_come_to_its_end() {
    let segments = segments(0, 4);
    let slice = slice(&[airing(4, 8)]);
    let spans = resolve(&slice, &window(&segments));
    let media = decision::Segment {
        duration: Micros::from_seconds(2),
        uri: "a".into(),
        parts: vec![
            decision::Part {
                duration: Micros::from_millis(500),
                bytes: 10,
            };
            4
        ],
    };
    let out = |millis: i64| spans[0].out_at(&spans[0].places[0], Some(&media), UnixMicros(millis * 1000));
    assert_eq!(out(4000), Out::Parts(0));
    assert_eq!(out(4500), Out::Parts(1));
    assert_eq!(out(5400), Out::Parts(2));
    assert_eq!(out(5480), Out::Parts(3), "within the tolerance");
    assert_eq!(out(6000), Out::Whole);
}
