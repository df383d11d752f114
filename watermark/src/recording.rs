//! What a detector measured of a recording: the JSON document between who reads pictures and who scores sessions.

use serde::{Deserialize, Serialize};

/// A recording, compared with what was sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Recording {
    /// The detector's version.
    pub detector: String,
    /// SHA-256 of the file, in hexadecimal.
    pub capture: String,
    /// How long it is.
    pub seconds: f64,
    /// The rendition that it was compared with.
    pub rendition: String,
    /// Where in what was sent it lies.
    pub stretches: Vec<Stretch>,
    /// The segments that could be measured, in the order in which it shows them.
    pub segments: Vec<Measured>,
}

/// A part of a recording that shows what was sent without a gap.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Stretch {
    /// When in the recording it begins, in seconds.
    pub start: f64,
    /// When in the recording it ends, in seconds.
    pub end: f64,
    /// What is added to a time of the recording to get the media time that was sent, in seconds.
    pub offset: f64,
}

/// What a recording's picture says of a segment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Measured {
    /// The segment's file.
    pub file: String,
    /// Which bit it carries: the index into a pattern.
    pub position: u16,
    /// When in the recording it begins, in seconds.
    pub at: f64,
    /// How it leans: 1 is variant A as it was sent, −1 variant B, 0 neither or both.
    pub statistic: f64,
    /// The standard deviation of the statistic by chance.
    pub noise: f64,
    /// How alike the picture and what was sent are, up to 1.
    pub likeness: f64,
    /// How many pictures were measured.
    pub pictures: u32,
}
