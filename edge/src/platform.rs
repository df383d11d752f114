//! The core's only door to the world.

use core::future::Future;

use http::{HeaderMap, Method, StatusCode, header};
use selvedge_token::{Standing, StoreRequest};

/// What an adapter implements: it answers batches of wants.
///
/// A plan is handed over whole, so that an asynchronous host joins its wants, a blocking host starts them all
/// and selects, and a test prints them.
pub trait Platform {
    /// An upstream body that nobody has read: a host's stream handle. It never enters the core's memory.
    type Body;

    /// Answers every want of `plan`, in its order.
    fn gather(&self, plan: Plan) -> impl Future<Output = Vec<Answer<Self::Body>>>;
}

/// One batch of wants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// What is wanted; at most six, because a Worker may have no more connections open.
    pub wants: Vec<Want>,
}

/// One thing that the core wants to know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Want {
    /// An answer of the origin (or of the shield before it).
    Origin(OriginRequest),
    /// The word of the store that all instances share. Asking may write.
    Store(StoreRequest),
    /// A document that operators have put where every instance reads it.
    Document {
        /// Its name: two words of letters, digits and `.`, `_`, `:` or `-`, with a slash between them.
        key: String,
        /// The most that may be read, in bytes; a longer one is [`Unanswered::TooLarge`].
        limit: usize,
    },
}

/// A request to the origin. It carries no token, in no form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OriginRequest {
    /// `GET` or `HEAD`.
    pub method: Method,
    /// Path and query below the origin's address, beginning with a slash. It is normalised, and it is all that
    /// a cache may key on.
    pub target: String,
    /// Headers to send; nothing else of the viewer's request may be.
    pub headers: HeaderMap,
    /// How the body is wanted.
    pub read: Read,
}

/// How the body of an answer is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// As the platform's handle, unread.
    Handle,
    /// As bytes, because it will be rewritten. A longer body is [`Unanswered::TooLarge`].
    Bytes {
        /// The most that may be read, in bytes.
        limit: usize,
    },
}

impl Read {
    /// Whether a body is known to be too long before any of it was read, by its declared length.
    pub fn refuses(self, headers: &HeaderMap) -> bool {
        let Self::Bytes { limit } = self else { return false };
        let declared = headers.get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        declared.is_some_and(|length| length > limit)
    }
}

/// The answer to one [`Want`].
#[derive(Debug)]
pub enum Answer<B> {
    /// To [`Want::Origin`].
    Origin(Result<OriginResponse<B>, Unanswered>),
    /// To [`Want::Store`]; [`Standing::Unknown`] where the platform has no such store.
    Store(Standing),
    /// To [`Want::Document`]; `None` where there is no such document, or no such store.
    Document(Result<Option<Vec<u8>>, Unanswered>),
}

impl<B> Answer<B> {
    /// The store's word; none where something else answered.
    pub(crate) const fn standing(&self) -> Standing {
        match self {
            Self::Store(standing) => *standing,
            Self::Origin(_) | Self::Document(_) => Standing::Unknown,
        }
    }
}

/// What the origin said.
#[derive(Debug)]
pub struct OriginResponse<B> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, as they came.
    pub headers: HeaderMap,
    /// [`Body::Upstream`] for [`Read::Handle`], [`Body::Bytes`] for [`Read::Bytes`].
    pub body: Body<B>,
}

/// A body on its way.
#[derive(Debug, Eq, PartialEq)]
pub enum Body<B> {
    /// None.
    Empty,
    /// Written here.
    Bytes(Vec<u8>),
    /// The platform's handle, passed on.
    Upstream(B),
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unanswered {
    /// No connection, or it broke before the headers or, for [`Read::Bytes`], before the end. The text is for
    /// the operator's log.
    Unreachable(String),
    /// Nothing came in the platform's time.
    Timeout,
    /// The body is longer than the limit.
    TooLarge,
}
