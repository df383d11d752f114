//! The encoders that are tried, in order of preference.

use super::VideoSettings;

/// How an encoder takes its pictures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input {
    /// Planar 4:2:0 in main memory.
    Planar,
    /// 4:2:0 with interleaved chroma (NV12) in main memory.
    SemiPlanar,
    /// NV12 on a VAAPI device.
    Vaapi,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// FFmpeg's name of the encoder.
    pub name: &'static str,
    /// How it takes pictures.
    pub input: Input,
    /// What it lacks, most likely, when it does not open.
    pub needs: &'static str,
    /// Its private options: one slice, no lookahead, no B frames, an IDR exactly where asked for.
    pub options: fn(&VideoSettings) -> Vec<(&'static str, String)>,
}

/// The table. Hardware first; libx264 always works.
pub const CANDIDATES: [Candidate; 4] = [
    Candidate {
        name: "h264_nvenc",
        input: Input::Planar,
        needs: "needs an NVIDIA GPU with an encoder and its driver (libcuda, libnvidia-encode)",
        options: |_| {
            fixed(&[
                ("preset", "p4"),
                ("tune", "ull"),
                ("rc", "cbr"),
                ("forced-idr", "1"),
                ("no-scenecut", "1"),
                ("zerolatency", "1"),
                ("delay", "0"),
                ("bf", "0"),
                ("rc-lookahead", "0"),
                ("strict_gop", "1"),
                ("spatial-aq", "1"),
                ("b_ref_mode", "disabled"),
            ])
        },
    },
    Candidate {
        name: "h264_qsv",
        input: Input::SemiPlanar,
        needs: "needs an Intel GPU and its media driver",
        options: |_| {
            fixed(&[
                ("preset", "veryfast"),
                ("forced_idr", "1"),
                ("async_depth", "1"),
                ("low_power", "0"),
                ("look_ahead", "0"),
                ("bf", "0"),
            ])
        },
    },
    Candidate {
        name: "h264_vaapi",
        input: Input::Vaapi,
        needs: "needs a GPU with a VAAPI driver at /dev/dri",
        options: |_| fixed(&[("async_depth", "1"), ("rc_mode", "CBR"), ("bf", "0")]),
    },
    Candidate {
        name: "libx264",
        input: Input::Planar,
        needs: "needs an FFmpeg that was built with libx264",
        options: |settings| {
            // `stitchable` keeps the parameter sets free of the rate settings, so that a restart with another bit
            // rate has the same init segment. One thread up to 720p: rungs run beside each other already.
            let threads = if settings.size.height > 720 { 2 } else { 1 };
            let params =
                format!("keyint=infinite:min-keyint=1:scenecut=0:open-gop=0:stitchable=1:threads={threads}");
            let mut options = fixed(&[
                ("tune", "zerolatency"),
                ("forced-idr", "1"),
                ("sc_threshold", "0"),
            ]);
            options.push(("preset", settings.preset.clone()));
            options.push(("x264-params", params));
            options
        },
    },
];

fn fixed(options: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    options
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect()
}
