//! Splices through the real encoders: asked for, and from the sections of a transport stream, judged by the pushed bytes.
#![cfg(feature = "ffmpeg")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod transport;

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, atomic::AtomicBool, mpsc::Receiver},
    time::Duration,
};

use bytes::Bytes;
use mp4_atom::{Any, Decode, Emsg, EmsgTimestamp};
use selvedge_breaks::{
    Pts, Ticks,
    scte35::{self, BreakDuration, Insert, InsertPoint, Section, SpliceInsert},
};
use selvedge_encoder::{
    clock::{Grid, Utc},
    cmaf::Sink,
    config::{Config, File},
    control,
    pipeline::{self, Clock, Output},
    splice::{At, EventId, Request},
    stats::TrackStats,
};

/// A clock that moves only when it is waited for.
struct TestClock(Cell<u64>);

impl Clock for TestClock {
    fn now(&self) -> Utc {
        Utc(self.0.get())
    }
    fn wait(&self, time: Duration) {
        self.0.set(self.0.get() + time.as_nanos() as u64);
    }
    fn is_real(&self) -> bool {
        false
    }
}

/// A segment as it was pushed: what it is known by, and its chunks.
type Segment = (u64, Vec<Bytes>);

#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<Segment>>>);

impl Sink for Keep {
    fn init(&mut self, _: Bytes) {}
    fn begin(&mut self, number: u64) {
        self.0.lock().unwrap().push((number, Vec::new()));
    }
    fn chunk(&mut self, chunk: Bytes) {
        self.0.lock().unwrap().last_mut().unwrap().1.push(chunk);
    }
    fn end(&mut self) {}
    fn abort(&mut self) {
        panic!("segment aborted");
    }
}

/// What a channel pushed, by track.
type Pushed = BTreeMap<String, Vec<Segment>>;

const START: Utc = Utc::from_millis(1_800_000_000_321);

fn config(input: Option<&Path>, seconds: f64) -> Config {
    Config::try_from(File {
        input: input.map(|path| path.to_str().unwrap().to_owned()),
        push: Some("http://127.0.0.1:1/ingest/demo".to_owned()),
        ladder: Some(vec!["256x144@300k".to_owned(), "192x108@150k".to_owned()]),
        preset: Some("ultrafast".to_owned()),
        duration: Some(seconds),
        ..File::default()
    })
    .unwrap()
}

fn run(config: &Config, start: Utc, commands: Option<&Receiver<control::Command>>) -> Pushed {
    selvedge_encoder::init_ffmpeg().unwrap();
    let tracks: Vec<_> = pipeline::tracks(config)
        .into_iter()
        .map(|(name, _)| (name, Keep::default()))
        .collect();
    let outputs = tracks.iter().map(|(name, keep)| Output {
        stats: Arc::new(TrackStats::new(name.as_str())),
        sink: Box::new(keep.clone()),
    });
    let outputs = outputs.collect();
    let clock = TestClock(Cell::new(start.0));
    pipeline::run_with(config, outputs, &clock, &AtomicBool::new(false), commands).unwrap();
    let pushed = tracks
        .into_iter()
        .map(|(name, keep)| (name, keep.0.lock().unwrap().clone()));
    pushed.collect()
}

/// First frame of the channel.
fn first(grid: Grid) -> u64 {
    (grid.frame_at(START) + 1).next_multiple_of(u64::from(grid.segment_frames()))
}

fn boxes(mut bytes: &[u8]) -> Vec<Any> {
    let mut boxes = Vec::new();
    while !bytes.is_empty() {
        boxes.push(Any::decode(&mut bytes).unwrap());
    }
    boxes
}

/// Decode time of a chunk, its samples, and whether its first one is an IDR picture by its flags and by its own bytes.
fn chunk(bytes: &[u8]) -> (u64, u64, bool) {
    let boxes = boxes(bytes);
    let moof = boxes.iter().find_map(|found| match found {
        Any::Moof(moof) => Some(moof),
        _ => None,
    });
    let mdat = boxes.iter().find_map(|found| match found {
        Any::Mdat(mdat) => Some(&mdat.data),
        _ => None,
    });
    let (traf, mut sample) = (&moof.unwrap().traf[0], &mdat.unwrap()[..]);
    let first = traf.trun[0].samples.get(0).unwrap();
    sample = &sample[..first.size.unwrap() as usize];
    let mut has_idr = false;
    while let Some((length, rest)) = sample.split_first_chunk::<4>() {
        let Some((unit, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else {
            break;
        };
        has_idr |= unit[0] & 31 == 5;
        sample = rest;
    }
    let is_sync = first.flags == Some(0x0200_0000);
    let time = traf.tfdt.as_ref().unwrap().base_media_decode_time;
    (time, traf.trun[0].samples.len() as u64, is_sync && has_idr)
}

/// Checks a track that was cut at `cuts`, frames from the channel's first one on: each segment begins where it should and
/// with an IDR, and no sample is missing or twice.
fn assert_cut(pushed: &Pushed, grid: Grid, cuts: &[u64]) {
    let first = first(grid);
    for (name, segments) in pushed {
        let is_sound = name == "audio";
        let mut begins: Vec<u64> = (0..)
            .map(|segment| first + segment * 48)
            .take(segments.len())
            .collect();
        begins.extend(cuts.iter().map(|cut| first + cut));
        begins.sort_unstable();
        begins.dedup();
        let mut next = None;
        for ((number, chunks), begin) in segments.iter().zip(begins) {
            let (time, ..) = chunk(&chunks[0]);
            let expected = if is_sound {
                // The nearest AAC frame.
                (grid.sample_of(begin) + 512) / 1024 * 1024
            } else {
                grid.video_time(begin)
            };
            assert_eq!(time, expected, "{name}");
            let on_grid = grid.is_segment_start(begin);
            assert_eq!(
                *number,
                if on_grid { grid.segment_of(begin) } else { time },
                "{name}"
            );
            for (index, bytes) in chunks.iter().enumerate() {
                let (time, samples, is_idr) = chunk(bytes);
                assert_eq!(next.unwrap_or(time), time, "{name}");
                assert!(is_sound || is_idr == (index == 0), "{name} {number} {index}");
                let (longest, ticks) = if is_sound { (15, 1024) } else { (8, 3600) };
                assert!(
                    samples == longest || samples < longest && index + 1 == chunks.len(),
                    "{name}"
                );
                next = Some(time + samples * ticks);
            }
        }
    }
}

/// The messages of a track, each with the decode time of the chunk that it stands before.
fn messages(segments: &[Segment]) -> Vec<(u64, Emsg)> {
    let chunks = segments.iter().flat_map(|(_, chunks)| chunks);
    let of = |bytes: &Bytes| {
        let (time, ..) = chunk(bytes);
        let found = boxes(bytes).into_iter().filter_map(move |found| match found {
            Any::Emsg(emsg) => Some((time, emsg)),
            _ => None,
        });
        found.collect::<Vec<_>>()
    };
    chunks.flat_map(of).collect()
}

#[test]
fn a_splice_that_is_asked_for_cuts_every_rendition_and_the_sound_at_both_ends() {
    let config = config(None, 6.0);
    let (door, commands) = control::queue();
    let out = first(config.grid) + 61;
    let asked = Request::Out {
        at: At::Time(config.grid.time(out)),
        duration: Some(Duration::from_millis(1640)),
        event: Some(EventId(7)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let pushed = runtime.block_on(async {
        let asked = tokio::spawn(async move { door.ask(asked).await });
        tokio::task::yield_now().await;
        let grid = config.grid;
        let pushed = tokio::task::spawn_blocking(move || run(&config, START, Some(&commands)));
        let splice = asked.await.unwrap().unwrap();
        assert_eq!(splice.cuts, [out, out + 41]);
        (pushed.await.unwrap(), grid)
    });
    let (pushed, grid) = pushed;
    // Two of the grid's segments are two and three pieces now.
    assert_cut(&pushed, grid, &[61, 102]);
    let video = grid.video_time(out);
    for name in ["video-144p", "video-108p"] {
        let messages = messages(&pushed[name]);
        let times: Vec<_> = messages.iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [grid.video_time(first(grid)), video], "{name}");
        for (_, emsg) in &messages {
            assert_eq!(emsg, &messages[0].1);
            assert_eq!(emsg.presentation_time, EmsgTimestamp::Absolute(video));
            assert_eq!((emsg.timescale, emsg.event_duration), (90_000, 41 * 3600));
            let section = Section::decode(&emsg.message_data).unwrap();
            let Some(scte35::Command::Insert(insert)) = section.command() else {
                panic!("{section:?}");
            };
            assert_eq!(insert.event_id, 7);
        }
    }
    assert!(messages(&pushed["audio"]).is_empty());
}

/// A transport stream of six seconds at 25 frames a second.
fn feed(folder: &Path) -> Vec<u8> {
    let path = folder.join("bare.ts");
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "warning",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=25:duration=6",
        ])
        .args([
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=48000:duration=6",
        ])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            "0",
            "-g",
            "50",
            "-c:a",
            "aac",
        ])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read(path).unwrap()
}

fn insert(event: u32, is_out: bool, at: Option<u64>, ticks: Option<u64>) -> Vec<u8> {
    let insert = Insert {
        is_out,
        event_id_compliance_bit: true,
        point: at.map_or(InsertPoint::Immediate, |at| {
            InsertPoint::Program(Some(Pts::new(at)))
        }),
        duration: ticks.map(|ticks| BreakDuration {
            auto_return: true,
            duration: Ticks(ticks),
        }),
        unique_program_id: 1,
        avail_num: 0,
        avails_expected: 0,
    };
    let command = scte35::Command::Insert(SpliceInsert {
        event_id: event,
        event: Some(insert),
    });
    Section::new(command, Vec::new()).encode().unwrap()
}

#[test]
fn sections_of_a_transport_stream_cut_two_encoders_at_the_same_frames() {
    let folder = tempfile::tempdir().unwrap();
    let bare = feed(folder.path());
    let zero = transport::first_pts(&bare);
    // A break from picture 70 to picture 95, told 50 pictures ahead and once more; and an end at picture 110.
    let out = insert(7, true, Some(zero + 70 * 3600), Some(25 * 3600));
    let back = insert(7, false, Some(zero + 110 * 3600), None);
    let said = [
        (zero + 20 * 3600, &out),
        (zero + 40 * 3600, &out),
        (zero + 80 * 3600, &back),
    ];
    let path = folder.path().join("feed.ts");
    std::fs::write(&path, transport::with_sections(&bare, &said)).unwrap();
    let config = config(Some(&path), 5.0);
    let grid = config.grid;
    let pushed = run(&config, START, None);
    assert_cut(&pushed, grid, &[70, 95, 110]);
    for name in ["video-144p", "video-108p"] {
        let messages = messages(&pushed[name]);
        let told: Vec<_> = messages
            .iter()
            .map(|(_, emsg)| (emsg.presentation_time.clone(), &emsg.message_data))
            .collect();
        let at = |frame: u64| EmsgTimestamp::Absolute(grid.video_time(first(grid) + frame));
        assert_eq!(
            told,
            [(at(70), &out), (at(70), &out), (at(110), &back), (at(110), &back)],
            "{name}"
        );
        // Ahead of the splice by more than a second, and where it is.
        assert!(messages[0].0 + 90_000 < messages[1].0);
        assert_eq!(EmsgTimestamp::Absolute(messages[1].0), at(70));
        assert_eq!(messages[0].1, messages[1].1);
    }
    // An encoder beside it, started a little later.
    let other = run(&config, START.plus(Duration::from_millis(400)), None);
    for (name, segments) in &pushed {
        let shape = |segments: &[Segment]| -> Vec<_> {
            let chunks = segments.iter().flat_map(|(_, chunks)| chunks);
            chunks.map(|bytes| (chunk(bytes).0, chunk(bytes).1)).collect()
        };
        assert_eq!(shape(segments), shape(&other[name]), "{name}");
        assert_eq!(messages(segments), messages(&other[name]), "{name}");
    }
}
