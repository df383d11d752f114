//! Breaks in the guided form: from a viewer's requests to its interstitials and the lists of their assets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

mod scenario;

use http::{Request, StatusCode, header};
use scenario::{World, edge, send_through, text, token};
use selvedge_breaks::{After, Airing, BreakId, Key, Micros, Mode, Slice, Slot, Structure, Sums, UnixMicros};
use selvedge_edge::Handled;

const PLAYLIST: &str = "/live/news/v/index.m3u8";
const LIST: &str = "/live/news/asset-list.json";

/// A break of 8 s: 4 s of an ad, and slate in rounds of 2 s.
fn airing() -> Airing {
    let out = UnixMicros::read("2026-01-01T20:00:04Z").unwrap();
    let segment = Micros::from_seconds(2);
    Airing {
        id: BreakId::new("news", out, &Key::Insert(7)),
        mode: Mode::Replace,
        out,
        planned: segment.times(4),
        t_in: None,
        revision: 1,
        effective_from: out,
        structure: Structure {
            slots: vec![Slot::new(2, segment, segment).unwrap()],
            after: After::Slate(Slot::new(1, segment, segment).unwrap()),
            tolerance: Micros::from_millis(40),
        },
        anchor: None,
    }
}

/// The playlist of a channel six seconds in, with these breaks.
fn playlist(breaks: Vec<Airing>) -> String {
    let slice = Slice {
        before: Sums::default(),
        breaks,
    };
    format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=2\n#EXT-X-MEDIA-SEQUENCE:10\n{slice}#EXT-X-MAP:URI=\"init.mp4\"\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:00.000Z\n#EXTINF:2,\n10.m4s\n#EXTINF:2,\n11.m4s\n#EXT-X-CUE-OUT:8\n#EXTINF:2,\n12.m4s\n"
    )
}

fn decided() -> String {
    format!("/decisions/news/{}/all", airing().id)
}

fn ad(creative: &str, folder: &str, segments: i64) -> serde_json::Value {
    let files = (0..segments).map(|index| serde_json::json!([2_000_000, format!("{folder}/v/{index}.m4s")]));
    serde_json::json!({
        "creative": creative, "duration_us": segments * 2_000_000,
        "renditions": {"v": {"init": format!("{folder}/v/init.mp4"), "segments": files.collect::<Vec<_>>()}},
    })
}

fn world() -> World {
    let mut world = World::new();
    world.put(PLAYLIST, "public, max-age=1", &playlist(vec![airing()]));
    let decision = serde_json::json!({
        "version": 1, "break": airing().id, "cohort": "all",
        "ads": [ad("acme-4", "/creatives/acme-4", 2)], "slate": ad("slate", "/creatives/slate", 1),
    });
    world.put(
        &decided(),
        "public, max-age=31536000, immutable",
        &decision.to_string(),
    );
    world
}

fn load(world: &World, site: &str, target: &str) -> Handled<String> {
    let request = Request::get(format!("https://edge.example/t/{}{target}", token()));
    send_through(&edge(site), world, request)
}

fn asked(world: &World) -> Vec<String> {
    let asked = world.asked.borrow();
    asked.iter().map(|request| request.target.clone()).collect()
}

const GUIDED: &str = r#"{"breaks":{"form":"guided","restrict":["skip","jump"]}}"#;

/// The list that a playlist names, as a player asks for it.
fn list_of(playlist: &str) -> String {
    let (_, rest) = playlist.split_once("X-ASSET-LIST=\"../").unwrap();
    let (list, _) = rest.split_once('"').unwrap();
    format!("/live/news/{list}&_HLS_primary_id=1-2-3")
}

#[test]
fn a_player_is_told_of_a_break_and_asks_for_its_ads() {
    let world = world();
    let handled = load(&world, GUIDED, PLAYLIST);
    let playlist = text(&handled.response);
    insta::assert_snapshot!(playlist, @r#"
    #EXTM3U
    #EXT-X-TARGETDURATION:2
    #EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=2
    #EXT-X-MEDIA-SEQUENCE:10
    #EXT-X-DATERANGE:ID="news-1767297604000-si:7/8000-2",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-01T20:00:04.000Z",PLANNED-DURATION=8,X-ASSET-LIST="../asset-list.json?break=news-1767297604000-si:7&slate=2",X-SNAP="OUT,IN",X-TIMELINE-OCCUPIES="RANGE",X-RESTRICT="SKIP,JUMP"
    #EXT-X-MAP:URI="init.mp4"
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:00.000Z
    #EXTINF:2,
    10.m4s
    #EXTINF:2,
    11.m4s
    #EXTINF:2,
    12.m4s
    "#);
    assert_eq!(asked(&world), [PLAYLIST], "a playlist waits for no decision");

    let list = load(&world, GUIDED, &list_of(&playlist));
    let token = token();
    insta::assert_snapshot!(text(&list.response).replace(&token, "TOKEN").replace("},", "},\n"), @r#"
    {"ASSETS":[{"URI":"https://edge.example/t/TOKEN/creatives/acme-4/index.m3u8","DURATION":4},
    {"URI":"https://edge.example/t/TOKEN/creatives/slate/index.m3u8","DURATION":2},
    {"URI":"https://edge.example/t/TOKEN/creatives/slate/index.m3u8","DURATION":2}]}
    "#);
    let headers = list.response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(headers[header::CACHE_CONTROL], "private, max-age=3600");
    assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    assert_eq!(list.record.route, Some("asset-list"));
    assert_eq!(asked(&world)[1..], [decided()]);
}

#[test]
fn who_carries_the_token_elsewhere_gets_assets_without_it() {
    let world = world();
    let request = Request::get(format!("http://edge.example:8080{LIST}?break={}", airing().id))
        .header("cta-common-access-token", token());
    let handled = send_through(&edge(GUIDED), &world, request);
    assert_eq!(
        text(&handled.response),
        r#"{"ASSETS":[{"URI":"http://edge.example:8080/creatives/acme-4/index.m3u8","DURATION":4}]}"#
    );
}

#[test]
fn one_instance_asks_for_a_decision_once() {
    let (world, edge) = (world(), edge(GUIDED));
    let send = || {
        let request = Request::get(format!("https://e/t/{}{LIST}?break={}", token(), airing().id));
        text(&send_through(&edge, &world, request).response)
    };
    assert_eq!(send(), send());
    assert_eq!(asked(&world), [decided()]);
}

#[test]
fn without_a_decision_the_programme_stays_on_air() {
    let mut world = world();
    for status in [404, 503] {
        world.put_status(&decided(), status, "");
        let handled = load(&world, GUIDED, &format!("{LIST}?break={}", airing().id));
        assert_eq!(handled.response.status(), StatusCode::OK);
        assert_eq!(text(&handled.response), r#"{"ASSETS":[]}"#);
        assert_eq!(handled.response.headers()[header::CACHE_CONTROL], "no-store");
    }
}

#[test]
fn an_ad_that_has_no_playlist_of_its_own_is_slate() {
    let mut world = world();
    let decision = serde_json::json!({
        "version": 1, "break": airing().id, "cohort": "all",
        "ads": [
            ad("other", "https://ads.example/other", 2),
            ad("acme-4", "/creatives/another", 2),
            ad("Acme", "/creatives/acme-4", 2),
        ],
        "slate": ad("slate", "/creatives/slate", 1),
    });
    world.put(&decided(), "public", &decision.to_string());
    let handled = load(&world, GUIDED, &format!("{LIST}?break={}", airing().id));
    assert_eq!(
        text(&handled.response)
            .matches("/creatives/slate/index.m3u8")
            .count(),
        3
    );
    assert_eq!(text(&handled.response).matches("URI").count(), 3);
}

#[test]
fn a_void_or_cancelled_break_is_none() {
    let mut world = world();
    let mut void = airing();
    void.effective_from = void.out.plus(Micros(1));
    for breaks in [vec![void], vec![]] {
        world.put(PLAYLIST, "public, max-age=1", &playlist(breaks));
        let playlist = text(&load(&world, GUIDED, PLAYLIST).response);
        assert!(
            !playlist.contains("DATERANGE") && !playlist.contains("SELVEDGE"),
            "{playlist}"
        );
        assert!(playlist.ends_with("12.m4s\n"));
    }
}

#[test]
fn where_a_player_may_choose_it_asks_once() {
    let (auto, mut world) = (r#"{"breaks":{"form":"auto"}}"#, world());
    world.put(
        "/live/news/index.m3u8",
        "public, max-age=30",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/index.m3u8\n",
    );
    let multivariant =
        |query: &str| text(&load(&world, auto, &format!("/live/news/index.m3u8{query}")).response);
    assert!(multivariant("").ends_with("\nv/index.m3u8\n"));
    assert!(multivariant("?_HLS_interstitials=1").ends_with("\nv/index.m3u8?_HLS_interstitials=1\n"));
    let is_guided = |query: &str| {
        let playlist = text(&load(&world, auto, &format!("{PLAYLIST}{query}")).response);
        playlist.contains("com.apple.hls.interstitial")
    };
    assert!(is_guided("?_HLS_interstitials=1"));
    assert!(!is_guided("") && !is_guided("?_HLS_interstitials=0"));
    let origin_saw = asked(&world);
    assert!(
        origin_saw.iter().all(|target| !target.contains('?')),
        "{origin_saw:?}"
    );
}

#[test]
fn a_delta_update_has_every_interstitial() {
    let world = world();
    let playlist = text(&load(&world, GUIDED, &format!("{PLAYLIST}?_HLS_skip=YES")).response);
    assert!(
        playlist.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n#EXT-X-DATERANGE:"),
        "{playlist}"
    );
    assert!(playlist.ends_with("\n12.m4s\n"));
}

#[test]
fn the_marks_of_the_source_stay_where_the_operator_wants_them() {
    let world = world();
    let kept = r#"{"breaks":{"form":"guided","cues":"kept"}}"#;
    assert!(text(&load(&world, kept, PLAYLIST).response).contains("#EXT-X-CUE-OUT:8\n"));
    assert!(!text(&load(&world, GUIDED, PLAYLIST).response).contains("#EXT-X-CUE-OUT"));
}

#[test]
fn a_list_of_nothing_is_no_list() {
    let world = world();
    for (site, target) in [
        ("{}", format!("{LIST}?break={}", airing().id)),
        (GUIDED, LIST.to_owned()),
        (GUIDED, format!("{LIST}?break=..%2Fx")),
    ] {
        let handled = load(&world, site, &target);
        assert_eq!(handled.response.status(), StatusCode::NOT_FOUND, "{target}");
    }
    assert!(asked(&world).is_empty());
    let request = Request::get(format!("https://e{LIST}?break={}", airing().id));
    let handled = send_through(&edge(GUIDED), &world, request);
    assert_eq!(handled.response.status(), StatusCode::UNAUTHORIZED);
}

const MANIFEST: &str = "/live/news/manifest.mpd";

/// The MPD of the same channel at the same moment, and those of the creatives.
fn with_manifests(mut world: World) -> World {
    let slice = Slice {
        before: Sums::default(),
        breaks: vec![airing()],
    };
    let properties = slice.properties().map(|(scheme, value)| {
        let value = value.replace('"', "&quot;");
        format!("<SupplementalProperty schemeIdUri=\"{scheme}\" value=\"{value}\"/>")
    });
    let mpd = format!(
        "<MPD id=\"news\" type=\"dynamic\" availabilityStartTime=\"2026-01-01T20:00:00Z\" publishTime=\"2026-01-01T20:00:06Z\">\n \
         <Period id=\"0\" start=\"PT0S\"><AdaptationSet contentType=\"video\"><SegmentTemplate timescale=\"1\" \
         media=\"v/$Time$.m4s\"><SegmentTimeline><S t=\"0\" d=\"2\" r=\"2\"/></SegmentTimeline></SegmentTemplate>\
         <Representation id=\"v\"/></AdaptationSet></Period>\n {}\n</MPD>",
        properties.collect::<String>()
    );
    world.put(MANIFEST, "public, max-age=1", &mpd);
    for (creative, seconds) in [("acme-4", 4), ("slate", 2)] {
        let mpd = format!(
            "<MPD profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" minBufferTime=\"PT2S\" \
             mediaPresentationDuration=\"PT{seconds}S\">\n  <Period id=\"0\" start=\"PT0S\">\n    \
             <AdaptationSet id=\"{creative}\"/>\n  </Period>\n</MPD>"
        );
        world.put(
            &manifest_of(creative),
            "public, max-age=31536000, immutable",
            &mpd,
        );
    }
    world
}

fn manifest_of(creative: &str) -> String {
    format!("/creatives/{creative}/manifest.mpd")
}

/// The alternative presentation that an MPD names.
fn alternative_of(mpd: &str) -> String {
    let (_, rest) = mpd.split_once(" uri=\"").unwrap();
    rest.split_once('"').unwrap().0.replace("&amp;", "&")
}

#[test]
fn a_player_of_dash_is_told_of_a_break_and_asks_for_what_is_played_instead() {
    let world = with_manifests(world());
    let mpd = text(&load(&world, GUIDED, MANIFEST).response);
    assert_eq!(asked(&world), [MANIFEST], "an MPD waits for no decision");
    assert!(!mpd.contains("urn:selvedge"), "{mpd}");
    let url = alternative_of(&mpd);
    let token = token();
    assert_eq!(
        url,
        format!(
            "https://edge.example/t/{token}/live/news/alternative.mpd?break={}&slate=2",
            airing().id
        )
    );
    let handled = send_through(&edge(GUIDED), &world, Request::get(&url));
    insta::assert_snapshot!(text(&handled.response), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="static" mediaPresentationDuration="PT8S" minBufferTime="PT2S">
      <Period id="1" start="PT0S">
        <BaseURL>../../creatives/acme-4/</BaseURL>
        <AdaptationSet id="acme-4"/>
      </Period>
      <Period id="2" start="PT4S">
        <BaseURL>../../creatives/slate/</BaseURL>
        <AdaptationSet id="slate"/>
      </Period>
      <Period id="3" start="PT6S">
        <BaseURL>../../creatives/slate/</BaseURL>
        <AdaptationSet id="slate"/>
      </Period>
    </MPD>
    "#);
    let headers = handled.response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "application/dash+xml");
    assert_eq!(headers[header::CACHE_CONTROL], "private, max-age=3600");
    assert_eq!(handled.record.route, Some("alternative"));
    assert_eq!(
        asked(&world)[1..],
        [decided(), manifest_of("acme-4"), manifest_of("slate")]
    );
}

#[test]
fn a_token_in_the_query_leads_to_ads_below_it() {
    let world = with_manifests(world());
    let token = token();
    let entry = format!("https://e{MANIFEST}?CAT={token}");
    let mpd = text(&send_through(&edge(GUIDED), &world, Request::get(entry)).response);
    assert!(
        alternative_of(&mpd).starts_with(&format!("https://e/t/{token}/live/news/alternative.mpd?")),
        "{mpd}"
    );
    let asked = format!(
        "https://e/live/news/alternative.mpd?break={}&CAT={token}",
        airing().id
    );
    let alternative = text(&send_through(&edge(GUIDED), &world, Request::get(asked)).response);
    assert!(
        alternative.contains(&format!("<BaseURL>/t/{token}/creatives/acme-4/</BaseURL>")),
        "{alternative}"
    );
}

#[test]
fn a_player_of_dash_may_choose_once_as_well() {
    let (auto, world) = (r#"{"breaks":{"form":"auto"}}"#, with_manifests(world()));
    let loaded = |query: &str| text(&load(&world, auto, &format!("{MANIFEST}{query}")).response);
    assert!(loaded("?alternativeMPD=1").contains("alternativeMPD:replace:2025"));
    assert!(
        !loaded("").contains("alternativeMPD") && !loaded("?_HLS_interstitials=1").contains("alternativeMPD")
    );
    // It is sent below the token, and asks there for the same.
    let entry = format!("https://e{MANIFEST}?alternativeMPD=1&CAT={}", token());
    let mpd = text(&send_through(&edge(auto), &world, Request::get(entry)).response);
    let location = format!("<Location>/t/{}{MANIFEST}?alternativeMPD=1</Location>", token());
    assert!(mpd.contains(&location), "{mpd}");
}

#[test]
fn without_anything_to_show_there_is_no_alternative_and_the_programme_stays_on_air() {
    let url = format!("/live/news/alternative.mpd?break={}", airing().id);
    let mut world = with_manifests(world());
    world.put_status(&manifest_of("acme-4"), 404, "");
    let handled = load(&world, GUIDED, &url);
    assert_eq!(handled.response.status(), StatusCode::NOT_FOUND);
    world.put_status(&decided(), 503, "");
    let handled = load(&world, GUIDED, &url);
    assert_eq!(handled.response.status(), StatusCode::NOT_FOUND);
    assert_eq!(handled.response.headers()[header::CACHE_CONTROL], "no-store");
}
