//! What a verifier promises, on tokens that this library minted.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use base64ct::{Base64UrlUnpadded, Encoding as _};
use selvedge_token::{
    Algorithm, Authentic, Class, Component, Jwk, KeySet, Match, Minter, Policy, Refusal, Request, RequestUri,
    SigningKey, UnixMillis, Verifier, inspect,
};

const NOW: UnixMillis = UnixMillis::from_seconds(1_790_000_000);

fn elliptic() -> Jwk {
    Jwk::elliptic("es", &[3; 32]).unwrap()
}

fn symmetric() -> Jwk {
    Jwk::symmetric("hs", &[5; 32])
}

fn verifier(policy: Policy) -> Verifier {
    let keys = [elliptic().for_recipient(), symmetric()];
    Verifier::new(KeySet::from_jwks(&keys).unwrap(), policy)
}

fn news() -> Minter {
    Minter::new()
        .issuer("broadcaster")
        .expires_at(NOW.plus_seconds(60))
        .uri(Component::Path, Match::Prefix("/live/news/".into()))
}

fn mint(minter: &Minter, jwk: &Jwk) -> String {
    minter.mint(&SigningKey::from_jwk(jwk).unwrap()).unwrap()
}

fn admit(token: &Authentic, path: &str, now: UnixMillis) -> Result<(), Refusal> {
    let uri = RequestUri::parse("https", "cdn.example", path, None).unwrap();
    verifier(Policy::default())
        .admit(token, &Request::new("GET", &uri), now)?
        .settle(&[])
        .map(|_| ())
}

#[test]
fn both_algorithms_admit_what_was_minted_until_the_very_second_of_exp() {
    for jwk in [elliptic(), symmetric()] {
        let token = verifier(Policy::default())
            .authenticate(&mint(&news(), &jwk))
            .unwrap();
        assert_eq!(token.kid(), jwk.kid);
        assert_eq!(
            admit(&token, "/live/news/index.m3u8", NOW.plus_seconds(59)),
            Ok(())
        );
        let expired = admit(&token, "/live/news/index.m3u8", NOW.plus_seconds(60)).unwrap_err();
        assert_eq!(expired.class(), Class::Expired);
    }
}

#[test]
fn a_token_for_one_path_opens_no_other() {
    let token = verifier(Policy::default())
        .authenticate(&mint(&news(), &elliptic()))
        .unwrap();
    for path in [
        "/live/sport/index.m3u8",
        "/live/newsroom/x",
        "/live/news/../sport/x",
        "/",
    ] {
        let refusal = admit(&token, path, NOW).unwrap_err();
        assert_eq!(
            refusal,
            Refusal::Uri {
                component: Component::Path
            },
            "{path}"
        );
        assert_eq!(refusal.class(), Class::OutOfScope);
    }
}

#[test]
fn a_token_is_not_valid_before_nbf() {
    let minter = news().not_before(NOW);
    let token = verifier(Policy::default())
        .authenticate(&mint(&minter, &symmetric()))
        .unwrap();
    assert_eq!(
        admit(&token, "/live/news/a", UnixMillis(NOW.0 - 1))
            .unwrap_err()
            .class(),
        Class::NotYetValid
    );
    assert_eq!(admit(&token, "/live/news/a", NOW), Ok(()));
}

#[test]
fn no_single_flipped_bit_and_no_truncation_passes() {
    let verifier = verifier(Policy::default());
    for jwk in [elliptic(), symmetric()] {
        let text = mint(&news(), &jwk);
        let genuine = verifier.authenticate(&text).unwrap();
        let bytes = Base64UrlUnpadded::decode_vec(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            // The tag 61 in front may be any spelling of itself; what it admits must be what was signed.
            if let Ok(passed) = verifier.authenticate(&Base64UrlUnpadded::encode_string(&forged)) {
                assert_eq!(passed, genuine, "bit {bit}");
            }
        }
        for length in 0..bytes.len() {
            assert!(
                verifier
                    .authenticate(&Base64UrlUnpadded::encode_string(&bytes[..length]))
                    .is_err()
            );
        }
    }
}

#[test]
fn a_mac_made_with_a_public_key_is_refused() {
    // The classic confusion: the public point used as an HMAC secret, under the elliptic key's name.
    let public = elliptic().for_recipient();
    let mut point = vec![4];
    point.extend(Base64UrlUnpadded::decode_vec(public.x.as_deref().unwrap()).unwrap());
    point.extend(Base64UrlUnpadded::decode_vec(public.y.as_deref().unwrap()).unwrap());
    let forged = mint(&news(), &Jwk::symmetric("es", &point));
    let refusal = verifier(Policy::default()).authenticate(&forged).unwrap_err();
    assert_eq!(refusal, Refusal::AlgorithmMismatch);
}

#[test]
fn an_unknown_kid_is_refused_and_named_for_the_operator() {
    let refusal = verifier(Policy::default())
        .authenticate(&mint(&news(), &Jwk::symmetric("nobody", &[1; 32])))
        .unwrap_err();
    assert_eq!(
        refusal,
        Refusal::UnknownKey {
            kid: "6e6f626f6479".into()
        }
    );
    assert_eq!(refusal.class(), Class::Invalid);
}

#[test]
fn issuers_and_audiences_are_enforced_where_they_are_configured_or_claimed() {
    let uri = RequestUri::parse("https", "cdn.example", "/live/news/a", None).unwrap();
    let request = Request::new("GET", &uri);
    let judge = |policy: Policy, minter: &Minter| {
        let verifier = verifier(policy);
        let token = verifier.authenticate(&mint(minter, &symmetric())).unwrap();
        verifier.admit(&token, &request, NOW)?.settle(&[]).map(|_| ())
    };
    let trusting = |issuer: &str| Policy {
        issuers: vec![issuer.into()],
        ..Policy::default()
    };
    assert_eq!(judge(trusting("broadcaster"), &news()), Ok(()));
    assert_eq!(judge(trusting("somebody"), &news()), Err(Refusal::Issuer));
    assert_eq!(judge(trusting("somebody"), &Minter::new()), Err(Refusal::Issuer));
    let audience = Policy {
        audiences: vec!["edge-1".into()],
        ..Policy::default()
    };
    assert_eq!(judge(audience.clone(), &news().audience("edge-1")), Ok(()));
    assert_eq!(
        judge(audience, &news().audience("edge-2")),
        Err(Refusal::Audience)
    );
    assert_eq!(
        judge(Policy::default(), &news().audience("edge-2")),
        Err(Refusal::Audience)
    );
}

#[test]
fn a_restriction_that_cannot_be_judged_is_a_refusal_and_an_unknown_claim_is_not() {
    let verifier = verifier(Policy::default());
    let refusal = |label, value: ciborium::Value| {
        let token = mint(&news().claim(label, value), &symmetric());
        let token = verifier.authenticate(&token).unwrap();
        admit(&token, "/live/news/a", NOW).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(311, vec![ciborium::Value::from(64_500)].into()),
        "claim catnip cannot be judged: what it asks for is not known here"
    );
    assert_eq!(
        refusal(328, 30.into()),
        "claim moqt-reval restricts the request in a way that is not evaluated here"
    );
    let private = verifier
        .authenticate(&mint(&news().claim(-70_000, "note"), &symmetric()))
        .unwrap();
    assert_eq!(admit(&private, "/live/news/a", NOW), Ok(()));
}

#[test]
fn inspection_shows_every_claim_by_name() {
    let text = mint(&news().methods(&["GET"]).token_id(b"t-1"), &elliptic());
    let shown = inspect(&text).unwrap().to_string();
    assert_eq!(
        shown,
        "COSE_Sign1, ES256, kid 'es'\n\
         \u{20}  1 iss           \"broadcaster\"  # made by \"broadcaster\"\n\
         \u{20}  4 exp           1790000060  # expires 2026-09-21T14:14:20Z\n\
         \u{20}  7 cti           't-1'  # the token's own identity, by which it is known to be used again\n\
         \u{20}310 catv          1  # version 1 of the token format\n\
         \u{20}312 catu          {3: {1: \"/live/news/\"}}  # admits paths that begin with \"/live/news/\"\n\
         \u{20}313 catm          [\"GET\"]  # admits the method GET"
    );
    assert_eq!(elliptic().algorithm(), Ok(Algorithm::Es256));
}
