//! Our own way, and the bare work that no way can do without.

use std::{hint::black_box, sync::Arc};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use p256::ecdsa::{
    Signature, SigningKey,
    signature::{Signer as _, Verifier as _},
};
use selvedge_token::{Jwk, KeySet, Policy, Request, RequestUri, VerdictCache, Verifier};
use sha2::Sha256;

use crate::{
    sample::{HOST, ISSUER, NOW, PATH, elliptic, es256, hs256, symmetric},
    turns::Turns,
};

pub(crate) fn cases(turns: &mut Turns) {
    turns.add("unseen HS256", unseen(&symmetric(), hs256()));
    turns.add("bare HMAC-SHA256", bare_hmac());
    turns.add("unseen ES256", unseen(&elliptic().for_recipient(), es256()));
    turns.add("bare p256", bare_p256());
    turns.add("seen ES256", seen(&elliptic().for_recipient(), es256()));
}

fn policy() -> Policy {
    Policy {
        issuers: vec![ISSUER.into()],
        ..Policy::default()
    }
}

/// Text in, verdict out: decoded, verified, parsed and judged.
fn unseen(key: &Jwk, token: String) -> impl FnMut() + 'static {
    let verifier = Verifier::new(KeySet::from_jwks([key]).unwrap(), policy());
    let uri = RequestUri::parse("https", HOST, PATH, None).unwrap();
    move || {
        let authentic = verifier.authenticate(black_box(&token)).unwrap();
        let admission = verifier.admit(&authentic, &Request::new("GET", &uri), NOW);
        let _ = black_box(admission.unwrap().settle(&[]).unwrap());
    }
}

/// The same for a token that this instance has judged before: looked up and judged.
fn seen(key: &Jwk, token: String) -> impl FnMut() + 'static {
    let keys = KeySet::from_jwks([key]).unwrap();
    let version = keys.version();
    let verifier = Verifier::new(keys, policy());
    let uri = RequestUri::parse("https", HOST, PATH, None).unwrap();
    let mut cache = VerdictCache::default();
    // Among as many as an instance meets.
    let authentic = Arc::new(verifier.authenticate(&token).unwrap());
    for other in 0..2_000 {
        cache.insert(&format!("{token}{other}"), version, &authentic, NOW);
    }
    cache.insert(&token, version, &authentic, NOW);
    move || {
        let authentic = cache.get(black_box(&token), version, NOW).unwrap();
        let admission = verifier.admit(&authentic, &Request::new("GET", &uri), NOW);
        let _ = black_box(admission.unwrap().settle(&[]).unwrap());
    }
}

/// As many bytes as the token's MAC covers.
fn covered() -> Vec<u8> {
    let bytes = Base64UrlUnpadded::decode_vec(&hs256()).unwrap();
    vec![0x5a; bytes.len() - 32]
}

fn bare_hmac() -> impl FnMut() + 'static {
    let message = covered();
    move || {
        let mut mac = Hmac::<Sha256>::new_from_slice(&[9; 32]).unwrap();
        mac.update(black_box(&message));
        let _ = black_box(mac.finalize());
    }
}

fn bare_p256() -> impl FnMut() + 'static {
    let signer = SigningKey::from_slice(&[7; 32]).unwrap();
    let message = covered();
    let signature: Signature = signer.sign(&message);
    let verifying = *signer.verifying_key();
    move || verifying.verify(black_box(&message), &signature).unwrap()
}
