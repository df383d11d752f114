//! Segments on air: chunk by chunk, from one encoder or from two.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::sync::Arc;

use proptest::prelude::*;
use selvedge_origin::cmaf::{Init, Limits};
use selvedge_origin::ingest::{Body, Step};
use selvedge_origin::media::{Channel, Committed, Entry, Push, Segment, Settings, Snapshot, Verdict};
use selvedge_origin::time::UnixMillis;
use support::{AUDIO, AUDIO_SEGMENT, FIRST, NOON, Sketch, VIDEO, VIDEO_SEGMENT, chunk, init};

const SETTINGS: Settings = Settings {
    window_s: 60,
    retention_ms: 60_000,
    end_after_silence_s: 0,
    nominal: 0,
    target_duration_s: 0,
    low_latency: true,
    part_target_ms: 0,
    window_bytes: 1 << 30,
};
/// Chunks of a segment: 0.32 s each.
const CHUNKS: u64 = 6;

/// A request of an encoder, that may be cut off.
struct Request {
    body: Body,
    push: Push,
    track: &'static str,
}

struct Air {
    channel: Channel,
    now: i64,
    requests: u64,
    written: Vec<(String, String)>,
    switches: usize,
}

impl Air {
    fn new() -> Self {
        let mut air = Self {
            channel: Channel::new("demo", SETTINGS),
            now: NOON,
            requests: 0,
            written: Vec::new(),
            switches: 0,
        };
        air.init("video", "a", VIDEO);
        air.init("audio", "a", AUDIO);
        air
    }

    fn init(&mut self, track: &str, source: &str, sketch: Sketch) {
        let parsed = Arc::new(Init::parse(&init(sketch)).unwrap());
        self.channel
            .set_init(track, &source.into(), parsed, UnixMillis(self.now));
    }

    fn request(&mut self, track: &'static str, source: &str, number: u64) -> Request {
        self.requests += 1;
        let limits = Limits {
            init: 1 << 20,
            chunk: 1 << 20,
        };
        let mut body = Body::new(Some(number), limits, 2_000_000_000);
        let known = self.channel.track(track).unwrap();
        body.set_init(known.init_from(source).cloned());
        Request {
            body,
            push: Push {
                id: self.requests,
                source: source.into(),
            },
            track,
        }
    }

    fn note(&mut self, done: Committed) -> Option<Verdict> {
        self.switches += usize::from(done.switched_to.is_some());
        let objects = done.write.into_iter().map(|(track, name, _)| (track, name));
        self.written.extend(objects);
        done.verdict
    }

    fn send(&mut self, request: &mut Request, bytes: &[u8]) {
        let now = UnixMillis(self.now);
        let mut steps = Vec::new();
        request.body.push(bytes, now, &mut steps).unwrap();
        self.settle(request, steps);
        if let Some(open) = request.body.grown() {
            let so_far = open.so_far();
            let done = self.channel.advance(request.track, &request.push, &so_far, now);
            self.note(done);
        }
    }

    fn settle(&mut self, request: &Request, steps: Vec<Step>) -> Option<Verdict> {
        let mut verdict = None;
        for step in steps {
            if let Step::Segment(segment) = step {
                let now = UnixMillis(self.now);
                let done = self.channel.commit(request.track, &request.push, *segment, now);
                verdict = self.note(done);
            }
        }
        verdict
    }

    fn end(&mut self, request: Request) -> Option<Verdict> {
        let mut steps = Vec::new();
        let Request { body, push, track } = request;
        body.finish(UnixMillis(self.now), &mut steps).unwrap();
        let rest = Request {
            body: Body::new(None, Limits { init: 1, chunk: 1 }, 1),
            push,
            track,
        };
        self.settle(&rest, steps)
    }

    fn cut(&mut self, request: Request) -> Option<Verdict> {
        let mut steps = Vec::new();
        let Request { body, push, track } = request;
        body.abandon(&mut steps);
        let rest = Request {
            body: Body::new(None, Limits { init: 1, chunk: 1 }, 1),
            push,
            track,
        };
        self.settle(&rest, steps)
    }

    /// A whole segment of both tracks of one encoder.
    fn slot(&mut self, source: &str, slot: u64, offset: i64) {
        for track in ["video", "audio"] {
            let mut request = self.request(track, source, slot);
            for index in 0..CHUNKS {
                self.send(&mut request, &piece(track, slot, index, offset));
            }
            self.end(request);
        }
    }

    fn view(&self) -> Snapshot {
        self.channel.snapshot()
    }

    fn segments(&self, track: &str) -> Vec<Segment> {
        let view = self.view();
        let entries = &view.track(track).unwrap().entries;
        entries.iter().filter_map(Entry::segment).cloned().collect()
    }
}

/// Chunk `index` of a segment; `offset` segments are taken off its times, for a timeline of its own.
fn piece(track: &str, slot: u64, index: u64, offset: i64) -> Vec<u8> {
    let slot = slot.strict_sub_signed(offset);
    match track {
        "video" => chunk(
            slot * VIDEO_SEGMENT + index * VIDEO_SEGMENT / CHUNKS,
            8,
            index == 0,
        ),
        _ => chunk(slot * AUDIO_SEGMENT + index * AUDIO_SEGMENT / CHUNKS, 15, true),
    }
}

/// A channel on air since two segments.
fn on_air() -> Air {
    let mut air = Air::new();
    for slot in FIRST..FIRST + 2 {
        air.slot("a", slot, 0);
        air.now += 1_920;
    }
    assert_eq!(air.view().grid.unwrap().part_target_ms, Some(320));
    air
}

#[test]
fn a_segment_is_shown_part_by_part_under_the_number_and_name_that_it_keeps() {
    let mut air = on_air();
    let mut request = air.request("video", "a", FIRST + 2);
    let mut parts = Vec::new();
    for index in 0..CHUNKS {
        air.send(&mut request, &piece("video", FIRST + 2, index, 0));
        let view = air.view();
        let open = view.track("video").unwrap().open.clone().unwrap();
        assert_eq!(open.parts.len() as u64, index + 1);
        assert!(open.parts.starts_with(&parts), "a part once shown never changes");
        parts.clone_from(&open.parts);
        assert_eq!(open.sequence.0, FIRST + 2);
    }
    let open = air.view().track("video").unwrap().open.clone().unwrap();
    assert_eq!(air.end(request), Some(Verdict::Taken));
    let listed = air.segments("video").pop().unwrap();
    assert_eq!((listed.sequence, &listed.name), (open.sequence, &open.name));
    assert_eq!(listed.parts, open.parts);
    let stored = air.channel.track("video").unwrap().media(&listed.name).unwrap();
    assert_eq!(stored, open.chunks.concat());
    assert!(air.written.contains(&("video".to_owned(), listed.name)));
    assert!(air.view().track("video").unwrap().open.is_none());
}

#[test]
fn chunks_of_single_frames_are_merged_up_to_the_part_target() {
    let mut air = Air::new();
    let frame = VIDEO_SEGMENT / 48;
    for slot in FIRST..FIRST + 3 {
        let mut request = air.request("video", "a", slot);
        for index in 0..48 {
            air.send(
                &mut request,
                &chunk(slot * VIDEO_SEGMENT + index * frame, 1, index == 0),
            );
        }
        air.end(request);
        let mut request = air.request("audio", "a", slot);
        for index in 0..90 {
            air.send(
                &mut request,
                &chunk(slot * AUDIO_SEGMENT + index * 1_024, 1, true),
            );
        }
        air.end(request);
        air.now += 1_920;
    }
    assert_eq!(air.view().grid.unwrap().part_target_ms, Some(320));
    for track in ["video", "audio"] {
        let last = air.segments(track).pop().unwrap();
        assert_eq!(last.parts.len(), 6, "{track}");
        let sum: u64 = last.parts.iter().map(|part| part.duration).sum();
        assert_eq!(sum, last.duration);
    }
}

#[test]
fn when_the_encoder_that_leads_dies_the_other_goes_on_where_it_stopped() {
    let mut air = on_air();
    air.init("video", "b", VIDEO);
    let mut a = air.request("video", "a", FIRST + 2);
    let mut b = air.request("video", "b", FIRST + 2);
    for index in 0..2 {
        air.send(&mut a, &piece("video", FIRST + 2, index, 0));
        air.send(&mut b, &piece("video", FIRST + 2, index, 0));
    }
    assert_eq!(air.cut(a), Some(Verdict::Held));
    for index in 2..CHUNKS {
        air.send(&mut b, &piece("video", FIRST + 2, index, 0));
        let open = air.view().track("video").unwrap().open.clone().unwrap();
        assert_eq!(open.parts.len() as u64, index + 1);
    }
    assert_eq!(air.end(b), Some(Verdict::Taken));
    air.now += 1_920;
    let mut b = air.request("video", "b", FIRST + 3);
    (0..CHUNKS).for_each(|index| air.send(&mut b, &piece("video", FIRST + 3, index, 0)));
    air.end(b);

    let segments = air.segments("video");
    assert_eq!(segments.len(), 4);
    assert!(
        segments
            .iter()
            .all(|segment| segment.parts.len() == 6 && segment.epoch == 0)
    );
    let numbers: Vec<u64> = segments.iter().map(|segment| segment.sequence.0).collect();
    assert_eq!(numbers, [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]);
    let counts = air.view().track("video").unwrap().counts;
    assert_eq!((counts.gaps, counts.switches), (0, 1));
}

#[test]
fn the_others_finished_copy_completes_a_segment_that_broke_off() {
    let mut air = on_air();
    let mut a = air.request("video", "a", FIRST + 2);
    let mut b = air.request("video", "b", FIRST + 2);
    for index in 0..CHUNKS {
        if index < 5 {
            air.send(&mut a, &piece("video", FIRST + 2, index, 0));
        }
        air.send(&mut b, &piece("video", FIRST + 2, index, 0));
    }
    assert_eq!(air.end(b), Some(Verdict::Duplicate));
    air.cut(a);
    let last = air.segments("video").pop().unwrap();
    assert_eq!((last.sequence.0, last.parts.len()), (FIRST + 2, 6));
}

#[test]
fn a_second_encoder_with_a_clock_of_its_own_waits_until_the_first_falls_silent() {
    let mut air = on_air();
    let offset = 500_000;
    // Its chunks carry no clock, so it is on its own timeline for as long as it lives.
    for slot in FIRST + 2..FIRST + 4 {
        air.slot("b", slot, offset);
        air.slot("a", slot, 0);
        air.now += 1_920;
    }
    assert!(air.segments("video").iter().all(|segment| segment.epoch == 0));
    // `a` is dead from here on.
    for slot in FIRST + 4..FIRST + 8 {
        air.slot("b", slot, offset);
        air.now += 1_920;
    }
    for track in ["video", "audio"] {
        let segments = air.segments(track);
        let epochs: Vec<u32> = segments.iter().map(|segment| segment.epoch).collect();
        assert!(epochs.is_sorted(), "{track}: {epochs:?}");
        assert_eq!(epochs.last(), Some(&1), "{track}: one discontinuity");
        let numbers: Vec<u64> = segments.iter().map(|segment| segment.sequence.0).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{track}: {numbers:?}");
    }
    let first_of = |track| {
        let segments = air.segments(track);
        segments
            .iter()
            .find(|segment| segment.epoch == 1)
            .unwrap()
            .sequence
    };
    assert_eq!(first_of("video"), first_of("audio"), "on one number");
}

#[test]
fn a_segment_of_the_same_ticks_at_another_time_is_another_segment() {
    let mut air = Air::new();
    // Both count from zero, `b` since one second later; each says when that was.
    let clocked = |slot: u64, index: u64, began: i64| {
        let ticks = slot * VIDEO_SEGMENT + index * VIDEO_SEGMENT / CHUNKS;
        let at = began + (ticks / 90) as i64;
        [support::prft(at, ticks), piece("video", slot, index, 0)].concat()
    };
    let began = NOON;
    for slot in 0..3 {
        let mut request = air.request("video", "a", slot);
        (0..CHUNKS).for_each(|index| air.send(&mut request, &clocked(slot, index, began)));
        air.end(request);
        air.now += 1_920;
    }
    air.channel.end(Some("audio"), UnixMillis(air.now));
    air.init("video", "b", VIDEO);
    let (mut a, mut b) = (air.request("video", "a", 3), air.request("video", "b", 3));
    (0..4).for_each(|index| air.send(&mut a, &clocked(3, index, began)));
    air.cut(a);
    (0..CHUNKS).for_each(|index| air.send(&mut b, &clocked(3, index, began + 1_000)));
    let open = air.view().track("video").unwrap().open.clone().unwrap();
    assert_eq!(open.parts.len(), 4, "none of the other's frames is among them");
}

#[test]
fn a_codec_that_changes_between_two_segments_is_a_discontinuity_at_once() {
    let mut air = on_air();
    air.init("video", "a", Sketch { width: 1280, ..VIDEO });
    let mut request = air.request("video", "a", FIRST + 2);
    air.send(&mut request, &piece("video", FIRST + 2, 0, 0));
    let view = air.view();
    let open = view.track("video").unwrap().open.clone().unwrap();
    assert_eq!((open.epoch, open.sequence.0), (1, FIRST + 2));
}

/// Slot `slot` of video, whole, with the brand that says that it is the last.
fn last_words(slot: u64) -> Vec<u8> {
    let pieces: Vec<u8> = (0..CHUNKS)
        .flat_map(|index| piece("video", slot, index, 0))
        .collect();
    [support::styp(true), pieces].concat()
}

#[test]
fn an_encoder_that_says_goodbye_ends_nothing_while_the_other_goes_on() {
    for names in [["a", "b"], ["a", "a"]] {
        let mut air = on_air();
        air.channel.end(Some("audio"), UnixMillis(air.now));
        let slot = FIRST + 2;
        let (mut a, mut b) = (
            air.request("video", names[0], slot),
            air.request("video", names[1], slot),
        );
        air.send(&mut a, &last_words(slot));
        air.send(&mut b, &piece("video", slot, 0, 0));
        air.end(a);
        assert!(!air.view().ended, "{names:?}: the other goes on");
        (1..CHUNKS).for_each(|index| air.send(&mut b, &piece("video", slot, index, 0)));
        air.end(b);
        air.now += 1_920;
        let mut b = air.request("video", names[1], slot + 1);
        air.send(&mut b, &last_words(slot + 1));
        air.end(b);
        assert!(air.view().ended, "{names:?}: both have gone");
        assert_eq!(air.segments("video").len(), 4);
    }
}

#[test]
fn an_encoder_whose_requests_overlap_is_one_encoder() {
    let mut air = on_air();
    air.channel.end(Some("audio"), UnixMillis(air.now));
    let slot = FIRST + 2;
    let mut request = air.request("video", "a", slot);
    (0..CHUNKS).for_each(|index| air.send(&mut request, &piece("video", slot, index, 0)));
    // The next segment is on its way before the end of this one's body is.
    let mut next = air.request("video", "a", slot + 1);
    air.send(&mut next, &last_words(slot + 1));
    air.end(request);
    air.end(next);
    assert!(air.view().ended);
    assert_eq!(air.segments("video").len(), 4);
}

#[test]
fn two_encoders_that_say_goodbye_in_one_segment_end_the_channel() {
    let mut air = on_air();
    air.channel.end(Some("audio"), UnixMillis(air.now));
    let slot = FIRST + 2;
    let (mut a, mut b) = (air.request("video", "a", slot), air.request("video", "a", slot));
    air.send(&mut a, &last_words(slot));
    air.send(&mut b, &last_words(slot));
    air.end(b);
    assert!(!air.view().ended);
    air.end(a);
    assert!(air.view().ended);
}

#[test]
fn a_segment_that_nobody_goes_on_with_is_listed_as_far_as_it_came() {
    let mut air = on_air();
    let mut a = air.request("video", "a", FIRST + 2);
    (0..3).for_each(|index| air.send(&mut a, &piece("video", FIRST + 2, index, 0)));
    air.cut(a);
    air.now += 1_000;
    air.channel.sweep(UnixMillis(air.now));
    assert!(
        air.view().track("video").unwrap().open.is_some(),
        "it may still be sent again"
    );
    air.now += 3_000;
    let swept = air.channel.sweep(UnixMillis(air.now));
    assert_eq!(swept.write.len(), 1);
    let last = air.segments("video").pop().unwrap();
    assert_eq!((last.sequence.0, last.parts.len()), (FIRST + 2, 3));
}

#[test]
fn an_encoder_that_lost_its_input_does_not_lead_for_coming_first() {
    let mut air = on_air();
    air.init("video", "b", VIDEO);
    for slot in FIRST + 2..FIRST + 5 {
        let (mut a, mut b) = (air.request("video", "a", slot), air.request("video", "b", slot));
        for index in 0..CHUNKS {
            let styp = match index {
                0 => support::boxed(b"styp", &[b"cmfs\0\0\0\0slat"]),
                _ => Vec::new(),
            };
            air.send(&mut a, &[styp, piece("video", slot, index, 0)].concat());
            air.send(&mut b, &piece("video", slot, index, 0));
        }
        air.end(a);
        air.end(b);
        air.now += 1_920;
    }
    let sources = air.view().track("video").unwrap().sources.clone();
    let leads: Vec<&str> = sources.iter().filter(|s| s.leads).map(|s| &*s.name).collect();
    assert_eq!(leads, ["b"]);
    assert_eq!(air.segments("video").len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whoever is early or late, and wherever one of the two dies, each chunk is on air once and in order.
    #[test]
    fn two_encoders_make_one_timeline(
        order in prop::collection::vec(any::<bool>(), 60),
        dies in 0_u64..30,
        first_dies in any::<bool>(),
    ) {
        let mut air = on_air();
        let mut sent = [0_u64; 2];
        let mut open: [Option<Request>; 2] = [None, None];
        let mut alive = [true; 2];
        let victim = usize::from(!first_dies);
        for who in order.into_iter().map(usize::from).chain([0, 1].into_iter().cycle().take(80)) {
            let name = ["a", "b"][who];
            // Encoders of one clock are never more than a segment apart.
            if !alive[who] || sent[who] >= 30 || sent[who] >= sent[1 - who] + CHUNKS && alive[1 - who] {
                continue;
            }
            let (slot, index) = (FIRST + 2 + sent[who] / CHUNKS, sent[who] % CHUNKS);
            let mut request = match open[who].take() {
                Some(request) => request,
                None => air.request("video", name, slot),
            };
            air.send(&mut request, &piece("video", slot, index, 0));
            air.now += 50;
            sent[who] += 1;
            if who == victim && sent[who] == dies {
                alive[who] = false;
                air.cut(request);
            } else if index + 1 == CHUNKS {
                air.end(request);
            } else {
                open[who] = Some(request);
            }
        }
        let segments = air.segments("video");
        prop_assert_eq!(segments.len(), 7);
        let mut expected = FIRST * VIDEO_SEGMENT;
        for segment in &segments {
            prop_assert_eq!(segment.start, expected);
            prop_assert_eq!(segment.parts.len() as u64, CHUNKS);
            let media = air.channel.track("video").unwrap().media(&segment.name).unwrap();
            prop_assert_eq!(media.len() as u64, segment.length);
            expected += segment.duration;
        }
        prop_assert_eq!(air.view().track("video").unwrap().counts.gaps, 0);
    }
}
