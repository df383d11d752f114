use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn at(position: i64) -> Position {
    Position::new(position).unwrap()
}

fn refusal(bytes: &[u8]) -> &'static str {
    match Sidecar::of_cbor(bytes) {
        Err(PaceError::Cbor { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_egress_header_has_the_bytes_of_the_standard() {
    for (position, cbor, text) in [
        (33, "a2 01 01 02 81 a1 06 18 21", "ogEBAoGhBhgh"),
        (-1, "a2 01 01 02 81 a1 06 20", "ogEBAoGhBiA"),
    ] {
        let sidecar = Sidecar::Discrete(vec![Discrete::at(at(position))]);
        assert_eq!(sidecar.to_cbor(), hex(cbor));
        assert_eq!(Sidecar::of_cbor(&hex(cbor)), Ok(sidecar));
        assert_eq!(egress_header(at(position)), text);
        assert_eq!(position_of_egress(text), Ok(at(position)));
    }
}

#[test]
fn an_egress_header_is_of_exactly_one_segment() {
    let two = Sidecar::Discrete(vec![Discrete::at(at(1)), Discrete::at(at(2))]);
    let ranges = Sidecar::Ranges(ByteRanges::new(9, vec![(0, at(1))]).unwrap());
    for (sidecar, what) in [
        (two, "WMPaceInfoEgress: not of exactly one segment"),
        (
            ranges,
            "WMPaceInfoEgress: of byte ranges, where one segment is due",
        ),
    ] {
        let text = Base64UrlUnpadded::encode_string(&sidecar.to_cbor());
        assert_eq!(position_of_egress(&text).unwrap_err().to_string(), what);
    }
    assert!(position_of_egress("og=EB").is_err());
    assert!(position_of_egress(&"o".repeat(MAX_HEADER + 1)).is_err());
    assert_eq!(
        position_of_egress("ogEBAoGhBiA="),
        Ok(Position::UNMARKED),
        "padding is tolerated"
    );
}

#[test]
fn a_sidecar_of_byte_ranges_is_read_in_either_order_of_keys() {
    let ranges = ByteRanges::new(3_490_692, vec![(0, at(-1)), (1118, at(0)), (1_701_212, at(1))]).unwrap();
    let written = hex(
        "a3 01 01 02 83 a2 04 00 06 20 a2 04 19 04 5e 06 00 a2 04 1a 00 19 f5 5c 06 01 03 1a 00 35 43 84",
    );
    assert_eq!(Sidecar::Ranges(ranges.clone()).to_cbor(), written);
    let other = hex(
        "a3 01 01 03 1a 00 35 43 84 02 83 a2 04 00 06 20 a2 04 19 04 5e 06 00 a2 04 1a 00 19 f5 5c 06 01",
    );
    for bytes in [written, other] {
        assert_eq!(Sidecar::of_cbor(&bytes), Ok(Sidecar::Ranges(ranges.clone())));
    }
}

#[test]
fn a_byte_range_has_a_position_where_it_lies_within_one_segment() {
    let ranges = ByteRanges::new(100, vec![(0, at(-1)), (10, at(0)), (40, at(1)), (70, at(1))]).unwrap();
    for (range, due) in [
        (0..=9, Some(-1)),
        (10..=39, Some(0)),
        (20..=21, Some(0)),
        (40..=99, Some(1)),
        (69..=70, Some(1)),
        (9..=10, None),
        (39..=40, None),
        (0..=99, None),
        (99..=100, None),
    ] {
        let straddles = Straddles {
            first: *range.start(),
            last: *range.end(),
        };
        assert_eq!(
            ranges.position_of(&range),
            due.map(at).ok_or(straddles),
            "{range:?}"
        );
    }
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is asked for")]
    let nothing = 12..=11;
    assert!(ranges.position_of(&nothing).is_err());
}

#[test]
fn what_the_encoder_says_of_names_and_parts_is_kept() {
    let sidecar = Sidecar::Discrete(vec![Discrete {
        names: Some("^v_[0-9]+[.]m4s$".into()),
        position: at(7),
        first_part: Some(true),
        last_part: Some(false),
    }]);
    assert_eq!(Sidecar::of_cbor(&sidecar.to_cbor()), Ok(sidecar));
}

#[test]
fn what_is_wrong_is_said() {
    for (cbor, what) in [
        ("a1 02 81 a1 06 00", "only version 1 is known"),
        ("a2 01 02 02 81 a1 06 00", "only version 1 is known"),
        ("a1 01 01", "no list of segments"),
        ("a2 01 01 02 80", "expected a list of 1 to 16384 segments"),
        (
            "a2 01 01 02 9f a1 06 00 ff",
            "expected a list of 1 to 16384 segments",
        ),
        ("a2 01 01 02 81 a0", "a segment without a position"),
        ("a2 01 01 02 81 a1 06 21", "expected a position, -1 to 32766"),
        (
            "a2 01 01 02 81 a1 06 19 7f ff",
            "expected a position, -1 to 32766",
        ),
        ("a2 01 01 02 81 a2 06 00 06 00", "a key stands twice"),
        ("a3 01 01 01 01 02 81 a1 06 00", "a key stands twice"),
        ("a2 01 01 02 81 a1 06 00 00", "bytes behind the sidecar"),
        ("a2 01 01 02 81 a2 06 00 07 01", "expected true or false"),
        (
            "a2 01 01 02 81 a2 04 00 06 00",
            "a byte where a segment begins, and no size of the file",
        ),
        (
            "a3 01 01 02 81 a1 06 00 03 09",
            "a segment without the byte where it begins",
        ),
        (
            "a3 01 01 02 81 a2 04 01 06 00 03 09",
            "segments that do not follow each other from byte 0 within the file",
        ),
        (
            "a3 01 01 02 81 a1 06 00 18 63 80",
            "an unknown key with a value of many items",
        ),
        ("80", "expected a map of at most 16 entries"),
        ("", "cut short, or no head of an item"),
    ] {
        assert_eq!(refusal(&hex(cbor)), what, "{cbor}");
    }
}

#[test]
fn a_key_of_a_later_version_is_passed_over() {
    let sidecar = Sidecar::of_cbor(&hex("a3 01 01 18 63 61 78 02 81 a2 06 05 18 64 f4"));
    assert_eq!(sidecar, Ok(Sidecar::Discrete(vec![Discrete::at(at(5))])));
}

fn any_sidecar() -> impl Strategy<Value = Sidecar> {
    let position = (-1_i64..=32_766).prop_map(at);
    let flag = proptest::option::of(any::<bool>());
    let discrete = (
        proptest::option::of(".{0,20}"),
        position.clone(),
        flag.clone(),
        flag,
    )
        .prop_map(|(names, position, first_part, last_part)| Discrete {
            names,
            position,
            first_part,
            last_part,
        });
    let ranges = proptest::collection::vec((1_u64..1 << 40, position), 1..20).prop_map(|steps| {
        let mut start = 0;
        let mut starts = Vec::new();
        for (step, position) in steps {
            starts.push((start, position));
            start += step;
        }
        Sidecar::Ranges(ByteRanges::new(start, starts).unwrap())
    });
    prop_oneof![
        proptest::collection::vec(discrete, 1..20).prop_map(Sidecar::Discrete),
        ranges
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_and_by_others(sidecar in any_sidecar()) {
        let bytes = sidecar.to_cbor();
        prop_assert_eq!(Sidecar::of_cbor(&bytes), Ok(sidecar));
        let theirs: ciborium::Value = ciborium::from_reader(bytes.as_slice()).unwrap();
        let mut again = Vec::new();
        ciborium::into_writer(&theirs, &mut again).unwrap();
        prop_assert_eq!(again, bytes, "the shortest form of everything");
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), sidecar in any_sidecar(), cut in any::<usize>()) {
        let _ = Sidecar::of_cbor(&bytes);
        let whole = sidecar.to_cbor();
        prop_assert!(Sidecar::of_cbor(&whole[..cut % whole.len()]).is_err());
    }
}
