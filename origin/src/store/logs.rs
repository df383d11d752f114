//! Break logs: each change a new object, numbered, so that of several origins on one store none overwrites what
//! another has kept.
//!
//! ```text
//! .breaks/<channel>/log/<number>.json      created if absent, behind the one that was read last
//! ```
//!
//! Creating is all that is asked of a store, which folders and object stores have alike. Who finds the number taken, or
//! a higher one beside it, is late: it reads what is there, hears anew what it was to keep, and tries again.

use object_store::path::Path;
use selvedge_breaks::Log;

use super::{BREAKS, DECISIONS, Store, at_path, failed};
use crate::Error;

/// Which change of a channel's break log it is, counted from 1; 0 is before the first.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct LogNumber(u64);

impl LogNumber {
    fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    fn file(self) -> String {
        format!("{:020}.json", self.0)
    }

    fn of_file(name: &str) -> Option<Self> {
        name.strip_suffix(".json")?.parse().ok().map(Self)
    }
}

impl Store {
    /// Keeps the break log of a channel behind the change that it was made from; `None` where another origin has kept
    /// one since, and nothing is written.
    pub(crate) async fn write_log(
        &self,
        channel: &str,
        log: &Log,
        after: LogNumber,
    ) -> Result<Option<LogNumber>, Error> {
        let number = after.next();
        let file = number.file();
        let path = [BREAKS, channel, LOGS, file.as_str()];
        let json = serde_json::to_vec(log).map_err(|error| failed("write", &at_path(&path), &error))?;
        if !self.create(&path, json.into()).await? {
            return Ok(None);
        }
        let kept = self.log_numbers(channel).await?;
        if kept.last().is_some_and(|last| *last > number) {
            // Its number was free because it is so old.
            self.remove_file(&path).await?;
            return Ok(None);
        }
        let is_old = |old: &&LogNumber| old.0.saturating_add(KEPT_LOGS) <= number.0;
        for old in kept.iter().filter(is_old) {
            self.remove_file(&[BREAKS, channel, LOGS, &old.file()]).await?;
        }
        Ok(Some(number))
    }

    /// The break log of a channel as it was kept last, by whichever origin; without a log where there is none that can
    /// be read.
    pub(crate) async fn read_log(&self, channel: &str) -> Result<(LogNumber, Option<Log>), Error> {
        for _ in 0..READS {
            let number = self.log_number(channel).await?;
            let json = match number {
                LogNumber(0) => self.read(&[BREAKS, channel, LOG]).await?,
                number => match self.read(&[BREAKS, channel, LOGS, &number.file()]).await? {
                    Some(json) => Some(json),
                    // It has become old meanwhile.
                    None => continue,
                },
            };
            let read = json.map(|json| Log::read(&json)).transpose();
            let log = read.unwrap_or_else(|faults| {
                tracing::error!(channel, %faults, "break log cannot be read: a new one begins");
                None
            });
            return Ok((number, log));
        }
        Err(Error::Store {
            action: "keep up with others and read",
            path: Path::from_iter([BREAKS, channel, LOGS]).to_string(),
            reason: format!("it was replaced meanwhile, {READS} times"),
        })
    }

    /// Which change of a channel's break log was kept last.
    pub(crate) async fn log_number(&self, channel: &str) -> Result<LogNumber, Error> {
        let kept = self.log_numbers(channel).await?;
        Ok(kept.last().copied().unwrap_or_default())
    }

    /// Deletes the break log of a channel, and all decisions.
    pub(crate) async fn remove_log(&self, channel: &str) -> Result<(), Error> {
        let logs = self.remove_below(&[BREAKS, channel, LOGS]).await;
        let log = self.remove_file(&[BREAKS, channel, LOG]).await;
        logs.and(log).and(self.remove_below(&[DECISIONS, channel]).await)
    }

    /// The changes that are there, the oldest first.
    async fn log_numbers(&self, channel: &str) -> Result<Vec<LogNumber>, Error> {
        let folder = at_path(&[BREAKS, channel, LOGS]);
        let listing = self.0.list_with_delimiter(Some(&folder)).await;
        let listing = listing.map_err(|error| failed("list", &folder, &error))?;
        let names = listing
            .objects
            .iter()
            .filter_map(|object| object.location.filename());
        let mut numbers: Vec<LogNumber> = names.filter_map(LogNumber::of_file).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

const LOGS: &str = "log";
/// The log of an origin that kept it in one object.
const LOG: &str = "log.json";
/// Changes that stay, for who reads one while the next is kept.
const KEPT_LOGS: u64 = 8;
/// How often a log is read anew that was replaced while it was read.
const READS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn log(channel: &str) -> Log {
        Log::new(channel)
    }

    #[tokio::test]
    async fn of_two_who_change_one_log_the_second_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let (none, known) = store.read_log("a").await.unwrap();
        assert_eq!((none, known), (LogNumber(0), None));
        let first = store.write_log("a", &log("one"), none).await.unwrap();
        assert_eq!(first, Some(LogNumber(1)));
        assert_eq!(store.write_log("a", &log("two"), none).await.unwrap(), None);
        let (number, kept) = store.read_log("a").await.unwrap();
        assert_eq!((number, kept), (LogNumber(1), Some(log("one"))));
        assert_eq!(
            store.write_log("a", &log("two"), number).await.unwrap(),
            Some(LogNumber(2))
        );
    }

    #[tokio::test]
    async fn who_has_slept_for_long_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let mut number = LogNumber(0);
        for _ in 0..20 {
            number = store.write_log("a", &log("a"), number).await.unwrap().unwrap();
        }
        assert_eq!(store.log_numbers("a").await.unwrap().len(), 8);
        // The number that it would take is free again.
        assert_eq!(
            store.write_log("a", &log("late"), LogNumber(1)).await.unwrap(),
            None
        );
        assert_eq!(
            store.read_log("a").await.unwrap(),
            (LogNumber(20), Some(log("a")))
        );
        assert_eq!(store.log_numbers("a").await.unwrap().len(), 8);
    }

    #[tokio::test]
    async fn a_log_in_one_object_is_the_one_before_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        let json = serde_json::to_vec(&log("a")).unwrap();
        store.write(&[BREAKS, "a", LOG], json.into()).await.unwrap();
        assert_eq!(store.read_log("a").await.unwrap(), (LogNumber(0), Some(log("a"))));
        store.remove_log("a").await.unwrap();
        assert_eq!(store.read_log("a").await.unwrap(), (LogNumber(0), None));
    }
}
