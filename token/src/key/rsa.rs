//! RSASSA-PSS verification with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 8017 §8.1.2, RFC 8230 §2).
//!
//! Only public values come here, so nothing has to run in constant time.

use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use sha2::{Digest as _, Sha256};

use super::Jwk;
use crate::{
    error::KeyError,
    limits::{MAX_RSA_BITS, MIN_RSA_BITS},
};

/// Length of SHA-256's output and of the salt.
const HASH: usize = 32;

/// An RSA public key, with its modulus prepared for Montgomery's multiplication.
#[derive(Clone)]
pub(super) struct PublicKey {
    modulus: BoxedMontyParams,
    exponent: u64,
    /// Length of the modulus in bits.
    bits: u32,
}

impl PublicKey {
    pub(super) fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        let exponent = jwk.bytes("e", jwk.e.as_ref())?;
        let modulus = jwk.bytes("n", jwk.n.as_ref())?;
        Self::new(&modulus, &exponent).map_err(|(member, what)| jwk.wrong(member, what))
    }

    fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, (&'static str, &'static str)> {
        if exponent.len() > 8 {
            return Err(("e", "has more than 64 bits"));
        }
        let exponent = exponent
            .iter()
            .fold(0, |e: u64, byte| (e << 8) | u64::from(*byte));
        if exponent < 3 || exponent % 2 == 0 {
            return Err(("e", "must be odd and at least 3"));
        }
        let first = modulus
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(modulus.len());
        let modulus = modulus.get(first..).unwrap_or_default();
        if modulus.len() > (MAX_RSA_BITS / 8) as usize {
            return Err(("n", "has more than 4096 bits"));
        }
        let modulus = BoxedUint::from_be_slice_vartime(modulus);
        let bits = modulus.bits_vartime();
        if bits < MIN_RSA_BITS {
            return Err(("n", "has fewer than 2048 bits: make a larger key"));
        }
        let modulus: Option<Odd<BoxedUint>> = Odd::new(modulus).into();
        Ok(Self {
            modulus: BoxedMontyParams::new_vartime(modulus.ok_or(("n", "is even"))?),
            exponent,
            bits,
        })
    }

    /// Whether `signature` is one of the message that hashes to `hash`.
    pub(super) fn verifies(&self, hash: &[u8; HASH], signature: &[u8]) -> bool {
        self.encoded_message(signature)
            .is_some_and(|encoded| emsa_pss_verify(hash, &encoded, self.bits - 1))
    }

    /// RSAVP1 (RFC 8017 §5.2.2), and the representative as bytes, as many as the modulus has.
    fn encoded_message(&self, signature: &[u8]) -> Option<Vec<u8>> {
        let length = self.bits.div_ceil(8) as usize;
        if signature.len() != length {
            return None;
        }
        let precision = self.modulus.bits_precision();
        let signature = BoxedUint::from_be_slice(signature, precision).ok()?;
        if signature >= **self.modulus.modulus() {
            return None;
        }
        let base = BoxedMontyForm::new(signature, &self.modulus);
        let exponent_bits = u64::BITS - self.exponent.leading_zeros();
        let message = base
            .pow_bounded_exp(&BoxedUint::from(self.exponent), exponent_bits)
            .retrieve()
            .to_be_bytes();
        // The integer's own width is a multiple of the machine's word.
        message
            .get(message.len().checked_sub(length)?..)
            .map(<[u8]>::to_vec)
    }
}

/// EMSA-PSS-VERIFY (RFC 8017 §9.1.2) of an encoded message with `bits` bits, in as many bytes as the modulus.
fn emsa_pss_verify(hash: &[u8; HASH], encoded: &[u8], bits: u32) -> bool {
    let length = bits.div_ceil(8) as usize;
    // A modulus of 8n + 1 bits has one byte more than its messages, which is zero.
    let Some((excess, encoded)) = encoded
        .len()
        .checked_sub(length)
        .and_then(|excess| encoded.split_at_checked(excess))
    else {
        return false;
    };
    if excess.iter().any(|byte| *byte != 0) {
        return false;
    }
    // Steps 3 and 4: room for hash and salt, and the trailer.
    let Some((masked, [h @ .., 0xbc])) = length
        .checked_sub(HASH + 1)
        .filter(|mask| *mask > HASH)
        .and_then(|mask| encoded.split_at_checked(mask))
    else {
        return false;
    };
    // Steps 5 and 6: the bits above `bits` are zero in the masked block.
    let clear = 0xff_u8.checked_shr((8 * length) as u32 - bits).unwrap_or(0);
    if masked.first().is_none_or(|first| first & !clear != 0) {
        return false;
    }
    // Steps 7 to 9.
    let mut block = masked.to_vec();
    mgf1_xor(h, &mut block);
    if let Some(first) = block.first_mut() {
        *first &= clear;
    }
    // Step 10: zeros, a one, and the salt.
    let Some((padding, salt)) = block
        .len()
        .checked_sub(HASH)
        .and_then(|padding| block.split_at_checked(padding))
    else {
        return false;
    };
    let [zeros @ .., 1] = padding else {
        return false;
    };
    // Steps 12 to 14.
    zeros.iter().all(|byte| *byte == 0)
        && Sha256::new()
            .chain_update([0; 8])
            .chain_update(hash)
            .chain_update(salt)
            .finalize()[..]
            == *h
}

/// Applies MGF1's mask of `seed` (RFC 8017 §B.2.1) to `block`.
fn mgf1_xor(seed: &[u8], block: &mut [u8]) {
    for (counter, chunk) in (0_u32..).zip(block.chunks_mut(HASH)) {
        let mask = Sha256::new()
            .chain_update(seed)
            .chain_update(counter.to_be_bytes())
            .finalize();
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../tests/data/pss.json")).unwrap()
    }

    fn bytes(text: &Value) -> Vec<u8> {
        Base64UrlUnpadded::decode_vec(text.as_str().unwrap()).unwrap()
    }

    #[test]
    fn signatures_made_elsewhere_verify_as_they_should() {
        let vectors = vectors();
        let hash = Sha256::digest(vectors["message"].as_str().unwrap()).into();
        for vector in vectors["signatures"].as_array().unwrap() {
            let key = PublicKey::new(&bytes(&vector["n"]), &bytes(&vector["e"])).unwrap();
            let signature = bytes(&vector["signature"]);
            assert_eq!(
                Some(key.verifies(&hash, &signature)),
                vector["valid"].as_bool(),
                "{}",
                vector["name"]
            );
        }
    }

    #[test]
    fn a_signature_is_as_long_as_the_modulus_and_below_it() {
        let vectors = vectors();
        let hash = Sha256::digest(vectors["message"].as_str().unwrap()).into();
        let vector = &vectors["signatures"][0];
        let modulus = bytes(&vector["n"]);
        let key = PublicKey::new(&modulus, &bytes(&vector["e"])).unwrap();
        let signature = bytes(&vector["signature"]);
        assert!(key.verifies(&hash, &signature));
        assert!(!key.verifies(&hash, &signature[1..]));
        assert!(!key.verifies(&hash, &[&[0], &signature[..]].concat()));
        assert!(!key.verifies(&hash, &modulus));
        assert!(!key.verifies(&hash, &vec![0; modulus.len()]));
        assert!(!key.verifies(&hash, &[]));
        // The same number, with the modulus added, would be the same signature.
        let sum =
            modulus
                .iter()
                .zip(&signature)
                .rev()
                .fold((Vec::new(), 0_u16), |(mut sum, carry), (a, b)| {
                    let digit = u16::from(*a) + u16::from(*b) + carry;
                    sum.insert(0, digit as u8);
                    (sum, digit >> 8)
                });
        assert!(!key.verifies(&hash, &sum.0));
    }

    #[test]
    fn weak_and_malformed_keys_are_refused() {
        let odd = |bytes: usize| vec![0xff; bytes];
        let wrong = |n: &[u8], e: &[u8]| PublicKey::new(n, e).map(|_| ()).unwrap_err();
        assert_eq!(wrong(&odd(255), &[3]).0, "n");
        assert_eq!(wrong(&[vec![0; 64], odd(255)].concat(), &[3]).0, "n");
        assert_eq!(wrong(&odd(513), &[3]), ("n", "has more than 4096 bits"));
        let even = [odd(255), vec![0xfe]].concat();
        assert_eq!(wrong(&even, &[3]), ("n", "is even"));
        for e in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1; 9]] {
            assert_eq!(wrong(&odd(256), e).0, "e", "{e:?}");
        }
        assert!(PublicKey::new(&odd(256), &[0, 1, 0, 1]).is_ok());
    }
}
