use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::key::Key;

pub(crate) fn any_slot() -> impl Strategy<Value = Slot> {
    (1..50_u32, 100_000..10_000_000_i64, 10_000..10_000_000_i64)
        .prop_filter_map("no slot", |(count, segment, last)| {
            Slot::new(count, Micros(segment), Micros(last))
        })
}

pub(crate) fn any_structure() -> impl Strategy<Value = Structure> {
    let after = prop_oneof![
        Just(After::Wait),
        Just(After::Resume),
        any_slot().prop_map(After::Slate)
    ];
    (vec(any_slot(), 0..8), after, 0..100_000_i64).prop_map(|(slots, after, tolerance)| Structure {
        slots,
        after,
        tolerance: Micros(tolerance),
    })
}

fn any_airing() -> impl Strategy<Value = Airing> {
    let back = option::of(any::<(u64, u64)>().prop_map(|(msn_in, dsn_in)| Return { msn_in, dsn_in }));
    let anchor = (any::<(u64, u64)>(), back).prop_map(|((msn_out, dsn_before), back)| Anchor {
        msn_out,
        dsn_before,
        back,
    });
    (
        (any::<u32>(), any::<i64>(), 0..i64::MAX, any::<Option<i64>>()),
        (any::<u32>(), any::<i64>()),
        any_structure(),
        option::of(anchor),
    )
        .prop_map(
            |((event, out, planned, t_in), (revision, from), structure, anchor)| Airing {
                id: BreakId::new("news", UnixMicros(out), &Key::Insert(event)),
                mode: if event % 2 == 0 {
                    Mode::Replace
                } else {
                    Mode::Insert
                },
                out: UnixMicros(out),
                planned: Micros(planned),
                t_in: t_in.map(UnixMicros),
                revision,
                effective_from: UnixMicros(from),
                structure,
                anchor,
            },
        )
}

#[test]
fn a_slice_is_lines_that_a_person_can_read() {
    let out = UnixMicros(1_767_297_616_000_000);
    let slot = |count, segment, last| Slot::new(count, Micros(segment), Micros(last)).unwrap();
    let slice = Slice {
        before: Sums { msn: -2, dsn: 3 },
        breaks: vec![Airing {
            id: BreakId::new("news", out, &Key::Insert(7)),
            mode: Mode::Replace,
            out,
            planned: Micros::from_seconds(10),
            t_in: Some(out.plus(Micros::from_seconds(10))),
            revision: 2,
            effective_from: out.less(Micros::from_seconds(6)),
            structure: Structure {
                slots: vec![slot(2, 2_000_000, 2_000_000), slot(3, 2_002_000, 1_978_000)],
                after: After::Slate(slot(1, 1_000_000, 1_000_000)),
                tolerance: Micros(20_000),
            },
            anchor: Some(Anchor {
                msn_out: 108,
                dsn_before: 0,
                back: Some(Return {
                    msn_in: 113,
                    dsn_in: 0,
                }),
            }),
        }],
    };
    insta::assert_snapshot!(slice, @r#"
    #EXT-X-SELVEDGE-LOG:VERSION=1,MSN-SHIFT=-2,DSN-SHIFT=3
    #EXT-X-SELVEDGE-BREAK:ID="news-1767297616000-si:7",OUT=1767297616000000,PLANNED=10000000,IN=1767297626000000,REVISION=2,EFFECTIVE-FROM=1767297610000000,SLOTS="2x2000000,3x2002000/1978000",AFTER=SLATE,SLATE="1x1000000",TOLERANCE=20000,MSN-OUT=108,DSN-BEFORE=0,MSN-IN=113,DSN-IN=0
    "#);
}

#[test]
fn what_is_wrong_with_a_line_is_named() {
    let read = |line: &str| Line::read(line).unwrap().unwrap_err().to_string();
    assert_eq!(
        read("#EXT-X-SELVEDGE-LOG:VERSION=2,MSN-SHIFT=0,DSN-SHIFT=0"),
        "the slice of the break log is of version 2; this reader knows version 1 alone"
    );
    assert_eq!(
        read("#EXT-X-SELVEDGE-LOG:VERSION=1,DSN-SHIFT=0"),
        "#EXT-X-SELVEDGE-LOG lacks the attribute MSN-SHIFT"
    );
    assert_eq!(
        read("#EXT-X-SELVEDGE-BREAK:AFTER=NEVER"),
        "#EXT-X-SELVEDGE-BREAK has a value of AFTER that cannot be read"
    );
    assert_eq!(
        read(
            "#EXT-X-SELVEDGE-BREAK:ID=\"a-1-cue\",MODE=OVERLAY,OUT=1,PLANNED=1,SLOTS=\"\",AFTER=WAIT,TOLERANCE=0,REVISION=1,EFFECTIVE-FROM=1"
        ),
        "#EXT-X-SELVEDGE-BREAK has a value of MODE that cannot be read"
    );
    assert_eq!(Line::read("#EXT-X-CUE-OUT:30"), None);
    assert_eq!(Slice::read("#EXTM3U\n#EXTINF:2,\na.m4s\n"), Ok(None));
}

proptest! {
    #[test]
    fn a_slice_is_read_as_it_is_written(
        msn in any::<i64>(), dsn in any::<i64>(), mut breaks in vec(any_airing(), 0..4),
    ) {
        breaks.sort_by_key(|airing| airing.out);
        let slice = Slice { before: Sums { msn, dsn }, breaks };
        let playlist = format!("#EXTM3U\r\n#EXT-X-VERSION:9\n{slice}#EXTINF:2.0,\nseg.m4s\n");
        prop_assert_eq!(Slice::read(&playlist), Ok(Some(slice)));
    }

    #[test]
    fn an_mpd_tells_of_the_same_breaks_without_their_numbers(
        msn in any::<i64>(), mut breaks in vec(any_airing(), 0..4),
    ) {
        breaks.sort_by_key(|airing| airing.out);
        let slice = Slice { before: Sums { msn, dsn: 0 }, breaks };
        let written: Vec<_> = slice.properties().collect();
        let others = [("urn:mpeg:dash:role:2011", "main")];
        let properties = written.iter().map(|(scheme, value)| (*scheme, value.as_str())).chain(others);
        let unnumbered = Slice {
            before: Sums::default(),
            breaks: slice.breaks.into_iter().map(|airing| Airing { anchor: None, ..airing }).collect(),
        };
        prop_assert_eq!(Slice::read_properties(properties), Ok(Some(unnumbered)));
        prop_assert_eq!(Slice::read_properties(others), Ok(None));
    }

    #[test]
    fn no_line_is_too_odd_to_be_refused(rest in "\\PC{0,200}") {
        let _ = Line::read(&format!("{BREAK_TAG}:{rest}"));
        let _ = Line::read(&format!("{LOG_TAG}:{rest}"));
        let _ = Line::read_property(BREAK_SCHEME, &rest);
    }
}
