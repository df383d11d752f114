//! What becomes of documents of all kinds, good and bad.

use selvedge_breaks::{After, Airing, BreakId, Key, Micros, Mode, Slot, Structure, UnixMicros};

use super::*;

/// The begin of the timeline of all documents here.
const BEGIN: UnixMicros = UnixMicros(1_767_297_600_000_000);

fn second(at: i64) -> UnixMicros {
    BEGIN.plus(Micros::from_seconds(at))
}

fn airing(number: u32, out: i64, t_in: Option<i64>, slots: &[u32]) -> Airing {
    let segment = Micros::from_seconds(2);
    let slots = slots
        .iter()
        .map(|count| Slot::new(*count, segment, segment).unwrap());
    let structure = Structure {
        slots: slots.collect(),
        after: After::Wait,
        tolerance: Micros::from_millis(20),
    };
    Airing {
        id: BreakId::new("news", second(out), &Key::Insert(number)),
        mode: Mode::Replace,
        out: second(out),
        planned: structure.filled(),
        t_in: t_in.map(second),
        revision: 1,
        effective_from: second(out),
        structure,
        anchor: None,
    }
}

/// A decision with ads of so many segments, in the renditions `v` and `a`.
fn decision(airing: &Airing, ads: &[u32]) -> Arc<Decision> {
    let ad = |(index, count): (usize, &u32)| {
        let media = |rendition: &str| {
            let name = format!("https://ads.example/{index}/{rendition}");
            let segments =
                (0..*count).map(|number| serde_json::json!([2_000_000, format!("{name}/{number}.m4s")]));
            serde_json::json!({"init": format!("{name}/i.mp4"), "segments": segments.collect::<Vec<_>>()})
        };
        serde_json::json!({"creative": "a&b", "duration_us": 1, "renditions": {"v": media("v"), "a": media("a")}})
    };
    let ads: Vec<_> = ads.iter().enumerate().map(ad).collect();
    let document = serde_json::json!({"version": 1, "break": airing.id, "cohort": "all", "ads": ads});
    Arc::new(Decision::read(document.to_string().as_bytes()).unwrap())
}

fn stitched(mpd: &str, breaks: Vec<Airing>, decisions: &[Arc<Decision>]) -> String {
    let slice = Slice {
        breaks,
        ..Slice::default()
    };
    let stitching = Stitching {
        slice: &slice,
        decisions,
        path: None,
    };
    stitch(mpd, &stitching).into_owned()
}

/// An MPD with these Periods.
fn mpd(periods: &str) -> String {
    format!(
        "<MPD type=\"dynamic\" availabilityStartTime=\"2026-01-01T20:00:00\" publishTime=\"2026-01-01T20:00:18Z\" \
         timeShiftBufferDepth=\"PT16S\">\n {periods}\n</MPD>"
    )
}

const TIMED: &str = "<Period id=\"p\"><AdaptationSet id=\"1\" contentType=\"video\">\n  \
    <SegmentTemplate timescale=\"10\" presentationTimeOffset=\"100\" media=\"$RepresentationID$/$Number$\" startNumber=\"7\">\
    <SegmentTimeline><S t=\"100\" d=\"20\" r=\"8\"/></SegmentTimeline></SegmentTemplate><Representation id=\"v\"/>\
    </AdaptationSet></Period>";

#[test]
fn numbers_of_a_timeline_go_on_behind_a_break() {
    let airing = airing(1, 4, Some(8), &[2]);
    let ads = [decision(&airing, &[2])];
    insta::assert_snapshot!(stitched(&mpd(TIMED), vec![airing], &ads), @r#"
    <MPD type="dynamic" availabilityStartTime="2026-01-01T20:00:00" publishTime="2026-01-01T20:00:18Z" timeShiftBufferDepth="PT16S">
     <Period id="p" start="PT0S"><AdaptationSet id="1" contentType="video">
      <SegmentTemplate timescale="10" presentationTimeOffset="100" media="$RepresentationID$/$Number$" startNumber="7"><SegmentTimeline><S t="100" d="20" r="1"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet></Period>
     <Period id="news-1767297604000-si:1.1" start="PT4S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet id="1" contentType="video">
         <Representation id="v">
           <SegmentTemplate timescale="10" startNumber="0" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
             <SegmentTimeline>
               <S t="0" d="20" r="1"/>
             </SegmentTimeline>
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
     <Period id="p.news-1767297604000-si:1" start="PT8S"><AdaptationSet id="1" contentType="video">
      <SupplementalProperty schemeIdUri="urn:mpeg:dash:period-connectivity:2015" value="p"/>
      <SegmentTemplate timescale="10" presentationTimeOffset="180" media="$RepresentationID$/$Number$" startNumber="11"><SegmentTimeline><S t="180" d="20" r="4"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet></Period>
    </MPD>
    "#);
}

#[test]
fn a_source_of_numbers_tells_of_all_ahead() {
    let source = "<Period id=\"p\" start=\"PT0S\" x:y=\"z\"><EventStream timescale=\"10\"><Event presentationTime=\"1\" duration=\"90\"/>\
        <Event presentationTime=\"45\"/><Event presentationTime=\"100\"/></EventStream>\n  \
        <AdaptationSet id=\"1\" contentType=\"video\"><ContentProtection/>\
        <SupplementalProperty schemeIdUri=\"urn:mpeg:dash:period-continuity:2015\" value=\"o\"/>\
        <ProducerReferenceTime id=\"0\" wallClockTime=\"x\" presentationTime=\"5\"><UTCTiming/></ProducerReferenceTime>\
        <Role value=\"main\"/>\
        <SegmentTemplate timescale=\"10\" duration=\"20\" availabilityTimeOffset=\"1.6\" availabilityTimeComplete=\"false\" media=\"$Number$\"/>\
        <Representation id=\"v\"><AudioChannelConfiguration/></Representation><Representation id=\"w\"/></AdaptationSet></Period><!-- end -->";
    let airing = airing(1, 4, Some(8), &[2]);
    let ads = [decision(&airing, &[2])];
    insta::assert_snapshot!(stitched(&mpd(source), vec![airing.clone()], &ads), @r#"
    <MPD type="dynamic" availabilityStartTime="2026-01-01T20:00:00" publishTime="2026-01-01T20:00:18Z" timeShiftBufferDepth="PT16S">
     <Period id="p" start="PT0S" x:y="z"><EventStream timescale="10"><Event presentationTime="1" duration="39"/></EventStream>
      <AdaptationSet id="1" contentType="video"><ContentProtection/><SupplementalProperty schemeIdUri="urn:mpeg:dash:period-continuity:2015" value="o"/><ProducerReferenceTime id="0" wallClockTime="x" presentationTime="5"><UTCTiming/></ProducerReferenceTime><Role value="main"/><SegmentTemplate timescale="10" duration="20" availabilityTimeOffset="1.6" availabilityTimeComplete="false" media="$Number$"/><Representation id="v"><AudioChannelConfiguration/></Representation><Representation id="w"/></AdaptationSet></Period>
     <Period id="news-1767297604000-si:1.1" start="PT4S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet id="1" contentType="video">
         <ProducerReferenceTime id="0" wallClockTime="2026-01-01T20:00:04.000Z" presentationTime="0"><UTCTiming/></ProducerReferenceTime>
         <Role value="main"/>
         <Representation id="v">
           <AudioChannelConfiguration/>
           <SegmentTemplate timescale="10" availabilityTimeOffset="1.6" availabilityTimeComplete="false" duration="20" startNumber="0" endNumber="1" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
     <Period id="p.news-1767297604000-si:1" start="PT8S" x:y="z"><EventStream timescale="10" presentationTimeOffset="80"><Event presentationTime="100"/></EventStream>
      <AdaptationSet id="1" contentType="video"><ContentProtection/><SupplementalProperty schemeIdUri="urn:mpeg:dash:period-connectivity:2015" value="p"/><ProducerReferenceTime id="0" wallClockTime="x" presentationTime="5"><UTCTiming/></ProducerReferenceTime><Role value="main"/><SegmentTemplate timescale="10" duration="20" availabilityTimeOffset="1.6" availabilityTimeComplete="false" media="$Number$" presentationTimeOffset="80" startNumber="5"/><Representation id="v"><AudioChannelConfiguration/></Representation><Representation id="w"/></AdaptationSet></Period><!-- end -->
    </MPD>
    "#);
    // What nothing fills is left to the programme, which nothing else would end.
    assert_eq!(stitched(&mpd(source), vec![airing], &[]), mpd(source));
}

#[test]
fn a_begin_between_two_numbered_segments_is_told() {
    let source = mpd(
        "<Period id=\"p\"><AdaptationSet contentType=\"video\"><SegmentTemplate timescale=\"10\" duration=\"30\" media=\"$Number$\"/><Representation id=\"v\"/></AdaptationSet></Period>",
    );
    let airing = airing(1, 4, Some(8), &[2]);
    let ads = [decision(&airing, &[2])];
    let stitched = stitched(&source, vec![airing], &ads);
    assert!(
        stitched.contains(
            "media=\"$Number$\" presentationTimeOffset=\"80\" startNumber=\"3\" eptDelta=\"-20\"/>"
        ),
        "{stitched}"
    );
}

#[test]
fn a_break_over_two_periods_of_the_source_returns_in_the_second() {
    let second = TIMED
        .replace("id=\"p\"", "id=\"q\" start=\"PT18S\"")
        .replace("\"100\"", "\"900\"");
    let source = mpd(&format!("{TIMED}\n {second}"));
    let airing = airing(1, 16, Some(22), &[3]);
    let ads = [decision(&airing, &[3])];
    let stitched = stitched(&source, vec![airing.clone()], &ads);
    let ids: Vec<&str> = stitched
        .split("<Period id=\"")
        .skip(1)
        .map(|rest| rest.split('>').next().unwrap())
        .collect();
    let id = &airing.id;
    assert_eq!(
        ids,
        [
            "p\" start=\"PT0S\"",
            &format!("{id}.1\" start=\"PT16S\""),
            &format!("q.{id}\" start=\"PT22S\"")
        ]
    );
    assert!(stitched.contains("presentationTimeOffset=\"940\""), "{stitched}");
    // Of one that ends where a Period of the source begins, that is the return.
    let airing = documents::airing(1, 14, Some(18), &[2]);
    let ads = [decision(&airing, &[2])];
    let stitched = documents::stitched(&source, vec![airing], &ads);
    assert!(stitched.ends_with(&format!("{second}\n</MPD>")), "{stitched}");
}

#[test]
fn of_two_breaks_that_overlap_the_second_is_void() {
    let first = airing(1, 4, Some(8), &[2]);
    let ads = [decision(&first, &[2])];
    let alone = stitched(&mpd(TIMED), vec![first.clone()], &ads);
    let late = airing(3, 12, Some(14), &[1]);
    let late = Airing {
        effective_from: second(13),
        ..late
    };
    assert_eq!(
        stitched(&mpd(TIMED), vec![first, airing(2, 6, Some(12), &[3]), late], &ads),
        alone
    );
}

#[test]
fn what_cannot_be_shown_is_nothing_and_never_another_cut() {
    let airing = airing(1, 4, Some(8), &[1, 1]);
    let stitched = |ads: &[Arc<Decision>]| stitched(&mpd(TIMED), vec![airing.clone()], ads);
    let without = stitched(&[]);
    assert_eq!(without.matches("<Period ").count(), 2, "{without}");
    assert_eq!(
        stitched(&[decision(&airing, &[2, 3])]),
        without,
        "of another number of segments"
    );
    let half = stitched(&[decision(&airing, &[1])]);
    assert_eq!(half.matches("<Period ").count(), 3, "{half}");
    let longer = mpd(TIMED).replace("<MPD ", "<MPD maxSegmentDuration=\"PT1S\" ");
    let shown = documents::stitched(&longer, vec![airing.clone()], &[decision(&airing, &[1, 1])]);
    assert_eq!(shown.matches("<Period ").count(), 2, "longer than is promised");
}

#[test]
fn documents_that_cannot_be_split_keep_their_programme() {
    let airing = airing(1, 4, Some(8), &[2]);
    let ads = [decision(&airing, &[2])];
    let template = &TIMED[TIMED.find("<SegmentTemplate").unwrap()..TIMED.find("<Representation").unwrap()];
    for source in [
        TIMED.replace(template, "<SegmentList/>"),
        TIMED.replace(template, ""),
        TIMED.replace("<Period ", "<Period xlink:href=\"x\" "),
        TIMED.replace("</SegmentTimeline>", "<Pattern/></SegmentTimeline>"),
        TIMED.replace("d=\"20\"", "d=\"0\""),
        TIMED.replace("timescale=\"10\"", "timescale=\"0\""),
        "<Period/>".to_owned(),
        String::new(),
    ] {
        let source = mpd(&source);
        assert_eq!(stitched(&source, vec![airing.clone()], &ads), source);
    }
    for source in [
        mpd(TIMED).replace("availabilityStartTime", "x"),
        mpd(&TIMED.replace("<Period ", "<Period start=\"soon\" ")),
    ] {
        assert_eq!(stitched(&source, vec![airing.clone()], &ads), source);
    }
}

#[test]
fn no_truncation_makes_a_document_of_its_own() {
    let airing = airing(1, 4, Some(8), &[2]);
    let ads = [decision(&airing, &[2])];
    let whole = mpd(TIMED);
    for length in 0..whole.len() {
        let cut = &whole[..length];
        assert_eq!(stitched(cut, vec![airing.clone()], &ads), cut);
        let _ = slice_of(cut, "all");
    }
}

#[test]
fn what_is_not_understood_stays_where_it_is() {
    let airing = airing(1, 4, Some(8), &[2]);
    let ads = [decision(&airing, &[2])];
    let plain = stitched(&mpd(TIMED), vec![airing.clone()], &ads);
    let odd = |text: &str| {
        text.replace(
            "<AdaptationSet id=\"1\"",
            "<x:New a='>'><y/></x:New><AdaptationSet id=\"1\" z=\"1\"",
        )
        .replace(
            "<Representation id=\"v\"",
            "<!-- <Period> --><Representation id=\"v\" new='2'",
        )
    };
    // The ad has the attributes of the programme's sets, but not what nobody knows to be true of it.
    let stitched = stitched(&odd(&mpd(TIMED)), vec![airing], &ads);
    assert_eq!(stitched.matches("<x:New a='>'><y/></x:New>").count(), 2);
    assert_eq!(stitched.matches("<!-- <Period> -->").count(), 2);
    assert_eq!(stitched.matches("z=\"1\"").count(), 3);
    let removed = stitched
        .replace("<x:New a='>'><y/></x:New>", "")
        .replace("<!-- <Period> -->", "")
        .replace(" z=\"1\"", "")
        .replace(" new='2'", "");
    assert_eq!(removed, plain);
}

#[test]
fn a_track_that_has_fallen_silent_is_not_waited_for_long() {
    let audio = |until: u32| {
        TIMED.replace(
            "</AdaptationSet>",
            &format!(
                "</AdaptationSet><AdaptationSet id=\"2\" contentType=\"audio\"><SegmentTemplate timescale=\"10\" presentationTimeOffset=\"100\" \
                 media=\"$Time$\"><SegmentTimeline><S t=\"100\" d=\"20\" r=\"{until}\"/></SegmentTimeline></SegmentTemplate>\
                 <Representation id=\"a\"/></AdaptationSet>"
            ),
        )
    };
    let airing = airing(1, 4, None, &[6]);
    let ads = [decision(&airing, &[6])];
    // Of the ad's twelve seconds as much as the slower track has come, or six seconds less than the faster has.
    let text = stitched(&mpd(&audio(7)), vec![airing.clone()], &ads);
    assert_eq!(text.matches("<S t=\"0\" d=\"20\" r=\"5\"/>").count(), 2, "{text}");
    let text = stitched(&mpd(&audio(1)), vec![airing.clone()], &ads);
    assert_eq!(text.matches("<S t=\"0\" d=\"20\" r=\"3\"/>").count(), 2, "{text}");
}

#[test]
fn what_would_lead_past_the_edge_goes() {
    let source = mpd(TIMED).replace(
        " <Period",
        " <Location>a.mpd</Location>\n <Location>https://o.example/a.mpd</Location>\n <PatchLocation>p</PatchLocation>\n <Period",
    );
    assert_eq!(
        stitched(&source, Vec::new(), &[]),
        mpd(TIMED).replace(" <Period", " <Location>a.mpd</Location>\n <Period")
    );
}

/// Breaks that are inserted at these moments, each of an ad of one segment.
fn inserted(at: &[i64]) -> (Vec<Airing>, Vec<Arc<Decision>>) {
    let breaks = at.iter().zip(1..).map(|(at, number)| Airing {
        mode: Mode::Insert,
        ..airing(number, *at, None, &[1])
    });
    let breaks: Vec<_> = breaks.collect();
    let decisions = breaks.iter().map(|airing| decision(airing, &[1])).collect();
    (breaks, decisions)
}

/// An MPD that is there as a whole.
fn whole(periods: &str) -> String {
    format!(
        "<MPD availabilityStartTime=\"2026-01-01T20:00:00Z\" mediaPresentationDuration=\"PT8S\">\n {periods}\n</MPD>"
    )
}

#[test]
fn an_asset_with_a_pre_roll_a_mid_roll_and_a_post_roll() {
    let source = "<Period id=\"p\" duration=\"PT8S\"><EventStream timescale=\"10\"><Event presentationTime=\"10\" duration=\"60\"/>\
        <Event presentationTime=\"45\"/></EventStream><AdaptationSet id=\"1\" contentType=\"video\"><SegmentTemplate \
        timescale=\"10\" media=\"$RepresentationID$/$Time$\"><SegmentTimeline><S t=\"0\" d=\"20\" r=\"3\"/></SegmentTimeline>\
        </SegmentTemplate><Representation id=\"v\"/></AdaptationSet></Period>";
    let (breaks, decisions) = inserted(&[-3, 3, 9, 9]);
    insta::assert_snapshot!(stitched(&whole(source), breaks, &decisions), @r#"
    <MPD availabilityStartTime="2026-01-01T20:00:00Z" mediaPresentationDuration="PT16S">
     <Period id="news-1767297597000-si:1.1" start="PT0S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet id="1" contentType="video">
         <Representation id="v">
           <SegmentTemplate timescale="10" startNumber="0" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
             <SegmentTimeline>
               <S t="0" d="20"/>
             </SegmentTimeline>
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
     <Period id="p" start="PT2S"><EventStream timescale="10"><Event presentationTime="10" duration="10"/></EventStream><AdaptationSet id="1" contentType="video"><SegmentTemplate timescale="10" media="$RepresentationID$/$Time$"><SegmentTimeline><S t="0" d="20"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet></Period>
     <Period id="news-1767297603000-si:2.1" start="PT4S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet id="1" contentType="video">
         <Representation id="v">
           <SegmentTemplate timescale="10" startNumber="0" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
             <SegmentTimeline>
               <S t="0" d="20"/>
             </SegmentTimeline>
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
     <Period id="p.news-1767297603000-si:2" duration="PT6S" start="PT6S"><EventStream timescale="10" presentationTimeOffset="20"><Event presentationTime="45"/></EventStream><AdaptationSet id="1" contentType="video"><SupplementalProperty schemeIdUri="urn:mpeg:dash:period-connectivity:2015" value="p"/><SegmentTemplate timescale="10" media="$RepresentationID$/$Time$" presentationTimeOffset="20"><SegmentTimeline><S t="20" d="20" r="2"/></SegmentTimeline></SegmentTemplate><Representation id="v"/></AdaptationSet></Period>
     <Period id="news-1767297609000-si:3.1" start="PT12S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet id="1" contentType="video">
         <Representation id="v">
           <SegmentTemplate timescale="10" startNumber="0" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
             <SegmentTimeline>
               <S t="0" d="20"/>
             </SegmentTimeline>
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
     <Period id="news-1767297609000-si:4.1" start="PT14S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet id="1" contentType="video">
         <Representation id="v">
           <SegmentTemplate timescale="10" startNumber="0" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
             <SegmentTimeline>
               <S t="0" d="20"/>
             </SegmentTimeline>
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
    </MPD>
    "#);
}

#[test]
fn numbers_of_an_asset_go_on_behind_a_break() {
    let source = whole(
        "<Period id=\"p\"><AdaptationSet contentType=\"video\"><SegmentTemplate timescale=\"10\" duration=\"30\" \
         media=\"$Number$\"/><Representation id=\"v\"/></AdaptationSet></Period>",
    );
    let (breaks, decisions) = inserted(&[0, 4, 8]);
    insta::assert_snapshot!(stitched(&source, breaks, &decisions), @r#"
    <MPD availabilityStartTime="2026-01-01T20:00:00Z" mediaPresentationDuration="PT14S">
     <Period id="news-1767297600000-si:1.1" start="PT0S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet contentType="video">
         <Representation id="v">
           <SegmentTemplate timescale="10" duration="20" startNumber="0" endNumber="0" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
     <Period id="p" start="PT2S"><AdaptationSet contentType="video"><SegmentTemplate timescale="10" duration="30" media="$Number$"/><Representation id="v"/></AdaptationSet></Period>
     <Period id="news-1767297604000-si:2.1" start="PT5S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet contentType="video">
         <Representation id="v">
           <SegmentTemplate timescale="10" duration="20" startNumber="0" endNumber="0" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
     <Period id="p.news-1767297604000-si:2" start="PT7S"><AdaptationSet contentType="video"><SupplementalProperty schemeIdUri="urn:mpeg:dash:period-connectivity:2015" value="p"/><SegmentTemplate timescale="10" duration="30" media="$Number$" presentationTimeOffset="30" startNumber="2"/><Representation id="v"/></AdaptationSet></Period>
     <Period id="news-1767297608000-si:3.1" start="PT12S">
       <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a&amp;b"/>
       <AdaptationSet contentType="video">
         <Representation id="v">
           <SegmentTemplate timescale="10" duration="20" startNumber="0" endNumber="0" initialization="https://ads.example/0/v/i.mp4" media="https://ads.example/0/v/$Number$.m4s">
           </SegmentTemplate>
         </Representation>
       </AdaptationSet>
     </Period>
    </MPD>
    "#);
}

#[test]
fn nothing_is_inserted_that_nothing_fills_nor_into_what_is_live() {
    let (breaks, decisions) = inserted(&[4]);
    let asset = whole(TIMED);
    assert_eq!(stitched(&asset, breaks.clone(), &[]), asset);
    let live = mpd(TIMED);
    assert_eq!(stitched(&live, breaks.clone(), &decisions), live);
    let one_file = "<Period><AdaptationSet contentType=\"video\"><Representation id=\"v\"><SegmentBase/></Representation>\
        </AdaptationSet></Period>";
    let one_file = whole(one_file);
    assert_eq!(stitched(&one_file, breaks, &decisions), one_file);
}
