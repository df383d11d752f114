//! `selvedge demo`: encoder, origin, edge and a page, on loopback, with keys that live as long as it does.

use std::{
    collections::HashMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{Path as UrlPath, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use selvedge_edge::{Edge, OriginUrl, Site};
use selvedge_edge_native::{Native, Pop, Trust};
use selvedge_listen::{Limits, serve};
use selvedge_origin::{Origin, clock};
use selvedge_token::{Component, Jwk, JwkSet, Match, Minter, SigningKey};
use serde_json::json;
use tokio::{
    process::{Child, Command},
    sync::watch,
};

use super::{bind, encode, token};
use crate::{failure::Failure, log::LogFormat, stop};

/// The demo's one channel.
const CHANNEL: &str = "demo";

/// How long a page's token lasts: nobody watches a demo for longer.
const TOKEN_SECONDS: i64 = 12 * 3600;

/// Players keep three segments between them and the live edge (RFC 8216bis §6.3.3); one more is being made.
const SEGMENTS_TO_BEGIN_WITH: usize = 4;

/// How long to wait for the first picture before giving up. A busy machine takes some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the encoder may take to close its last segments.
const ENCODER_GRACE: Duration = Duration::from_secs(8);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `test` for a generated picture with a clock and a tone, or a media file, which is looped
    #[arg(long, default_value = "test", value_name = "test|FILE")]
    input: String,

    /// Port of the page; the origin and the edge take free ones
    #[arg(long, default_value_t = 8000)]
    port: u16,

    /// Renditions, such as 1280x720@2200k,480x270@400k [default: the encoder's]
    #[arg(long, value_name = "LADDER")]
    ladder: Option<String>,

    /// Folder of the built page
    #[arg(long, default_value = "web/dist", value_name = "FOLDER")]
    web: PathBuf,
}

pub(crate) async fn run(args: Args, log_format: Option<LogFormat>) -> Result<(), Failure> {
    if args.input != "test" && !Path::new(&args.input).is_file() {
        return Err(Failure::configuration(
            "--input",
            format!("{:?} is neither `test` nor a file", args.input),
        ));
    }
    let files = load_page(&args.web)?;
    let stop_requested = stop::requested()?;
    let page = bind(loopback(args.port)).await?;
    let page_address = page
        .local_addr()
        .map_err(|error| Failure::run("the page", error))?;
    // One stop for everybody: each part watches for it.
    let (stop, stopped) = watch::channel(false);

    let data = tempfile::tempdir().map_err(|error| Failure::run("a folder for the media", error))?;
    let origin_socket = bind(loopback(0)).await?;
    let origin_address = origin_socket
        .local_addr()
        .map_err(|error| Failure::run("the origin", error))?;
    let config = selvedge_origin::Config {
        listen: origin_address,
        data: data.path().to_owned(),
        ..selvedge_origin::Config::default()
    };
    let origin = Origin::open(config, clock::system())
        .await
        .map_err(|error| Failure::run("the origin", error))?;
    let origin = tokio::spawn(origin.serve(origin_socket, until(stopped.clone())));

    let key = token::elliptic_key("demo")?;
    let edge_socket = bind(loopback(0)).await?;
    let edge_address = edge_socket
        .local_addr()
        .map_err(|error| Failure::run("the edge", error))?;
    let site = Site {
        server_timing: true,
        ..Site::default()
    };
    let keys = serde_json::to_string(&JwkSet {
        keys: vec![key.for_recipient(), token::session_key("demo-session")?],
    })
    .map_err(|error| Failure::run("the demo's keys", error))?;
    let edge = Edge::with_site(&keys, site).map_err(|error| Failure::run("the edge", error))?;
    let url = OriginUrl::parse(&format!("http://{origin_address}"))
        .map_err(|error| Failure::run("the edge", error))?;
    let native = Native::new(url).map_err(|error| Failure::run("the edge", error))?;
    let edge = tokio::spawn(serve(
        edge_socket,
        Pop::new(edge, native, http::uri::Scheme::HTTP, Trust::default()).router(),
        Limits::default(),
        until(stopped.clone()),
    ));

    let shown = Arc::new(Page {
        files,
        key,
        edge: edge_address,
        input: input_name(&args.input),
    });
    let page = tokio::spawn(serve(page, shown.router(), Limits::default(), until(stopped)));

    let mut encoder = start_encoder(&args, origin_address, log_format)?;
    // Held open for as long as the demo runs: waiting for a child would close it.
    let leash = encoder.stdin.take();
    let outcome = tokio::select! {
        outcome = watch_over(&mut encoder, &shown, page_address) => outcome,
        () = stop_requested => Ok(()),
    };

    stop_encoder(encoder).await;
    drop(leash);
    let _ = stop.send(true);
    let (origin, _edge, _page) = tokio::join!(origin, edge, page);
    let origin = origin.map_err(|error| Failure::run("the origin", error))?;
    outcome.and(origin.map_err(|error| Failure::run("the origin", error)))
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever could ask for a stop is gone, which is one.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn input_name(input: &str) -> String {
    let name = Path::new(input).file_name().unwrap_or(input.as_ref());
    name.to_string_lossy().into_owned()
}

/// Says where to look once there is something to see, and ends only when the encoder does.
async fn watch_over(encoder: &mut Child, page: &Page, address: SocketAddr) -> Result<(), Failure> {
    let ended = |status: std::io::Result<ExitStatus>| match status {
        Ok(status) => Failure::run("the encoder ended", status),
        Err(error) => Failure::run("the encoder", error),
    };
    tokio::select! {
        status = encoder.wait() => return Err(ended(status)),
        playable = tokio::time::timeout(PATIENCE, page.playable()) => {
            playable.map_err(|_| Failure::run("the demo", "no picture reached the edge within a minute"))??;
        }
    }
    println!("Selvedge demo: http://{address}/");
    Err(ended(encoder.wait().await))
}

fn start_encoder(args: &Args, origin: SocketAddr, log_format: Option<LogFormat>) -> Result<Child, Failure> {
    let mut command = Command::new(encode::encoder());
    command
        .arg(&args.input)
        .args(["--push", &format!("http://{origin}/ingest/{CHANNEL}")])
        .args(["--log-format", log_format.unwrap_or_default().argument()])
        // However this process ends, the pipe ends with it, and so does the encoder.
        .arg("--end-with-stdin")
        .stdin(Stdio::piped())
        // A terminal's Ctrl-C goes to the whole group; the encoder is to stop when it is told to, first of all.
        .process_group(0)
        .kill_on_drop(true);
    if let Some(ladder) = &args.ladder {
        command.args(["--ladder", ladder]);
    }
    command.spawn().map_err(|error| encode::not_started(&error))
}

async fn stop_encoder(mut encoder: Child) {
    if let Some(id) = encoder
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(ENCODER_GRACE, encoder.wait()).await.is_err() {
        tracing::warn!("the encoder did not stop in time and was ended");
        let _ = encoder.kill().await;
    }
}

/// The page: its files in memory, and what it needs to know of this demo.
struct Page {
    files: HashMap<String, Vec<u8>>,
    key: Jwk,
    edge: SocketAddr,
    input: String,
}

impl Page {
    fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route(
                "/",
                get(async |State(page): State<Arc<Self>>| page.file("index.html")),
            )
            .route(
                "/demo.json",
                get(async |State(page): State<Arc<Self>>| page.facts()),
            )
            .route(
                "/{*path}",
                get(async |State(page): State<Arc<Self>>, UrlPath(path): UrlPath<String>| page.file(&path)),
            )
            .with_state(self.clone())
    }

    fn file(&self, name: &str) -> Response {
        let Some(bytes) = self.files.get(name) else {
            return (StatusCode::NOT_FOUND, "There is no such file here.").into_response();
        };
        let kind = match name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("json" | "map") => "application/json",
            Some("svg") => "image/svg+xml",
            Some("woff2") => "font/woff2",
            _ => "application/octet-stream",
        };
        (
            [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")],
            bytes.clone(),
        )
            .into_response()
    }

    /// What the page plays, with a token of its own.
    fn facts(&self) -> Response {
        match (
            self.url("index.m3u8", TOKEN_SECONDS),
            self.url("manifest.mpd", TOKEN_SECONDS),
            self.url("index.m3u8", -60),
        ) {
            (Ok(hls), Ok(dash), Ok(expired)) => {
                let facts = json!({
                    "hls": hls, "dash": dash, "expired": expired, "channel": CHANNEL, "input": self.input,
                });
                let headers = [
                    (header::CONTENT_TYPE, "application/json"),
                    (header::CACHE_CONTROL, "no-store"),
                ];
                (headers, facts.to_string()).into_response()
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "No token could be minted.").into_response(),
        }
    }

    /// The URL of a document of the channel at the edge, with a token that lasts some seconds.
    fn url(&self, document: &str, seconds: i64) -> Result<String, Failure> {
        let key = SigningKey::from_jwk(&self.key).map_err(|error| Failure::run("the demo's key", error))?;
        let now = token::now();
        let token = Minter::new()
            .issuer("selvedge-demo")
            .issued_at(now)
            .expires_at(now.plus_seconds(seconds))
            .uri(Component::Path, Match::Prefix(format!("/live/{CHANNEL}/")))
            .mint(&key)
            .map_err(|error| Failure::run("the demo's token", error))?;
        Ok(format!(
            "http://{}/live/{CHANNEL}/{document}?CAT={token}",
            self.edge
        ))
    }

    /// Completes once a player that comes now has enough to begin with: one that starts on the first segment
    /// plays with no buffer for as long as it plays.
    async fn playable(&self) -> Result<(), Failure> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(2))
            .build()
            .map_err(|error| Failure::run("the demo's client", error))?;
        let url = self.url("index.m3u8", TOKEN_SECONDS)?;
        while self.segments(&client, &url).await.unwrap_or(0) < SEGMENTS_TO_BEGIN_WITH {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// How many segments the first rendition lists, asked as a player asks; `None` while there is no answer.
    async fn segments(&self, client: &reqwest::Client, multivariant: &str) -> Option<usize> {
        let get = async |url: &str| {
            client
                .get(url)
                .send()
                .await
                .ok()?
                .error_for_status()
                .ok()?
                .text()
                .await
                .ok()
        };
        let renditions = get(multivariant).await?;
        let first = renditions.lines().find(|line| line.starts_with('/'))?;
        let playlist = get(&format!("http://{}{first}", self.edge)).await?;
        Some(playlist.matches("#EXTINF").count())
    }
}

/// Reads the built page into memory: a few files, which the demo then serves from there alone.
fn load_page(folder: &Path) -> Result<HashMap<String, Vec<u8>>, Failure> {
    let missing = |why: &dyn std::fmt::Display| {
        Failure::configuration(
            format!("--web {}", folder.display()),
            format!("{why}: build the page with `npm ci && npm run build:page`, or run `make demo`"),
        )
    };
    let mut files = HashMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).map_err(|error| missing(&error))? {
            let path = entry.map_err(|error| missing(&error))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = path.strip_prefix(folder).ok().and_then(Path::to_str) {
                files.insert(name.to_owned(), fs::read(&path).map_err(|error| missing(&error))?);
            }
        }
    }
    if files.contains_key("index.html") {
        Ok(files)
    } else {
        Err(missing(&"there is no index.html"))
    }
}
