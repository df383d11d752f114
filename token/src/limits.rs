//! Every bound of this crate, with the origin of its number.

/// Longest token that is looked at, in bytes before base64url. CTA-5007-B §4.4 asks recipients to take 4096;
/// more would not fit the smallest platform's URL (8192 bytes) in base64url with room for the path.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// Longest token text: base64url of [`MAX_TOKEN_BYTES`], padding included.
pub const MAX_TOKEN_TEXT: usize = MAX_TOKEN_BYTES.div_ceil(3) * 4;

/// Deepest nesting of CBOR items that are passed over unread. The standard asks for composites of 4 levels, each
/// of which costs an array and a map.
pub const MAX_NESTING: usize = 32;

/// Most claims in one token, and most entries in any map or array that is read into memory. `catm` and
/// `catalpn` ask for at least 50.
pub const MAX_CLAIMS: usize = 128;

/// Most levels of composite claims, one inside the other. Recipients must take 4.
pub const MAX_COMPOSITE_LEVELS: usize = 8;

/// Most keys that are tried for one token (several keys under one `kid`, or default keys without one).
pub(crate) const MAX_KEYS_TRIED: usize = 4;

/// Shortest HMAC secret, in bytes: the output length of SHA-256 (RFC 7518 §3.2).
pub(crate) const MIN_SECRET: usize = 32;

/// Longest regular expression, in bytes: generous for the path of a request, and an eighth of a token.
pub const MAX_PATTERN: usize = 512;

/// Most steps of a compiled regular expression: enough for one repetition as far as POSIX guarantees it (255). The
/// longest URI of the smallest platform (8 KiB) then costs no more than four million looks at a step.
pub(crate) const MAX_PATTERN_STEPS: usize = 512;

/// Deepest nesting of groups in a regular expression: reading one takes a stack frame for each.
pub(crate) const MAX_PATTERN_DEPTH: usize = 32;
