//! The native edge over TLS: before an origin that asks it for a certificate, and towards viewers who show one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{net::SocketAddr, path::Path};

use axum::{Router, routing::get};
use ciborium::Value;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PublicKeyData as _};
use selvedge_edge::{Edge, OriginUrl};
use selvedge_edge_native::{Native, OriginTls, Pop, Trust};
use selvedge_listen::{Clients, Demand, Limits, Tls, TlsFiles, serve, serve_tls};
use selvedge_token::{Jwk, JwkSet, Minter, SigningKey};
use tokio::net::TcpListener;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key, in PEM, and the key's DER `SubjectPublicKeyInfo`.
struct Certified {
    pem: String,
    public_key: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn certify(&self) -> Certified {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Certified {
            pem: format!("{certificate}{}", key.serialize_pem()),
            public_key: key.subject_public_key_info(),
        }
    }

    /// A server's certificate, and this authority for its clients, as files in a folder.
    async fn tls(&self, folder: &Path, demand: Demand) -> Tls {
        let (server, clients) = (folder.join("server.pem"), folder.join("clients.pem"));
        std::fs::write(&server, self.certify().pem).unwrap();
        std::fs::write(&clients, &self.pem).unwrap();
        Tls::open(TlsFiles {
            certificate: server.clone(),
            key: server,
            clients: Some(Clients {
                authorities: clients,
                demand,
            }),
        })
        .await
        .unwrap()
    }
}

fn key() -> Jwk {
    Jwk::symmetric("k", &[1; 32])
}

fn pop(origin: &str, tls: &OriginTls) -> Pop {
    let keys = serde_json::to_string(&JwkSet { keys: vec![key()] }).unwrap();
    Pop::new(
        Edge::new(&keys, "{}").unwrap(),
        Native::with_tls(OriginUrl::parse(origin).unwrap(), tls).unwrap(),
        http::uri::Scheme::HTTPS,
        Trust::default(),
    )
}

fn token(claim: i64, value: Value) -> String {
    Minter::new()
        .claim(claim, value)
        .mint(&SigningKey::from_jwk(&key()).unwrap())
        .unwrap()
}

async fn listen(router: Router, tls: Option<Tls>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits::default();
    tokio::spawn(async move {
        match tls {
            Some(tls) => serve_tls(listener, tls, router, limits, std::future::pending()).await,
            None => serve(listener, router, limits, std::future::pending()).await,
        }
    });
    address
}

fn origin() -> Router {
    Router::new().route("/live/c/v/0-1.m4s", get(async || "media"))
}

async fn fetch(client: reqwest::ClientBuilder, url: String) -> u16 {
    let client = client.no_proxy().build().unwrap();
    client.get(url).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn an_origin_of_the_operators_own_authority_is_trusted_and_shown_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let tls = authority.tls(folder.path(), Demand::Required).await;
    let origin = format!("https://{}", listen(origin(), Some(tls)).await);
    let ask = async |tls: &OriginTls| {
        let edge = listen(pop(&origin, tls).router(), None).await;
        let token = Minter::new()
            .mint(&SigningKey::from_jwk(&key()).unwrap())
            .unwrap();
        let url = format!("http://{edge}/t/{token}/live/c/v/0-1.m4s");
        fetch(reqwest::Client::builder(), url).await
    };
    let authorities = Some(authority.pem.clone().into_bytes());
    let known = OriginTls {
        authorities: authorities.clone(),
        identity: Some(authority.certify().pem.into_bytes()),
    };
    assert_eq!(ask(&known).await, 200);
    let anonymous = OriginTls {
        authorities,
        identity: None,
    };
    assert_eq!(ask(&anonymous).await, 502, "the origin asks for a certificate");
    let distrustful = OriginTls {
        authorities: Some(Authority::new().pem.into_bytes()),
        ..known
    };
    assert_eq!(ask(&distrustful).await, 502, "the origin's authority is another");
}

#[tokio::test]
async fn what_cannot_be_used_towards_the_origin_is_named() {
    let wrong = |authorities: Option<&str>, identity: Option<&str>| {
        let tls = OriginTls {
            authorities: authorities.map(|pem| pem.as_bytes().to_vec()),
            identity: identity.map(|pem| pem.as_bytes().to_vec()),
        };
        let url = OriginUrl::parse("https://origin.example").unwrap();
        Native::with_tls(url, &tls).unwrap_err().to_string()
    };
    assert!(wrong(Some("nothing"), None).starts_with("the origin's authorities: no certificate"));
    let bare = Authority::new().pem;
    assert!(wrong(None, Some(&bare)).starts_with("the certificate for the origin: "));
}

#[tokio::test]
async fn a_token_for_a_key_or_a_protocol_is_judged_by_the_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let tls = authority.tls(folder.path(), Demand::Optional).await;
    let origin = format!("http://{}", listen(origin(), None).await);
    let edge = listen(pop(&origin, &OriginTls::default()).router(), Some(tls)).await;
    let (viewer, other) = (authority.certify(), authority.certify());
    let client = || {
        let root = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
        reqwest::Client::builder().tls_certs_only([root])
    };
    let showing = |certified: &Certified| {
        client().identity(reqwest::Identity::from_pem(certified.pem.as_bytes()).unwrap())
    };
    let url = |token: String| format!("https://{edge}/t/{token}/live/c/v/0-1.m4s");

    // cattpk
    let bound = || url(token(319, Value::Bytes(viewer.public_key.clone())));
    assert_eq!(fetch(showing(&viewer), bound()).await, 200);
    assert_eq!(fetch(showing(&other), bound()).await, 403);
    assert_eq!(fetch(client(), bound()).await, 403);
    // catalpn
    let protocol = |name: &str| url(token(314, Value::Array(vec![Value::Bytes(name.into())])));
    assert_eq!(fetch(client(), protocol("http/1.1")).await, 200);
    assert_eq!(fetch(client(), protocol("h3")).await, 403);
}
