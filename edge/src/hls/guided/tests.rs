use selvedge_breaks::{After, BreakId, Key, Micros, Mode, Slot, Structure, UnixMicros};

use super::*;

const OUT: &str = "2026-01-01T20:00:04Z";

fn airing() -> Airing {
    let out = UnixMicros::read(OUT).unwrap();
    let segment = Micros::from_seconds(2);
    Airing {
        id: BreakId::new("news", out, &Key::Insert(7)),
        mode: Mode::Replace,
        out,
        planned: segment.times(5),
        t_in: None,
        revision: 1,
        effective_from: out,
        structure: Structure {
            slots: vec![Slot::new(3, segment, segment).unwrap()],
            after: After::Resume,
            tolerance: Micros::from_millis(40),
        },
        anchor: None,
    }
}

/// Six seconds of programme up to `edge` seconds, with the slice of a break.
fn playlist(edge: i64, airing: &Airing) -> String {
    let slice = Slice {
        before: Sums::default(),
        breaks: vec![airing.clone()],
    };
    let first = edge / 2 - 3;
    let date = UnixMicros::read("2026-01-01T20:00:00Z")
        .unwrap()
        .plus(Micros::from_seconds(edge - 6));
    let segments: String = (first..first + 3)
        .map(|number| format!("#EXTINF:2,\n{number}.m4s\n"))
        .collect();
    format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{slice}#EXT-X-MAP:URI=\"init.mp4\"\n\
         #EXT-X-PROGRAM-DATE-TIME:{date}\n{segments}"
    )
}

fn guided(edge: i64, airing: &Airing) -> String {
    let playlist = playlist(edge, airing);
    let slice = Slice::read(&playlist).unwrap().unwrap();
    let guiding = Guiding {
        slice: &slice,
        cues: Cues::Stripped,
        restrict: &[Restriction::Skip, Restriction::Jump],
        skips: false,
    };
    guide(&playlist, &guiding, None).into_owned()
}

fn ranges(playlist: &str) -> Vec<&str> {
    let lines = playlist.lines();
    lines
        .filter(|line| line.starts_with("#EXT-X-DATERANGE"))
        .collect()
}

#[test]
fn a_break_is_told_before_it_begins_and_the_programme_stays() {
    insta::assert_snapshot!(guided(8, &airing()), @r#"
    #EXTM3U
    #EXT-X-TARGETDURATION:2
    #EXT-X-MEDIA-SEQUENCE:1
    #EXT-X-DATERANGE:ID="news-1767297604000-si:7/10000-0",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-01T20:00:04.000Z",PLANNED-DURATION=10,X-ASSET-LIST="../asset-list.json?break=news-1767297604000-si:7",X-SNAP="OUT,IN",X-TIMELINE-OCCUPIES="RANGE",X-RESTRICT="SKIP,JUMP"
    #EXT-X-MAP:URI="init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:02.000Z
    #EXTINF:2,
    1.m4s
    #EXTINF:2,
    2.m4s
    #EXTINF:2,
    3.m4s
    "#);
}

#[test]
fn what_was_told_stays_and_the_length_follows_it_when_the_break_is_over() {
    let open = guided(8, &airing());
    let mut over = airing();
    over.t_in = Some(over.out.plus(Micros::from_seconds(10)));
    over.revision = 2;
    assert_eq!(
        ranges(&guided(8, &over)),
        ranges(&open),
        "an end that is not published may move"
    );
    let after = guided(14, &over);
    let [told, settled] = ranges(&after)[..] else {
        panic!("{after}")
    };
    assert_eq!(told, ranges(&open)[0]);
    assert_eq!(
        settled,
        "#EXT-X-DATERANGE:ID=\"news-1767297604000-si:7/10000-0\",START-DATE=\"2026-01-01T20:00:04.000Z\",DURATION=10"
    );
}

#[test]
fn an_early_return_stops_the_ads_where_the_programme_goes_on() {
    let mut early = airing();
    early.t_in = Some(early.out.plus(Micros::from_seconds(4)));
    let playlist = guided(8, &early);
    assert!(
        ranges(&playlist)[1].ends_with(",DURATION=4,X-PLAYOUT-LIMIT=4"),
        "{playlist}"
    );
    assert!(playlist.ends_with("1.m4s\n#EXTINF:2,\n2.m4s\n#EXTINF:2,\n3.m4s\n"));
}

#[test]
fn a_plan_that_changes_before_the_break_is_another_interstitial() {
    let mut longer = airing();
    longer.planned = Micros::from_seconds(20);
    longer.structure.after =
        After::Slate(Slot::cut(Micros::from_seconds(4), Micros::from_seconds(2)).unwrap());
    let (one, other) = (guided(4, &airing()), guided(4, &longer));
    let id = |playlist: &str| ranges(playlist)[0].split(',').next().unwrap().to_owned();
    assert_eq!(
        id(&one),
        "#EXT-X-DATERANGE:ID=\"news-1767297604000-si:7/10000-0\""
    );
    assert_eq!(
        id(&other),
        "#EXT-X-DATERANGE:ID=\"news-1767297604000-si:7/20000-3\""
    );
    assert!(other.contains("X-ASSET-LIST=\"../asset-list.json?break=news-1767297604000-si:7&slate=3\""));
}

#[test]
fn an_inserted_break_hides_nothing() {
    let at = |seconds| {
        let mut airing = airing();
        airing.mode = Mode::Insert;
        airing.out = UnixMicros::read("2026-01-01T20:00:00Z")
            .unwrap()
            .plus(Micros::from_seconds(seconds));
        airing.effective_from = airing.out;
        let playlist = guided(6, &airing);
        let [range] = ranges(&playlist)[..] else {
            panic!("{playlist}")
        };
        let (_, place) = range.split_once("X-SNAP=\"OUT,IN\"").unwrap();
        place.split_once(",X-RESTRICT").unwrap().0.to_owned()
    };
    assert_eq!(at(0), ",X-RESUME-OFFSET=0,CUE=\"PRE\"");
    assert_eq!(at(2), ",X-RESUME-OFFSET=0");
    assert_eq!(at(6), ",X-RESUME-OFFSET=0,CUE=\"POST\"");
}

#[test]
fn an_asset_without_dates_gets_the_one_that_its_breaks_count_from() {
    let mut airing = airing();
    airing.mode = Mode::Insert;
    airing.out = UnixMicros(2_000_000);
    airing.effective_from = UnixMicros(0);
    let dated = playlist(6, &airing);
    let (before, rest) = dated.split_once("#EXT-X-PROGRAM-DATE-TIME").unwrap();
    let undated = format!("{before}{}#EXT-X-ENDLIST\n", rest.split_once('\n').unwrap().1);
    let slice = Slice::read(&undated).unwrap().unwrap();
    let guiding = Guiding {
        slice: &slice,
        cues: Cues::Stripped,
        restrict: &[],
        skips: false,
    };
    let playlist = guide(&undated, &guiding, None);
    assert!(
        playlist.contains("START-DATE=\"1970-01-01T00:00:02.000Z\""),
        "{playlist}"
    );
    assert!(
        playlist.contains("\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n"),
        "{playlist}"
    );
}

#[test]
fn what_nobody_is_to_leave_the_programme_for_is_not_told() {
    let mut void = airing();
    void.effective_from = void.out.plus(Micros(1));
    let mut empty = airing();
    empty.structure.slots.clear();
    for airing in [void, empty] {
        let playlist = guided(8, &airing);
        assert!(
            ranges(&playlist).is_empty() && !playlist.contains("SELVEDGE"),
            "{playlist}"
        );
    }
}
