//! What each way of logging in admits, and what its absence is answered with.

use std::net::{IpAddr, Ipv4Addr};

use http::HeaderValue;
use selvedge_token::{Component, Jwk, Match, Minter, SigningKey};

use super::*;

const NOW: UnixMillis = UnixMillis(1_795_262_400_000);

fn gate(text: &str) -> Gate {
    #[derive(serde::Deserialize)]
    struct File {
        ingest: Vec<Table>,
    }
    let file: File = toml::from_str(text).unwrap();
    let keyed = file.ingest.into_iter().map(|table| {
        table.check().unwrap();
        let keys = table.cat.as_ref().map(|rules| {
            let set = selvedge_token::JwkSet { keys: vec![key()] };
            CatKeys::read(&serde_json::to_string(&set).unwrap(), rules).unwrap()
        });
        (table, keys)
    });
    Gate::new(keyed.collect(), [7; 32])
}

fn key() -> Jwk {
    Jwk::symmetric("ingest", &[7; 32])
}

/// A push of the channel `news` from 192.0.2.1 with these header fields.
fn push(gate: &Gate, path: &str, fields: &[(&'static str, &str)]) -> Result<Terms, Refused> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let offer = Offer {
        method: "PUT",
        is_secure: false,
        authority: "origin.example",
        path,
        query,
        headers: &headers,
        address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        certificate: Some(b"a public key"),
    };
    gate.judge("news", &offer, NOW)
}

const PATH: &str = "/ingest/news/video/init.mp4";

#[test]
fn without_tables_everybody_may_push_and_with_them_a_channel_that_none_fits_may_not() {
    assert!(push(&gate("ingest = []"), PATH, &[]).is_ok());
    let refused = push(&gate("[[ingest]]\nchannels = [\"sport\"]"), PATH, &[]).unwrap_err();
    assert_eq!(refused.kind, Refusal::Channel);
    assert!(gate("ingest = []").is_open() && gate("[[ingest]]\nmax_width = 3").is_open());
    assert!(!gate("[[ingest]]\nbearer = [\"x\"]").is_open());
}

#[test]
fn an_address_that_is_not_named_may_not_push() {
    assert!(
        push(
            &gate("[[ingest]]\naddresses = [\"192.0.2.0/24\", \"::1\"]"),
            PATH,
            &[]
        )
        .is_ok()
    );
    let refused = push(&gate("[[ingest]]\naddresses = [\"192.0.2.2\"]"), PATH, &[]).unwrap_err();
    assert_eq!(refused.kind, Refusal::Address);
    assert_eq!(refused.reason, "192.0.2.1 is in none of the addresses");
}

#[test]
fn a_bearer_token_counts_in_clear_and_by_its_digest() {
    // printf secret | sha256sum
    let hashed = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    for known in ["secret", hashed] {
        let gate = gate(&format!("[[ingest]]\nbearer = [\"{known}\"]"));
        assert!(push(&gate, PATH, &[("authorization", "Bearer secret")]).is_ok());
        let wrong = push(&gate, PATH, &[("authorization", "Bearer Secret")]).unwrap_err();
        assert_eq!((wrong.kind, wrong.challenges), (Refusal::Wrong, Vec::new()));
        let missing = push(&gate, PATH, &[]).unwrap_err();
        assert_eq!(missing.kind, Refusal::Missing);
        assert_eq!(missing.challenges, ["Bearer realm=\"selvedge\""]);
    }
}

#[test]
fn a_user_logs_in_with_basic_in_clear_or_hashed() {
    let text = "encoder:selvedge:secret";
    for known in [
        "password = \"secret\"".to_owned(),
        format!("sha256 = \"{}\"", table::hex(&Sha256::digest(text))),
        format!("md5 = \"{}\"", table::hex(&md5::Md5::digest(text))),
    ] {
        let gate = gate(&format!(
            "[[ingest]]\nusers = [{{ name = \"encoder\", {known} }}]"
        ));
        let offer = |text: &str| {
            let value = format!("Basic {}", Base64::encode_string(text.as_bytes()));
            push(&gate, PATH, &[("authorization", &value)])
        };
        assert!(offer("encoder:secret").is_ok(), "{known}");
        assert_eq!(offer("encoder:Secret").unwrap_err().reason, "Basic: the password");
        assert_eq!(
            offer("other:secret").unwrap_err().reason,
            "Basic: an unknown user"
        );
        assert_eq!(offer("encoder").unwrap_err().reason, "Basic: not its form");
    }
}

#[test]
fn what_is_asked_for_is_what_the_table_can_check() {
    let of = |table: &str| push(&gate(table), PATH, &[]).unwrap_err().challenges;
    let nonce = Nonces::new([7; 32]).make(NOW);
    let digest = |algorithm| {
        format!("Digest realm=\"selvedge\", qop=\"auth\", algorithm={algorithm}, nonce=\"{nonce}\"")
    };
    let basic = "Basic realm=\"selvedge\", charset=\"UTF-8\"".to_owned();
    assert_eq!(
        of("[[ingest]]\nusers = [{ name = \"a\", password = \"b\" }]"),
        [digest("SHA-256"), digest("MD5"), basic.clone()]
    );
    let sha256 = "0".repeat(64);
    assert_eq!(
        of(&format!(
            "[[ingest]]\nusers = [{{ name = \"a\", sha256 = \"{sha256}\" }}]"
        )),
        [digest("SHA-256"), basic]
    );
    assert_eq!(
        of("[[ingest]]\nschemes = [\"digest\"]\nusers = [{ name = \"a\", password = \"b\" }]"),
        [digest("SHA-256"), digest("MD5")]
    );
}

#[test]
fn a_token_admits_what_its_claims_say_wherever_it_is_carried() {
    let gate = gate("[[ingest]]\n[ingest.cat]\nkeys = \"keys.json\"\nsubjects = [\"encoder-1\"]");
    let mint = |subject: &str, path: &str| {
        Minter::new()
            .subject(subject)
            .expires_at(NOW.plus_seconds(60))
            .uri(Component::Path, Match::Prefix(path.into()))
            .mint(&SigningKey::from_jwk(&key()).unwrap())
            .unwrap()
    };
    let good = mint("encoder-1", "/ingest/news/");
    assert!(push(&gate, PATH, &[("authorization", &format!("Bearer {good}"))]).is_ok());
    assert!(push(&gate, PATH, &[("cta-common-access-token", &good)]).is_ok());
    assert!(push(&gate, &format!("{PATH}?CAT={good}&x=1"), &[]).is_ok());
    for (wrong, says) in [
        (mint("encoder-2", "/ingest/news/"), "the subject"),
        (mint("encoder-1", "/ingest/sport/"), "the path"),
        ("AAAA".to_owned(), "token: "),
    ] {
        let refused = push(&gate, PATH, &[("cta-common-access-token", &wrong)]).unwrap_err();
        assert_eq!(refused.kind, Refusal::Wrong);
        assert!(refused.reason.contains(says), "{}", refused.reason);
    }
}

#[test]
fn a_certificate_is_known_by_its_public_key() {
    let digest = table::hex(&Sha256::digest("a public key"));
    assert!(
        push(
            &gate(&format!("[[ingest]]\ncertificates = [\"spki-sha256:{digest}\"]")),
            PATH,
            &[]
        )
        .is_ok()
    );
    let other = "0".repeat(64);
    let refused = push(
        &gate(&format!("[[ingest]]\ncertificates = [\"spki-sha256:{other}\"]")),
        PATH,
        &[],
    )
    .unwrap_err();
    assert_eq!(refused.kind, Refusal::Wrong);
    assert!(
        refused.reason.contains(&digest),
        "the operator can take it from the log: {}",
        refused.reason
    );
}

#[test]
fn terms_bound_codec_picture_and_rate() {
    let terms = push(
        &gate("[[ingest]]\ncodecs = [\"avc1\"]\nmax_bitrate = 1000000\nmax_width = 1280\nmax_tracks = 2"),
        PATH,
        &[],
    )
    .unwrap();
    assert_eq!((terms.tracks(32), terms.tracks(1)), (2, 1));
    assert!(terms.check_rate(125_000, 1_000_000_000).is_ok());
    // A key frame says little of the rate: as many bytes as a second may have.
    assert!(terms.check_rate(125_000, 20_000_000).is_ok());
    assert!(terms.check_rate(125_001, 20_000_000).is_err());
    let error = terms.check_rate(125_001, 1_000_000_000).unwrap_err();
    assert_eq!((error.slug(), error.status().as_u16()), ("over-terms", 403));
}
