//! An encoder: one chunked PUT a segment and track, each chunk sent when its last frame is shown.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use crate::{
    Failure,
    answer::Answer,
    media::{Cadence, Rendition},
};

/// A track and where it is pushed to.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) rendition: Rendition,
    pub(crate) to: SocketAddr,
    /// Path and bytes of what is sent first, such as an MPD.
    pub(crate) before: Option<(String, String)>,
    pub(crate) init: String,
    /// A segment's path up to its number; `.m4s` follows it.
    pub(crate) prefix: String,
}

/// Bytes that are written after the others, the frame's own last two among them.
const LAST: usize = 64;

/// When the last bytes of each part of each track were written.
#[derive(Debug)]
pub(crate) struct Ledger(Vec<Mutex<Vec<Instant>>>);

impl Ledger {
    pub(crate) fn new(tracks: usize) -> Self {
        Self((0..tracks).map(|_| Mutex::default()).collect())
    }

    pub(crate) fn note(&self, track: usize, at: Instant) {
        self.with(track, |times| times.push(at));
    }

    /// Parts of a track that are out.
    pub(crate) fn parts(&self, track: usize) -> usize {
        self.with(track, |times| times.len())
    }

    /// When a part's last byte went out.
    pub(crate) fn at(&self, track: usize, part: usize) -> Option<Instant> {
        self.with(track, |times| times.get(part).copied())
    }

    fn with<T>(&self, track: usize, act: impl FnOnce(&mut Vec<Instant>) -> T) -> T {
        act(&mut self.0[track].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An encoder at work. It stops after the segment that is under way when it is told to.
#[derive(Debug)]
pub(crate) struct Pusher {
    pub(crate) ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Pusher {
    /// Sends the init segments, and begins with the next segment of the clock's grid.
    pub(crate) fn start(tracks: Vec<Track>, cadence: Cadence) -> Result<Self, Failure> {
        let mut senders = Vec::new();
        for track in tracks {
            let stream = TcpStream::connect(track.to)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            let mut sender = Sender { track, stream };
            if let Some((path, text)) = sender.track.before.clone() {
                sender.put(&path, text.as_bytes())?;
            }
            let init = sender.track.rendition.init(cadence);
            sender.put(&sender.track.init.clone(), &init)?;
            senders.push(sender);
        }
        let ledger = Arc::new(Ledger::new(senders.len()));
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let (ledger, stop) = (Arc::clone(&ledger), Arc::clone(&stop));
            move || run(&mut senders, cadence, &ledger, &stop)
        });
        Ok(Self { ledger, stop, thread })
    }

    pub(crate) fn stop(self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .map_err(|_| Failure::from("the encoder's thread failed"))?
    }
}

/// A track's connection.
#[derive(Debug)]
struct Sender {
    track: Track,
    stream: TcpStream,
}

impl Sender {
    fn put(&mut self, path: &str, body: &[u8]) -> Result<(), Failure> {
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: origin\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(&[head.as_bytes(), body].concat())?;
        self.accepted(path)
    }

    fn accepted(&mut self, path: &str) -> Result<(), Failure> {
        let mut answer = Answer::default();
        let mut buffer = [0; 4096];
        loop {
            let length = self.stream.read(&mut buffer)?;
            if length == 0 {
                return Err(format!("{path}: closed without an answer").into());
            }
            if answer.take(buffer.get(..length).unwrap_or_default())? {
                break;
            }
        }
        if answer.status() == 200 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(answer.body());
        Err(format!("{path}: {} {text}", answer.status()).into())
    }
}

fn run(senders: &mut [Sender], cadence: Cadence, ledger: &Ledger, stop: &AtomicBool) -> Result<(), Failure> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let begun = Instant::now();
    let first = since.as_millis() / cadence.segment().as_millis() + 1;
    let mut segment = u64::try_from(first)?;
    while !stop.load(Ordering::Relaxed) {
        let path = |track: &Track| format!("{}{segment}.m4s", track.prefix);
        for part in 0..cadence.parts {
            let chunks: Vec<_> = senders
                .iter()
                .map(|sender| {
                    let chunk = sender.track.rendition.chunk(cadence, segment, part);
                    let head = format!(
                        "PUT {} HTTP/1.1\r\nHost: origin\r\nTransfer-Encoding: chunked\r\n\r\n",
                        path(&sender.track)
                    );
                    let head = if part == 0 { head } else { String::new() };
                    let size = format!("{:x}\r\n", chunk.len());
                    [head.as_bytes(), size.as_bytes(), &chunk, b"\r\n"].concat()
                })
                .collect();
            let shown = u128::from(segment) * u128::from(cadence.parts) + u128::from(part) + 1;
            let due = Duration::from_millis(u64::try_from(shown * cadence.part().as_millis())?);
            thread::sleep((begun + (due - since)).saturating_duration_since(Instant::now()));
            for (at, (sender, chunk)) in senders.iter_mut().zip(&chunks).enumerate() {
                // Noted before the last bytes are written: an answer may be there before the write returns.
                let (most, last) = chunk.split_at(chunk.len() - LAST);
                sender.stream.write_all(most)?;
                ledger.note(at, Instant::now());
                sender.stream.write_all(last)?;
            }
        }
        for sender in senders.iter_mut() {
            sender.stream.write_all(b"0\r\n\r\n")?;
        }
        for sender in senders.iter_mut() {
            let path = path(&sender.track);
            sender.accepted(&path)?;
        }
        segment += 1;
    }
    Ok(())
}
