use super::*;

fn read(playlist: &str) -> Vec<String> {
    markers(playlist, Openers::default()).iter().map(told).collect()
}

/// `out si:7 30.000 at segment 108, 16.000 s`.
fn told(marker: &Marker) -> String {
    let ask = match marker.ask {
        Ask::Out { planned, .. } => format!(
            "out {} {}",
            marker.key,
            planned.map_or("?".into(), |planned| planned.to_string())
        ),
        Ask::In => format!("in {}", marker.key),
        Ask::Cancel => format!("cancel {}", marker.key),
        Ask::ProgrammeEnd => "programme end".into(),
        Ask::Exempt => "exempt".into(),
    };
    let msn = marker.msn.map_or("none".into(), |msn| msn.to_string());
    let at = marker
        .at
        .map_or("unknown".into(), |at| at.since(START).to_string());
    let joined = if marker.is_joined { ", joined" } else { "" };
    format!("{ask} at {msn}, {at}{joined}")
}

const START: UnixMicros = UnixMicros(1_767_297_600_000_000);

/// A playlist of two-second segments from number 100 on, with lines before some of them.
fn playlist(lines: &[(u64, &str)]) -> String {
    let mut text =
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:100\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:00.000Z\n".to_owned();
    for msn in 100..110_u64 {
        for (_, line) in lines.iter().filter(|(at, _)| *at == msn) {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str("#EXTINF:2.000,\nseg.m4s\n");
    }
    text
}

#[test]
fn cue_out_has_four_forms_and_cue_in_one() {
    let read_one = |line| read(&playlist(&[(102, line), (106, "#EXT-X-CUE-IN")]));
    for (line, length) in [
        ("#EXT-X-CUE-OUT:8.000", "8.000"),
        ("#EXT-X-CUE-OUT:DURATION=8", "8.000"),
        ("#EXT-X-CUE-OUT:8", "8.000"),
        ("#EXT-X-CUE-OUT", "?"),
    ] {
        assert_eq!(
            read_one(line),
            [
                format!("out cue {length} at 102, 4.000"),
                "in cue at 106, 12.000".into(),
            ]
        );
    }
}

#[test]
fn without_dates_markers_are_where_their_segments_are() {
    let lines = [
        (102, "#EXT-X-CUE-OUT:6"),
        (105, "#EXT-X-CUE-IN"),
        (
            107,
            "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"1999-01-01T00:00:00Z\",PLANNED-DURATION=4,SCTE35-OUT=0xFC",
        ),
    ];
    let text = playlist(&lines).replace("#EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:00.000Z\n", "");
    // The third segment is known by its URI; those behind it follow.
    let named = text
        .replacen("seg.m4s", "0.m4s", 2)
        .replacen("seg.m4s", "known.m4s", 1);
    let known = |uri: &str| (uri == "known.m4s").then_some(START.plus(Micros::from_seconds(60)));
    let found = markers_at(&named, Openers::default(), &known);
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        [
            "out cue 6.000 at 102, 60.000",
            "in cue at 105, 66.000",
            "out name:a 4.000 at 107, 70.000",
        ]
    );
    assert!(
        markers(&text, Openers::default())
            .iter()
            .all(|marker| marker.at.is_none())
    );
}

#[test]
fn a_point_has_no_length_and_needs_no_end() {
    let both = "#EXT-X-CUE-OUT:0\n#EXT-X-CUE-IN";
    assert_eq!(read(&playlist(&[(103, both)])), ["out cue 0.000 at 103, 6.000"]);
    let back_to_back = "#EXT-X-CUE-IN\n#EXT-X-CUE-OUT:4";
    assert_eq!(
        read(&playlist(&[(103, back_to_back)])),
        ["in cue at 103, 6.000", "out cue 4.000 at 103, 6.000"]
    );
}

#[test]
fn several_begins_at_one_segment_are_one_and_the_last_length_wins() {
    let lines = "#EXT-X-CUE-OUT:10\n#EXT-X-CUE-OUT:20\n#EXT-X-ASSET:CAID=0x1234";
    let found = markers(&playlist(&[(101, lines)]), Openers::default());
    assert_eq!(found.len(), 1);
    assert_eq!(told(&found[0]), "out cue 20.000 at 101, 2.000");
    assert_eq!(found[0].content_id.as_deref(), Some("0x1234"));
}

#[test]
fn a_playlist_may_join_a_break_in_its_middle() {
    for line in [
        "#EXT-X-CUE-OUT-CONT:ElapsedTime=8.500,Duration=15",
        "#EXT-X-CUE-OUT-CONT:8.500/15",
        "#EXT-X-CUE-OUT-CONT:CAID=0x1,ElapsedTime=8.5,Duration=15",
        "#EXT-X-SCTE35:TYPE=0x34,CUE=\"broken\",CUE-OUT=CONT,ELAPSED=8.5,DURATION=15",
    ] {
        let found = read(&playlist(&[(100, line), (101, line)]));
        assert_eq!(found, ["out cue 15.000 at 100, -8.500, joined"], "{line}");
    }
}

#[test]
fn a_payload_that_cannot_be_read_still_delimits_a_break() {
    let out = "#EXT-X-SCTE35:TYPE=0x34,CUE=\"broken\",CUE-OUT=YES,DURATION=30";
    let back = "#EXT-X-SCTE35:TYPE=0x35,CUE=\"broken\",CUE-IN=YES";
    assert_eq!(
        read(&playlist(&[(101, out), (104, back)])),
        ["out cue 30.000 at 101, 2.000", "in cue at 104, 8.000"]
    );
    assert_eq!(
        read(&playlist(&[(101, "#EXT-SCTE35: CUE=\"/DAI\", ID=\"1\", TIME=1")])),
        [""; 0]
    );
    assert_eq!(read(&playlist(&[(101, "#EXT-X-DISCONTINUITY")])), [""; 0]);
}

const OUT: &str = "/DAlAAAAAAAAAP/wFAUAAAPpf+/+E0/ZAH4AUmXAAAcBAgAA+XeWZQ==";

#[test]
fn a_section_says_which_event_it_is() {
    for line in [
        format!("#EXT-OATCLS-SCTE35:{OUT}\n#EXT-X-CUE-OUT:58"),
        format!("#EXT-X-SCTE35:CUE=\"{OUT}\",CUE-OUT=YES,DURATION=58"),
    ] {
        assert_eq!(
            read(&playlist(&[(101, &line)])),
            ["out si:1001 58.000 at 101, 2.000"]
        );
    }
    for line in [
        format!("#EXT-X-SPLICEPOINT-SCTE35:{OUT}"),
        format!("#EXT-SCTE35: CUE=\"{OUT}\", ID=\"7\""),
    ] {
        assert_eq!(
            read(&playlist(&[(101, &line)])),
            ["out si:1001 60.000 at 101, 2.000"]
        );
    }
}

#[test]
fn a_range_is_placed_by_its_date_and_is_one_with_the_marker_at_its_segment() {
    let section = "0xfc302500000000000000fff01405000003e97feffe134fd9007e005265c0000701020000f9779665";
    let range = format!(
        "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T20:00:08.010Z\",PLANNED-DURATION=6,SCTE35-OUT={section}"
    );
    let end = "#EXT-X-DATERANGE:ID=\"a\",DURATION=5.99,SCTE35-IN=0xFC00";
    let lines = [
        (100, range.as_str()),
        (100, end),
        (104, "#EXT-X-CUE-OUT:6"),
        (107, "#EXT-X-CUE-IN"),
    ];
    assert_eq!(
        read(&playlist(&lines)),
        ["out si:1001 6.000 at 104, 8.010", "in si:1001 at 107, 14.000"]
    );
}

#[test]
fn without_dates_markers_have_their_numbers_alone() {
    let text = playlist(&[(102, "#EXT-X-CUE-OUT:8")]).replace("#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-NOTHING");
    let found = markers(&text, Openers::default());
    assert_eq!((found[0].msn, found[0].cue()), (Some(102), None));
}

#[test]
fn segments_that_a_delta_update_skips_are_counted() {
    let text = playlist(&[(100, "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXT-X-CUE-OUT:8")]);
    assert_eq!(markers(&text, Openers::default())[0].msn, Some(103));
}

#[test]
fn collected_playlists_have_the_breaks_that_they_show() {
    let Some(folder) = std::env::var_os("SELVEDGE_VECTORS") else {
        println!("SELVEDGE_VECTORS is not set: the collected playlists are not read");
        return;
    };
    let folder = std::path::Path::new(&folder).join("hls");
    let read = |name: &str| {
        let path = folder.join(format!("{name}.m3u8"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found = markers(&text, Openers::default());
        let lines = found.iter().map(|marker| {
            let line = told(marker);
            let (line, _) = line.rsplit_once(", ").unwrap();
            line.to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(read("threefive-oatcls-cue-cont"), @"
    out seg:1:0x34 30.000 at 2
    in seg:1:0x34 at 6
    out seg:2:0x34 30.000 at 10
    in seg:2:0x34 at 13
    ");
    insta::assert_snapshot!(read("m3u8rs-media-with-cues"), @"
    out cue 30.000 at 2
    in cue at 6
    ");
    insta::assert_snapshot!(read("m3u8rs-media-with-scte35"), @"");
    insta::assert_snapshot!(read("eyevinn-splice-cue-video"), @"out si:1 0.000 at 6");
    insta::assert_snapshot!(read("grafov-media-playlist-with-oatcls-scte35"), @"
    out si:1 15.000 at 0
    in cue at 2
    ");
    insta::assert_snapshot!(read("grafov-media-playlist-with-cue-out-in-without-oatcls"), @"
    in cue at 275163118
    out cue ? at 275163121
    in cue at 275163125
    out cue 180.000 at 275163146
    in cue at 275163176
    ");
    insta::assert_snapshot!(read("own-mediapackage-daterange-live"), @"
    out si:1207959695 30.030 at 41237
    in si:1207959695 at none
    ");
}

proptest::proptest! {
    #[test]
    fn no_playlist_is_too_odd_to_be_read(lines in proptest::collection::vec((100..110_u64, "[#A-Z:=,\"0-9.x-]{0,60}"), 0..9)) {
        let lines: Vec<_> = lines.iter().map(|(at, line)| (*at, line.as_str())).collect();
        let _ = read(&playlist(&lines));
    }
}
