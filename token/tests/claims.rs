//! What every claim that bounds requests promises, by tokens that go the whole way.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{borrow::Cow, net::IpAddr};

use ciborium::{Value, cbor};
use selvedge_token::{
    Component, CompositeLabels, Coordinates, Dialect, Ere, FingerprintKind, Jwk, KeySet, Label, Match,
    MintError, Minter, Place, Policy, Refusal, Request, RequestContext, RequestUri, SigningKey, UnixMillis,
    Verifier,
};

const NOR: i64 = 42;

/// A viewer in Stockholm of whom a platform knows everything.
struct Stockholm;

impl RequestContext for Stockholm {
    fn address(&self) -> Option<IpAddr> {
        Some([192, 0, 2, 7].into())
    }

    fn asn(&self) -> Option<u32> {
        Some(64_500)
    }

    fn country(&self) -> Option<Cow<'_, str>> {
        Some("SE".into())
    }

    fn subdivision(&self) -> Option<Cow<'_, str>> {
        Some("AB".into())
    }

    fn coordinates(&self) -> Option<Coordinates> {
        Some(Coordinates {
            latitude: 59.33,
            longitude: 18.07,
        })
    }

    fn altitude(&self) -> Option<f64> {
        Some(28.0)
    }

    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        Some(b"h2".as_slice().into())
    }

    fn certificate_keys(&self) -> Option<Vec<Cow<'_, [u8]>>> {
        Some(vec![b"0Y0...".as_slice().into()])
    }

    fn tls_fingerprint(&self, kind: FingerprintKind) -> Option<Cow<'_, str>> {
        (kind == FingerprintKind::Ja4).then_some("t13d1516h2_8daaf6152771_e5627efa2ab1".into())
    }
}

/// Each claim with a value that admits the viewer and one that does not.
fn restrictions() -> Vec<(Label, Value, Value)> {
    let prefix = |bytes: &[u8]| {
        let network: Value = vec![Value::from(24), bytes.into()].into();
        Value::Array(vec![Value::Tag(52, Box::new(network))])
    };
    let bytes = |text: &str| Value::from(text.as_bytes());
    vec![
        (Label::CATNIP, prefix(&[192, 0, 2]), prefix(&[198, 51, 100])),
        (Label::GEOHASH, "u6sc".into(), "u6sb".into()),
        (
            Label::CATGEOISO3166,
            cbor!(["NO", "SE-AB"]).unwrap(),
            cbor!(["NO", "SE-O"]).unwrap(),
        ),
        (
            Label::CATGEOCOORD,
            cbor!([[59.3, 18, 6000]]).unwrap(),
            cbor!([[57.7, 12, 5000]]).unwrap(),
        ),
        (
            Label::CATGEOALT,
            cbor!([20, 10]).unwrap(),
            cbor!([20, 5]).unwrap(),
        ),
        (
            Label::CATALPN,
            vec![bytes("h3"), bytes("h2")].into(),
            vec![bytes("h3")].into(),
        ),
        (Label::CATTPK, bytes("0Y0..."), bytes("0Y1...")),
        (
            Label::CATTPRINT,
            cbor!({ 0 => 2, 1 => "T13D1516H2_8DAAF6152771_E5627EFA2AB1" }).unwrap(),
            cbor!({ 0 => 2, 1 => "t13d1516h2_8daaf6152771_000000000000" }).unwrap(),
        ),
    ]
}

fn secret() -> Jwk {
    Jwk::symmetric("edge", &[5; 32])
}

fn judge(minter: &Minter, dialect: &Dialect, context: &dyn RequestContext) -> Result<(), Refusal> {
    let token = minter.mint(&SigningKey::from_jwk(&secret()).unwrap()).unwrap();
    let policy = Policy {
        dialect: dialect.clone(),
        ..Policy::default()
    };
    let verifier = Verifier::new(KeySet::from_jwks([&secret()]).unwrap(), policy);
    let authentic = verifier.authenticate(&token)?;
    let uri = RequestUri::parse("https", "cdn.example", "/live/news/seg_7.m4s", None).unwrap();
    let headers: &[(&str, &str)] = &[("accept", "text/html"), ("accept", "video/mp4")];
    let request = Request {
        headers: &headers,
        context,
        ..Request::new("GET", &uri)
    };
    verifier
        .admit(&authentic, &request, UnixMillis(0))?
        .settle(&[])
        .map(|_| ())
}

fn key(label: Label) -> i64 {
    label.0.try_into().unwrap()
}

#[test]
fn what_belongs_to_all_that_a_token_names_is_refused_by_no_path_and_by_all_else() {
    let verifier = Verifier::new(KeySet::from_jwks([&secret()]).unwrap(), Policy::default());
    let shared = |minter: Minter, place| {
        let token = minter.mint(&SigningKey::from_jwk(&secret()).unwrap()).unwrap();
        let authentic = verifier.authenticate(&token).unwrap();
        let uri = RequestUri::parse("https", "cdn.example", "/creatives/a/0.m4s", None).unwrap();
        let request = Request {
            place,
            ..Request::new("GET", &uri)
        };
        verifier
            .admit(&authentic, &request, UnixMillis(5_000))
            .map(|_| ())
    };
    let channel = || Minter::new().uri(Component::Path, Match::Prefix("/live/news/".into()));
    assert_eq!(shared(channel(), Place::Shared), Ok(()));
    let refused = Refusal::Uri {
        component: Component::Path,
    };
    assert_eq!(shared(channel(), Place::Own), Err(refused));
    for other in [
        channel().uri(Component::Host, Match::Exact("other.example".into())),
        channel().expires_at(UnixMillis(5_000)),
    ] {
        assert!(shared(other, Place::Shared).is_err());
    }
}

#[test]
fn each_restriction_admits_whom_it_names_and_nobody_who_is_not_known() {
    let strict = Dialect::default();
    for (claim, admitting, refusing) in restrictions() {
        let admitting = Minter::new().claim(key(claim), admitting);
        let refusing = Minter::new().claim(key(claim), refusing);
        assert_eq!(judge(&admitting, &strict, &Stockholm), Ok(()), "{claim}");
        assert_eq!(
            judge(&refusing, &strict, &Stockholm),
            Err(Refusal::Restricted { claim })
        );
        assert_eq!(
            judge(&admitting, &strict, &()),
            Err(Refusal::Unanswerable { claim })
        );
    }
}

#[test]
fn a_malformed_restriction_spoils_the_token() {
    for (claim, ..) in restrictions() {
        for malformed in [Value::Null, true.into(), cbor!({}).unwrap(), cbor!([{}]).unwrap()] {
            let token = Minter::new().claim(key(claim), malformed);
            assert!(
                matches!(judge(&token, &Dialect::default(), &Stockholm), Err(Refusal::MalformedClaim { claim: spoilt, .. }) if spoilt == claim),
                "{claim}"
            );
        }
    }
}

#[test]
fn what_may_not_hold_must_be_known_not_to() {
    let dialect = Dialect {
        composite: Some(CompositeLabels {
            or: 41,
            nor: NOR,
            and: 43,
            crit: None,
        }),
        ..Dialect::default()
    };
    for (claim, holding, failing) in restrictions() {
        let nor = |value: Value| {
            let set = Value::Map(vec![(key(claim).into(), value)]);
            Minter::new().claim(NOR, vec![set])
        };
        let refused = Err(Refusal::Restricted {
            claim: Label(NOR.into()),
        });
        assert_eq!(
            judge(&nor(failing.clone()), &dialect, &Stockholm),
            Ok(()),
            "{claim}"
        );
        assert_eq!(judge(&nor(holding), &dialect, &Stockholm), refused, "{claim}");
        let unknown = Err(Refusal::Unanswerable {
            claim: Label(NOR.into()),
        });
        assert_eq!(judge(&nor(failing), &dialect, &()), unknown, "{claim}");
    }
}

#[test]
fn what_is_not_known_admits_nobody_however_deep_it_stands() {
    let labels = CompositeLabels {
        or: 41,
        nor: NOR,
        and: 43,
        crit: None,
    };
    let dialect = Dialect {
        composite: Some(labels),
        ..Dialect::default()
    };
    let join = |key: i64, sets: Vec<Value>| Value::Map(vec![(key.into(), sets.into())]);
    let admits = |set: &Value, context: &dyn RequestContext| {
        let [(key, value)] = &set.as_map().unwrap()[..] else {
            panic!("one claim")
        };
        let key = i128::from(key.as_integer().unwrap()).try_into().unwrap();
        judge(&Minter::new().claim(key, value.clone()), &dialect, context).is_ok()
    };
    for (claim, holding, failing) in restrictions() {
        for value in [holding, failing] {
            let plain = Value::Map(vec![(key(claim).into(), value)]);
            let mut sets = vec![plain.clone()];
            for around in [41, NOR, 43, NOR, NOR] {
                sets = sets
                    .iter()
                    .flat_map(|set| {
                        let other = join(around, vec![set.clone(), plain.clone()]);
                        [join(around, vec![set.clone()]), other]
                    })
                    .collect();
                for set in &sets {
                    assert!(!admits(set, &()), "{set:?}");
                    // Where it is known, a set or its contrary holds.
                    let contrary = join(NOR, vec![set.clone()]);
                    assert_ne!(admits(set, &Stockholm), admits(&contrary, &Stockholm), "{set:?}");
                }
            }
        }
    }
}

#[test]
fn every_line_of_a_header_field_counts() {
    let strict = Dialect::default();
    let accept = |claim: Result<Value, _>| {
        let claim: Result<Value, ciborium::value::Error> = claim;
        judge(&Minter::new().claim(315, claim.unwrap()), &strict, &())
    };
    let refused = Err(Refusal::Restricted { claim: Label::CATH });
    assert_eq!(
        accept(cbor!({ "Accept" => { 0 => "text/html, video/mp4" } })),
        Ok(())
    );
    assert_eq!(
        accept(cbor!({ "ACCEPT" => { 4 => ["video/[a-z0-9]+$"] } })),
        Ok(())
    );
    assert_eq!(accept(cbor!({ "Accept" => { 0 => "text/html" } })), refused);
    assert_eq!(accept(cbor!({ "Accept" => {}, "Range" => {} })), refused);
}

#[test]
fn a_minted_expression_is_matched_and_its_groups_only_where_that_is_agreed() {
    let segments = |captures: &[Option<&str>]| {
        Minter::new().uri(
            Component::Path,
            Match::Regex {
                pattern: Ere::parse(r"^/live/([a-z]+)/seg_([[:digit:]]+)\.m4s$").unwrap(),
                captures: captures.iter().map(|text| text.map(Into::into)).collect(),
            },
        )
    };
    let strict = Dialect::default();
    let agreed = Dialect {
        regex_captures: true,
        ..Dialect::default()
    };
    assert_eq!(judge(&segments(&[]), &strict, &()), Ok(()));
    assert_eq!(judge(&segments(&[Some("news"), None]), &agreed, &()), Ok(()));
    assert!(matches!(
        judge(&segments(&[Some("sport")]), &agreed, &()),
        Err(Refusal::Uri { .. })
    ));
    assert_eq!(
        judge(&segments(&[Some("news")]), &strict, &()),
        Err(Refusal::Unanswerable { claim: Label::CATU })
    );
}

#[test]
fn what_a_token_makes_a_recipient_do_is_bounded_as_a_whole() {
    let dialect = Dialect {
        composite: Some(CompositeLabels {
            or: 41,
            nor: NOR,
            and: 43,
            crit: None,
        }),
        ..Dialect::default()
    };
    let join = |sets: Vec<Value>| Minter::new().claim(43, sets);
    let sets = |count: usize| vec![cbor!({ 43 => [{}, {}, {}] }).unwrap(); count];
    assert_eq!(judge(&join(sets(32)), &dialect, &()), Ok(()));
    let spoilt =
        |minter: &Minter| matches!(judge(minter, &dialect, &()), Err(Refusal::MalformedClaim { .. }));
    assert!(spoilt(&join(sets(33))));
    // Each has 500 steps and some.
    let costly = |count: usize| {
        let pattern = cbor!({ 312 => { 3 => { 4 => ["^.{250}.{250}$|."] } } }).unwrap();
        join(vec![pattern; count])
    };
    assert_eq!(judge(&costly(4), &dialect, &()), Ok(()));
    assert!(spoilt(&costly(5)));
    let header = |count: usize| {
        let rule = |at| {
            (
                Value::from(format!("h{at}")),
                cbor!({ 4 => [".{250}.{250}"] }).unwrap(),
            )
        };
        Minter::new().claim(315, Value::Map((0..count).map(rule).collect()))
    };
    assert!(!spoilt(&header(4)) && spoilt(&header(5)));
}

#[test]
fn rules_that_no_recipient_could_read_are_not_minted() {
    let path = |rules: &[Match]| {
        let add = |minter: Minter, rule: &Match| minter.uri(Component::Path, rule.clone());
        let minter = rules.iter().fold(Minter::new(), add);
        minter.mint(&SigningKey::from_jwk(&secret()).unwrap())
    };
    let prefix = |text: &str| Match::Prefix(text.into());
    assert!(path(&[prefix("/live/"), Match::Suffix(".m4s".into()), prefix("/live/")]).is_ok());
    assert_eq!(
        path(&[prefix("/live/"), prefix("/vod/")]),
        Err(MintError::Rules {
            component: Component::Path
        })
    );
}
