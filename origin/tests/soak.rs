//! A channel for hours, as fast as the machine goes, with players that wait for every part: what it holds must not
//! grow.
//!
//! The short one is of every test run and counts bytes. The long one is `make soak`'s.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use futures_util::stream;
use selvedge_origin::time::UnixMillis;
use support::*;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// The system's allocator, which knows how much of it is in use.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is the system allocator's own, with the arguments that came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is the one that is needed.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const PARTS: u64 = 6;
const TRACKS: [(&str, Sketch, u64, u32, u32); 2] = [
    // Ticks of a segment, frames of a part, bytes of a frame.
    ("video", VIDEO, VIDEO_SEGMENT, 8, 4_000),
    ("audio", AUDIO, AUDIO_SEGMENT, 15, 340),
];
/// Players of each track.
const PLAYERS: usize = 6;

/// A channel on air, and its players.
struct Soak {
    world: Arc<World>,
    /// Parts that each player has seen, counted from the epoch.
    seen: Vec<watch::Receiver<u64>>,
    slot: u64,
    _players: JoinSet<()>,
}

impl Soak {
    async fn begin() -> Self {
        let world = Arc::new(World::with(|config| config.window_s = 30).await);
        world.begin("soak").await;
        let mut soak = Self {
            world: Arc::clone(&world),
            seen: Vec::new(),
            slot: FIRST,
            _players: JoinSet::new(),
        };
        // Documents need some media to begin with.
        soak.segment().await;
        for (track, ..) in TRACKS {
            for _ in 0..PLAYERS {
                let (sender, seen) = watch::channel(0);
                soak._players.spawn(play(Arc::clone(&world), track, sender));
                soak.seen.push(seen);
            }
        }
        soak
    }

    /// Plays until so much media has gone by since the channel began.
    #[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    async fn until(&mut self, media: Duration) -> usize {
        while u128::from(self.slot - FIRST) * 1_920 < media.as_millis() {
            self.segment().await;
            self.world.origin.sweep().await;
            self.world.origin.save().await.unwrap();
        }
        HELD.load(Ordering::Relaxed)
    }

    /// Pushes a segment of each track, part by part; every player sees each part before the next one comes.
    #[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    async fn segment(&mut self) {
        let mut senders = Vec::new();
        let mut pushes = JoinSet::new();
        for (track, ..) in TRACKS {
            let (sender, chunks) = mpsc::channel::<Bytes>(1);
            let body = Body::from_stream(stream::unfold(chunks, |mut chunks| async {
                let chunk = chunks.recv().await?;
                Some((Ok::<_, Infallible>(chunk), chunks))
            }));
            let (world, path) = (
                Arc::clone(&self.world),
                format!("/ingest/soak/{track}/{}.m4s", self.slot),
            );
            pushes.spawn(async move { world.must_put(&path, body).await });
            senders.push(sender);
        }
        for part in 0..PARTS {
            let now = self.slot * 1_920 + (part + 1) * 320;
            self.world.clock.set(UnixMillis(now as i64));
            for (sender, (_, sketch, ticks, frames, size)) in senders.iter().zip(TRACKS) {
                let start = self.slot * ticks + part * u64::from(frames * sketch.sample);
                let syncs = part == 0 || !sketch.is_video;
                let chunk = chunk_of(start, frames, syncs, size);
                sender.send(chunk.into()).await.unwrap();
            }
            let expected = self.slot * PARTS + part + 1;
            for seen in &mut self.seen {
                let waited = seen.wait_for(|seen| *seen >= expected);
                let seen = tokio::time::timeout(Duration::from_secs(30), waited).await;
                assert!(seen.is_ok(), "a player never saw part {part} of {}", self.slot);
            }
        }
        drop(senders);
        while let Some(pushed) = pushes.join_next().await {
            pushed.unwrap();
        }
        self.slot += 1;
    }
}

/// Asks for the next part, for ever.
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
async fn play(world: Arc<World>, track: &'static str, seen: watch::Sender<u64>) {
    let mut query = String::new();
    loop {
        let path = format!("/live/soak/{track}/index.m3u8{query}");
        let response = world.send(Request::get(&path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let (mut segment, mut part) = (0, 0);
        for line in std::str::from_utf8(&body).unwrap().lines() {
            if let Some(number) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
                segment = number.parse().unwrap();
            } else if line.starts_with("#EXT-X-PART:") {
                part += 1;
            } else if !line.starts_with('#') {
                (segment, part) = (segment + 1, 0);
            }
        }
        seen.send_replace(segment * PARTS + part);
        query = format!("?_HLS_msn={segment}&_HLS_part={part}");
    }
}

#[tokio::test]
async fn ten_minutes_hold_no_more_than_four_did() {
    let mut soak = Soak::begin().await;
    // The window and the retention time are full by then.
    let before = soak.until(Duration::from_secs(4 * 60)).await;
    let after = soak.until(Duration::from_secs(10 * 60)).await;
    assert!(
        after <= before + before / 50,
        "{before} bytes after four minutes, {after} after ten"
    );
}

/// `SOAK_HOURS` of media, six where it is not set; a line for each hour.
#[tokio::test]
#[ignore = "minutes of work: `make soak`"]
async fn hours_hold_no_more_than_two_did() {
    let hours = std::env::var("SOAK_HOURS").map_or(6, |hours| hours.parse().unwrap());
    assert!(hours > 2, "the second hour is what the last is compared with");
    let mut soak = Soak::begin().await;
    println!("| hour of media | in use, KiB | resident, KiB | CPU, s | took, s |");
    println!("| ---: | ---: | ---: | ---: | ---: |");
    let mut resident = Vec::new();
    for hour in 1..=hours {
        let (used, begun) = (processor(), Instant::now());
        let held = soak.until(Duration::from_secs(hour * 3_600)).await;
        resident.push(memory());
        println!(
            "| {hour} | {} | {} | {:.1} | {:.1} |",
            held / 1024,
            memory(),
            (processor() - used).as_secs_f64(),
            begun.elapsed().as_secs_f64()
        );
    }
    let (second, last) = (resident[1], resident[resident.len() - 1]);
    assert!(
        last <= second + second / 20,
        "{second} KiB after two hours, {last} after {hours}"
    );
}

/// Resident memory of this process, in KiB.
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// Processor time of this process, in user and system mode.
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Fields 14 and 15 of the line; the name before the third may hold spaces. Linux counts in hundredths.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks = fields.split(' ').skip(11).take(2);
    Duration::from_millis(ticks.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}
