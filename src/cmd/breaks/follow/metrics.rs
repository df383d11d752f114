//! What became of the rules that were followed, as a file that a collector of metrics reads.

use core::fmt;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// Counts of each channel, kept in a file of Prometheus' text format 0.0.4 where one is wanted.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    counts: BTreeMap<String, BTreeMap<Outcome, u64>>,
    file: Option<PathBuf>,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Outcome {
    /// It was read, as it is in each round.
    Followed,
    /// It was put in force.
    Pushed,
    /// It has faults, or is for another channel; counted once for each document.
    Refused,
    /// There was none.
    Missing,
    /// A store failed.
    Failed,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Followed,
        Self::Pushed,
        Self::Refused,
        Self::Missing,
        Self::Failed,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Followed => "followed",
            Self::Pushed => "pushed",
            Self::Refused => "refused",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

impl Metrics {
    /// Counts from zero; writes the file, so that what is wrong with its place is known at once.
    pub(super) fn begin(channels: &[String], file: Option<PathBuf>) -> Result<Self, Failure> {
        let metrics = Self {
            counts: channels
                .iter()
                .map(|channel| (channel.clone(), BTreeMap::new()))
                .collect(),
            file,
        };
        metrics
            .write()
            .map_err(|error| Failure::configuration("--metrics", error))?;
        Ok(metrics)
    }

    pub(super) fn count(&mut self, channel: &str, outcome: Outcome) {
        let of_channel = self.counts.entry(channel.to_owned()).or_default();
        *of_channel.entry(outcome).or_default() += 1;
    }

    /// Writes the file, which readers see whole: as it was, or as it is.
    pub(super) fn write(&self) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let beside = beside(file);
        std::fs::write(&beside, self.to_string())?;
        std::fs::rename(&beside, file)
    }
}

/// A name that collectors do not look for: they read what ends in `.prom`.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    file.with_file_name(name)
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# HELP {NAME} Documents of rules, by what `selvedge breaks follow` made of them."
        )?;
        writeln!(f, "# TYPE {NAME} counter")?;
        for (channel, counts) in &self.counts {
            let channel = channel
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            for outcome in Outcome::ALL {
                let count = counts.get(&outcome).copied().unwrap_or_default();
                let outcome = outcome.name();
                writeln!(f, "{NAME}{{channel=\"{channel}\",outcome=\"{outcome}\"}} {count}")?;
            }
        }
        Ok(())
    }
}

const NAME: &str = "selvedge_breaks_follow_documents_total";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_of_each_channel_is_told_from_zero_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("follow.prom");
        let channels = ["news".to_owned(), "a\"b".to_owned()];
        let mut metrics = Metrics::begin(&channels, Some(file.clone())).unwrap();
        let line = |outcome: &str, count: u32| {
            format!(
                "\nselvedge_breaks_follow_documents_total{{channel=\"news\",outcome=\"{outcome}\"}} {count}\n"
            )
        };
        assert!(
            std::fs::read_to_string(&file)
                .unwrap()
                .contains(&line("pushed", 0))
        );
        metrics.count("news", Outcome::Followed);
        metrics.count("news", Outcome::Followed);
        metrics.count("news", Outcome::Pushed);
        metrics.write().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.contains(&line("followed", 2)) && text.contains(&line("pushed", 1)),
            "{text}"
        );
        assert!(
            text.contains("channel=\"a\\\"b\",outcome=\"refused\"} 0\n"),
            "{text}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_place_where_nothing_can_be_written_is_known_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("no/such/folder/follow.prom");
        assert!(Metrics::begin(&[], Some(nowhere)).is_err());
        assert!(Metrics::begin(&[], None).is_ok());
    }
}
