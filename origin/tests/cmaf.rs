//! The box reader against any split, any cut and any flip.

mod support;

use proptest::prelude::*;
use selvedge_origin::cmaf::{Chunk, Event, Init, Kind, Limits, Reader};
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
        Event::Chunk(chunk) => Some(chunk),
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
