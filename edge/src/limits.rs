//! Every bound of the edge, with the origin of its number.

/// Longest request URL, in bytes: Fastly Compute's limit, kept on every platform so that a URL that works on
/// one works on all.
pub(crate) const MAX_URL: usize = 8192;

/// Most tokens that are looked at in one request (CTA-5007-B §4.4).
pub(crate) const MAX_TOKENS: usize = 6;

/// Largest document that is rewritten, in bytes: a 12-hour playlist of 2 s segments is about 2 MiB, and one
/// isolate of 128 MiB serves many requests at once.
pub(crate) const MAX_DOCUMENT: usize = 4 << 20;

/// Most wants in one batch: a Worker may have six connections open at once.
pub(crate) const MAX_WANTS: usize = 6;

/// Largest decision that is read, in bytes: twenty ads in ten renditions are about 300 KiB.
pub(crate) const MAX_DECISION: usize = 1 << 20;

/// Most decisions that one instance remembers: a DVR window of three hours has a dozen breaks.
pub(crate) const MAX_DECISIONS: usize = 64;

/// Most rounds of slate in one list of assets: an hour of slate of two seconds, and more than any break has.
pub(crate) const MAX_ROUNDS: u64 = 1800;

/// Largest document of an asset that is read, in bytes: a film of two hours in ten renditions is about 3 MiB.
pub(crate) const MAX_ASSET: usize = 4 << 20;

/// Most assets of one playlist: a day of a channel has fewer, but for one that shows nothing but trailers.
pub(crate) const MAX_ASSETS: usize = 64;

/// Most bytes of assets' documents that one instance remembers: an eighth of the 128 MiB that a Worker's isolate has,
/// twice of which they take once they are read.
pub(crate) const MAX_ASSET_BYTES: usize = 8 << 20;

/// Largest schedule that is read, in bytes: one of 20,000 pieces.
pub(crate) const MAX_SCHEDULE: usize = 4 << 20;

/// Most schedules that one instance remembers: of the channels that are watched at one place, nearly all.
pub(crate) const MAX_SCHEDULES: usize = 256;

/// Most bytes of schedules that one instance remembers, as with assets.
pub(crate) const MAX_SCHEDULE_BYTES: usize = 8 << 20;

/// Largest sidecar of marked media that is read, in bytes: one of 16,384 segments.
pub(crate) const MAX_SIDECAR: usize = 256 << 10;

/// Most files whose positions one instance remembers: an hour of two-second segments, in four renditions.
pub(crate) const MAX_POSITIONS: usize = 8192;

/// Longest client certificate that is read, in bytes: TLS stacks commonly take 16 KiB for a whole chain.
pub(crate) const MAX_CERTIFICATE: usize = 16 << 10;

/// Most certificates of a client's chain; chains in use have two or three.
pub(crate) const MAX_CERTIFICATES: usize = 8;

/// Most things kept in one place of a platform's store, so that what is read and written for one request stays
/// near 100 KiB: a subject whose streams are more than this has another problem.
pub(crate) const MAX_STORED: usize = 256;

/// The furthest moment at which a platform's store is asked to forget something, in seconds from now: a century.
/// Fastly's store counts seconds in 32 bits, 136 years of them, and a date of JavaScript's ends in the year 275760.
pub(crate) const MAX_STORED_SECONDS: i64 = 100 * 366 * 86_400;

/// Most verdicts on tokens that one instance keeps.
pub(crate) const MAX_VERDICTS: usize = 20_000;

/// Most bytes that these verdicts may take: an eighth of the 128 MiB that a Worker's isolate has.
pub(crate) const MAX_VERDICT_BYTES: usize = 16 << 20;

/// Most leases on streams that one instance remembers.
pub(crate) const MAX_LEASES_REMEMBERED: usize = 16_384;
