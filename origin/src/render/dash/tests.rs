//! What MPDs promise, over channels drawn by hand.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::sample::{Applied, Sample, parse};
use super::{Addressing, Mpd, mpd, patch};
use crate::cmaf::{Init, Role};
use crate::media::{Event, Inband, Snapshot};
use crate::time::UnixMillis;

const NOW: UnixMillis = UnixMillis(1_795_262_460_000);

fn text(snapshot: &Snapshot, addressing: Addressing) -> String {
    mpd(snapshot, addressing, NOW)
        .published(snapshot.updated, Some("manifest.mpp"))
        .to_document()
}

#[test]
fn a_channel_with_parts_lists_the_segment_that_comes_in_and_the_one_after_it() {
    let sample = Sample::low_latency().slots(4).open(2);
    insta::assert_snapshot!(text(&sample.snapshot(), Addressing::Time), @r##"
    <?xml version="1.0" encoding="UTF-8"?>
    <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" id="demo" profiles="urn:mpeg:dash:profile:isoff-live:2011,http://www.dashif.org/guidelines/low-latency-live-v5" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-11-21T12:00:09.600Z" type="dynamic" minimumUpdatePeriod="PT1.920S" timeShiftBufferDepth="PT60S" suggestedPresentationDelay="PT1.500S" maxSegmentDuration="PT1.920S" minBufferTime="PT0.320S">
      <PatchLocation>manifest.mpp?publishTime=2026-11-21T12:00:09.600Z</PatchLocation>
      <ServiceDescription id="0">
        <Latency referenceId="0" target="1500" min="840" max="3000"/>
        <PlaybackRate min="0.96" max="1.04"/>
      </ServiceDescription>
      <Period id="0" start="PT0S">
        <AdaptationSet id="2031137604" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
          <ProducerReferenceTime id="0" type="encoder" wallClockTime="2026-11-21T12:00:00.000Z" presentationTime="161573616000000">
            <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="../../time"/>
          </ProducerReferenceTime>
          <Resync type="0" dT="28800"/>
          <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
          <Representation id="video" codecs="avc1.64001f" bandwidth="128000" width="640" height="360" frameRate="25">
            <SegmentTemplate timescale="90000" availabilityTimeOffset="1.600" availabilityTimeComplete="false" initialization="video/init-00000000.mp4" media="video/0-$Time$.m4s">
              <SegmentTimeline>
                <S t="161573616000000" d="172800" r="5"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
        <AdaptationSet id="1282623979" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
          <ProducerReferenceTime id="1282623979" type="encoder" wallClockTime="2026-11-21T12:00:00.000Z" presentationTime="86172595200000">
            <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="../../time"/>
          </ProducerReferenceTime>
          <Resync type="0" dT="15360"/>
          <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
          <Representation id="audio" codecs="mp4a.40.2" bandwidth="128000" audioSamplingRate="48000">
            <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
            <SegmentTemplate timescale="48000" availabilityTimeOffset="1.600" availabilityTimeComplete="false" initialization="audio/init-00000000.mp4" media="audio/0-$Time$.m4s">
              <SegmentTimeline>
                <S t="86172595200000" d="92160" r="5"/>
              </SegmentTimeline>
            </SegmentTemplate>
          </Representation>
        </AdaptationSet>
      </Period>
      <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="../../time"/>
    </MPD>
    "##);
}

#[test]
fn numbers_need_no_timeline() {
    let sample = Sample::low_latency().slots(4).open(2);
    insta::assert_snapshot!(text(&sample.snapshot(), Addressing::Number), @r##"
    <?xml version="1.0" encoding="UTF-8"?>
    <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" id="demo" profiles="urn:mpeg:dash:profile:isoff-live:2011,http://www.dashif.org/guidelines/low-latency-live-v5" availabilityStartTime="1970-01-01T00:00:00Z" publishTime="2026-11-21T12:00:09.600Z" type="dynamic" minimumUpdatePeriod="PT1.920S" timeShiftBufferDepth="PT60S" suggestedPresentationDelay="PT1.500S" maxSegmentDuration="PT1.920S" minBufferTime="PT0.320S">
      <PatchLocation>manifest.mpp?publishTime=2026-11-21T12:00:09.600Z</PatchLocation>
      <ServiceDescription id="0">
        <Latency referenceId="0" target="1500" min="840" max="3000"/>
        <PlaybackRate min="0.96" max="1.04"/>
      </ServiceDescription>
      <Period id="0" start="PT1795262400S">
        <AdaptationSet id="2031137604" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1">
          <ProducerReferenceTime id="0" type="encoder" wallClockTime="2026-11-21T12:00:00.000Z" presentationTime="161573616000000">
            <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="../../time"/>
          </ProducerReferenceTime>
          <Resync type="0" dT="28800"/>
          <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
          <Representation id="video" codecs="avc1.64001f" bandwidth="128000" width="640" height="360" frameRate="25">
            <SegmentTemplate timescale="90000" presentationTimeOffset="161573616000000" availabilityTimeOffset="1.600" availabilityTimeComplete="false" initialization="video/init-00000000.mp4" duration="172800" startNumber="935032500" media="video/0-n$Number$.m4s"/>
          </Representation>
        </AdaptationSet>
        <AdaptationSet id="1282623979" contentType="audio" mimeType="audio/mp4" lang="en" segmentAlignment="true" startWithSAP="1">
          <ProducerReferenceTime id="1282623979" type="encoder" wallClockTime="2026-11-21T12:00:00.000Z" presentationTime="86172595200000">
            <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="../../time"/>
          </ProducerReferenceTime>
          <Resync type="0" dT="15360"/>
          <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main"/>
          <Representation id="audio" codecs="mp4a.40.2" bandwidth="128000" audioSamplingRate="48000">
            <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
            <SegmentTemplate timescale="48000" presentationTimeOffset="86172595200000" availabilityTimeOffset="1.600" availabilityTimeComplete="false" initialization="audio/init-00000000.mp4" duration="92160" startNumber="935032500" media="audio/0-n$Number$.m4s"/>
          </Representation>
        </AdaptationSet>
      </Period>
      <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="../../time"/>
    </MPD>
    "##);
}

#[test]
fn an_oracle_reads_what_is_promised() {
    let sample = Sample::low_latency().slots(4).open(2);
    for addressing in [Addressing::Time, Addressing::Number] {
        let read = dash_mpd_core::parse(&text(&sample.snapshot(), addressing)).unwrap();
        assert_eq!(read.id.as_deref(), Some("demo"));
        assert_eq!(read.UTCTiming.len(), 1);
        assert_eq!(read.PatchLocation.len(), 1);
        let latency = &read.ServiceDescription[0].Latency[0];
        assert_eq!(latency.target, Some(1_500.0));
        for set in &read.periods[0].adaptations {
            let template = set.representations[0].SegmentTemplate.as_ref().unwrap();
            assert_eq!(template.availabilityTimeOffset, Some(1.6));
            assert_eq!(template.availabilityTimeComplete, Some(false));
        }
    }
}

#[test]
fn what_is_announced_of_an_uneven_track_is_only_what_has_begun() {
    let even = Sample::low_latency().slots(4).open(1);
    let uneven = Sample::low_latency().slots(4).last_short(3_600).open(1);
    let listed = |sample: &Sample| {
        let read = dash_mpd_core::parse(&text(&sample.snapshot(), Addressing::Time)).unwrap();
        let set = &read.periods[0].adaptations[0];
        let template = set.representations[0].SegmentTemplate.as_ref().unwrap();
        let runs = &template.SegmentTimeline.as_ref().unwrap().segments;
        runs.iter().map(|run| run.r.unwrap_or(0) + 1).sum::<i64>()
    };
    assert_eq!(listed(&even), 6);
    assert_eq!(listed(&uneven), 5);
}

#[test]
fn what_was_announced_of_a_segment_whose_encoder_died_is_taken_back() {
    let on_air = Sample::low_latency().slots(4).open(2);
    let listed = |sample: &Sample| {
        let text = text(&sample.snapshot(), Addressing::Time);
        let video = text.split("Representation id=\"video\"").nth(1).unwrap();
        let runs = video.lines().filter(|line| line.contains("<S ")).take(2);
        runs.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        listed(&on_air),
        [
            "<S t=\"161573616000000\" d=\"172800\" r=\"5\"/>",
            "<S t=\"86172595200000\" d=\"92160\" r=\"5\"/>"
        ]
    );
    // Two of its six parts had come.
    let died = on_air.clone().last_short(115_200);
    assert_eq!(
        listed(&died),
        [
            "<S t=\"161573616000000\" d=\"172800\" r=\"3\"/>",
            "<S d=\"57600\"/>"
        ],
        "as long as it is, and none after it"
    );
    let [old, new] = [(&on_air, 1), (&died, 2)].map(|(sample, at)| {
        mpd(&sample.snapshot(), Addressing::Time, NOW).published(UnixMillis(at), Some("manifest.mpp"))
    });
    let patch = patch(&old, &new).unwrap();
    assert_eq!(
        parse(&old.to_document()).patched(&parse(&patch)),
        parse(&new.to_document()),
        "{patch}"
    );
}

#[test]
fn streams_of_events_are_announced_of_the_set_or_of_the_tracks_that_have_them() {
    let scheme = "urn:scte:scte35:2013:bin".to_owned();
    let stream = Inband {
        scheme,
        value: "1".into(),
    };
    let mut snapshot = Sample::low_latency().slots(4).snapshot();
    let video = snapshot
        .tracks
        .iter()
        .position(|track| track.name == "video")
        .unwrap();
    snapshot.tracks[video].inband.push(stream);
    let tag = "<InbandEventStream schemeIdUri=\"urn:scte:scte35:2013:bin\" value=\"1\"/>\n";
    let of_set = text(&snapshot, Addressing::Time);
    assert!(
        of_set.contains(&format!("{tag}      <ProducerReferenceTime id=\"0\"")),
        "{of_set}"
    );
    assert_eq!(of_set.matches("InbandEventStream").count(), 1);
    let mut other = snapshot.tracks[video].clone();
    other.name = "video-low".into();
    other.inband.clear();
    snapshot.tracks.push(other);
    let of_track = text(&snapshot, Addressing::Time);
    assert!(
        of_track.contains(&format!("{tag}        <SegmentTemplate")),
        "{of_track}"
    );
    assert_eq!(of_track.matches("InbandEventStream").count(), 1);
}

#[test]
fn a_whole_channel_is_as_plain_as_its_segments() {
    let text = text(&Sample::plain().slots(4).snapshot(), Addressing::Time);
    for absent in ["availabilityTime", "ServiceDescription", "Resync", "low-latency"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

#[test]
fn a_splice_is_announced_in_the_period_in_which_it_falls() {
    let mut snapshot = Sample::low_latency().slots(4).snapshot();
    snapshot.events.push(Arc::new(Event {
        scheme: "urn:scte:scte35:2013:bin".into(),
        value: "1001".into(),
        id: 7,
        epoch: 0,
        wall: 1_795_262_408_000_000_000,
        span: Some(30_000_000_000),
        message: Bytes::from_static(&[0xfc, 0x30, 0x11]),
        splice: None,
    }));
    let text = text(&snapshot, Addressing::Number);
    let from = text.find("    <EventStream").unwrap();
    let to = text.find("    <AdaptationSet").unwrap();
    insta::assert_snapshot!(&text[from..to], @r##"
    <EventStream schemeIdUri="urn:scte:scte35:2014:xml+bin" timescale="90000">
      <Event presentationTime="720000" duration="2700000" id="7">
        <Signal xmlns="http://www.scte.org/schemas/35/2016">
          <Binary>/DAR</Binary>
        </Signal>
      </Event>
    </EventStream>
    "##);
}

#[test]
fn a_segment_off_its_slot_is_found_by_its_time_in_both_documents() {
    let mut snapshot = Sample::plain().slots(4).snapshot();
    snapshot.epochs[0].base.as_mut().unwrap().wall -= 1_000_000_000;
    let text = text(&snapshot, Addressing::Number);
    assert!(text.contains("$Time$") && !text.contains("$Number$"), "{text}");
}

/// What may happen to a channel between two looks at it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Part,
    Close,
    Short,
    Hole,
    Leave,
    Restart,
    Peak,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Part),
        6 => Just(Step::Close),
        2 => Just(Step::Short),
        1 => Just(Step::Hole),
        5 => Just(Step::Leave),
        1 => Just(Step::Restart),
        1 => Just(Step::Peak),
        1 => Just(Step::End),
    ]
}

fn apply(sample: Sample, step: Step) -> Sample {
    match step {
        Step::Part => sample.open(1),
        Step::Close => sample.slots(1),
        Step::Short => sample.last_short(7_200),
        Step::Hole => sample.hole(),
        Step::Leave => sample.leave(),
        Step::Restart => sample.restart(),
        Step::Peak => sample.peak(),
        Step::End => sample.end(),
    }
}

/// `Period` starts by id, and closed segments' durations by Period, track and time, as an independent reader finds
/// them.
type Facts = std::collections::BTreeMap<String, u64>;

fn facts(snapshot: &Snapshot) -> Facts {
    let read = dash_mpd_core::parse(&text(snapshot, Addressing::Time)).unwrap();
    let mut facts = Facts::new();
    for period in &read.periods {
        let id = period.id.clone().unwrap();
        facts.insert(id.clone(), period.start.unwrap().as_millis() as u64);
        for representation in period.adaptations.iter().flat_map(|set| &set.representations) {
            let track = representation.id.clone().unwrap();
            let template = representation.SegmentTemplate.as_ref().unwrap();
            facts.insert(
                format!("{id} {track} offset"),
                template.presentationTimeOffset.unwrap_or(0),
            );
            let mut time = 0;
            for run in &template.SegmentTimeline.as_ref().unwrap().segments {
                time = run.t.unwrap_or(time);
                for _ in 0..=run.r.unwrap_or(0) {
                    facts.insert(format!("{id} {track} {time}"), run.d);
                    time += run.d;
                }
            }
        }
    }
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_patches_lead_to_the_document_and_nothing_listed_changes(
        steps in proptest::collection::vec(step(), 1..24),
    ) {
        let mut sample = Sample::low_latency().slots(3);
        let mut known = Facts::new();
        let mut versions: Vec<(UnixMillis, Mpd)> = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            sample = apply(sample, *step);
            let snapshot = sample.snapshot();
            if !snapshot.ended {
                let now = facts(&snapshot);
                for (what, duration) in &now {
                    let told = known.get(what).copied().unwrap_or(*duration);
                    prop_assert!(sample.is_announced(what) || told == *duration, "{what}: {told} then {duration}");
                }
                known.extend(now.into_iter().filter(|(what, _)| !sample.is_announced(what)));
            }
            for addressing in [Addressing::Time, Addressing::Number] {
                let at = UnixMillis(snapshot.updated.0 + index as i64);
                let made = mpd(&snapshot, addressing, NOW);
                let new = made.published(at, Some("manifest.mpp"));
                for (before, old) in &versions {
                    let old = old.published(*before, Some("manifest.mpp"));
                    if let Some(patch) = patch(&old, &new) {
                        let applied = parse(&old.to_document()).patched(&parse(&patch));
                        prop_assert_eq!(applied, parse(&new.to_document()), "{}", patch);
                    }
                }
                if addressing == Addressing::Time {
                    versions.push((at, made));
                }
            }
        }
    }
}

#[test]
fn what_happens_every_second_is_a_patch() {
    let mut sample = Sample::low_latency().slots(4);
    let mut old =
        mpd(&sample.snapshot(), Addressing::Time, NOW).published(UnixMillis(0), Some("manifest.mpp"));
    for (index, step) in [
        Step::Part,
        Step::Close,
        Step::Leave,
        Step::Short,
        Step::Hole,
        Step::Close,
        Step::Peak,
        Step::Restart,
    ]
    .into_iter()
    .enumerate()
    {
        sample = apply(sample, step);
        let at = UnixMillis(index as i64 + 1);
        let new = mpd(&sample.snapshot(), Addressing::Time, NOW).published(at, Some("manifest.mpp"));
        let patch = patch(&old, &new);
        assert!(
            patch.is_some(),
            "{step:?}:\n{}\n{}",
            old.to_document(),
            new.to_document()
        );
        old = new;
    }
}

#[test]
fn a_patch_is_small_and_names_what_it_leads_from() {
    let sample = Sample::low_latency().slots(6);
    let old = mpd(&sample.snapshot(), Addressing::Time, NOW).published(UnixMillis(0), Some("manifest.mpp"));
    let sample = sample.slots(1).leave();
    let new =
        mpd(&sample.snapshot(), Addressing::Time, NOW).published(UnixMillis(1_920), Some("manifest.mpp"));
    insta::assert_snapshot!(patch(&old, &new).unwrap(), @r##"
    <?xml version="1.0" encoding="UTF-8"?>
    <Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" mpdId="demo" originalPublishTime="1970-01-01T00:00:00.000Z" publishTime="1970-01-01T00:00:01.920Z">
      <replace sel="/MPD/@publishTime">1970-01-01T00:00:01.920Z</replace>
      <replace sel="/MPD/PatchLocation[1]"><PatchLocation>manifest.mpp?publishTime=1970-01-01T00:00:01.920Z</PatchLocation></replace>
      <replace sel="/MPD/Period[@id='0']/AdaptationSet[@id='2031137604']/Representation[@id='video']/SegmentTemplate/SegmentTimeline/S[1]"><S t="161573616172800" d="172800" r="6"/></replace>
      <replace sel="/MPD/Period[@id='0']/AdaptationSet[@id='1282623979']/Representation[@id='audio']/SegmentTemplate/SegmentTimeline/S[1]"><S t="86172595292160" d="92160" r="6"/></replace>
    </Patch>
    "##);
    assert!(matches!(parse(&new.to_document()), Applied::Element { .. }));
}

fn role(value: &str) -> Role {
    Role {
        scheme: "urn:mpeg:dash:role:2011".into(),
        value: value.into(),
    }
}

#[test]
fn tracks_of_other_roles_or_another_range_of_light_are_sets_of_their_own() {
    let mut snapshot = Sample::low_latency().slots(4).snapshot();
    let plain = text(&snapshot, Addressing::Time);
    let mut more = |track: &str, name: &str, change: fn(&mut Init)| {
        let track = snapshot.tracks.iter().find(|known| known.name == track);
        let mut track = track.unwrap().clone();
        track.name = name.into();
        let mut init = (**track.init().unwrap()).clone();
        change(&mut init);
        track.inits = vec![Arc::new(init)];
        snapshot.tracks.push(track);
    };
    more("audio", "described", |init| {
        init.roles = vec![role("description")]
    });
    more("audio", "main", |init| init.roles = vec![role("main")]);
    more("video", "hdr", |init| init.transfer = Some(16));
    more("video", "sdr", |init| init.transfer = Some(1));
    let text = text(&snapshot, Addressing::Time);
    let sets: Vec<Vec<&str>> = text
        .split("<AdaptationSet ")
        .skip(1)
        .map(|set| {
            let tracks = set.split("<Representation id=\"").skip(1);
            tracks.map(|track| track.split('"').next().unwrap()).collect()
        })
        .collect();
    assert_eq!(
        sets,
        [
            vec!["video", "sdr"],
            vec!["hdr"],
            vec!["described"],
            vec!["audio", "main"]
        ],
        "{text}"
    );
    assert!(text.contains("value=\"description\""), "{text}");
    // The sets that were there have the ids that they had.
    for id in ["id=\"2031137604\"", "id=\"1282623979\""] {
        assert!(plain.contains(id) && text.contains(id), "{text}");
    }
}
