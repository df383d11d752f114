//! The collected scenarios: sessions through a break, reload by reload, with the playlist that is due each time.
//!
//! They are found through `SELVEDGE_VECTORS`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use selvedge_breaks::{
    After, Airing, Anchor, BreakId, Key, Mode, Return, Slot, Structure,
    decision::{Ad, Media, Segment},
};
use serde_json::Value;

use super::*;

fn vectors() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SELVEDGE_VECTORS") else {
        println!("SELVEDGE_VECTORS is not set: the collected vectors are not run");
        return None;
    };
    let folder = PathBuf::from(folder).join("hls");
    assert!(
        folder.is_dir(),
        "SELVEDGE_VECTORS is set, but {} is missing",
        folder.display()
    );
    Some(folder)
}

/// The source's segments over a whole scenario: start and discontinuity sequence number by media sequence number.
type History = BTreeMap<u64, (UnixMicros, u64)>;

fn history(snapshots: &[Value]) -> History {
    let mut history = History::new();
    for snapshot in snapshots {
        let source = Source::read(snapshot["source"].as_str().unwrap(), true).unwrap();
        for (media, segment) in (source.media.0..).zip(&source.segments) {
            history.insert(media, (segment.start, segment.discontinuity.0));
        }
    }
    history
}

fn micros(seconds: &Value) -> Micros {
    Micros((seconds.as_f64().unwrap() * 1e6).round() as i64)
}

fn moment(date: &Value) -> UnixMicros {
    UnixMicros::read(date.as_str().unwrap()).unwrap()
}

/// A break as the origin tells of it while its playlist ends at `last`.
fn airing(entry: &Value, planned: Micros, is_open: bool, history: &History, last: u64) -> Airing {
    let out = moment(&entry["start"]);
    let slots = entry["pod"].as_array().unwrap().iter().map(|ad| {
        let lengths: Vec<Micros> = ad["segments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|segment| micros(&segment[0]))
            .collect();
        let count = u32::try_from(lengths.len()).unwrap();
        Slot::new(count, lengths[0], *lengths.last().unwrap()).unwrap()
    });
    let mut airing = Airing {
        id: BreakId::new("news", out, &Key::Insert(1)),
        mode: Mode::Replace,
        out,
        planned,
        t_in: (!is_open).then(|| moment(&entry["end"])),
        revision: 1,
        effective_from: out,
        structure: Structure {
            slots: slots.collect(),
            after: match entry["resume_policy"].as_str().unwrap() {
                "resume" => After::Resume,
                _ => After::Wait,
            },
            tolerance: Micros::from_millis(40),
        },
        anchor: None,
    };
    let listed = |at: UnixMicros| {
        let at = at.less(airing.structure.tolerance);
        let found = history.iter().find(|(_, (start, _))| *start >= at);
        found
            .map(|(media, (_, number))| (*media, *number))
            .filter(|(media, _)| *media <= last)
    };
    airing.anchor = listed(out).map(|(msn_out, _)| Anchor {
        msn_out,
        dsn_before: history[&(msn_out - 1)].1,
        back: airing
            .rejoin()
            .and_then(listed)
            .map(|(msn_in, dsn_in)| Return { msn_in, dsn_in }),
    });
    airing
}

fn decision(entry: &Value, id: &BreakId) -> Decision {
    let ads = entry["pod"].as_array().unwrap().iter().map(|ad| {
        let segments = ad["segments"].as_array().unwrap().iter().map(|segment| Segment {
            duration: micros(&segment[0]),
            uri: segment[1].as_str().unwrap().to_owned(),
            parts: Vec::new(),
        });
        let media = Media {
            init: ad["init"].as_str().map(str::to_owned),
            segments: segments.collect(),
        };
        Ad {
            creative: "ad".into(),
            duration: Micros::ZERO,
            renditions: BTreeMap::from([("v".to_owned(), media)]),
        }
    });
    let ads = ads.collect();
    Decision {
        version: serde_json::from_str("1").unwrap(),
        break_id: id.clone(),
        cohort: "all".into(),
        ads,
        slate: None,
    }
}

/// Numbers of seconds without trailing zeros: how many digits there are is nobody's concern.
fn plain(playlist: &str) -> String {
    let mut out = String::new();
    for line in playlist.lines() {
        let line = match line.strip_prefix("#EXTINF:") {
            Some(value) => format!(
                "#EXTINF:{},",
                value.trim_end_matches(['0', ',']).trim_end_matches('.')
            ),
            None => line.to_owned(),
        };
        out.push_str(&line.replace("DURATION=0.50000,", "DURATION=0.5,"));
        out.push('\n');
    }
    out
}

/// What a scenario's session gets at each of its moments.
fn play(name: &str, scenario: &Value) {
    let snapshots = scenario["snapshots"].as_array().unwrap();
    let history = history(snapshots);
    let log = &scenario["break_log"];
    for (index, snapshot) in snapshots.iter().enumerate() {
        let source = snapshot["source"].as_str().unwrap();
        let window: Vec<u64> = serde_json::from_value(snapshot["source_window"].clone()).unwrap();
        // An early return is known when the source lists it.
        let (entries, is_open) = match log.get("after_return_seen") {
            Some(after) if moment(&after[0]["end"]) <= history[&window[1]].0 => (after, false),
            Some(_) => (&log["before_return_seen"], true),
            None => (log, false),
        };
        let plans = log.get("before_return_seen").unwrap_or(log);
        let mut slice = Slice::default();
        let mut decisions = Vec::new();
        for (entry, plan) in entries.as_array().unwrap().iter().zip(plans.as_array().unwrap()) {
            let planned = moment(&plan["end"]).since(moment(&plan["start"]));
            let airing = airing(entry, planned, is_open, &history, window[1]);
            let back = airing.anchor.and_then(|anchor| anchor.back);
            if back.is_some_and(|back| back.msn_in < window[0]) {
                let sums = airing.sums().unwrap();
                slice.before.msn += sums.msn;
                slice.before.dsn += sums.dsn;
            } else {
                decisions.push(Arc::new(decision(entry, &airing.id)));
                slice.breaks.push(airing);
            }
        }
        let stitching = Stitching {
            slice: &slice,
            decisions: &decisions,
            rendition: "v",
            cues: Cues::Stripped,
            tells_ads: false,
            skips: false,
            path: None,
        };
        let base = scenario["content_base"].as_str().unwrap();
        let path = format!(
            "{}index.m3u8",
            base.strip_prefix("https://cdn.example.com").unwrap()
        );
        let reroot = Reroot::new("https://cdn.example.com", &path);
        let stitched = stitch(source, &stitching, Some(&reroot));
        let expected = snapshot["expected"].as_str().unwrap();
        assert_eq!(plain(&stitched), plain(expected), "{name}, snapshot {index}");
    }
}

#[test]
fn every_scenario_gives_the_playlists_that_are_due() {
    let Some(folder) = vectors() else { return };
    let mut count = 0;
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        let scenario: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        play(&file.file_name().unwrap().to_string_lossy(), &scenario);
        count += 1;
    }
    assert!(count >= 11, "{count} scenarios");
}

/// A stitching by a slice alone.
fn by<'a>(slice: &'a Slice, decisions: &'a [Arc<Decision>]) -> Stitching<'a> {
    Stitching {
        slice,
        decisions,
        rendition: "v",
        cues: Cues::Kept,
        tells_ads: false,
        skips: false,
        path: None,
    }
}

#[test]
fn a_delta_update_says_the_key_of_what_it_lists() {
    let mut playlist =
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:1\n#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=6\n\
        #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n"
            .to_owned();
    for number in 0..8 {
        playlist += &format!("#EXTINF:1,\n{number}.ts\n");
    }
    let slice = Slice::default();
    let delta = Stitching {
        skips: true,
        ..by(&slice, &[])
    };
    let source = Source::read(&playlist, false).unwrap();
    let delta = write(&source, &delta, None);
    // An earlier version may have had initialisation vectors of its own.
    let (_, listed) = delta.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=2\n").unwrap();
    let key = "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n";
    assert_eq!(
        listed.strip_prefix(key),
        playlist.split_once("1.ts\n").map(|(_, rest)| rest)
    );
}

#[test]
fn every_public_playlist_passes_byte_for_byte_where_no_break_applies() {
    let Some(folder) = vectors() else { return };
    let mut written = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "m3u8") {
            continue;
        }
        let playlist = fs::read_to_string(&path).unwrap();
        let slice = Slice::default();
        let stitching = by(&slice, &[]);
        let passed = stitch(&playlist, &stitching, None);
        assert!(
            matches!(passed, Cow::Borrowed(same) if same == playlist),
            "{}",
            path.display()
        );
        // Nor does the writer, which had no need to run, change any of those that it can read.
        if let Ok(source) = Source::read(&playlist, false) {
            let same = write(&source, &stitching, None);
            let promised = playlist.replace(",CAN-SKIP-DATERANGES=YES", "");
            assert_eq!(same, promised, "{}", path.display());
            written += 1;
        }
    }
    assert!(written >= 8, "{written} playlists written");
}

/// The source below the expected low-latency playlist: four parts a segment, three of the fourth segment's there.
fn low_latency_source(expected: &str) -> String {
    let seam = expected.find("#EXT-X-DISCONTINUITY\n").unwrap();
    let reports = expected.find("#EXT-X-RENDITION-REPORT").unwrap();
    let part = |offset: u32, independent: &str| {
        format!(
            "#EXT-X-PART:DURATION=0.50000,{independent}URI=\"https://cdn.example.com/live/1080p/108.m4s\",\
             BYTERANGE=\"1000@{offset}\"\n"
        )
    };
    [
        &expected[..seam],
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:16.000Z\n",
        &part(0, "INDEPENDENT=YES,"),
        &part(1000, ""),
        &part(2000, ""),
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"https://cdn.example.com/live/1080p/108.m4s\",BYTERANGE-START=3000\n",
        &expected[reports..],
    ]
    .concat()
}

/// Its break: one ad of one segment of four parts.
fn low_latency_break() -> (Slice, Decision) {
    let out = UnixMicros::read("2026-01-01T20:00:16.000Z").unwrap();
    let length = Micros::from_seconds(2);
    let airing = Airing {
        id: BreakId::new("news", out, &Key::Insert(1)),
        mode: Mode::Replace,
        out,
        planned: length,
        t_in: Some(out.plus(length)),
        revision: 1,
        effective_from: out,
        structure: Structure {
            slots: vec![Slot::cut(length, length).unwrap()],
            after: After::Wait,
            tolerance: Micros::from_millis(40),
        },
        anchor: Some(Anchor {
            msn_out: 108,
            dsn_before: 12,
            back: None,
        }),
    };
    let decision = serde_json::json!({
        "version": 1, "break": airing.id, "cohort": "all",
        "ads": [{"creative": "adA", "duration_us": 2_000_000, "renditions": {"v": {
            "init": "https://ads.example.com/adA/1080p/init.mp4",
            "segments": [[2_000_000, "https://ads.example.com/adA/1080p/0.m4s",
                [[500_000, 150_112], [500_000, 110_034], [500_000, 109_771], [500_000, 108_002]]]],
        }}}],
    });
    let slice = Slice {
        before: Sums::default(),
        breaks: vec![airing],
    };
    (slice, serde_json::from_value(decision).unwrap())
}

#[test]
fn parts_inside_an_ad_keep_the_latency_of_the_programme() {
    let Some(folder) = vectors() else { return };
    let expected = fs::read_to_string(folder.join("own-ll-midbreak-expected.m3u8")).unwrap();
    let source = low_latency_source(&expected);
    let (slice, decision) = low_latency_break();
    let decisions = [Arc::new(decision)];
    let stitched = stitch(&source, &by(&slice, &decisions), None);
    assert_eq!(plain(&stitched), plain(&expected));
}

#[test]
fn the_seam_is_hinted_at_from_both_sides() {
    let (slice, decision) = low_latency_break();
    let decisions = [Arc::new(decision)];
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=0.5\n";
    let hint = "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"next.m4s\"\n";
    let source = |first: u64, date: &str| {
        format!(
            "{head}#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:{date}Z\n#EXTINF:2,\n{first}.m4s\n{hint}"
        )
    };
    let last_line = |playlist: &str| {
        let stitched = stitch(playlist, &by(&slice, &decisions), None);
        stitched.lines().last().unwrap().to_owned()
    };
    assert_eq!(
        last_line(&source(107, "14")),
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"https://ads.example.com/adA/1080p/0.m4s\",BYTERANGE-START=0,BYTERANGE-LENGTH=150112",
        "the first part of the ad comes next"
    );
    assert_eq!(
        last_line(&source(108, "16")),
        hint.trim_end(),
        "the programme comes next"
    );
}

#[test]
fn a_header_without_a_value_gets_one() {
    let (slice, decision) = low_latency_break();
    let decisions = [Arc::new(decision)];
    let source = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE\r\n\
        #EXT-X-PROGRAM-DATE-TIME:2026-01-01T20:00:14Z\n#EXTINF:2,\n0.m4s\n";
    let stitched = stitch(source, &by(&slice, &decisions), None);
    assert!(stitched.contains("#EXT-X-MEDIA-SEQUENCE:0\r\n"), "{stitched}");
}
