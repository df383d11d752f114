//! Breaks in a channel, from a viewer's request to the playlist that it gets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod scenario;

use std::collections::BTreeMap;

use http::Request;
use scenario::{World, edge, key, send_through, text, token, token_by};
use selvedge_breaks::{
    After, Airing, Anchor, BreakId, Key, Micros, Mode, Name, Slice, Slot, Structure, Sums, UnixMicros,
    rules::Restriction, slice::Told,
};
use selvedge_edge::{Edge, Handled, Read};

const PLAYLIST: &str = "/live/news/v/index.m3u8";

/// A break of 4 s in two segments, of which the playlist below has the first.
fn airing() -> Airing {
    let out = UnixMicros::read("2026-01-01T20:00:04Z").unwrap();
    let segment = Micros::from_seconds(2);
    Airing {
        id: BreakId::new("news", out, &Key::Insert(7)),
        mode: Mode::Replace,
        out,
        planned: segment.times(2),
        t_in: None,
        revision: 1,
        effective_from: out,
        structure: Structure {
            slots: vec![Slot::new(2, segment, segment).unwrap()],
            after: After::Wait,
            tolerance: Micros::from_millis(40),
        },
        anchor: Some(Anchor {
            msn_out: 12,
            dsn_before: 0,
            back: None,
        }),
    }
}

fn log() -> String {
    let slice = Slice {
        before: Sums::default(),
        breaks: vec![airing()],
    };
    slice.to_string()
}

fn playlist(log: &str) -> String {
    format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=2\n#EXT-X-MEDIA-SEQUENCE:10\n{log}#EXT-X-MAP:URI=\"init.mp4\"\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:00.000Z\n#EXTINF:2,\n10.m4s\n#EXTINF:2,\n11.m4s\n#EXTINF:2,\n12.m4s\n"
    )
}

fn decided() -> String {
    format!("/decisions/news/{}/all", airing().id)
}

/// A world with a channel in whose window a break has begun, and its decision.
fn world() -> World {
    let mut world = World::new();
    world.put(PLAYLIST, "public, max-age=1", &playlist(&log()));
    let decision = serde_json::json!({
        "version": 1, "break": airing().id, "cohort": "all",
        "ads": [{"creative": "a", "duration_us": 4_000_000, "renditions": {"v": {
            "init": "https://ads.example/a/init.mp4",
            "segments": [[2_000_000, "https://ads.example/a/0.m4s"], [2_000_000, "https://ads.example/a/1.m4s"]],
        }}}],
    });
    world.put(
        &decided(),
        "public, max-age=31536000, immutable",
        &decision.to_string(),
    );
    world
}

const MPD: &str = "/live/news/manifest.mpd";

/// The same channel as an MPD: six seconds, of which the last two are in the break.
fn mpd(properties: &str) -> String {
    format!(
        "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" availabilityStartTime=\"2026-01-01T20:00:00Z\">\n  \
         <PatchLocation>manifest.mpp</PatchLocation>{properties}\n  <Period id=\"0\" start=\"PT0S\">\n    \
         <AdaptationSet id=\"1\" contentType=\"video\">\n      <Representation id=\"v\" bandwidth=\"1\">\n        \
         <SegmentTemplate timescale=\"1000\" initialization=\"v/init.mp4\" media=\"v/$Time$.m4s\">\n          \
         <SegmentTimeline><S t=\"0\" d=\"2000\" r=\"2\"/></SegmentTimeline>\n        </SegmentTemplate>\n      \
         </Representation>\n    </AdaptationSet>\n  </Period>\n</MPD>\n"
    )
}

fn properties() -> String {
    let slice = Slice {
        before: Sums::default(),
        breaks: vec![airing()],
    };
    properties_of(&slice.into())
}

fn properties_of(told: &Told) -> String {
    let property = |(scheme, value): (&str, String)| {
        let value = value.replace('"', "&quot;");
        format!("\n  <SupplementalProperty schemeIdUri=\"{scheme}\" value=\"{value}\"/>")
    };
    told.properties().into_iter().map(property).collect()
}

fn load_mpd(edge: &Edge, world: &World) -> String {
    let request = Request::get(format!("https://e/t/{}{MPD}", token()));
    text(&send_through(edge, world, request).response)
}

fn load(edge: &Edge, world: &World, query: &str) -> Handled<String> {
    let request = Request::get(format!("https://e/t/{}{PLAYLIST}{query}", token()));
    send_through(edge, world, request)
}

fn asked(world: &World) -> Vec<String> {
    world
        .asked
        .borrow()
        .iter()
        .map(|request| request.target.clone())
        .collect()
}

/// What is told of the break where a cohort is exempt from it.
fn told() -> Told {
    Told {
        slice: Slice {
            before: Sums { msn: 0, dsn: 4 },
            breaks: vec![airing()],
        },
        exempt: BTreeMap::from([(airing().id, vec![Name::new("premium").unwrap()])]),
        before: BTreeMap::from([(Name::new("premium").unwrap(), Sums::default())]),
        restrictions: BTreeMap::from([(airing().id, vec![Restriction::Skip])]),
    }
}

#[test]
fn what_the_rules_forbid_in_a_break_is_forbidden_beside_what_the_site_does() {
    let mut world = world();
    world.put(PLAYLIST, "public, max-age=1", &playlist(&told().to_string()));
    for (site, due) in [
        (r#"{"breaks":{"form":"guided"}}"#, ",X-RESTRICT=\"SKIP\"\n"),
        (
            r#"{"breaks":{"form":"guided","restrict":["jump","skip"]}}"#,
            ",X-RESTRICT=\"JUMP,SKIP\"\n",
        ),
        (
            r#"{"breaks":{"form":"guided","restrict":["jump"]}}"#,
            ",X-RESTRICT=\"JUMP,SKIP\"\n",
        ),
    ] {
        let guided = text(&load(&edge(site), &world, "").response);
        assert!(guided.contains(due), "{guided}");
    }
}

#[test]
fn who_may_watch_a_channel_may_have_the_ads_in_it() {
    const AD: &str = "/creatives/acme/v/0.m4s";
    let mut world = World::new();
    world.put(AD, "public, max-age=31536000, immutable", "an ad");
    let status = |site: &str, token: &str, path: &str| {
        let request = Request::get(format!("https://e/t/{token}{path}"));
        send_through(&edge(site), &world, request)
            .response
            .status()
            .as_u16()
    };
    // A token for the channel alone.
    assert_eq!(status(r#"{"breaks":{}}"#, &token(), AD), 200);
    for (site, path, due) in [
        (r#"{"breaks":{"creatives":"named"}}"#, AD, 403),
        ("{}", AD, 403),
        // There, the programme of others is what lies below it.
        (r#"{"breaks":{},"fast":true}"#, AD, 403),
        (r#"{"breaks":{"creatives":"viewers"},"fast":true}"#, AD, 200),
        (r#"{"breaks":{}}"#, "/live/sport/v/0-1.m4s", 403),
        (
            r#"{"breaks":{}}"#,
            "/live/news/../../creatives/../live/sport/v/0-1.m4s",
            403,
        ),
        (r#"{"breaks":{}}"#, "/creatives/../live/sport/v/0-1.m4s", 403),
        (r#"{"breaks":{}}"#, "/creatives/%2e%2e/live/sport/v/0-1.m4s", 403),
    ] {
        assert_eq!(status(site, &token(), path), due, "{site} {path}");
    }
    let over = token_by(&key(), "/live/news/", 0);
    assert_eq!(status(r#"{"breaks":{}}"#, &over, AD), 401);
}

#[test]
fn an_exempt_cohort_gets_the_programme_as_it_is() {
    let mut world = world();
    world.put(PLAYLIST, "public, max-age=1", &playlist(&told().to_string()));
    world.put(MPD, "public, max-age=1", &mpd(&properties_of(&told())));
    for site in [
        r#"{"breaks":{"cohort":"premium"}}"#,
        r#"{"breaks":{"cohort":"premium","form":"guided"}}"#,
    ] {
        let edge = edge(site);
        assert_eq!(text(&load(&edge, &world, "").response), playlist(""));
        let programme = mpd("").replace("\n  <PatchLocation>manifest.mpp</PatchLocation>", "");
        assert_eq!(load_mpd(&edge, &world), programme);
    }
    assert!(
        asked(&world)
            .iter()
            .all(|target| !target.starts_with("/decisions/"))
    );
    let shown = edge(r#"{"breaks":{}}"#);
    let shown = text(&load(&shown, &world, "").response);
    assert!(shown.contains("EXT-X-DISCONTINUITY-SEQUENCE:4") && !shown.contains("EXEMPT"));
}

#[test]
fn a_break_is_filled_by_its_decision_which_is_asked_for_once() {
    let (edge, world) = (edge(r#"{"breaks":{"dateranges":false}}"#), world());
    let handled = load(&edge, &world, "");
    insta::assert_snapshot!(text(&handled.response), @r#"
    #EXTM3U
    #EXT-X-TARGETDURATION:2
    #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=2
    #EXT-X-MEDIA-SEQUENCE:10
    #EXT-X-MAP:URI="init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:00.000Z
    #EXTINF:2,
    10.m4s
    #EXTINF:2,
    11.m4s
    #EXT-X-DISCONTINUITY
    #EXT-X-MAP:URI="https://ads.example/a/init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:04.000Z
    #EXTINF:2.000000,
    https://ads.example/a/0.m4s
    "#);
    assert_eq!(text(&load(&edge, &world, "").response), text(&handled.response));
    assert_eq!(asked(&world), [PLAYLIST, &decided(), PLAYLIST]);
}

#[test]
fn a_break_in_an_mpd_is_a_period_of_its_own() {
    let (edge, mut world) = (edge(r#"{"breaks":{}}"#), world());
    world.put(MPD, "public, max-age=1", &mpd(&properties()));
    insta::assert_snapshot!(load_mpd(&edge, &world), @r#"
    <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="2026-01-01T20:00:00Z">
      <Period id="0" start="PT0S">
        <AdaptationSet id="1" contentType="video">
          <Representation id="v" bandwidth="1">
            <SegmentTemplate timescale="1000" initialization="v/init.mp4" media="v/$Time$.m4s">
              <SegmentTimeline><S t="0" d="2000" r="1"/></SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
      </Period>
      <Period id="news-1767297604000-si:7.1" start="PT4S">
        <AssetIdentifier schemeIdUri="urn:org:dashif:asset-id:2013" value="a"/>
        <AdaptationSet id="1" contentType="video">
          <Representation id="v" bandwidth="1">
            <SegmentTemplate timescale="1000" startNumber="0" initialization="https://ads.example/a/init.mp4" media="https://ads.example/a/$Number$.m4s">
              <SegmentTimeline>
                <S t="0" d="2000"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
      </Period>
    </MPD>
    "#);
    load_mpd(&edge, &world);
    assert_eq!(asked(&world), [MPD, &decided(), MPD]);
}

#[test]
fn an_mpd_without_a_log_passes_as_it_is() {
    let (edge, mut world) = (edge(r#"{"breaks":{}}"#), world());
    world.put(MPD, "public, max-age=1", &mpd(""));
    assert_eq!(load_mpd(&edge, &world), mpd(""));
    assert_eq!(asked(&world), [MPD]);
}

#[test]
fn an_mpd_keeps_its_programme_where_its_log_cannot_be_read() {
    let (edge, mut world) = (edge(r#"{"breaks":{}}"#), world());
    let plain = mpd("").replace("\n  <PatchLocation>manifest.mpp</PatchLocation>", "");
    for wrong in [
        properties().replace("VERSION=1", "VERSION=2"),
        properties().replace("OUT=", "OUT=x"),
    ] {
        world.put(MPD, "public, max-age=1", &mpd(&wrong));
        assert_eq!(load_mpd(&edge, &world), plain);
    }
}

#[test]
fn an_mpd_shows_nothing_in_a_break_without_its_decision() {
    let (edge, mut world) = (edge(r#"{"breaks":{}}"#), world());
    world.put_status(&decided(), 503, "");
    world.put(MPD, "public, max-age=1", &mpd(&properties()));
    let plain = mpd("").replace("\n  <PatchLocation>manifest.mpp</PatchLocation>", "");
    assert_eq!(load_mpd(&edge, &world), plain.replace("r=\"2\"", "r=\"1\""));
}

#[test]
fn urls_of_ads_stay_below_the_token_of_the_document() {
    let (edge, mut world) = (edge(r#"{"breaks":{"dateranges":false}}"#), world());
    let decision = serde_json::json!({
        "version": 1, "break": airing().id, "cohort": "all",
        "ads": [{"creative": "a", "duration_us": 4_000_000, "renditions": {"v": {
            "init": "/creatives/a/v/init.mp4",
            "segments": [[2_000_000, "/creatives/a/v/0.m4s"], [2_000_000, "/creatives/a/v/1.m4s"]],
        }}}],
    });
    world.put(
        &decided(),
        "public, max-age=31536000, immutable",
        &decision.to_string(),
    );
    world.put(MPD, "public, max-age=1", &mpd(&properties()));
    assert!(text(&load(&edge, &world, "").response).ends_with("\n../../../creatives/a/v/0.m4s\n"));
    assert!(load_mpd(&edge, &world).contains(" media=\"../../creatives/a/v/$Number$.m4s\""));
    // Where the token comes in the query, the document's root is that of the path form.
    let request = Request::get(format!("https://e{MPD}?CAT={}", token()));
    let moved = text(&send_through(&edge, &world, request).response);
    assert!(moved.contains(&format!("<BaseURL>/t/{}/live/news/</BaseURL>", token())));
    assert!(moved.contains(" media=\"../../creatives/a/v/$Number$.m4s\""));
}

#[test]
fn a_delta_update_is_counted_on_what_the_player_gets() {
    let (edge, world) = (edge(r#"{"breaks":{}}"#), world());
    let handled = load(&edge, &world, "?_HLS_skip=v2&_HLS_msn=12");
    assert!(text(&handled.response).contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n"));
    assert_eq!(
        asked(&world)[0],
        format!("{PLAYLIST}?_HLS_msn=12"),
        "and never on the source"
    );
}

#[test]
fn without_its_decision_a_break_keeps_its_places() {
    let (edge, mut world) = (edge(r#"{"breaks":{}}"#), world());
    world.put_status(&decided(), 503, "");
    let handled = load(&edge, &world, "");
    assert!(text(&handled.response).ends_with("#EXT-X-GAP\n#EXTINF:2.000000,\ngap.m4s\n"));
    load(&edge, &world, "");
    assert_eq!(asked(&world).len(), 4, "what is not known is asked for again");
}

#[test]
fn a_log_that_cannot_be_read_leaves_the_programme() {
    let (edge, mut world) = (edge(r#"{"breaks":{}}"#), world());
    for wrong in [
        log().replace("VERSION=1", "VERSION=2"),
        log().replace("OUT=", "OUT=x"),
    ] {
        world.put(PLAYLIST, "public, max-age=1", &playlist(&wrong));
        assert_eq!(text(&load(&edge, &world, "").response), playlist(""));
    }
}

#[test]
fn a_playlist_without_a_log_passes_as_it_is() {
    let (edge, mut world) = (edge(r#"{"breaks":{}}"#), world());
    world.put(PLAYLIST, "public, max-age=1", &playlist(""));
    assert_eq!(text(&load(&edge, &world, "").response), playlist(""));
    assert_eq!(asked(&world), [PLAYLIST]);
}

#[test]
fn where_a_site_has_no_breaks_nothing_is_read() {
    let (edge, world) = (edge("{}"), world());
    load(&edge, &world, "");
    assert!(
        world
            .asked
            .borrow()
            .iter()
            .all(|request| request.read == Read::Handle)
    );
}

#[test]
fn a_cohort_that_could_leave_its_folder_is_no_cohort() {
    let read = |cohort: &str| {
        selvedge_edge::Site::from_json(&format!(r#"{{"breaks":{{"cohort":"{cohort}"}}}}"#)).is_ok()
    };
    assert!(read("de-premium"));
    assert!(!read("../x") && !read(""));
}
