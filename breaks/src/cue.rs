//! What is asked of a channel's break log, wherever it came from: a section in the feed, a marker in a playlist, a
//! schedule.

use serde::{Deserialize, Serialize};

use crate::{
    key::Key,
    time::{Micros, UnixMicros},
};

/// One thing that is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cue {
    /// Which event it is about.
    pub key: Key,
    /// What.
    pub ask: Ask,
    /// When in the programme.
    pub at: When,
    /// Where it came from.
    pub source: Source,
}

/// Where a cue came from.
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A splice information section in the feed.
    #[default]
    Scte35,
    /// A marker in a pushed playlist.
    Hls,
    /// The schedule in the rules.
    Schedule,
    /// Somebody's request.
    Api,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// A break.
    Out {
        /// For how long; `None` where that was not said, zero for a point at which nothing is replaced.
        planned: Option<Micros>,
        /// It ends by itself.
        auto_return: bool,
    },
    /// The end of a break.
    In,
    /// That what this event announced be void.
    Cancel,
    /// Nothing but the end of a programme or network, which may end a break.
    ProgrammeEnd,
    /// That breaks which are announced leave with the programme the cohorts that the policy names, and no others.
    Exempt,
}

/// When in the programme something is to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// At the first moment that is not published yet.
    Now,
    /// At a moment.
    At(UnixMicros),
}
