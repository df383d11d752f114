//! `selvedge-encoder`: the command line around the library.

use std::{
    io::IsTerminal,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering::Relaxed},
    time::Duration,
};

use clap::{Parser, Subcommand};
use futures_util::future::join_all;
use selvedge_breaks::CreativeName;
use selvedge_encoder::{
    config::{Config, ConfigError, File, Target, WATERMARK_KEY, WatermarkFile, split_ladder},
    control,
    creative::{self, Length},
    detect::{self, Begin, Request},
    pipeline::{self, Output, SystemClock},
    push::{FolderSink, PushOptions, Pusher},
    stats::TrackStats,
};
use tracing_subscriber::EnvFilter;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Encodes a file or a test picture live and pushes it to an origin as CMAF.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A file, looped; or `test` for a generated picture with clock and tone [default: test]
    input: Option<String>,
    /// Publishing point of the origin, such as http://127.0.0.1:8080/ingest/demo; file:///a/folder writes to disk
    #[arg(long, value_name = "URL")]
    push: Option<String>,
    /// Configuration file; what is said here on the command line overrules it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Renditions, best first [default: 1280x720@2200k,848x480@1000k,480x270@400k]
    #[arg(long, value_name = "WxH@RATE,...")]
    ladder: Option<String>,
    /// Frames a second: 24, 25, 30, 50 or 60 [default: 25]
    #[arg(long)]
    fps: Option<u32>,
    /// Whether the picture carries the clock: burned or none [default: burned]
    #[arg(long, value_name = "MODE")]
    clock: Option<String>,
    /// Sound of an input without sound: tone or silence [default: tone]
    #[arg(long, value_name = "SOUND")]
    audio: Option<String>,
    /// libx264's preset [default: superfast]
    #[arg(long)]
    preset: Option<String>,
    /// Stop after so many seconds of media
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    duration: Option<f64>,
    /// Watermark all renditions: each is encoded and pushed twice, marked with the key in this file, 64 hexadecimal digits
    #[arg(long, value_name = "FILE", conflicts_with = "creative")]
    watermark_key: Option<PathBuf>,
    /// Make a creative of this name instead of a channel: the input once, as fast as that goes, into the folder of --push.
    /// `test` is a card with the name
    #[arg(long, value_name = "NAME")]
    creative: Option<String>,
    /// With --creative: keep the input's own length, instead of filling its last segment
    #[arg(long, requires = "creative")]
    exact: bool,
    /// Take splices over HTTP at this address, which must be of loopback, such as 127.0.0.1:0
    #[arg(long, value_name = "ADDRESS", conflicts_with = "creative")]
    control: Option<SocketAddr>,
    /// End as on SIGTERM when standard input reaches its end, for programs that start the encoder and may be killed
    #[arg(long)]
    end_with_stdin: bool,
    /// Log lines on stderr: human or json [default: human]
    // The last one counts: a program that starts the encoder gives its own first, and its user may say otherwise.
    #[arg(long, value_name = "FORMAT", overrides_with = "log_format")]
    log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare a recording with what viewers were sent, and write what each segment of it says to standard output as JSON
    ///
    /// `selvedge watermark detect` starts this and scores sessions by it.
    Detect {
        /// The recording
        capture: PathBuf,
        /// The channel's folder, or a rendition's, with the segments of both variants
        #[arg(long, value_name = "FOLDER")]
        archive: PathBuf,
        /// The rendition to compare with [default: the smallest of at least 640 pixels]
        #[arg(long)]
        rendition: Option<String>,
        /// When what the recording begins with was sent, in seconds of media time
        #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
        at: Option<f64>,
        /// With --at: how many seconds earlier or later it may have been
        #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
        within: f64,
        /// Log lines on stderr: human or json
        #[arg(long, value_name = "FORMAT", default_value = "human")]
        log_format: String,
    },
}

const EXAMPLES: &str = "Examples:
  selvedge-encoder test --push http://127.0.0.1:8080/ingest/demo
  selvedge-encoder film.mp4 --push http://127.0.0.1:8080/ingest/demo --fps 25
  selvedge-encoder --config encoder.toml
  selvedge-encoder ad.mp4 --creative acme-30 --push file:///srv/creatives/acme-30 --config encoder.toml

RUST_LOG sets what is logged, as in RUST_LOG=debug.";

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if let Some(Command::Detect {
        capture,
        archive,
        rendition,
        at,
        within,
        log_format,
    }) = arguments.command
    {
        start_log(log_format == "json");
        return ended(read_recording(&Request {
            capture,
            archive,
            rendition,
            begin: at.map(|at| Begin { at, within }),
        }));
    }
    let end_with_stdin = arguments.end_with_stdin;
    let control = arguments.control;
    if let Some(address) = control.filter(|address| !control::may_listen(*address)) {
        eprintln!("selvedge-encoder: --control: {address} is not of loopback; give one such as 127.0.0.1:0");
        return ExitCode::from(2);
    }
    let creative = arguments.creative.take();
    let length = if arguments.exact {
        Length::Exact
    } else {
        Length::Whole
    };
    let usual = if creative.is_some() {
        // Nobody waits for it, and nobody asked for a tone.
        File {
            preset: Some("medium".to_owned()),
            audio: Some("silence".to_owned()),
            ..File::default()
        }
    } else {
        File::default()
    };
    let (config, json) = match configure(arguments, usual) {
        Ok(configured) => configured,
        Err(error) => {
            eprintln!("selvedge-encoder: {error}");
            return ExitCode::from(2);
        }
    };
    start_log(json);
    let done = match creative {
        Some(name) => condition(&config, &name, length),
        None => run(config, end_with_stdin, control),
    };
    ended(done)
}

fn ended(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what a recording says of the segments that it shows.
fn read_recording(request: &Request) -> Result<(), Failure> {
    selvedge_encoder::init_ffmpeg()?;
    let recording = detect::detect(request)?;
    serde_json::to_writer(std::io::stdout().lock(), &recording)?;
    Ok(())
}

/// Makes a creative and says what became of it.
fn condition(config: &Config, name: &str, length: Length) -> Result<(), Failure> {
    let name = CreativeName::try_from(name.to_owned())?;
    let Target::Folder(folder) = &config.target else {
        return Err("a creative is written to a folder: give --push file:///a/folder".into());
    };
    selvedge_encoder::init_ffmpeg()?;
    let creative = creative::make(config, name, length, folder)?;
    tracing::info!(
        creative = %creative.name,
        seconds = %creative.duration,
        renditions = creative.renditions.len(),
        folder = %folder.display(),
        "creative made"
    );
    Ok(())
}

/// What the command line says, else the file, else what is usual.
fn configure(arguments: Arguments, usual: File) -> Result<(Config, bool), ConfigError> {
    let file = arguments
        .config
        .as_deref()
        .map(File::read)
        .transpose()?
        .unwrap_or_default();
    let file = usual.overruled_by(file).overruled_by(File {
        input: arguments.input,
        push: arguments.push,
        fps: arguments.fps,
        ladder: arguments.ladder.as_deref().map(split_ladder),
        clock: arguments.clock,
        audio: arguments.audio,
        preset: arguments.preset,
        duration: arguments.duration,
        log_format: arguments.log_format,
        watermark: arguments.watermark_key.map(|key_file| WatermarkFile {
            key_file: Some(key_file),
            ..WatermarkFile::default()
        }),
        ..File::default()
    });
    let file = File {
        watermark: file.watermark.map(|watermark| WatermarkFile {
            key: std::env::var(WATERMARK_KEY).ok(),
            ..watermark
        }),
        ..file
    };
    let json = file.log_format.as_deref() == Some("json");
    Ok((Config::try_from(file)?, json))
}

fn start_log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // To whom it would tell of a log that cannot be written nobody listens either: saying so would end the thread.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    if json {
        log.json().init()
    } else {
        log.with_target(false).init()
    }
}

#[tokio::main(worker_threads = 1)]
async fn run(config: Config, end_with_stdin: bool, control: Option<SocketAddr>) -> Result<(), Failure> {
    selvedge_encoder::init_ffmpeg()?;
    let stop = Arc::new(AtomicBool::new(false));
    tokio::spawn(watch_signals(Arc::clone(&stop)));
    if end_with_stdin {
        let stop = Arc::clone(&stop);
        // A thread of its own: a read that blocks for good must not hold up the runtime's end.
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || watch_stdin(&stop))?;
    }

    let (door, commands) = control::queue();
    if let Some(address) = control {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .map_err(|error| format!("--control {address}: {error}"))?;
        tracing::info!(control = %listener.local_addr()?, "taking splices");
        tokio::spawn(control::serve(listener, door, config.grid));
    }

    let mut outputs = Vec::new();
    let mut senders = Vec::new();
    let pusher = match &config.target {
        Target::Http(url) => {
            let options = PushOptions {
                url: url.clone(),
                queue_segments: config.queue_segments,
                stall: config.grid.segment_duration() * 2,
            };
            Some(Pusher::new(options)?)
        }
        Target::Folder(_) => None,
    };
    for (name, content_type) in pipeline::tracks(&config) {
        let stats = Arc::new(TrackStats::new(name.as_str()));
        let sink: Box<dyn selvedge_encoder::cmaf::Sink> = match (&config.target, &pusher) {
            (Target::Folder(folder), _) => Box::new(FolderSink::new(folder, &name)?),
            (Target::Http(_), Some(pusher)) => {
                let (sink, sender) = pusher.track(&stats, content_type);
                senders.push(sender);
                Box::new(sink)
            }
            (Target::Http(_), None) => continue,
        };
        outputs.push(Output { stats, sink });
    }
    let conductor = tokio::task::spawn_blocking(move || {
        pipeline::run_with(&config, outputs, &SystemClock, &stop, Some(&commands))
    });
    let result = conductor.await?;
    // An origin that is away must not keep the process alive.
    if tokio::time::timeout(LAST_WORDS, join_all(senders)).await.is_err() {
        tracing::warn!("the last segments could not be sent");
    }
    Ok(result?)
}

/// The first signal ends the stream in order, the second one at once.
async fn watch_signals(stop: Arc<AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be watched");
        return;
    };
    for again in [false, true] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if again {
            std::process::exit(130);
        }
        stop.store(true, Relaxed);
    }
}

/// Whoever holds the other end of standard input is gone when it ends, however that came about.
fn watch_stdin(stop: &AtomicBool) {
    let read = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    stop.store(true, Relaxed);
    match read {
        Ok(_) => tracing::info!("standard input has ended"),
        Err(error) => tracing::warn!(%error, "standard input cannot be read"),
    }
}

/// How long the tracks together may take for what is still to be sent after the end.
const LAST_WORDS: Duration = Duration::from_secs(3);
