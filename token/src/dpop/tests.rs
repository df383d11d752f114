use p256::ecdsa::{SigningKey, signature::Signer as _};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{cbor::Reader, claims::Dialect};

const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);
const TOKEN: &str = "2D3RhEOhAQWg";

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).unwrap()
}

fn jwk(key: &SigningKey) -> Value {
    let point = key.verifying_key().to_sec1_point(false);
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": Base64UrlUnpadded::encode_string(point.x().unwrap()),
        "y": Base64UrlUnpadded::encode_string(point.y().unwrap()),
    })
}

fn header() -> Value {
    json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(&key()) })
}

fn claims() -> Value {
    json!({
        "jti": "e1j3V_bKic8-LAEB",
        "htm": "GET",
        "htu": "https://cdn.example/live/index.m3u8",
        "iat": NOW.seconds(),
        "ath": Base64UrlUnpadded::encode_string(&Sha256::digest(TOKEN)),
    })
}

fn sign(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature: Signature = key().sign(signed.as_bytes());
    format!(
        "{signed}.{}",
        Base64UrlUnpadded::encode_string(&signature.to_bytes())
    )
}

fn with(mut value: Value, member: &str, to: impl Into<Value>) -> Value {
    value[member] = to.into();
    value
}

/// `{323: jkt}`
fn confirmation(jkt: &[u8; 32]) -> Confirmation {
    let bytes = [&[0xa1, 0x19, 0x01, 0x43, 0x58, 32], &jkt[..]].concat();
    Confirmation::read(&mut Reader::new(&bytes), &Dialect::default()).unwrap()
}

fn own() -> Confirmation {
    let point = key().verifying_key().to_sec1_point(false);
    let coordinate = |bytes: &[u8]| bytes.try_into().unwrap();
    confirmation(&Thumbprints::of(&coordinate(point.x().unwrap()), &coordinate(point.y().unwrap())).jwk)
}

fn once() -> DpopSettings {
    DpopSettings {
        replay: ProofReplay::Prohibited,
        ..DpopSettings::default()
    }
}

fn prove_at(field: Option<&str>, now: UnixMillis) -> Result<Option<StoreRequest>, ProofError> {
    let uri = RequestUri::parse("https", "cdn.example:443", "/live/index.m3u8", Some("q=1")).unwrap();
    let proving = Proving {
        field,
        method: "GET",
        uri: &uri,
        token: TOKEN,
        expires: None,
        now,
    };
    prove(&own(), once(), &proving)
}

fn verdict(header: &Value, claims: &Value) -> Result<(), ProofError> {
    prove_at(Some(&sign(header, claims)), NOW).map(|_| ())
}

#[test]
fn the_proof_of_rfc_9449_section_7_1_is_one_in_its_time() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUkl\
                 DUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R\
                 2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cH\
                 M6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU\
                 8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1pl\
                 emAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let jkt = Base64UrlUnpadded::decode_vec("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I").unwrap();
    let uri = RequestUri::parse("https", "resource.example.org", "/protectedresource", None).unwrap();
    let proving = |token, now| Proving {
        field: Some(proof),
        method: "GET",
        uri: &uri,
        token,
        expires: None,
        now: UnixMillis::from_seconds(now),
    };
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let check = |token, now| {
        prove(
            &confirmation(&jkt.clone().try_into().unwrap()),
            DpopSettings::default(),
            &proving(token, now),
        )
    };
    assert_eq!(check(token, 1_562_262_618), Ok(None));
    assert_eq!(check(token, 1_562_262_618 + 300), Ok(None));
    assert_eq!(check(token, 1_562_262_618 + 301), Err(ProofError::Time));
    assert_eq!(check("another", 1_562_262_618), Err(ProofError::Token));
}

#[test]
fn what_a_proof_is_for_is_what_it_is_used_for() {
    assert_eq!(verdict(&header(), &claims()), Ok(()));
    assert_eq!(
        verdict(&header(), &with(claims(), "htm", "HEAD")),
        Err(ProofError::Method)
    );
    assert_eq!(
        verdict(&header(), &with(claims(), "ath", "")),
        Err(ProofError::Token)
    );
    for same in [
        "HTTPS://CDN.example:443/live/%69ndex.m3u8",
        "https://cdn.example/live/index.m3u8?other#x",
        "https://cdn.example/a/../live/index.m3u8",
        "https://cdn.example/t/2D3RhEOhAQWg/live/index.m3u8",
        "https://cdn.example/2D3RhEOhAQWg/live/index.m3u8",
    ] {
        assert_eq!(verdict(&header(), &with(claims(), "htu", same)), Ok(()), "{same}");
    }
    for other in [
        "http://cdn.example/live/index.m3u8",
        "https://cdn.example:444/live/index.m3u8",
        "https://cdn.example.evil/live/index.m3u8",
        "https://cdn.example/live/index",
        "https://cdn.example/x/live/index.m3u8",
        "https://cdn.example/t/x2D3RhEOhAQWg/live/index.m3u8",
        "https://cdn.example",
        "https://user@cdn.example/live/index.m3u8",
        "/live/index.m3u8",
        "",
    ] {
        assert_eq!(
            verdict(&header(), &with(claims(), "htu", other)),
            Err(ProofError::Uri),
            "{other}"
        );
    }
}

#[test]
fn a_proof_counts_within_its_window_to_either_side() {
    for (offset, counts) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let claims = with(claims(), "iat", NOW.seconds() + offset);
        let expected = if counts { Ok(()) } else { Err(ProofError::Time) };
        assert_eq!(verdict(&header(), &claims), expected, "{offset}");
    }
    for far in [json!(1e300), json!(-1e300), json!(u64::MAX)] {
        assert_eq!(
            verdict(&header(), &with(claims(), "iat", far)),
            Err(ProofError::Time)
        );
    }
    assert_eq!(
        verdict(&header(), &with(claims(), "iat", "now")),
        Err(ProofError::Malformed)
    );
}

#[test]
fn the_key_is_public_and_the_one_that_is_meant() {
    let other = SigningKey::from_slice(&[8; 32]).unwrap();
    assert_eq!(
        verdict(&with(header(), "jwk", jwk(&other)), &claims()),
        Err(ProofError::OtherKey)
    );
    for private in PRIVATE_MEMBERS {
        let jwk = with(jwk(&key()), private, "AQ");
        assert_eq!(
            verdict(&with(header(), "jwk", jwk), &claims()),
            Err(ProofError::PrivateKey)
        );
    }
    for bad in [
        json!({ "kty": "oct" }),
        json!({ "kty": "RSA", "n": "AQ", "e": "AQAB" }),
        with(jwk(&key()), "crv", "P-384"),
        with(jwk(&key()), "x", "AQ"),
        with(jwk(&key()), "y", Base64UrlUnpadded::encode_string(&[1; 32])),
    ] {
        assert_eq!(
            verdict(&with(header(), "jwk", bad), &claims()),
            Err(ProofError::Key)
        );
    }
    let uri = RequestUri::parse("https", "h", "/", None).unwrap();
    let proving = Proving {
        field: Some("x"),
        method: "GET",
        uri: &uri,
        token: TOKEN,
        expires: None,
        now: NOW,
    };
    let empty = prove(&Confirmation::default(), once(), &proving);
    assert_eq!(empty, Err(ProofError::Unusable));
}

#[test]
fn a_proof_is_a_dpop_jwt_signed_by_es256() {
    assert_eq!(
        verdict(&with(header(), "typ", "jwt"), &claims()),
        Err(ProofError::Type)
    );
    for alg in ["none", "HS256", "RS256", "es256"] {
        assert_eq!(
            verdict(&with(header(), "alg", alg), &claims()),
            Err(ProofError::Algorithm)
        );
    }
    assert_eq!(
        verdict(&with(header(), "crit", json!(["b64"])), &claims()),
        Err(ProofError::Algorithm)
    );
    let proof = sign(&header(), &claims());
    let (signed, _) = proof.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", Base64UrlUnpadded::encode_string(&[1; 64]));
    assert_eq!(prove_at(Some(&forged), NOW), Err(ProofError::Signature));
    for bad in ["", "a.b", "a.b.c", &format!("{proof}.x"), &format!("{proof}=")] {
        assert_eq!(prove_at(Some(bad), NOW), Err(ProofError::Malformed), "{bad}");
    }
    assert_eq!(prove_at(None, NOW), Err(ProofError::Missing));
    assert_eq!(
        prove_at(Some(&format!("{proof}, {proof}")), NOW),
        Err(ProofError::Several)
    );
    assert_eq!(prove_at(Some(&"a".repeat(4097)), NOW), Err(ProofError::TooLong));
    let long = with(claims(), "jti", "j".repeat(257));
    assert_eq!(verdict(&header(), &long), Err(ProofError::TooLong));
}

#[test]
fn a_member_that_stands_twice_or_is_missing_makes_no_proof() {
    for member in ["jti", "htm", "htu", "iat", "ath"] {
        let mut short = claims();
        short.as_object_mut().unwrap().remove(member);
        assert_eq!(verdict(&header(), &short), Err(ProofError::Malformed), "{member}");
    }
    let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
    let twice = claims().to_string().replacen('{', r#"{"htm":"HEAD","#, 1);
    let signed = format!("{}.{}", part(&header().to_string()), part(&twice));
    let signature: Signature = key().sign(signed.as_bytes());
    let proof = format!(
        "{signed}.{}",
        Base64UrlUnpadded::encode_string(&signature.to_bytes())
    );
    assert_eq!(prove_at(Some(&proof), NOW), Err(ProofError::Malformed));
}

#[test]
fn a_proof_that_may_be_used_once_is_remembered_as_long_as_it_counts() {
    use crate::{MemoryStore, Standing, Store as _};
    let proof = sign(&header(), &claims());
    let mut store = MemoryStore::default();
    let mut ask = |now| {
        let request = prove_at(Some(&proof), now).map(|request| request.unwrap());
        request.map(|request| store.ask(&request, now))
    };
    let last = UnixMillis(NOW.plus_seconds(301).0 - 1);
    assert_eq!(ask(NOW), Ok(Standing::Clear));
    assert_eq!(ask(last), Ok(Standing::Held));
    assert_eq!(ask(NOW.plus_seconds(301)), Err(ProofError::Time));
}

#[test]
fn nothing_is_remembered_for_longer_than_the_token_lives() {
    let proof = sign(&header(), &claims());
    let uri = RequestUri::parse("https", "cdn.example", "/live/index.m3u8", None).unwrap();
    let until = |expires| {
        let proving = Proving {
            field: Some(&proof),
            method: "GET",
            uri: &uri,
            token: TOKEN,
            expires,
            now: NOW,
        };
        let settings = DpopSettings {
            window_seconds: u64::MAX,
            ..once()
        };
        match prove(&own(), settings, &proving) {
            Ok(Some(StoreRequest::Once { until, .. })) => until,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(until(None), UnixMillis::MAX);
    assert_eq!(
        until(Some(NumericDate::Float(1_800_000_000.5))),
        UnixMillis(1_800_000_000_500)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_other_byte_anywhere_makes_it_none(at in 0_usize..1000, byte in any::<u8>()) {
        let proof = sign(&header(), &claims());
        let at = at % proof.len();
        let mut bytes = proof.clone().into_bytes();
        prop_assume!(bytes[at] != byte && byte.is_ascii());
        bytes[at] = byte;
        // White space around a field's value is not of it.
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(prove_at(Some(&changed), NOW).is_err());
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        prop_assert!(prove_at(Some(&text), NOW).is_err());
    }
}
