//! Servers under measurement: processes of their own, on ports that the system chose.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Failure, answer::Answer, media::Rendition, players::View, push::Track};

/// A server, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// What is pushed to it.
    pub(crate) tracks: Vec<Track>,
    /// What players ask of it; the first of the tracks.
    pub(crate) views: Vec<View>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing that outlives this run.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// `selvedge origin`, with room for many players. Media goes to `folder`.
    pub(crate) fn selvedge(
        binary: &Path,
        folder: &Path,
        ladder: &[(&str, Rendition)],
        settings: &str,
    ) -> Result<Self, Failure> {
        let config = folder.join("selvedge.toml");
        fs::write(
            &config,
            format!("[origin]\n{settings}\n[origin.limits]\nconnections = 16384\n"),
        )?;
        let mut child = Command::new(binary)
            .args(["--log-format", "json", "origin", "--listen", "127.0.0.1:0"])
            .arg("--config")
            .arg(config)
            .arg("--data")
            .arg(folder.join("data"))
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
        let mut at = None;
        for line in &mut lines {
            let line = line?;
            if let Some((_, rest)) = line.split_once("\"listening\":\"") {
                at = rest.split('"').next().and_then(|address| address.parse().ok());
                break;
            }
            eprintln!("{line}");
        }
        thread::spawn(move || complain(lines));
        let at: SocketAddr = at.ok_or("the origin did not say where it listens")?;
        let tracks = ladder.iter().map(|(name, rendition)| Track {
            rendition: *rendition,
            to: at,
            before: None,
            init: format!("/ingest/bench/{name}/init.mp4"),
            prefix: format!("/ingest/bench/{name}/"),
        });
        Ok(Self {
            child,
            tracks: tracks.collect(),
            views: views(ladder, |name| View {
                at,
                path: format!("/live/bench/{name}/index.m3u8"),
            }),
        })
    }

    /// `multimux`: a route and an ingest listener for each rendition, for it has one rendition a route.
    pub(crate) fn multimux(
        binary: &Path,
        folder: &Path,
        ladder: &[(&str, Rendition)],
        part: Duration,
        segment: Duration,
    ) -> Result<Self, Failure> {
        let at = free()?;
        let mut routes = Vec::new();
        let mut tracks = Vec::new();
        for (name, rendition) in ladder {
            let to = free()?;
            routes.push(format!(
                r#"{{"name":"{name}","input":{{"type":"dashif_ingest","listen":"{to}","publishing_point":"/"}},"outputs":["llhls"]}}"#
            ));
            tracks.push(Track {
                rendition: *rendition,
                to,
                before: Some(("/live.mpd".into(), mpd(name, *rendition))),
                init: format!("/{name}-init.mp4"),
                prefix: format!("/{name}-"),
            });
        }
        let config = folder.join("multimux.json");
        // Its budget of blocked requests is a quarter of all requests; the window is ours of 60 s.
        fs::write(
            &config,
            format!(
                r#"{{"bind":"{at}","target_duration_secs":{},"part_target_ms":{},"window_segments":{},"max_concurrent_requests":65536,"routes":[{}]}}"#,
                segment.as_secs_f64(),
                part.as_millis(),
                60 / segment.as_secs().max(1),
                routes.join(",")
            ),
        )?;
        let mut child = Command::new(binary)
            .arg("--config")
            .arg(config)
            .env("RUST_LOG", "warn")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
        thread::spawn(move || complain(lines));
        let server = Self {
            child,
            views: views(ladder, |name| View {
                at,
                path: format!("/{name}/media.m3u8"),
            }),
            tracks,
        };
        for address in server.tracks.iter().map(|track| track.to).chain([at]) {
            listening(address)?;
        }
        Ok(server)
    }

    /// Processor time that it has used, in user and system mode.
    pub(crate) fn processor(&self) -> Result<Duration, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = text.rsplit_once(") ").ok_or("no process")?;
        // The third field of the line is the first after the name: fields 14 and 15 are wanted.
        let ticks: u64 = fields
            .split(' ')
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        let each = rustix::param::clock_ticks_per_second();
        Ok(Duration::from_micros(ticks * 1_000_000 / each.max(1)))
    }

    /// Memory that it holds, in bytes.
    pub(crate) fn memory(&self) -> Result<u64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no process")?;
        Ok(kib.parse::<u64>()? * 1024)
    }
}

/// The playlists of all video renditions.
fn views(ladder: &[(&str, Rendition)], view: impl Fn(&str) -> View) -> Vec<View> {
    ladder
        .iter()
        .filter(|(_, rendition)| matches!(rendition, Rendition::Video { .. }))
        .map(|(name, _)| view(name))
        .collect()
}

/// Passes on what a server says beside what it always says.
fn complain(lines: impl Iterator<Item = std::io::Result<String>>) {
    for line in lines.map_while(Result::ok) {
        if line.contains("WARN") || line.contains("ERROR") {
            eprintln!("{line}");
        }
    }
}

/// What the DASH-IF ingest has a sender say first: one representation, named as it is pushed.
fn mpd(name: &str, rendition: Rendition) -> String {
    let (kind, codecs) = match rendition {
        Rendition::Video { .. } => ("video", "avc1.42C01F"),
        Rendition::Audio { .. } => ("audio", "mp4a.40.2"),
    };
    format!(
        r#"<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT2S" availabilityStartTime="1970-01-01T00:00:00Z"><Period id="0" start="PT0S"><AdaptationSet contentType="{kind}" mimeType="{kind}/mp4"><SegmentTemplate timescale="90000" duration="172800" startNumber="0" initialization="$RepresentationID$-init.mp4" media="$RepresentationID$-$Number$.m4s"/><Representation id="{name}" bandwidth="1000000" codecs="{codecs}"/></AdaptationSet></Period></MPD>"#
    )
}

/// A port that was free just now: for a server that does not say which one it was given.
fn free() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn listening(at: SocketAddr) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(at).is_err() {
        if Instant::now() > until {
            return Err(format!("nothing listens on {at}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// One request on a connection of its own.
pub(crate) fn get(at: SocketAddr, path: &str) -> Result<(u16, Vec<u8>), Failure> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let mut answer = Answer::default();
    if !answer.take(&bytes)? {
        return Err(format!("{path}: half an answer").into());
    }
    Ok((answer.status(), answer.body().to_vec()))
}
