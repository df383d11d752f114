//! A picture of a trial, in SVG: what was read of each segment, and how sessions stand.

use std::fmt::Write as _;

use selvedge_watermark::{
    evidence::Document,
    trial::{Standing, Trial},
};

use super::sessions::Histogram;

/// The picture's width and the heights of its two parts, in pixels.
const WIDTH: f64 = 960.0;
const UPPER: f64 = 200.0;
const LOWER: f64 = 240.0;
const MARGIN: f64 = 48.0;

/// The fewest sessions that can be told from none.
const LEAST_SHOWN: f64 = 1e-3;

pub(super) fn svg(document: &Document, trial: &Trial<'_>, histogram: &Histogram) -> String {
    let height = UPPER + LOWER + 4.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    segments(&mut out, document);
    scores(&mut out, document, trial, histogram);
    out.push_str("</svg>\n");
    out
}

/// A bar for each segment: up for A, down for B.
fn segments(out: &mut String, document: &Document) {
    let middle = MARGIN + UPPER / 2.0;
    let most = document
        .segments
        .iter()
        .map(|read| read.measured.statistic.abs() + read.measured.noise)
        .fold(document.strength * 1.5, f64::max)
        .clamp(0.05, 2.0);
    let step = (WIDTH - 2.0 * MARGIN) / document.segments.len().max(1) as f64;
    line(
        out,
        MARGIN,
        28.0,
        &format!(
            "{} segments of {}: up is variant A, down is B; grey is erased, violet is blended",
            document.segments.len(),
            document.channel
        ),
    );
    for (at, read) in document.segments.iter().enumerate() {
        let x = MARGIN + step * (at as f64 + 0.5);
        let place = |statistic: f64| middle - (statistic / most).clamp(-1.0, 1.0) * UPPER / 2.0;
        let (statistic, noise) = (read.measured.statistic, read.measured.noise);
        let colour = match read.verdict.as_str() {
            "A" => "#1f77b4",
            "B" => "#d62728",
            "blended" => "#9467bd",
            _ => "#bbb",
        };
        let (top, bottom) = (place(statistic.max(0.0)), place(statistic.min(0.0)));
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
            x - step * 0.4,
            step * 0.8,
            (bottom - top).max(0.5),
        );
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {:.1}V{:.1}\" stroke=\"#333\"/>",
            place(statistic + noise),
            place(statistic - noise)
        );
    }
    let _ = writeln!(
        out,
        "<path d=\"M{MARGIN} {middle:.1}H{:.1}\" stroke=\"#333\"/>",
        WIDTH - MARGIN
    );
}

/// How many sessions reach which score and how many innocent ones do at most, the limit, and who is accused.
fn scores(out: &mut String, document: &Document, trial: &Trial<'_>, histogram: &Histogram) {
    let top = UPPER + 3.0 * MARGIN;
    let bottom = top + LOWER;
    let [limit, _] = document.limits;
    let highest = document
        .accused
        .iter()
        .map(|named| named.scores[0])
        .chain(limit)
        .fold(10.0, f64::max);
    let (from, to) = (Histogram::FIRST, highest * 1.1);
    let place = |score: f64| MARGIN + (score - from) / (to - from) * (WIDTH - 2.0 * MARGIN);
    let audience = document.audience.max(2) as f64;
    // From a thousandth of a session up to all.
    let height_of = |sessions: f64| {
        let share = (sessions.max(LEAST_SHOWN) / LEAST_SHOWN).ln() / (audience / LEAST_SHOWN).ln();
        share.clamp(0.0, 1.0) * LOWER
    };
    line(
        out,
        MARGIN,
        top - 20.0,
        &format!(
            "How many of {} sessions reach a symmetric score (grey) and how many innocent ones do at most (blue), \
             on a logarithmic scale from 0.001 on",
            document.audience
        ),
    );
    let mut reach: u64 = histogram.0.iter().sum();
    let mut bound = String::new();
    for (step, count) in histogram.0.iter().enumerate() {
        let score = Histogram::FIRST + step as f64 * Histogram::STEP;
        if score > to {
            break;
        }
        let height = height_of(reach as f64);
        if reach > 0 {
            let _ = writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"#bbb\"/>",
                place(score),
                bottom - height,
                place(score + Histogram::STEP) - place(score)
            );
        }
        reach = reach.saturating_sub(*count);
        let [odds, _] = trial.odds(Standing([score; 2]));
        let y = bottom - height_of(audience * 10.0_f64.powf(odds));
        let _ = write!(
            bound,
            "{}{:.1} {y:.1}",
            if step == 0 { "M" } else { "L" },
            place(score)
        );
    }
    let _ = writeln!(
        out,
        "<path d=\"{bound}\" fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"2\"/>"
    );
    let _ = writeln!(
        out,
        "<path d=\"M{MARGIN} {bottom:.1}H{:.1}\" stroke=\"#333\"/>",
        WIDTH - MARGIN
    );
    for score in (-50..=(to as i64)).step_by(50) {
        line(out, place(score as f64) - 8.0, bottom + 18.0, &score.to_string());
    }
    if let Some(limit) = limit {
        let x = place(limit);
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {top:.1}V{bottom:.1}\" stroke=\"#d62728\" stroke-dasharray=\"4\"/>"
        );
        line(out, x + 4.0, top + 12.0, &format!("accused from {limit:.1} on"));
    }
    for (at, named) in document.accused.iter().enumerate() {
        let x = place(named.scores[0]);
        let _ = writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"#d62728\"/>",
            bottom - 8.0
        );
        let y = bottom - 24.0 - 16.0 * (at % 8) as f64;
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{}</text>",
            escaped(&named.id)
        );
    }
}

fn line(out: &mut String, x: f64, y: f64, text: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
