//! What can go wrong, and what the peer is told.

use http::StatusCode;
use selvedge_breaks::document::Faults;

use crate::cmaf;

/// Why a request was refused or the origin could not start.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name in the path is not one that a channel may have.
    #[error("channel name {name:?} is not usable: use 1 to 64 of A-Z a-z 0-9 . _ -, not starting with a dot")]
    ChannelName {
        /// The name as it came.
        name: String,
    },
    /// No such channel.
    #[error("no channel {channel:?} has been pushed to this origin")]
    UnknownChannel {
        /// The name asked for.
        channel: String,
    },
    /// No such track in the channel.
    #[error("channel {channel:?} has no track {track:?}")]
    UnknownTrack {
        /// The channel asked for.
        channel: String,
        /// The track asked for.
        track: String,
    },
    /// The segment never was, or is past the retention time.
    #[error("track {track:?} holds no object {name:?}: not pushed, or past retention")]
    UnknownSegment {
        /// The track asked for.
        track: String,
        /// The object asked for.
        name: String,
    },
    /// No route has this path.
    #[error("nothing is served at {path:?}")]
    UnknownPath {
        /// The path asked for.
        path: String,
    },
    /// A path that leads elsewhere than it stands.
    #[error("the path has a segment `.` or `..`: push to the path itself")]
    DotSegment,
    /// The route exists, for other methods.
    #[error("{method} is not allowed here: allowed are {allowed}")]
    Method {
        /// The method that came.
        method: String,
        /// The methods that would do.
        allowed: &'static str,
    },
    /// The channel exists, but not every track has media yet.
    #[error("channel {channel:?} is starting: waiting for media of {waiting_for}")]
    ChannelStarting {
        /// The channel asked for.
        channel: String,
        /// The tracks without media, or what else is missing.
        waiting_for: String,
    },
    /// No media of the channel has come for longer than the configuration lets pass.
    #[error("channel {channel:?} is stale: nothing has come for {silent_s} s (`stale_after_s`)")]
    Stale {
        /// The channel asked for.
        channel: String,
        /// Seconds since the newest media came.
        silent_s: u64,
    },
    /// A track has stopped while others of its channel go on.
    #[error(
        "channel {channel:?} is incomplete: track {track:?} is {behind_s} s behind (`incomplete_after_s`)"
    )]
    Incomplete {
        /// The channel asked for.
        channel: String,
        /// The track that is furthest behind.
        track: String,
        /// Seconds by which it is.
        behind_s: u64,
    },
    /// The body is not well-formed CMAF.
    #[error("{0}")]
    BadMedia(#[from] cmaf::Error),
    /// A media segment came before its track's init segment.
    #[error("track {track:?} has no init segment yet: send the CMAF header first, then this object again")]
    NoInit {
        /// The track pushed to.
        track: String,
    },
    /// Well-formed, but nothing that this origin can package.
    #[error("{reason}")]
    Unsupported {
        /// What is not supported, and what to do instead.
        reason: String,
    },
    /// Nothing that could be checked came with a push.
    #[error("this channel asks who pushes to it: send one of the credentials that WWW-Authenticate names")]
    NoCredentials {
        /// Values of `WWW-Authenticate`.
        challenges: Vec<String>,
    },
    /// A push may not come from there, or with that credential. The log knows which check failed.
    #[error("this push is not allowed: {what}")]
    NotAllowed {
        /// What was refused, without a hint for guessing.
        what: &'static str,
    },
    /// Beyond what the channel's table in the configuration allows.
    #[error("{what} is {value}, over the {limit} of this channel (`origin.ingest.{key}`)")]
    OverTerms {
        /// What is too much.
        what: &'static str,
        /// How much it is.
        value: u64,
        /// The bound.
        limit: u64,
        /// The configuration key of the bound.
        key: &'static str,
    },
    /// A compressed body is not what its header says, or larger than any media is.
    #[error("the body is not usable {encoding}: {reason}")]
    Encoding {
        /// The content coding.
        encoding: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// `Content-Range` of a push does not continue what came before.
    #[error("Content-Range {reason}: send the object whole, or its ranges in order from 0 on")]
    ContentRange {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What a push says of its variant and position cannot be used.
    #[error("{reason}: see ETSI TS 104 002, or leave WMPaceInfoIngest out")]
    BadPace {
        /// What is wrong with it.
        reason: String,
    },
    /// Who asks is not known to be an edge.
    #[error(
        "variants and positions are for edges: send `origin.watermark.edge_token` as `Authorization: Bearer`"
    )]
    NotEdge,
    /// Bytes came, but far too slowly.
    #[error("{received} bytes came in {seconds} s, and no box is complete: below `limits.min_body_rate`")]
    SlowBody {
        /// Bytes since the last complete box.
        received: u64,
        /// Seconds since.
        seconds: u64,
    },
    /// A bound of the configuration was met.
    #[error("{what} exceeds the limit of {limit} (`{key}`)")]
    Limit {
        /// What was too large or too many.
        what: &'static str,
        /// The bound.
        limit: u64,
        /// The configuration key of the bound.
        key: &'static str,
    },
    /// A delivery directive of HLS (`_HLS_msn`, `_HLS_part`) that cannot be followed.
    #[error("delivery directive: {reason}")]
    Directive {
        /// Which, and what is wrong with it.
        reason: &'static str,
    },
    /// Whoever asks is not known to be of ad operations.
    #[error("breaks are for whoever has the token: send it as `Authorization: Bearer`")]
    NotOperator,
    /// Nobody but who sits at the machine may ask.
    #[error("breaks are seen and changed from this machine alone: set `origin.admin_token` for others")]
    NotHere,
    /// No rules for a channel's breaks.
    #[error("there are no rules for the breaks of channel {channel:?}")]
    UnknownRules {
        /// The channel asked for.
        channel: String,
    },
    /// No such break, or none that is on air.
    #[error("channel {channel:?} has no break {id:?} that is or will be on air")]
    UnknownBreak {
        /// The channel asked for.
        channel: String,
        /// The break asked for.
        id: String,
    },
    /// No such creative, or no such file in one.
    #[error("there is no creative, or none that is whole, at {name:?}")]
    UnknownCreative {
        /// The name asked for.
        name: String,
    },
    /// A document with faults, which changed nothing.
    #[error("the document has faults: {}", list_faults(faults))]
    Faults {
        /// JSON pointers, and what is wrong there.
        faults: Vec<(String, String)>,
    },
    /// What is asked for cannot be beside what is there.
    #[error("{reason}")]
    Conflict {
        /// What is in the way.
        reason: String,
    },
    /// `If-Match` names another version.
    #[error("the document has changed since it was read: read it again")]
    Precondition,
    /// What a request waited for did not come.
    #[error("{what} did not come within {waited_s} s: the encoder may have stopped")]
    Late {
        /// What was waited for.
        what: &'static str,
        /// Seconds that the request waited.
        waited_s: u64,
    },
    /// The sender stopped in the middle of a body.
    #[error("the body broke off or stood still after {received} bytes")]
    BrokenBody {
        /// Bytes that had come.
        received: u64,
    },
    /// `Range` names nothing inside the object.
    #[error("the range lies outside the object's {length} bytes")]
    Range {
        /// The object's length in bytes.
        length: u64,
    },
    /// The object store failed.
    #[error("object store: {action} {path:?}: {reason}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// The object's path.
        path: String,
        /// The store's own words.
        reason: String,
    },
    /// A configuration value that cannot be used.
    #[error("configuration: `{key}` {reason}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong with it, and the fix.
        reason: String,
    },
}

fn list_faults(faults: &[(String, String)]) -> String {
    let told = faults.iter().map(|(at, message)| {
        let at = if at.is_empty() { "document" } else { at };
        format!("{at} {message}")
    });
    told.collect::<Vec<_>>().join("; ")
}

impl Error {
    /// A document's faults.
    pub(crate) fn faults(faults: &Faults) -> Self {
        let faults = faults
            .iter()
            .map(|fault| (fault.place.clone(), fault.what.clone()));
        Self::Faults {
            faults: faults.collect(),
        }
    }

    /// A document with one fault, at a JSON pointer.
    pub(crate) fn fault(at: &str, message: impl Into<String>) -> Self {
        Self::Faults {
            faults: vec![(at.to_owned(), message.into())],
        }
    }

    /// The HTTP status that the peer gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadMedia(cmaf::Error::Muxed { .. } | cmaf::Error::UnknownCodec { .. }) => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::BadMedia(cmaf::Error::TooLarge { name, .. }) if name.is_usual() => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::ChannelName { .. }
            | Self::BadMedia(_)
            | Self::BrokenBody { .. }
            | Self::DotSegment
            | Self::Directive { .. } => StatusCode::BAD_REQUEST,
            Self::UnknownChannel { .. }
            | Self::UnknownTrack { .. }
            | Self::UnknownSegment { .. }
            | Self::UnknownPath { .. }
            | Self::UnknownRules { .. }
            | Self::UnknownBreak { .. }
            | Self::UnknownCreative { .. }
            | Self::ChannelStarting { .. } => StatusCode::NOT_FOUND,
            Self::NotOperator => StatusCode::UNAUTHORIZED,
            Self::NotHere | Self::NotEdge => StatusCode::FORBIDDEN,
            Self::Faults { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::Precondition => StatusCode::PRECONDITION_FAILED,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoCredentials { .. } => StatusCode::UNAUTHORIZED,
            Self::NotAllowed { .. } | Self::OverTerms { .. } => StatusCode::FORBIDDEN,
            Self::Encoding { .. } | Self::ContentRange { .. } | Self::BadPace { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::SlowBody { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NoInit { .. } => StatusCode::PRECONDITION_FAILED,
            Self::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Limit { key, .. } if key.ends_with("_bytes") => StatusCode::PAYLOAD_TOO_LARGE,
            // It says nothing of this client: another origin may have room.
            Self::Limit {
                key: "limits.blocked",
                ..
            }
            | Self::Late { .. }
            | Self::Stale { .. }
            | Self::Incomplete { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Limit { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Store { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Config { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The last part of the problem type `urn:selvedge:error:<slug>` (RFC 9457 §3.1.1).
    pub fn slug(&self) -> &'static str {
        match self {
            Self::ChannelName { .. } => "bad-channel-name",
            Self::UnknownChannel { .. } => "unknown-channel",
            Self::UnknownTrack { .. } => "unknown-track",
            Self::UnknownSegment { .. } => "unknown-segment",
            Self::UnknownPath { .. } => "unknown-path",
            Self::Method { .. } => "method-not-allowed",
            Self::NoCredentials { .. } => "no-credentials",
            Self::NotAllowed { .. } => "not-allowed",
            Self::OverTerms { .. } => "over-terms",
            Self::Encoding { .. } => "bad-encoding",
            Self::ContentRange { .. } => "bad-content-range",
            Self::BadPace { .. } => "bad-pace-info",
            Self::NotEdge => "not-edge",
            Self::SlowBody { .. } => "slow-body",
            Self::ChannelStarting { .. } => "channel-starting",
            Self::Stale { .. } => "stale",
            Self::Incomplete { .. } => "incomplete",
            Self::BadMedia(cmaf::Error::Muxed { .. } | cmaf::Error::UnknownCodec { .. }) => {
                "unsupported-media"
            }
            Self::BadMedia(cmaf::Error::TooLarge { name, .. }) if name.is_usual() => "body-too-large",
            Self::BadMedia(_) => "bad-media",
            Self::NoInit { .. } => "no-init",
            Self::Unsupported { .. } => "unsupported-media",
            Self::Limit { key, .. } if key.ends_with("_bytes") => "body-too-large",
            Self::Limit { .. } => "limit",
            Self::BrokenBody { .. } => "broken-body",
            Self::DotSegment => "dot-segment",
            Self::Directive { .. } => "directive",
            Self::NotOperator => "not-operator",
            Self::NotHere => "not-here",
            Self::UnknownRules { .. } => "unknown-rules",
            Self::UnknownBreak { .. } => "unknown-break",
            Self::UnknownCreative { .. } => "unknown-creative",
            Self::Faults { .. } => "faults",
            Self::Conflict { .. } => "conflict",
            Self::Precondition => "changed",
            Self::Late { .. } => "late",
            Self::Range { .. } => "range",
            Self::Store { .. } => "store",
            Self::Config { .. } => "internal",
        }
    }

    /// The short sentence of the problem document.
    pub fn title(&self) -> &'static str {
        match self {
            Self::ChannelName { .. } => "The channel name is not usable.",
            Self::UnknownChannel { .. } => "There is no such channel.",
            Self::UnknownTrack { .. } => "The channel has no such track.",
            Self::UnknownSegment { .. } => "The track has no such segment.",
            Self::UnknownPath { .. } => "Nothing is served at this path.",
            Self::Method { .. } => "The method is not allowed here.",
            Self::NoCredentials { .. } => "The push carries no credentials.",
            Self::NotAllowed { .. } => "The push is not allowed.",
            Self::OverTerms { .. } => "The media is beyond what this channel allows.",
            Self::Encoding { .. } => "The body's encoding is not usable.",
            Self::ContentRange { .. } => "The range does not continue the object.",
            Self::BadPace { .. } => "The pace information cannot be used.",
            Self::NotEdge => "This is for edges alone.",
            Self::SlowBody { .. } => "The body came too slowly.",
            Self::ChannelStarting { .. } => "The channel is starting.",
            Self::Stale { .. } => "The channel's media has stopped.",
            Self::Incomplete { .. } => "One of the channel's tracks has stopped.",
            Self::BadMedia(cmaf::Error::Muxed { .. } | cmaf::Error::UnknownCodec { .. }) => {
                "The media is not supported."
            }
            Self::BadMedia(cmaf::Error::TooLarge { name, .. }) if name.is_usual() => {
                "A limit of this origin was met."
            }
            Self::BadMedia(_) => "The body is not valid CMAF.",
            Self::NoInit { .. } => "The track has no init segment yet.",
            Self::Unsupported { .. } => "The media is not supported.",
            Self::Limit { .. } => "A limit of this origin was met.",
            Self::BrokenBody { .. } => "The body broke off.",
            Self::DotSegment => "The path leads elsewhere.",
            Self::Directive { .. } => "The delivery directive cannot be followed.",
            Self::NotOperator => "The token is missing or wrong.",
            Self::NotHere => "This is for the machine itself.",
            Self::UnknownRules { .. } => "The channel has no rules for breaks.",
            Self::UnknownBreak { .. } => "There is no such break.",
            Self::UnknownCreative { .. } => "There is no such creative.",
            Self::Faults { .. } => "The document has faults.",
            Self::Conflict { .. } => "Something is in the way.",
            Self::Precondition => "The document has changed.",
            Self::Late { .. } => "What was waited for did not come in time.",
            Self::Range { .. } => "The range lies outside the object.",
            Self::Store { .. } => "The object store is unavailable.",
            Self::Config { .. } => "The origin failed.",
        }
    }
}
