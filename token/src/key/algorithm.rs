//! The algorithms that seal a token, by their names in COSE and in JSON Web Keys.

use core::fmt;

/// How a token is sealed. A key carries its algorithm; what a token says of itself must agree with it.
///
/// Every algorithm has its identifier here, whether or not this build can compute it: a key of one that it
/// cannot compute is an error when the key set is read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256, the whole 256 bits. Named by CTA-5007-B §4.3.1.1.1.
    Hs256,
    /// HMAC with SHA-384. Not named by the standard: feature `extra-algorithms`.
    Hs384,
    /// HMAC with SHA-512. Not named by the standard: feature `extra-algorithms`.
    Hs512,
    /// ECDSA on P-256 with SHA-256. Named by CTA-5007-B §4.3.1.1.1.
    Es256,
    /// ECDSA on P-384 with SHA-384. Not named by the standard: feature `extra-algorithms`.
    Es384,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes. Named by CTA-5007-B §4.3.1.1.1: feature `ps256`.
    Ps256,
    /// Ed25519. Not named by the standard: feature `extra-algorithms`.
    EdDsa,
    /// AES-GCM with a key of 128 bits, for COSE_Encrypt0: feature `encrypt`.
    A128Gcm,
    /// AES-GCM with a key of 256 bits, for COSE_Encrypt0: feature `encrypt`.
    A256Gcm,
    /// Static Diffie-Hellman on P-256, and AES key wrap with a key of 128 bits, for COSE_Encrypt around a watermark's
    /// pattern (RFC 9053 §6.4): feature `encrypt`.
    EcdhSsA128Kw,
}

impl Algorithm {
    /// Every algorithm, in the order of this enum.
    pub const ALL: [Self; 10] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Es256,
        Self::Es384,
        Self::Ps256,
        Self::EdDsa,
        Self::A128Gcm,
        Self::A256Gcm,
        Self::EcdhSsA128Kw,
    ];

    /// The identifier in a COSE `alg` header (RFC 9053, RFC 8230 for PS256).
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::Hs256 => 5,
            Self::Hs384 => 6,
            Self::Hs512 => 7,
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Ps256 => -37,
            Self::EdDsa => -8,
            Self::A128Gcm => 1,
            Self::A256Gcm => 3,
            Self::EcdhSsA128Kw => -32,
        }
    }

    /// The algorithm of a COSE identifier.
    pub fn from_cose_id(id: i128) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| i128::from(alg.cose_id()) == id)
    }

    /// The name in a JWK's `alg` (RFC 7518 §3.1, §5.1, RFC 8037). JOSE has none for [`EcdhSsA128Kw`](Self::EcdhSsA128Kw):
    /// it has COSE's, less the blanks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
            Self::EcdhSsA128Kw => "ECDH-SS+A128KW",
        }
    }

    /// The algorithm of a JWK's `alg`, which is compared exactly.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }

    /// Length of the MAC, signature or authentication tag in bytes; `None` where the key decides (PS256: the
    /// length of the modulus), and where the algorithm wraps a key and nothing else.
    pub const fn seal_length(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 | Self::Es256 | Self::EdDsa => Some(64),
            Self::Es384 => Some(96),
            Self::Ps256 | Self::EcdhSsA128Kw => None,
            Self::A128Gcm | Self::A256Gcm => Some(16),
        }
    }

    /// Whether whoever verifies by this algorithm could make tokens as well.
    pub const fn is_symmetric(self) -> bool {
        matches!(
            self,
            Self::Hs256 | Self::Hs384 | Self::Hs512 | Self::A128Gcm | Self::A256Gcm
        )
    }

    /// Whether it encrypts: a key of it opens and closes COSE_Encrypt0 or COSE_Encrypt and signs nothing.
    pub const fn encrypts(self) -> bool {
        matches!(self, Self::A128Gcm | Self::A256Gcm) || self.agrees()
    }

    /// Whether it agrees on a key with another: who encrypts has the public half, and who opens the private one.
    pub const fn agrees(self) -> bool {
        matches!(self, Self::EcdhSsA128Kw)
    }

    /// Whether this build can compute it.
    pub const fn is_compiled_in(self) -> bool {
        match self {
            Self::Hs256 | Self::Es256 => true,
            Self::Ps256 => cfg!(feature = "ps256"),
            Self::A128Gcm | Self::A256Gcm | Self::EcdhSsA128Kw => cfg!(feature = "encrypt"),
            Self::Hs384 | Self::Hs512 | Self::Es384 | Self::EdDsa => cfg!(feature = "extra-algorithms"),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_identifiers_lead_back_to_their_algorithm() {
        for alg in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(alg.name()), Some(alg));
            assert_eq!(Algorithm::from_cose_id(alg.cose_id().into()), Some(alg));
        }
    }

    #[test]
    fn truncated_macs_and_pkcs1_signatures_have_no_place() {
        for id in [4, -257, -258, -259, 0] {
            assert_eq!(Algorithm::from_cose_id(id), None);
        }
    }
}
