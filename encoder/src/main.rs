//! `selvedge-encoder`: the command line around the library.

use std::{
    io::IsTerminal,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering::Relaxed},
    time::Duration,
};

use clap::Parser;
use futures_util::future::join_all;
use selvedge_encoder::{
    config::{Config, ConfigError, File, Target, split_ladder},
    pipeline::{self, Output, SystemClock},
    push::{FolderSink, PushOptions, Pusher},
    stats::TrackStats,
};
use tracing_subscriber::EnvFilter;

/// Encodes a file or a test picture live and pushes it to an origin as CMAF.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
struct Arguments {
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
    /// End as on SIGTERM when standard input reaches its end, for programs that start the encoder and may be killed
    #[arg(long)]
    end_with_stdin: bool,
    /// Log lines on stderr: human or json [default: human]
    // The last one counts: a program that starts the encoder gives its own first, and its user may say otherwise.
    #[arg(long, value_name = "FORMAT", overrides_with = "log_format")]
    log_format: Option<String>,
}

const EXAMPLES: &str = "Examples:
  selvedge-encoder test --push http://127.0.0.1:8080/ingest/demo
  selvedge-encoder film.mp4 --push http://127.0.0.1:8080/ingest/demo --fps 25
  selvedge-encoder --config encoder.toml

RUST_LOG sets what is logged, as in RUST_LOG=debug.";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let end_with_stdin = arguments.end_with_stdin;
    let (config, json) = match configure(arguments) {
        Ok(configured) => configured,
        Err(error) => {
            eprintln!("selvedge-encoder: {error}");
            return ExitCode::from(2);
        }
    };
    start_log(json);
    match run(config, end_with_stdin) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn configure(arguments: Arguments) -> Result<(Config, bool), ConfigError> {
    let file = arguments
        .config
        .as_deref()
        .map(File::read)
        .transpose()?
        .unwrap_or_default();
    let file = file.overruled_by(File {
        input: arguments.input,
        push: arguments.push,
        fps: arguments.fps,
        ladder: arguments.ladder.as_deref().map(split_ladder),
        clock: arguments.clock,
        audio: arguments.audio,
        preset: arguments.preset,
        duration: arguments.duration,
        log_format: arguments.log_format,
        ..File::default()
    });
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
async fn run(config: Config, end_with_stdin: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
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
    let conductor = tokio::task::spawn_blocking(move || pipeline::run(&config, outputs, &SystemClock, &stop));
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
