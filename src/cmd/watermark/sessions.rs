//! Sessions that a recording is compared with.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
    thread,
};

use selvedge_watermark::{code::Session, evidence::Found, trial::Trial};

use super::wrong;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct SessionArgs {
    /// The sessions that were active: on each line a `wmid`, and behind a space its `wmopid` where that is not 0
    #[arg(long, value_name = "FILE")]
    sessions: Option<PathBuf>,

    /// Compare this many invented sessions too: for audits of how seldom anybody innocent is accused
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    count: u64,
}

/// Everybody that a recording is compared with.
pub(super) struct Audience {
    listed: Vec<(u64, String)>,
    invented: u64,
}

impl SessionArgs {
    pub(super) fn audience(&self) -> Result<Audience, Failure> {
        let listed = self
            .sessions
            .as_deref()
            .map(read)
            .transpose()?
            .unwrap_or_default();
        let audience = Audience {
            listed,
            invented: self.count,
        };
        if audience.len() == 0 {
            return Err(Failure::configuration(
                "--sessions",
                "names nobody, and --count invents nobody",
            ));
        }
        Ok(audience)
    }
}

fn read(path: &Path) -> Result<Vec<(u64, String)>, Failure> {
    let text = super::read(path)?;
    let mut listed = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        let Some(id) = words.next() else { continue };
        let operator = words.next().unwrap_or("0").parse::<u64>();
        let (Ok(operator), None) = (operator, words.next()) else {
            return Err(wrong(
                path,
                format!(
                    "line {} is no `wmid` with a number `wmopid` behind a space",
                    at + 1
                ),
            ));
        };
        listed.push((operator, id.to_owned()));
    }
    // One session is tried once, or the audience would be larger than it is.
    listed.sort_unstable();
    listed.dedup();
    Ok(listed)
}

/// How sessions stand by the symmetric score, in steps of [`Histogram::STEP`] from [`Histogram::FIRST`] on.
#[derive(Clone, Debug)]
pub(super) struct Histogram(pub(super) Vec<u64>);

impl Histogram {
    pub(super) const FIRST: f64 = -60.0;
    pub(super) const STEP: f64 = 1.0;
    const STEPS: usize = 400;

    fn new() -> Self {
        Self(vec![0; Self::STEPS])
    }

    fn take(&mut self, score: f64) {
        let step = ((score - Self::FIRST) / Self::STEP).max(0.0) as usize;
        if let Some(count) = self.0.get_mut(step.min(Self::STEPS - 1)) {
            *count += 1;
        }
    }

    fn join(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(count, other)| *count += other);
    }
}

impl Audience {
    pub(super) fn len(&self) -> u64 {
        self.listed.len() as u64 + self.invented
    }

    /// Compares everybody, on all processors.
    pub(super) fn compare(&self, trial: &Trial<'_>) -> (Found, Histogram) {
        let threads = thread::available_parallelism().map_or(1, NonZero::get) as u64;
        let parts: Vec<(Found, Histogram)> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|worker| scope.spawn(move || self.compare_part(trial, worker, threads)))
                .collect();
            workers
                .into_iter()
                .filter_map(|worker| worker.join().ok())
                .collect()
        });
        let mut all = (Found::default(), Histogram::new());
        for (found, histogram) in parts {
            all.0.join(found);
            all.1.join(&histogram);
        }
        all
    }

    /// Every `threads`-th session.
    fn compare_part(&self, trial: &Trial<'_>, worker: u64, threads: u64) -> (Found, Histogram) {
        let mut found = Found::default();
        let mut histogram = Histogram::new();
        let mut compare = |session: Session<'_>| {
            let standing = trial.standing(&session);
            let [symmetric, _] = standing.0;
            histogram.take(symmetric);
            found.take(trial, &session, standing);
        };
        let own = self.listed.iter().skip(worker as usize).step_by(threads as usize);
        own.for_each(|(operator, id)| {
            compare(Session {
                operator: *operator,
                id,
            });
        });
        for number in (worker..self.invented).step_by(threads as usize) {
            compare(Session {
                operator: 0,
                id: &format!("{INVENTED}{number}"),
            });
        }
        (found, histogram)
    }
}

/// What the ids of invented sessions begin with.
const INVENTED: &str = "invented-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_read_and_counted_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions");
        std::fs::write(&path, "s-1\n\ns-2 7\ns-1\n").unwrap();
        let args = SessionArgs {
            sessions: Some(path.clone()),
            count: 3,
        };
        let audience = args.audience().unwrap();
        assert_eq!(audience.listed, [(0, "s-1".to_owned()), (7, "s-2".to_owned())]);
        assert_eq!(audience.len(), 5);
        std::fs::write(&path, "s-1 operator\n").unwrap();
        let error = args.audience().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        let none = SessionArgs {
            sessions: None,
            count: 0,
        };
        assert!(none.audience().is_err());
    }
}
