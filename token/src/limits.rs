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

/// Most sets of claims in all composites of a token together: as many as one list may have. A set takes a byte of the
/// token, and half a kilobyte of memory.
pub(crate) const MAX_CLAIM_SETS: usize = MAX_CLAIMS;

/// Most keys that are tried for one token (several keys under one `kid`, or default keys without one).
pub(crate) const MAX_KEYS_TRIED: usize = 4;

/// Shortest HMAC secret, in bytes: the output length of SHA-256 (RFC 7518 §3.2).
pub(crate) const MIN_SECRET: usize = 32;

/// Longest regular expression, in bytes: generous for the path of a request, and an eighth of a token.
pub const MAX_PATTERN: usize = 512;

/// Most steps of a compiled regular expression: enough for one repetition as far as POSIX guarantees it (255). The
/// longest URI of the smallest platform (8 KiB) then costs no more than four million looks at a step.
pub(crate) const MAX_PATTERN_STEPS: usize = 512;

/// Most steps of all regular expressions of a token together: four of the largest. Otherwise the two hundred that it
/// has room for would cost seconds of every request.
pub(crate) const MAX_TOKEN_STEPS: usize = 4 * MAX_PATTERN_STEPS;

/// Deepest nesting of groups in a regular expression: reading one takes a stack frame for each.
pub(crate) const MAX_PATTERN_DEPTH: usize = 32;

/// Most labels in a token's two COSE header maps together. The standard's tokens have two or three; RFC 9052
/// registers few more that could stand in one.
pub(crate) const MAX_HEADERS: usize = 16;

/// Smallest RSA modulus in bits (RFC 8230 §6.1).
#[cfg(feature = "ps256")]
pub(crate) const MIN_RSA_BITS: u32 = 2048;

/// Largest RSA modulus in bits: more would make a verification cost milliseconds.
#[cfg(feature = "ps256")]
pub(crate) const MAX_RSA_BITS: u32 = 4096;

/// Most recipients of a COSE_Encrypt that are looked at. One for each network that delivers is as many as a token has
/// room for.
#[cfg(feature = "encrypt")]
pub(crate) const MAX_RECIPIENTS: usize = 8;

/// Length of an AES-GCM nonce in bytes (RFC 9053 §4.1).
#[cfg(feature = "encrypt")]
pub(crate) const NONCE_BYTES: usize = 12;

/// Most things that a store in memory remembers at once: about 30 MB, and at a segment each two seconds the
/// single-use proofs of 600 viewers in a window of 5 minutes.
pub const MAX_STORE_ENTRIES: usize = 100_000;

/// Longest DPoP proof that is looked at, in bytes. With a key on P-256 and a long URI they have about 800.
pub(crate) const MAX_PROOF_TEXT: usize = 4096;

/// Longest `jti` of a proof, in bytes. RFC 9449 §4.2 asks for 96 bits of randomness, which is 16 characters.
pub(crate) const MAX_PROOF_ID: usize = 256;

/// Most tokens whose verdict is kept: the viewers whom one instance serves at a time, several times over.
pub(crate) const MAX_CACHED_VERDICTS: usize = 10_000;

/// Most memory for verdicts, in bytes: a quarter of the smallest platform's memory (128 MiB).
pub(crate) const MAX_CACHED_VERDICT_BYTES: usize = 32 << 20;
