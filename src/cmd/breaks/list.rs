//! `selvedge breaks list`

use std::{fmt::Write as _, process::ExitCode};

use selvedge_breaks::{Micros, UnixMicros};
use serde::Deserialize;

use super::{
    store::{OriginPlace, origin::OriginApi},
    words,
};
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The channel
    #[arg(long)]
    channel: String,

    #[command(flatten)]
    place: OriginPlace,

    /// Print the origin's answer for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode, Failure> {
    let origin = OriginApi::open(&args.place)?;
    let answer = origin
        .breaks(&args.channel)
        .await
        .map_err(|error| Failure::run(&origin, error))?;
    if args.json {
        println!("{}", String::from_utf8_lossy(&answer.body).trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let listing: Listing =
        serde_json::from_slice(&answer.body).map_err(|error| Failure::run(&origin, error))?;
    print!("{}", listing.told(words::now()));
    Ok(ExitCode::SUCCESS)
}

/// The breaks of a channel, as the origin tells them.
#[derive(Debug, Deserialize)]
struct Listing {
    channel: String,
    breaks: Vec<Break>,
}

/// A break, as the origin tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Break {
    pub(super) id: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    source: String,
    pub(super) state: String,
    pub(super) out_us: UnixMicros,
    planned_us: Option<Micros>,
    in_us: Option<UnixMicros>,
    #[serde(default)]
    slots: Vec<Slot>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Slot {
    creative: Option<String>,
    duration_us: Micros,
}

impl Listing {
    fn told(&self, now: UnixMicros) -> String {
        let channel = &self.channel;
        if self.breaks.is_empty() {
            return format!("{channel}: no breaks\n");
        }
        let count = |state: &str| self.breaks.iter().filter(|one| one.state == state).count();
        let heads = [("open", "on air"), ("announced", "to come"), ("ended", "aired")];
        let heads = heads
            .iter()
            .map(|(state, said)| format!("{} {said}", count(state)));
        let mut text = format!("{channel}: {}\n", heads.collect::<Vec<_>>().join(", "));
        let rows: Vec<[String; 6]> = self.breaks.iter().map(|one| one.row(now)).collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut day = String::new();
        for (row, one) in rows.iter().zip(&self.breaks) {
            let of = words::day(one.out_us);
            if of != day {
                let _ = writeln!(text, "\n{of} UTC");
                day = of;
            }
            let cells: Vec<_> = row
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
        }
        text
    }
}

impl Break {
    fn row(&self, now: UnixMicros) -> [String; 6] {
        let length = self.in_us.map(|end| end.since(self.out_us)).or(self.planned_us);
        let state = match self.state.as_str() {
            "announced" => words::from_now(self.out_us, now),
            "open" => "on air".to_owned(),
            "ended" => "aired".to_owned(),
            other => other.to_owned(),
        };
        let mut fill = self.fill();
        if let Some(reason) = &self.reason {
            fill = format!("{fill}({reason})");
        }
        [
            words::clock(self.out_us),
            length.map_or_else(|| "open end".to_owned(), words::length),
            state,
            format!("{} {}", self.source, self.event).trim().to_owned(),
            self.id.clone(),
            fill,
        ]
    }

    /// What its slots hold: creatives in order, one that is repeated by its count.
    fn fill(&self) -> String {
        let mut runs: Vec<(String, Micros, usize)> = Vec::new();
        for slot in &self.slots {
            let creative = slot.creative.as_deref().unwrap_or("programme");
            match runs.last_mut() {
                Some((last, length, count)) if last == creative && *length == slot.duration_us => *count += 1,
                _ => runs.push((creative.to_owned(), slot.duration_us, 1)),
            }
        }
        let said = runs.iter().map(|(creative, length, count)| match count {
            1 => format!("{creative} {}", words::length(*length)),
            _ => format!("{count} × {creative} {}", words::length(*length)),
        });
        said.collect::<Vec<_>>().join(", ")
    }

    /// The break in a line.
    pub(super) fn line(&self, now: UnixMicros) -> String {
        let length = self
            .planned_us
            .map_or_else(String::new, |length| format!(", for {}", words::length(length)));
        format!(
            "{}: {}, at {} ({}){length}",
            self.id,
            self.state,
            words::moment(self.out_us),
            words::from_now(self.out_us, now)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_are_listed_by_day_with_what_is_in_them() {
        let listing: Listing = serde_json::from_str(
            r#"{"version": 1, "channel": "news", "edge_us": 1, "lead_us": 2, "breaks": [
                {"id": "news-1-si:7", "event": "si:7", "source": "scte35", "state": "ended", "out_us": 1767300000000000,
                 "planned_us": 60000000, "in_us": 1767300045000000, "decisions": ["all"], "reason": null, "slots": [
                    {"creative": "acme-30", "duration_us": 30000000},
                    {"creative": "slate", "duration_us": 2000000}, {"creative": "slate", "duration_us": 2000000}]},
                {"id": "news-2-cue", "event": "cue", "source": "hls", "state": "void", "out_us": 1767301000000000,
                 "planned_us": null, "in_us": null, "slots": [], "decisions": [], "reason": "heard 3 s late"},
                {"id": "news-3-name:a", "event": "name:a", "source": "api", "state": "announced", "out_us": 1767312000500000,
                 "planned_us": 30000000, "in_us": null, "slots": [{"creative": null, "duration_us": 30000000}], "decisions": [],
                 "reason": null}]}"#,
        )
        .unwrap();
        let now = UnixMicros(1_767_311_000_000_000);
        insta::assert_snapshot!(listing.told(now), @r"
        news: 0 on air, 1 to come, 1 aired

        2026-01-01 UTC
          20:40:00      45 s      aired      scte35 si:7  news-1-si:7    acme-30 30 s, 2 × slate 2 s
          20:56:40      open end  void       hls cue      news-2-cue     (heard 3 s late)

        2026-01-02 UTC
          00:00:00.500  30 s      in 16 min  api name:a   news-3-name:a  programme 30 s
        ");
        let listing = Listing {
            channel: "news".into(),
            breaks: Vec::new(),
        };
        assert_eq!(listing.told(now), "news: no breaks\n");
    }
}
