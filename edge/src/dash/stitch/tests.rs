//! The collected scenarios: sessions through a break, reload by reload, with the Periods that are due each time.
//!
//! They are found through `SELVEDGE_VECTORS`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use selvedge_breaks::{
    After, BreakId, Key, Mode, Slot, Structure, UnixMicros,
    decision::{Ad, Media, Segment},
};
use serde_json::Value;

use super::{
    super::{
        source::{Addressing, Template},
        time::Timescale,
    },
    *,
};

fn vectors() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("SELVEDGE_VECTORS") else {
        println!("SELVEDGE_VECTORS is not set: the collected vectors are not run");
        return None;
    };
    let folder = PathBuf::from(folder).join("dash");
    assert!(
        folder.is_dir(),
        "SELVEDGE_VECTORS is set, but {} is missing",
        folder.display()
    );
    Some(folder)
}

fn read(mpd: &str) -> Source<'_> {
    Source::read(mpd, is_of_slice).unwrap_or_else(|unfit| panic!("{unfit:?}: {mpd}"))
}

/// A Period as it can be compared: its name, its begin, and for each Representation of each set where media time zero
/// lies and what each segment is called, begins and lasts.
type Shown = (String, i64, Vec<(String, String, Vec<(String, i64, i64)>)>);

fn micros(timescale: Timescale, ticks: i128) -> i64 {
    timescale.length(ticks).0
}

fn shown(mpd: &str) -> Vec<Shown> {
    let source = read(mpd);
    let period = |period: &crate::dash::source::Period<'_>| {
        let mut sets = Vec::new();
        for set in &period.sets {
            for one in &set.representations {
                let id = one.tag.attribute("id").unwrap();
                let template = &period.templates[one.template.unwrap()];
                let segments = segments(&source, template, id);
                sets.push((
                    set.tag.attribute("id").unwrap().to_owned(),
                    id.to_owned(),
                    segments,
                ));
            }
        }
        (resolved(period.id().unwrap()).into_owned(), period.start.0, sets)
    };
    source.periods.iter().map(period).collect()
}

/// Name, begin in its Period and duration of each segment.
fn segments(source: &Source<'_>, template: &Template<'_>, id: &str) -> Vec<(String, i64, i64)> {
    let mut segments = Vec::new();
    let mut number = template.start_number;
    assert!(matches!(template.addressing, Addressing::Timeline(_)));
    for run in template.runs(source) {
        for index in 0..run.count {
            let time = run.time + index * run.duration;
            let media = template.tag.attribute("media").unwrap();
            let name = media
                .replace("$RepresentationID$", id)
                .replace("$Time$", &time.to_string())
                .replace("$Number$", &number.to_string());
            let begin = micros(template.timescale, i128::from(time) - i128::from(template.offset));
            segments.push((name, begin, micros(template.timescale, i128::from(run.duration))));
            number += 1;
        }
    }
    segments
}

/// An ad as the expected document has it at its longest.
fn ad(name: &str, longest: &BTreeMap<String, Vec<(String, i64, i64)>>) -> Ad {
    let renditions = longest.iter().map(|(id, segments)| {
        let segments = segments.iter().map(|(uri, _, duration)| Segment {
            duration: Micros(*duration),
            uri: uri.clone(),
            parts: Vec::new(),
        });
        let media = Media {
            init: Some(format!("https://ads.example.com/{name}/{id}/init.mp4")),
            segments: segments.collect(),
        };
        (id.clone(), media)
    });
    Ad {
        creative: name.to_owned(),
        duration: Micros::ZERO,
        renditions: renditions.collect(),
    }
}

/// What a scenario's session gets at each of its moments.
fn play(file: &str, scenario: &Value) {
    let snapshots = scenario["snapshots"].as_array().unwrap();
    let planned = &scenario["break"];
    let second = |value: &Value| Micros((value.as_f64().unwrap() * 1e6) as i64);
    let begin = UnixMicros::read("2026-01-01T00:00:00Z").unwrap();
    let out = begin.plus(second(&planned["start_mpd_s"]));
    let t_in = begin.plus(second(&planned["end_mpd_s"]));
    let id = BreakId::new("news", out, &Key::Insert(1));
    let expected: Vec<&str> = snapshots
        .iter()
        .map(|one| one["expected"].as_str().unwrap())
        .collect();
    let slots: Vec<Vec<Micros>> = planned["pod"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ad| {
            ad["video_segment_durations"]
                .as_array()
                .unwrap()
                .iter()
                .map(second)
                .collect()
        })
        .collect();
    let is_early = file.starts_with("c-");
    let mut ads = Vec::new();
    for (index, (lengths, told)) in slots.iter().zip(planned["pod"].as_array().unwrap()).enumerate() {
        let mut longest: BTreeMap<String, Vec<(String, i64, i64)>> = BTreeMap::new();
        for (name, _, sets) in expected.iter().flat_map(|mpd| shown(mpd)) {
            if name == format!("b1.{}", index + 1) {
                for (_, id, segments) in sets {
                    let known = longest.entry(id).or_default();
                    if known.len() < segments.len() {
                        *known = segments;
                    }
                }
            }
        }
        // What an early return never lets come.
        for (id, known) in &mut longest {
            for length_due in lengths.iter().skip(known.len()) {
                let (_, begin, length) = known.last().cloned().unwrap();
                let tick = if id == "v1" { 90_000 } else { 48_000 };
                let time = (begin + length) * tick / 1_000_000;
                known.push((
                    format!("https://ads.example.com/adA/{id}/{time}.m4s"),
                    begin + length,
                    length_due.0,
                ));
            }
        }
        ads.push(ad(told["ad"].as_str().unwrap(), &longest));
    }
    let decision = Arc::new(Decision {
        version: serde_json::from_str("1").unwrap(),
        break_id: id.clone(),
        cohort: "all".into(),
        ads,
        slate: None,
    });
    let structure = Structure {
        slots: slots
            .iter()
            .map(|lengths| Slot::new(lengths.len() as u32, lengths[0], *lengths.last().unwrap()).unwrap())
            .collect(),
        after: After::Wait,
        tolerance: Micros::from_millis(20),
    };
    for (index, snapshot) in snapshots.iter().enumerate() {
        let last = snapshot["source_segments"][1].as_u64().unwrap();
        let slice = Slice {
            breaks: vec![Airing {
                id: id.clone(),
                mode: Mode::Replace,
                out,
                planned: structure.filled(),
                t_in: (!is_early || last >= 12).then_some(t_in),
                revision: 1,
                effective_from: out,
                structure: structure.clone(),
                anchor: None,
            }],
            ..Slice::default()
        };
        let stitching = Stitching {
            slice: &slice,
            decisions: &[Arc::clone(&decision)],
            path: None,
        };
        let source = snapshot["source"].as_str().unwrap();
        let stitched = stitch(source, &stitching);
        // The expected documents are written out in full, and for a break that is called `b1`.
        let expected = expected[index].replace("https://cdn.example.com/live/", "");
        let mut found = shown(&stitched);
        for (name, ..) in &mut found {
            *name = name.replace(&id.to_string(), "b1");
        }
        assert_eq!(found, shown(&expected), "{file}, snapshot {index}:\n{stitched}");
        // All besides is as due, but for blanks.
        assert_eq!(
            outline(&stitched.replace(&id.to_string(), "b1")),
            outline(&expected),
            "{file}, snapshot {index}"
        );
    }
}

/// The tags of a document without what says how segments are addressed.
fn outline(mpd: &str) -> Vec<String> {
    let mut cursor = Cursor::new(mpd);
    let mut tags = Vec::new();
    while let Some(tag) = cursor.next().unwrap() {
        if !matches!(tag.name, "SegmentTemplate" | "SegmentTimeline" | "S") {
            let text = mpd[tag.range()].replace("/>", ">");
            tags.push(format!("{:?} {text}", tag.kind == crate::dash::xml::Kind::End));
        }
    }
    // An empty element and one with nothing in it are one.
    tags.retain(|tag| tag != "true </Representation>");
    tags
}

#[test]
fn every_scenario_gives_the_periods_that_are_due() {
    let Some(folder) = vectors() else { return };
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 3, "scenarios");
    for file in files {
        let scenario: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        play(&file.file_name().unwrap().to_string_lossy(), &scenario);
    }
}

#[test]
fn the_slice_is_found_and_left_out_before_the_periods_and_behind_them() {
    let slice = concat!(
        "  <SupplementalProperty schemeIdUri=\"urn:selvedge:log:1\" value=\"VERSION=1,MSN-SHIFT=0,DSN-SHIFT=3\"/>\n",
        "  <SupplementalProperty schemeIdUri=\"urn:selvedge:break:1\" value=\"ID=&quot;news-0-x&quot;,OUT=9000000,",
        "PLANNED=2000000,REVISION=1,EFFECTIVE-FROM=0,SLOTS=&quot;1x2000000&quot;,AFTER=RESUME,TOLERANCE=20000\"/>\n",
    );
    let period = "  <Period id=\"0\" start=\"PT0S\"><BaseURL>a/</BaseURL></Period>\n";
    for (before, behind) in [(slice, ""), ("", slice)] {
        let mpd = format!(
            "<MPD availabilityStartTime=\"1970-01-01T00:00:00Z\">\n{before}{period}{behind}  <UTCTiming/>\n</MPD>"
        );
        let found = slice_of(&mpd, "all").unwrap();
        assert_eq!(found.before.dsn, 3);
        assert_eq!(found.breaks.len(), 1);
        let stitching = Stitching {
            slice: &found,
            decisions: &[],
            path: None,
        };
        let plain =
            format!("<MPD availabilityStartTime=\"1970-01-01T00:00:00Z\">\n{period}  <UTCTiming/>\n</MPD>");
        assert_eq!(stitch(&mpd, &stitching), plain);
    }
}

#[test]
fn a_break_is_in_sight_when_it_begins_and_not_when_its_segment_is_announced() {
    let mpd = |published: &str| {
        format!(
            concat!(
                "<MPD availabilityStartTime=\"1970-01-01T00:00:00Z\" publishTime=\"1970-01-01T00:00:{}Z\" ",
                "minimumUpdatePeriod=\"PT2S\"><Period id=\"0\" start=\"PT0S\"><AdaptationSet id=\"1\" ",
                "contentType=\"video\"><Representation id=\"v\"><SegmentTemplate timescale=\"1\" ",
                "availabilityTimeOffset=\"1.5\" media=\"$Time$.m4s\"><SegmentTimeline><S t=\"4\" d=\"2\" r=\"2\"/>",
                "</SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>"
            ),
            published
        )
    };
    let out = UnixMicros(8_000_000);
    let length = Micros::from_seconds(2);
    let airing = Airing {
        id: BreakId::new("news", out, &Key::Insert(1)),
        mode: Mode::Replace,
        out,
        planned: length,
        t_in: Some(out.plus(length)),
        revision: 1,
        effective_from: UnixMicros(0),
        structure: Structure {
            slots: vec![Slot::cut(length, length).unwrap()],
            after: After::Wait,
            tolerance: Micros::from_millis(20),
        },
        anchor: None,
    };
    let decision = serde_json::json!({
        "version": 1, "break": airing.id, "cohort": "all",
        "ads": [{"creative": "a", "duration_us": 2_000_000, "renditions": {"v": {
            "init": "/a/i.mp4", "segments": [[2_000_000, "/a/0.m4s"]]}}}]
    });
    let decision = Decision::read(decision.to_string().as_bytes()).unwrap();
    let slice = Slice {
        breaks: vec![airing],
        ..Slice::default()
    };
    let stitching = Stitching {
        slice: &slice,
        decisions: &[Arc::new(decision)],
        path: None,
    };
    let seen = |published| {
        let mpd = mpd(published);
        let stitched = stitch(&mpd, &stitching).into_owned();
        let period = stitched.split_once("minimumUpdatePeriod=\"").unwrap().1;
        let period = period.split_once('"').unwrap().0.to_owned();
        let has_ads = stitched.contains("/a/$Number$.m4s");
        (period, has_ads, stitched.contains("r=\"1\""))
    };
    assert_eq!(seen("06.2"), ("PT0.5S".to_owned(), false, true));
    assert_eq!(seen("08.2"), ("PT2S".to_owned(), true, true));
}

#[test]
fn every_public_mpd_passes_byte_for_byte_where_no_break_applies() {
    let Some(folder) = vectors() else { return };
    let (mut written, mut left_out) = (0, 0);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "mpd") {
            continue;
        }
        let mpd = fs::read_to_string(&path).unwrap();
        assert_eq!(slice_of(&mpd, "all"), None, "{}", path.display());
        let Ok(source) = Source::read(&mpd, is_of_slice) else {
            continue;
        };
        // Nor does the writer, which had no need to run, change any of those that it can read.
        let slice = Slice::default();
        let stitching = Stitching {
            slice: &slice,
            decisions: &[],
            path: None,
        };
        let items: Vec<Item<'_>> = source
            .reach()
            .map_or_else(Vec::new, |reach| plan(&source, reach, &[]));
        let same = Writer::new(&source, &stitching, 0).write(&items);
        let mut expected = mpd.clone();
        for range in source.left_out.iter().rev() {
            expected.replace_range(crate::dash::edits::with_indent(&mpd, range), "");
            left_out += 1;
        }
        if !items.is_empty() {
            assert_eq!(same.as_deref(), Some(expected.as_str()), "{}", path.display());
            written += 1;
        }
        assert_eq!(stitch(&mpd, &stitching), expected, "{}", path.display());
    }
    assert!(written >= 6, "{written} MPDs written");
    assert!(left_out >= 2, "{left_out} addresses of patches");
}
