//! The box reader against any split, any cut and any flip.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use proptest::prelude::*;
use selvedge_origin::cmaf::{
    Chunk, Demuxer, Event, EventStart, Init, Kind, Lane, Limits, Reader, Samples, track_events,
};
use support::*;

const LIMITS: Limits = Limits {
    init: 4096,
    chunk: 65_536,
};

/// What a fuzzer would call: reads bytes in the given pieces, and never panics.
fn read(pieces: &[&[u8]]) -> Result<Vec<Event>, String> {
    let mut reader = Reader::new(LIMITS);
    let mut events = Vec::new();
    for piece in pieces {
        let pushed = reader.push(piece);
        events.extend(std::iter::from_fn(|| reader.next_event()));
        pushed.map_err(|error| error.to_string())?;
        assert!(
            reader.held() as u64 <= LIMITS.chunk + piece.len() as u64,
            "held bytes are bounded"
        );
    }
    reader.finish().map_err(|error| error.to_string())?;
    events.extend(std::iter::from_fn(|| reader.next_event()));
    Ok(events)
}

fn whole() -> Vec<u8> {
    let timed = [prft(NOON, 0), chunk(0, 8, true)].concat();
    [
        init(VIDEO),
        styp(false),
        timed,
        chunk(28_800, 8, false),
        styp(true),
        chunk(57_600, 3, true),
    ]
    .concat()
}

fn chunks(events: &[Event]) -> Vec<&Chunk> {
    let only = events.iter().filter_map(|event| match event {
        Event::Chunk(chunk) => Some(&**chunk),
        _ => None,
    });
    only.collect()
}

#[test]
fn chunks_are_read_with_their_times_and_marks() {
    let bytes = whole();
    let events = read(&[&bytes]).unwrap();
    let found = chunks(&events);
    assert_eq!(found.len(), 3);
    let prft = found[0].prft.unwrap();
    assert_eq!((prft.unix_nanos / 1_000_000 - NOON).abs(), 0);
    assert_eq!((found[0].styp, found[1].styp, found[2].styp), (true, false, true));
    assert_eq!((found[0].last, found[2].last), (false, true));
    let times: Vec<_> = found
        .iter()
        .map(|c| (c.fragment.decode_time, c.fragment.duration(3_600)))
        .collect();
    assert_eq!(times, [(0, 28_800), (28_800, 28_800), (57_600, 10_800)]);
    assert_eq!(
        found
            .iter()
            .map(|c| c.fragment.starts_with_sync(0))
            .collect::<Vec<_>>(),
        [true, false, true]
    );
    // Nothing is lost or added: the pieces are the body.
    let Event::Init(init) = &events[0] else {
        panic!("no init segment")
    };
    let mut joined = init.bytes.to_vec();
    found
        .iter()
        .for_each(|chunk| joined.extend_from_slice(&chunk.bytes));
    assert_eq!(joined, bytes);
}

#[test]
fn an_init_segment_tells_kind_codec_size_and_language() {
    let video = Init::parse(&init(VIDEO)).unwrap();
    assert_eq!(
        (video.kind, video.codec.as_str(), video.timescale),
        (Kind::Video, "avc1.64001F", 90_000)
    );
    assert_eq!(
        (video.width, video.height, video.default_duration),
        (640, 360, 3_600)
    );
    let audio = Init::parse(&init(Sketch {
        edit: Some(1024),
        ..AUDIO
    }))
    .unwrap();
    assert_eq!(
        (audio.kind, audio.codec.as_str(), audio.channels),
        (Kind::Audio, "mp4a.40.2", 2)
    );
    assert_eq!(
        (audio.edit.media_time, audio.sample_rate, audio.language),
        (1024, 48_000, None)
    );
}

#[test]
fn the_creation_time_does_not_make_another_init_segment() {
    let hash = |sketch| Init::parse(&init(sketch)).unwrap().hash;
    assert_eq!(hash(VIDEO), hash(Sketch { created: 77, ..VIDEO }));
    assert_ne!(hash(VIDEO), hash(Sketch { width: 848, ..VIDEO }));
}

#[test]
fn two_tracks_in_one_object_are_refused_by_name() {
    let error = Init::parse(&init_of(VIDEO, 2)).unwrap_err().to_string();
    assert!(
        error.starts_with("box 'moov' at byte 24: 2 tracks in one object"),
        "{error}"
    );
}

#[test]
fn every_truncation_is_an_error_that_says_where() {
    let bytes = whole();
    let boundaries: Vec<usize> = {
        // Between top-level boxes the body is a shorter body, not a truncated one.
        let mut at = 0;
        let mut ends = vec![0];
        while let Some(size) = bytes.get(at..at + 4) {
            at += u32::from_be_bytes(size.try_into().unwrap()) as usize;
            ends.push(at);
        }
        ends
    };
    for cut in 0..bytes.len() {
        match read(&[&bytes[..cut]]) {
            Ok(_) => assert!(boundaries.contains(&cut), "cut at {cut} passed"),
            Err(error) => assert!(error.contains(" at byte "), "{error}"),
        }
    }
}

#[test]
fn no_flipped_bit_makes_the_reader_panic() {
    let bytes = whole();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let _ = read(&[&flipped]);
            let _ = Init::parse(&flipped);
        }
    }
}

#[test]
fn a_box_that_claims_too_much_is_refused_before_it_comes() {
    let huge = [&[0xff, 0xff, 0xff, 0xf0], b"mdat".as_slice()].concat();
    let error = read(&[&huge]).unwrap_err();
    assert_eq!(
        error,
        "box 'mdat' at byte 0: 4294967280 bytes exceed the limit of 65536"
    );
    let largest = [&[0, 0, 0, 1], b"free".as_slice(), &[0xff; 8]].concat();
    assert!(read(&[&largest]).unwrap_err().contains("exceed the limit"));
    let moov = [&[0, 1, 0, 0], b"moov".as_slice()].concat();
    assert!(read(&[&moov]).unwrap_err().contains("limit of 4096"));
}

#[test]
fn media_without_a_header_and_a_header_without_media_are_told_apart() {
    let mdat = boxed(b"mdat", &[&[0; 4]]);
    assert_eq!(
        read(&[&mdat]).unwrap_err(),
        "box 'mdat' at byte 0: no 'moof' stands before it"
    );
    let moof_only = &chunk(0, 1, true)[..100 - 18 + 2];
    assert!(read(&[moof_only]).is_err());
    assert_eq!(read(&[&boxed(b"mfra", &[])]).unwrap(), [Event::End]);
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_events(cuts in prop::collection::vec(0_usize..2_000, 0..40)) {
        let bytes = whole();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        prop_assert_eq!(read(&pieces).unwrap(), read(&[&bytes]).unwrap());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..1_200) {
        let _ = read(&[&bytes]);
        let _ = Init::parse(&bytes);
        let mut mixed = whole();
        let at = at.min(mixed.len());
        mixed.splice(at..at, bytes);
        let _ = read(&[&mixed]);
    }
}

#[test]
fn one_byte_at_a_time_is_as_good_as_all_at_once() {
    let bytes = whole();
    let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&pieces).unwrap(), read(&[&bytes]).unwrap());
}

/// The reader's chunks of whole bytes.
fn chunks_of(bytes: &[u8]) -> Vec<Chunk> {
    let events = read(&[bytes]).unwrap();
    chunks(&events).into_iter().cloned().collect()
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

#[test]
fn event_messages_before_a_chunk_are_read_in_both_versions() {
    let head = |version: u8| vec![version, 0, 0, 0];
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|word| word.to_be_bytes())
            .collect::<Vec<u8>>()
    };
    let old = boxed(
        b"emsg",
        &[
            &head(0),
            &text("urn:a"),
            &text("1"),
            &words(&[1_000, 500, 2_000, 7]),
            b"data",
        ],
    );
    let new = boxed(
        b"emsg",
        &[
            &head(1),
            &words(&[90_000]),
            &180_000_u64.to_be_bytes(),
            &words(&[u32::MAX, 8]),
            &text("urn:b"),
            &text(""),
            b"more",
        ],
    );
    let broken = boxed(b"emsg", &[&head(0), b"no end"]);
    let found = chunks_of(
        &[
            styp(false),
            old,
            broken,
            new,
            chunk(90_000, 8, true),
            chunk(118_800, 8, false),
        ]
        .concat(),
    );
    let [first, second] = found[0].events.as_slice() else {
        panic!("{:?}", found[0].events);
    };
    assert_eq!(
        (first.scheme.as_str(), first.value.as_str(), first.id),
        ("urn:a", "1", 7)
    );
    assert_eq!(
        (first.start, first.duration),
        (EventStart::After(500), Some(2_000))
    );
    assert_eq!(first.starts_at(1_000_000_000), 1_500_000_000);
    assert_eq!(first.lasts(), Some(2_000_000_000));
    assert_eq!(&first.data[..], b"data");
    assert_eq!(
        (second.scheme.as_str(), second.start),
        ("urn:b", EventStart::At(180_000))
    );
    assert_eq!((second.starts_at(0), second.duration), (2_000_000_000, None));
    assert!(
        found[1].events.is_empty(),
        "they belong to the chunk that they stand before"
    );
}

#[test]
fn the_samples_of_an_event_track_hold_messages() {
    let message = boxed(
        b"emib",
        &[
            &[0; 8],
            &(-90_i64).to_be_bytes(),
            &2_700_000_u32.to_be_bytes(),
            &9_u32.to_be_bytes(),
            &text("urn:scte:scte35:2013:bin"),
            &text("1"),
            b"\xfc",
        ],
    );
    let none = boxed(b"emeb", &[]);
    let samples = [(3_600, none.as_slice()), (7_200, &message), (1, b"")];
    let described = Init::parse(&event_init(b"evte", &[])).unwrap();
    let found = chunks_of(&sized_chunk(1, 90_000, &samples));
    let [event] = &track_events(&found[0], &described)[..] else {
        panic!("one message");
    };
    assert_eq!(
        (event.scheme.as_str(), event.id, &event.data[..]),
        ("urn:scte:scte35:2013:bin", 9, &b"\xfc"[..])
    );
    assert_eq!(
        (event.start, event.duration),
        (EventStart::At(93_600 - 90), Some(2_700_000))
    );

    let uri = boxed(b"uri ", &[&[0; 4], &text("urn:scte:scte35:2013:bin")]);
    let described = Init::parse(&event_init(b"urim", &uri)).unwrap();
    let found = chunks_of(&sized_chunk(1, 0, &[(10, b"\xfc\x30"), (20, b"")]));
    let [event] = &track_events(&found[0], &described)[..] else {
        panic!("one message, and an empty sample");
    };
    assert_eq!(
        (event.scheme.as_str(), event.start),
        ("urn:scte:scte35:2013:bin", EventStart::At(0))
    );
    let video = Init::parse(&init(VIDEO)).unwrap();
    assert!(track_events(&found[0], &video).is_empty());
}

#[test]
fn the_first_samples_place_is_known() {
    let found = chunks_of(
        &[
            styp(false),
            sized_chunk(1, 0, &[(10, b"key frame"), (10, b"rest")]),
        ]
        .concat(),
    );
    let end = found[0].first_sample_end(0).unwrap();
    assert!(found[0].bytes[..end].ends_with(b"key frame"));
    assert!(found[0].bytes[found[0].data_at..].starts_with(b"key frame"));
    // Named by `tfhd`, and by nothing.
    let found = chunks_of(&chunk(0, 4, true));
    assert_eq!(
        found[0].first_sample_end(0),
        None,
        "its offset of 0 is no place for media"
    );
}

#[test]
fn a_time_of_32_bits_that_came_round_is_written_with_64() {
    let mut narrow = sized_chunk(1, 5, &[(3_600, b"one"), (3_600, b"two")]);
    let at = narrow.windows(4).position(|name| name == b"tfdt").unwrap();
    // Version 0, and four bytes fewer in it and in what holds it.
    narrow[at + 4] = 0;
    narrow.drain(at + 8..at + 12);
    for name in [b"moof", b"traf", b"tfdt"] {
        let at = narrow.windows(4).position(|found| found == name).unwrap() - 4;
        let size = u32::from_be_bytes(narrow[at..at + 4].try_into().unwrap()) - 4;
        narrow[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }
    let at = narrow.windows(4).position(|name| name == b"trun").unwrap() + 12;
    let offset = u32::from_be_bytes(narrow[at..at + 4].try_into().unwrap()) - 4;
    narrow[at..at + 4].copy_from_slice(&offset.to_be_bytes());

    let mut found = chunks_of(&[styp(false), narrow.clone()].concat()).remove(0);
    assert!(found.fragment.narrow && found.fragment.decode_time == 5);
    let before = found.bytes.clone();
    found.set_time(5).unwrap();
    assert_eq!(found.bytes, before, "what fits stays as it came");
    let time = (3 << 32) + 5;
    found.set_time(time).unwrap();
    assert_eq!(found.bytes.len(), before.len() + 4);
    let again = chunks_of(&found.bytes).remove(0);
    assert!(!again.fragment.narrow && again.fragment.decode_time == time);
    assert_eq!(
        (again.data_at, again.first_sample_end(0)),
        (found.data_at, found.first_sample_end(0))
    );
    assert!(again.bytes[..again.first_sample_end(0).unwrap()].ends_with(b"one"));
    let init = Init::parse(&init(VIDEO)).unwrap();
    let samples: Vec<_> = Samples::of(&again, &init)
        .map(|sample| again.bytes[sample.bytes].to_vec())
        .collect();
    assert_eq!(samples, [b"one", b"two"]);
}

/// A muxed object's pieces, by lane, joined.
fn demux(pieces: &[&[u8]]) -> (Vec<Lane>, Vec<Vec<u8>>) {
    let mut demuxer = Demuxer::new(LIMITS, Vec::new());
    let mut out = Vec::new();
    for piece in pieces {
        demuxer.push(piece, &mut out).unwrap();
    }
    demuxer.finish().unwrap();
    let lanes = demuxer.lanes().to_vec();
    let mut bodies = vec![Vec::new(); lanes.len()];
    for (lane, bytes) in out {
        bodies[lane].extend_from_slice(&bytes);
    }
    (lanes, bodies)
}

fn muxed() -> Vec<u8> {
    [
        muxed_init(&[VIDEO, AUDIO]),
        styp(false),
        boxed(b"sidx", &[&[0; 32]]),
        muxed_chunk(&[
            (1, 90_000, &[b"v-one", b"v-2"]),
            (2, 48_000, &[b"a1", b"a2", b"a3"]),
        ]),
        muxed_chunk(&[(2, 51_072, &[b"a4"]), (1, 97_200, &[b"v-three"])]),
    ]
    .concat()
}

#[test]
fn a_muxed_object_is_taken_apart_and_reads_as_tracks_of_their_own() {
    let bytes = muxed();
    assert!(read(&[&bytes]).unwrap_err().contains("2 tracks"));
    let (lanes, bodies) = demux(&[&bytes]);
    let names: Vec<_> = lanes
        .iter()
        .map(|lane| (lane.suffix.as_str(), lane.track_id))
        .collect();
    assert_eq!(names, [("v", 1), ("a", 2)]);
    type Media<'m> = &'m [(u64, &'m [&'m [u8]])];
    let expected: [(Kind, Media<'_>); 2] = [
        (
            Kind::Video,
            &[(90_000, &[b"v-one", b"v-2"]), (97_200, &[b"v-three"])],
        ),
        (
            Kind::Audio,
            &[(48_000, &[b"a1", b"a2", b"a3"]), (51_072, &[b"a4"])],
        ),
    ];
    for (body, (kind, media)) in bodies.iter().zip(expected) {
        let events = read(&[body]).unwrap();
        let Event::Init(init) = &events[0] else {
            panic!("an init segment first");
        };
        assert_eq!(init.kind, kind);
        let found = chunks(&events);
        assert_eq!(found.len(), media.len());
        assert!(found[0].styp);
        for (found, (time, samples)) in found.into_iter().zip(media) {
            assert_eq!(found.fragment.decode_time, *time);
            let have: Vec<_> = Samples::of(found, init)
                .map(|s| found.bytes[s.bytes].to_vec())
                .collect();
            assert_eq!(have, *samples);
        }
    }
}

#[test]
fn a_muxed_object_comes_apart_in_any_split_and_no_flip_is_a_panic() {
    let bytes = muxed();
    let whole = demux(&[&bytes]);
    for size in [1, 3, 64] {
        assert_eq!(
            demux(&bytes.chunks(size).collect::<Vec<_>>()),
            whole,
            "in pieces of {size}"
        );
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let mut demuxer = Demuxer::new(LIMITS, Vec::new());
            let _ = demuxer.push(&flipped, &mut Vec::new());
        }
    }
}

#[test]
fn media_of_a_muxed_object_finds_its_tracks_without_the_header() {
    let bytes = muxed();
    let header = muxed_init(&[VIDEO, AUDIO]);
    let (lanes, bodies) = demux(&[&bytes]);
    let (_, headers) = demux(&[&header]);
    let mut demuxer = Demuxer::new(LIMITS, lanes);
    let mut out = Vec::new();
    demuxer.push(&bytes[header.len()..], &mut out).unwrap();
    for (lane, body) in bodies.iter().enumerate() {
        let media: Vec<u8> = out
            .iter()
            .filter(|(of, _)| *of == lane)
            .flat_map(|(_, b)| b.to_vec())
            .collect();
        assert_eq!([headers[lane].as_slice(), &media].concat(), *body);
    }
}

#[test]
fn roles_of_a_track_are_read_from_its_kind_boxes() {
    let kind = |scheme: &str, value: &str| boxed(b"kind", &[&[0; 4], &text(scheme), &text(value)]);
    let udta = boxed(
        b"udta",
        &[
            &kind("urn:mpeg:dash:role:2011", "main"),
            &kind("urn:x", ""),
            &boxed(b"kind", &[&[0; 4], b"open"]),
        ],
    );
    let init = Init::parse(&with_udta(AUDIO, &udta)).unwrap();
    let roles: Vec<_> = init
        .roles
        .iter()
        .map(|role| (role.scheme.as_str(), role.value.as_str()))
        .collect();
    assert_eq!(roles, [("urn:mpeg:dash:role:2011", "main"), ("urn:x", "")]);
}
