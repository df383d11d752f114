use selvedge_breaks::{After, BreakId, Key, Mode, Slot, Structure, UnixMicros};

use super::*;

/// The begin of the timeline of all documents here.
const BEGIN: UnixMicros = UnixMicros(1_767_297_600_000_000);

fn second(at: i64) -> UnixMicros {
    BEGIN.plus(Micros::from_seconds(at))
}

fn airing(out: i64, t_in: Option<i64>, after: After) -> Airing {
    let segment = Micros::from_seconds(2);
    Airing {
        id: BreakId::new("news", second(out), &Key::Insert(7)),
        mode: Mode::Replace,
        out: second(out),
        planned: segment.times(4),
        t_in: t_in.map(second),
        revision: 1,
        effective_from: second(out),
        structure: Structure {
            slots: vec![Slot::new(2, segment, segment).unwrap()],
            after,
            tolerance: Micros::from_millis(40),
        },
        anchor: None,
    }
}

fn slate() -> After {
    After::Slate(Slot::cut(Micros::from_seconds(2), Micros::from_seconds(2)).unwrap())
}

/// Six seconds of programme up to `edge`, in Periods of which the second, if any, begins at ten.
fn mpd(edge: i64, inside: &str) -> String {
    let period = |id: u32, start: i64, from: i64, to: i64| {
        format!(
            "\n  <Period id=\"{id}\" start=\"PT{start}S\">\n    {inside}<AdaptationSet id=\"1\" contentType=\"video\"><SegmentTemplate \
             timescale=\"1\" presentationTimeOffset=\"{start}\" media=\"$Time$\"><SegmentTimeline><S t=\"{from}\" d=\"2\" \
             r=\"{}\"/></SegmentTimeline></SegmentTemplate><Representation id=\"v\"/></AdaptationSet>\n  </Period>",
            (to - from) / 2 - 1
        )
    };
    let periods = if edge > 10 {
        period(0, 0, edge - 6, 10) + &period(1, 10, 10, edge)
    } else {
        period(0, 0, edge - 6, edge)
    };
    format!(
        "<MPD type=\"dynamic\" availabilityStartTime=\"2026-01-01T20:00:00Z\" publishTime=\"{}\" id=\"news\">\n  \
         <PatchLocation>manifest.mpp</PatchLocation>{periods}\n  \
         <SupplementalProperty schemeIdUri=\"urn:selvedge:log:1\" value=\"VERSION=1\"/>\n</MPD>\n",
        second(edge)
    )
}

fn guided(mpd: &str, breaks: Vec<Airing>) -> String {
    let slice = Slice {
        breaks,
        ..Slice::default()
    };
    let guiding = Guiding {
        slice: &slice,
        folder: "https://edge.example/t/tok/live/news/",
        restrict: &[Restriction::Skip, Restriction::Jump],
    };
    guide(mpd, &guiding).into_owned()
}

/// How long each event is, in seconds, by the second of its Period at which it begins.
fn events(mpd: &str) -> Vec<(i64, i64)> {
    let number = |event: &str, name: &str| {
        let (_, value) = event.split_once(&format!(" {name}=\"")).unwrap();
        value.split_once('"').unwrap().0.parse::<i64>().unwrap() / 1_000_000
    };
    let events = mpd.split("<Event ").skip(1);
    events
        .map(|event| (number(event, "presentationTime"), number(event, "duration")))
        .collect()
}

#[test]
fn a_break_is_told_before_it_begins_and_the_programme_stays() {
    let breaks = vec![airing(12, None, slate())];
    insta::assert_snapshot!(guided(&mpd(8, ""), breaks), @r#"
    <MPD type="dynamic" availabilityStartTime="2026-01-01T20:00:00Z" publishTime="2026-01-01T20:00:08.000Z" id="news">
      <Period id="0" start="PT0S">
        <EventStream schemeIdUri="urn:mpeg:dash:event:alternativeMPD:replace:2025" timescale="1000000">
          <Event id="1617977181" presentationTime="12000000" duration="8000000">
            <ReplacePresentation uri="https://edge.example/t/tok/live/news/alternative.mpd?break=news-1767297612000-si:7&amp;slate=2" maxDuration="8000000" noJump="1"/>
          </Event>
        </EventStream>
        <AdaptationSet id="1" contentType="video"><SegmentTemplate timescale="1" presentationTimeOffset="0" media="$Time$"><SegmentTimeline><S t="2" d="2" r="2"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet>
      </Period>
    </MPD>
    "#);
}

#[test]
fn an_event_is_in_the_period_that_its_break_begins_in_behind_the_streams_of_the_source() {
    let stream = "<AssetIdentifier schemeIdUri=\"a\"/><EventStream schemeIdUri=\"urn:scte:scte35:2013:bin\"><Event/></EventStream>";
    let breaks = vec![airing(8, Some(10), slate()), airing(10, None, slate())];
    let text = guided(&mpd(14, stream), breaks);
    let periods: Vec<_> = text.split("<Period ").skip(1).collect();
    for (period, expected) in periods.iter().zip([(8, 2), (0, 8)]) {
        let (before, behind) = period.split_once("<EventStream schemeIdUri=\"urn:mpeg").unwrap();
        assert!(before.ends_with(stream), "{before}");
        assert!(behind.contains("<AdaptationSet"), "{behind}");
        assert_eq!(events(&format!("<EventStream{behind}")), [expected]);
    }
}

#[test]
fn an_event_is_as_long_as_the_programme_is_left() {
    let told = |edge, t_in, after| events(&guided(&mpd(edge, ""), vec![airing(4, t_in, after)]));
    assert_eq!(told(6, None, slate()), [(4, 8)], "as it is planned");
    assert_eq!(
        told(6, Some(8), slate()),
        [(4, 4)],
        "an early end, as soon as it is known"
    );
    assert_eq!(told(8, Some(4), slate()), [], "ended as it began");
    assert_eq!(
        told(6, None, After::Resume),
        [(4, 4)],
        "the programme is back behind the ads"
    );
    assert_eq!(told(6, None, After::Wait), [(4, 8)]);
    assert_eq!(told(20, Some(12), slate()), [], "out of the window");
}

#[test]
fn where_numbers_follow_from_the_clock_the_time_of_publishing_says_what_is_out_of_the_window() {
    let at = |second: i64| {
        format!(
            "<m:MPD availabilityStartTime=\"2026-01-01T20:00:00Z\" publishTime=\"2026-01-01T20:00:{second:02}Z\" \
             timeShiftBufferDepth=\"PT6S\"><m:Period start=\"PT0S\"><m:AdaptationSet contentType=\"video\"><m:SegmentTemplate \
             timescale=\"1\" duration=\"2\" media=\"$Number$\"/><m:Representation id=\"v\"/></m:AdaptationSet></m:Period></m:MPD>"
        )
    };
    let told = |second| {
        let text = guided(&at(second), vec![airing(4, Some(8), slate())]).replace("<m:", "<");
        events(&text)
    };
    assert_eq!(told(6), [(4, 4)]);
    assert_eq!(told(13), [(4, 4)]);
    assert_eq!(told(14), []);
}

#[test]
fn an_inserted_break_holds_the_programme_up() {
    let mut pause = airing(6, None, slate());
    pause.mode = Mode::Insert;
    let text = guided(&mpd(8, ""), vec![pause]);
    let (_, event) = text.split_once("<EventStream ").unwrap();
    insta::assert_snapshot!(event.split_once("</EventStream>").unwrap().0, @r#"
    schemeIdUri="urn:mpeg:dash:event:alternativeMPD:insert:2025" timescale="1000000">
          <Event id="2825333436" presentationTime="6000000">
            <InsertPresentation uri="https://edge.example/t/tok/live/news/alternative.mpd?break=news-1767297606000-si:7&amp;slate=2" maxDuration="8000000" noJump="1"/>
          </Event>
    "#);
}

#[test]
fn what_nobody_is_to_leave_the_programme_for_is_not_told() {
    let mut void = airing(4, None, slate());
    void.effective_from = void.out.plus(Micros(1));
    let mut empty = airing(4, None, After::Wait);
    empty.structure.slots.clear();
    let plain = guided(&mpd(8, ""), Vec::new());
    assert!(
        !plain.contains("selvedge") && !plain.contains("PatchLocation"),
        "{plain}"
    );
    for airing in [void, empty] {
        assert_eq!(guided(&mpd(8, ""), vec![airing]), plain);
    }
}

#[test]
fn what_has_no_clock_passes() {
    for mpd in ["<MPD><Period/></MPD>", "<MPD", "", "<html/>"] {
        assert_eq!(guided(mpd, vec![airing(4, None, slate())]), mpd);
    }
}
