//! What detection survives: a montage is encoded as both variants, a session's copy is put together, attacked with
//! `ffmpeg`, and compared with the variants again. Arguments: the montage and a folder to work in;
//! `scripts/bench-detect.sh` brings both. Behind them, names of attacks may pick some.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops here")]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use selvedge_encoder::{
    cmaf::Sink,
    config::{Config, File, WatermarkFile},
    detect::{Request, detect},
    pipeline::{self, Output},
    push::FolderSink,
    stats::TrackStats,
};
use selvedge_watermark::{
    code::{CodeKey, Design, Event, Session},
    pace::Variant,
    plan::{Goal, lengths},
    recording::Recording,
    score::Weighing,
    soft::{Calibration, Verdict},
    trial::Trial,
};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const EVENT: Event<'static> = Event {
    service: "news",
    epoch: 1,
    design: Design::Four,
};
/// Frames a second, and in a segment.
const FPS: u64 = 25;
const SEGMENT: u64 = 48;

/// Name, filters, and the encoder with its options. `{rate}` is a quarter of the copy's bit rate.
const ATTACKS: &[(&str, &str, &str)] = &[
    ("none", "null", "-c copy"),
    (
        "H.264, 25 % of the rate",
        "null",
        "-c:v libx264 -preset veryfast -b:v {rate} -maxrate {rate} -bufsize {rate}",
    ),
    (
        "HEVC, 25 % of the rate",
        "null",
        "-c:v libx265 -preset superfast -x265-params log-level=none -b:v {rate}",
    ),
    (
        "AV1, 25 % of the rate",
        "null",
        "-c:v libsvtav1 -preset 10 -b:v {rate}",
    ),
    ("360p", "scale=-2:360", "-c:v libx264 -preset veryfast -crf 28"),
    (
        "crop 10 %",
        "crop=iw*0.9:ih*0.9,scale=iw/2*2:ih/2*2",
        "-c:v libx264 -preset veryfast -crf 26",
    ),
    (
        "rotated 1°",
        "rotate=PI/180",
        "-c:v libx264 -preset veryfast -crf 26",
    ),
    (
        "off a screen",
        "perspective=x0=W*0.03:y0=H*0.02:x1=W*0.98:y1=H*-0.01:x2=W*-0.01:y2=H*0.97:x3=W*1.02:y3=H*1.03:sense=destination,\
         eq=gamma=1.25:contrast=0.85,geq=lum='lum(X,Y)*(1+0.05*sin(2*PI*(X*0.31+Y*0.07))+0.04*sin(2*PI*(Y*0.23-X*0.02+N*0.07)))':\
         cb='cb(X,Y)':cr='cr(X,Y)',gblur=sigma=1.2,noise=alls=10:allf=t",
        "-c:v libx264 -preset veryfast -crf 26",
    ),
    ("25 to 30 fps", "fps=30", "-c:v libx264 -preset veryfast -crf 26"),
    (
        "25 to 30 to 25 fps",
        "fps=30,fps=25:start_time=0.013",
        "-c:v libx264 -preset veryfast -crf 26",
    ),
    (
        "logo",
        "drawbox=x=iw*0.72:y=ih*0.06:w=iw*0.22:h=ih*0.16:color=white:t=fill,drawbox=x=0:y=ih*0.85:w=iw:h=ih*0.1:color=navy:t=fill",
        "-c:v libx264 -preset veryfast -crf 26",
    ),
    (
        "30 % of segments lost",
        "{lost}",
        "-c:v libx264 -preset veryfast -crf 26",
    ),
    (
        "all of it",
        "{lost},crop=iw*0.9:ih*0.9,rotate=PI/180,eq=gamma=1.2:contrast=0.9,drawbox=x=iw*0.72:y=ih*0.06:w=iw*0.22:h=ih*0.16:\
         color=white:t=fill,noise=alls=6:allf=t,fps=30,scale=-2:360",
        "-c:v libx264 -preset veryfast -b:v {rate} -maxrate {rate} -bufsize {rate}",
    ),
];

fn main() {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let [montage, folder, picked @ ..] = &arguments[..] else {
        return;
    };
    selvedge_encoder::init_ffmpeg().unwrap();
    let bench = Bench::new(Path::new(montage), Path::new(folder));
    println!(
        "| attack | segments | measured | wrong | erased | mark left | log odds | segments to name one of a million | minutes |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, filter, encoder) in ATTACKS {
        if picked.is_empty() || picked.iter().any(|word| name.contains(word.as_str())) {
            bench.attack(name, filter, encoder);
        }
    }
    for count in [2, 3, 5] {
        for way in ["spliced", "averaged"] {
            let name = format!("{count} {way}");
            if picked.is_empty() || picked.iter().any(|word| name.contains(word.as_str())) {
                bench.collude(count, way);
            }
        }
    }
}

struct Bench {
    folder: PathBuf,
    archive: PathBuf,
    /// Numbers of the segments.
    segments: Vec<u16>,
    /// Bytes of a copy a second, in bits.
    rate: u64,
    key: CodeKey,
}

impl Bench {
    /// Encodes the montage, unless that was done.
    fn new(montage: &Path, folder: &Path) -> Self {
        let archive = folder.join("news");
        if !archive.is_dir() {
            let part = folder.join("part");
            encode(montage, &part);
            fs::rename(part, &archive).unwrap();
        }
        let rendition = fs::read_dir(&archive).unwrap();
        let rendition = rendition
            .map(|entry| entry.unwrap().path())
            .find(|path| path.join("b").is_dir())
            .unwrap();
        let mut segments: Vec<u16> = fs::read_dir(rendition.join("b"))
            .unwrap()
            .filter_map(|entry| entry.unwrap().path().file_stem()?.to_str()?.parse().ok())
            .collect();
        segments.sort_unstable();
        let mut bench = Self {
            folder: folder.to_owned(),
            archive: rendition,
            segments,
            rate: 0,
            key: CodeKey::from_secret(&[7; 32]),
        };
        let copy = bench.copy("probe.mp4", &["leaker"]);
        let seconds = bench.segments.len() as u64 * SEGMENT / FPS;
        bench.rate = fs::metadata(copy).unwrap().len() * 8 / seconds;
        bench
    }

    fn bit(&self, session: &str, segment: u16) -> bool {
        let session = Session {
            operator: 0,
            id: session,
        };
        self.key.bit(&EVENT, &session, segment)
    }

    /// What sessions who take turns got.
    fn copy(&self, name: &str, sessions: &[&str]) -> PathBuf {
        let path = self.folder.join(name);
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&fs::read(self.archive.join("init.mp4")).unwrap())
            .unwrap();
        for segment in &self.segments {
            let bit = self.bit(turn(sessions, *segment), *segment);
            let variant = Variant::of_bit(bit).path(&format!("{segment}.m4s"));
            file.write_all(&fs::read(self.archive.join(variant)).unwrap())
                .unwrap();
        }
        path
    }

    /// Has `ffmpeg` do something to files.
    fn ffmpeg(&self, inputs: &[PathBuf], filter: &str, encoder: &str, out: &str) -> PathBuf {
        let path = self.folder.join(out);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostats", "-y"]);
        for input in inputs {
            command.arg("-i").arg(input);
        }
        if !encoder.contains("copy") {
            command.args(["-filter_complex", filter]);
        }
        let encoder = encoder.replace("{rate}", &(self.rate / 4).to_string());
        command.args(encoder.split(' ')).arg("-an").arg(&path);
        assert!(command.status().unwrap().success(), "{filter}");
        path
    }

    fn detect(&self, capture: PathBuf) -> (Recording, f64) {
        let started = Instant::now();
        let request = Request {
            capture,
            archive: self.archive.clone(),
            rendition: None,
            begin: None,
        };
        let recording = detect(&request).unwrap();
        (recording, started.elapsed().as_secs_f64())
    }

    fn attack(&self, name: &str, filter: &str, encoder: &str) {
        let copy = self.copy("copy.mp4", &["leaker"]);
        // Three of ten segments, cut out.
        let is_lost = |at: usize| at * 7 % 10 < 3;
        let lost = filter.contains("{lost}");
        let cut = format!("select='gte(mod(floor(n/{SEGMENT})*7,10),3)',setpts=N/{FPS}/TB");
        let filter = filter.replace("{lost}", &cut);
        let attacked = self.ffmpeg(&[copy], &filter, encoder, "attacked.mp4");
        let (recording, seconds) = self.detect(attacked);
        let fit = Calibration::of(&recording.segments);
        let (mut wrong, mut erased, mut odds) = (0, 0, 0.0);
        for measured in &recording.segments {
            let soft = fit.read(measured);
            let bit = self.bit("leaker", measured.position);
            odds += if bit { -soft.log_odds() } else { soft.log_odds() };
            match soft.verdict() {
                Verdict::A | Verdict::B if (soft.verdict() == Verdict::B) != bit => wrong += 1,
                Verdict::A | Verdict::B => {}
                Verdict::Erased | Verdict::Blended => erased += 1,
            }
            if std::env::var_os("VERBOSE").is_some() {
                let lean = if bit {
                    -measured.statistic
                } else {
                    measured.statistic
                };
                eprintln!(
                    "{} at {:.2}: {lean:+.3} ± {:.3}, like {:.3}, {} pictures, {:?}",
                    measured.file,
                    measured.at,
                    measured.noise,
                    measured.likeness,
                    measured.pictures,
                    soft.verdict()
                );
            }
        }
        let all = self.segments.len();
        let shown = (0..all).filter(|at| !lost || !is_lost(*at)).count();
        let measured = recording.segments.len();
        let erased = erased + shown.saturating_sub(measured);
        let told = shown - erased;
        // What was cut out counts as lost too: the recording would have been as long without.
        let goal = Goal {
            wrong: f64::from(wrong) / told.max(1) as f64,
            lost: 1.0 - told as f64 / all as f64,
            ..Goal::of(1_000_000, 1)
        };
        let needed = [Weighing::Symmetric, Weighing::Interleaving { colluders: 4 }]
            .into_iter()
            .filter_map(|weighing| lengths(&goal, EVENT.design, weighing).ok()?.first()?.segments)
            .min();
        let minutes = needed.map(|needed| f64::from(needed) * SEGMENT as f64 / FPS as f64 / 60.0);
        println!(
            "| {name} | {shown} | {measured} | {:.1} % | {:.1} % | {:.2} | {:.1} | {} | {} |",
            goal.wrong * 100.0,
            erased as f64 / shown as f64 * 100.0,
            fit.strength,
            odds / measured.max(1) as f64,
            needed.map_or("—".to_owned(), |needed| needed.to_string()),
            minutes.map_or("—".to_owned(), |minutes| format!("{minutes:.1}")),
        );
        eprintln!("{name}: {seconds:.1} s");
    }

    fn collude(&self, count: usize, way: &str) {
        let names: Vec<String> = (0..count).map(|at| format!("colluder-{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let encoder = "-c:v libx264 -preset veryfast -crf 26";
        let capture = if way == "spliced" {
            let copy = self.copy("copy.mp4", &names);
            self.ffmpeg(&[copy], "null", encoder, "attacked.mp4")
        } else {
            let copies: Vec<PathBuf> = names
                .iter()
                .map(|name| self.copy(&format!("{name}.mp4"), &[name]))
                .collect();
            self.ffmpeg(&copies, &format!("mix=inputs={count}"), encoder, "attacked.mp4")
        };
        let (recording, _) = self.detect(capture);
        let fit = Calibration::of(&recording.segments);
        let readings = fit.readings(&recording.segments, selvedge_watermark::pace::CYCLE);
        let trial = Trial::new(
            &self.key,
            EVENT,
            selvedge_watermark::pace::CYCLE,
            &readings,
            1_000_000,
            1e-6,
        )
        .unwrap();
        let verdicts = |verdict| {
            recording
                .segments
                .iter()
                .filter(|measured| fit.read(measured).verdict() == verdict)
                .count()
        };
        let odds: Vec<String> = names
            .iter()
            .map(|id| {
                let standing = trial.standing(&Session { operator: 0, id });
                let [one, other] = trial.odds(standing);
                let mark = if trial.accuses(standing) { "!" } else { "" };
                format!("{:.1}{mark}", one.min(other))
            })
            .collect();
        println!(
            "| {count} {way} | {} | {} A, {} B, {} erased, {} blended | {} |",
            recording.segments.len(),
            verdicts(Verdict::A),
            verdicts(Verdict::B),
            verdicts(Verdict::Erased),
            verdicts(Verdict::Blended),
            odds.join(", ")
        );
    }
}

/// Whose turn a segment is.
fn turn<'n>(sessions: &[&'n str], segment: u16) -> &'n str {
    let mixed = u32::from(segment).wrapping_mul(2_654_435_761) >> 16;
    sessions[mixed as usize % sessions.len()]
}

/// Encodes a file as both variants into a folder, as fast as that goes.
fn encode(input: &Path, folder: &Path) {
    let size = std::env::var("LADDER").unwrap_or_else(|_| "848x480@1000k".to_owned());
    let file = File {
        input: Some(input.to_str().unwrap().to_owned()),
        push: Some("http://127.0.0.1:1/ingest/bench".to_owned()),
        ladder: Some(vec![size]),
        clock: Some("none".to_owned()),
        encoders: Some(vec!["libx264".to_owned()]),
        watermark: Some(WatermarkFile {
            key: Some(KEY.to_owned()),
            strength: std::env::var("STRENGTH")
                .ok()
                .map(|strength| strength.parse().unwrap()),
            ..WatermarkFile::default()
        }),
        ..File::default()
    };
    let config = Config::try_from(file).unwrap();
    let outputs = pipeline::tracks(&config).into_iter().map(|(name, _)| {
        let sink: Box<dyn Sink> = Box::new(FolderSink::new(folder, &name).unwrap());
        Output {
            stats: Arc::new(TrackStats::new(name)),
            sink,
        }
    });
    let outputs = outputs.collect();
    let mut source = pipeline::open_source(&config).unwrap();
    let frames = selvedge_encoder::ingest::FileSource::frames(input.to_str().unwrap(), config.grid).unwrap();
    pipeline::record(&config, &mut *source, outputs, frames / SEGMENT * SEGMENT).unwrap();
}
