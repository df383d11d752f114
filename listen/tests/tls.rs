//! TLS as clients meet it: real handshakes on loopback, with certificates of an authority made for the test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    routing,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::ServerName;
use selvedge_listen::{Clients, Demand, Limits, Peer, Protocol, Tls, TlsFiles, serve_tls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
};
use tokio_rustls::client::TlsStream;

/// An authority, as clients and servers trust one.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM, and the key's DER `SubjectPublicKeyInfo`.
struct Certified {
    certificate: String,
    key: String,
    public_key: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn certify(&self) -> Certified {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        Certified {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
            public_key: rcgen::PublicKeyData::subject_public_key_info(&key),
        }
    }
}

impl Certified {
    fn write(&self, folder: &Path) {
        std::fs::write(folder.join("certificate.pem"), &self.certificate).unwrap();
        std::fs::write(folder.join("key.pem"), &self.key).unwrap();
    }
}

struct Served {
    address: SocketAddr,
    authority: Authority,
    folder: tempfile::TempDir,
    /// Told when a request for `/slow` has come.
    begun: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<()>,
}

/// What a request's extension says of its peer, in words.
async fn told(Extension(peer): Extension<Peer>) -> String {
    let tls = peer.tls.unwrap();
    let alpn = tls
        .alpn
        .as_deref()
        .map(|alpn| String::from_utf8(alpn.to_vec()).unwrap());
    let protocol = match tls.protocol {
        Protocol::Tls12 => "1.2",
        Protocol::Tls13 => "1.3",
    };
    let keys = tls.client_keys.as_ref().map(|keys| keys.concat());
    format!("{protocol} {alpn:?} {} {keys:?}", tls.client_certificates.len())
}

async fn start(clients: Option<Demand>, limits: Limits) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.certify().write(folder.path());
    std::fs::write(folder.path().join("authorities.pem"), &authority.pem).unwrap();
    let tls = Tls::open(TlsFiles {
        certificate: folder.path().join("certificate.pem"),
        key: folder.path().join("key.pem"),
        clients: clients.map(|demand| Clients {
            authorities: folder.path().join("authorities.pem"),
            demand,
        }),
    })
    .await
    .unwrap();
    let begun = Arc::new(Notify::new());
    let router = Router::new()
        .route("/", routing::get(told))
        .route(
            "/length",
            routing::put(async |body: Bytes| body.len().to_string()),
        )
        .route(
            "/slow",
            routing::get({
                let begun = Arc::clone(&begun);
                async move || {
                    begun.notify_one();
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    "there"
                }
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve_tls(listener, tls, router, limits, async {
        let _ = stopped.await;
    }));
    Served {
        address,
        authority,
        folder,
        begun,
        stop: Some(stop),
        server,
    }
}

impl Served {
    fn client(&self) -> reqwest::ClientBuilder {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(self.authority.pem.as_bytes()).unwrap()])
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    async fn get(&self, client: reqwest::ClientBuilder) -> reqwest::Result<String> {
        client.build()?.get(self.url("/")).send().await?.text().await
    }

    /// A new connection of HTTP's own choice, without any client of HTTP.
    async fn connect(&self, alpn: &[&[u8]]) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        let pem = self.authority.pem.as_bytes();
        roots
            .add(rustls::pki_types::pem::PemObject::from_pem_slice(pem).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, stream).await.unwrap()
    }

    /// The certificate that a new connection is shown.
    async fn shown(&self) -> Vec<u8> {
        let stream = self.connect(&[]).await;
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }
}

#[tokio::test]
async fn both_versions_of_http_and_of_tls_are_spoken_and_each_request_knows_which() {
    let served = start(None, Limits::default()).await;
    assert_eq!(
        served.get(served.client()).await.unwrap(),
        r#"1.3 Some("http/1.1") 0 None"#
    );
    let old_tls = served.client().tls_version_max(reqwest::tls::Version::TLS_1_2);
    assert_eq!(
        served.get(old_tls).await.unwrap(),
        r#"1.2 Some("http/1.1") 0 None"#
    );
    let put = served.client().build().unwrap().put(served.url("/length"));
    let answer = put.body(vec![7; 300_000]).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "300000");

    let stream = served.connect(&[b"h2", b"http/1.1"]).await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let get = hyper::Request::get(served.url("/")).body(Body::empty()).unwrap();
    let (first, put) = (
        sender.send_request(get),
        hyper::Request::put(served.url("/length")).body(Body::from(vec![7; 300_000])),
    );
    let mut clone = sender.clone();
    let (first, second) = tokio::join!(first, clone.send_request(put.unwrap()));
    assert_eq!(text(first.unwrap()).await, r#"1.3 Some("h2") 0 None"#);
    assert_eq!(text(second.unwrap()).await, "300000");
}

async fn text(answer: hyper::Response<hyper::body::Incoming>) -> String {
    let bytes = axum::body::to_bytes(Body::new(answer.into_body()), 1 << 20)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_shows_the_certificate_that_is_demanded_or_stays_outside() {
    let served = start(Some(Demand::Required), Limits::default()).await;
    let identity = |certified: &Certified| {
        let pem = format!("{}{}", certified.certificate, certified.key);
        reqwest::Identity::from_pem(pem.as_bytes()).unwrap()
    };
    let certified = served.authority.certify();
    let known = served
        .get(served.client().identity(identity(&certified)))
        .await
        .unwrap();
    assert_eq!(
        known,
        format!("1.3 Some(\"http/1.1\") 1 Some({:?})", certified.public_key)
    );
    // Somebody else's certificate after its own makes nobody that somebody.
    let other = served.authority.certify();
    let borrowed = Certified {
        certificate: format!("{}{}", certified.certificate, other.certificate),
        ..certified
    };
    let known = served
        .get(served.client().identity(identity(&borrowed)))
        .await
        .unwrap();
    assert_eq!(
        known,
        format!("1.3 Some(\"http/1.1\") 2 Some({:?})", borrowed.public_key)
    );
    let stranger = Authority::new().certify();
    assert!(
        served
            .get(served.client().identity(identity(&stranger)))
            .await
            .is_err()
    );
    assert!(served.get(served.client()).await.is_err());

    let lenient = start(Some(Demand::Optional), Limits::default()).await;
    assert_eq!(
        lenient.get(lenient.client()).await.unwrap(),
        r#"1.3 Some("http/1.1") 0 Some([])"#
    );
    let certified = lenient.authority.certify();
    let known = lenient
        .get(lenient.client().identity(identity(&certified)))
        .await
        .unwrap();
    assert!(known.contains(" 1 Some(["), "{known}");
    let stranger = identity(&stranger);
    assert!(lenient.get(lenient.client().identity(stranger)).await.is_err());
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_a_bad_one_to_nobody() {
    let served = start(None, Limits::default()).await;
    let kept = served.client().build().unwrap();
    assert!(kept.get(served.url("/")).send().await.is_ok());
    let first = served.shown().await;
    assert_eq!(served.shown().await, first);

    // A certificate with the key of the one before it.
    let next = served.authority.certify();
    std::fs::write(served.folder.path().join("certificate.pem"), &next.certificate).unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(served.shown().await, first, "the two do not go together");
    std::fs::remove_file(served.folder.path().join("key.pem")).unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(served.shown().await, first, "there is no key");

    next.write(served.folder.path());
    let patience = tokio::time::timeout(Duration::from_secs(30), async {
        while served.shown().await == first {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    patience.await.unwrap();
    let answer = kept.get(served.url("/")).send().await.unwrap();
    assert!(answer.status().is_success(), "its connection lives on");
}

#[tokio::test]
async fn garbage_and_silence_end_alone_and_hold_up_nobody() {
    let limits = Limits {
        handshakes: 2,
        handshake_time: Duration::from_secs(60),
        connections: 8,
        ..Limits::default()
    };
    let served = start(None, limits).await;
    let mut garbage = TcpStream::connect(served.address).await.unwrap();
    garbage.write_all(&[0x80; 700]).await.unwrap();
    let mut end = Vec::new();
    let _ = garbage.read_to_end(&mut end).await;
    assert!(!end.starts_with(b"HTTP"), "closed, with an alert at most");

    // The head of a record that never comes; more of them than handshakes may be under way.
    let mut endless = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
        endless.push(stream);
    }
    assert!(served.get(served.client()).await.is_ok());
    // Each of these waited for a minute's handshake, and the oldest had to make room.
    let closed = endless[0].read(&mut [0; 1]).await;
    assert!(!matches!(closed, Ok(length) if length > 0), "{closed:?}");
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_ended() {
    let limits = Limits {
        handshake_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let served = start(None, limits).await;
    let mut silent = TcpStream::connect(served.address).await.unwrap();
    let mut end = Vec::new();
    let _ = silent.read_to_end(&mut end).await;
    assert!(end.is_empty());
}

#[tokio::test]
async fn a_request_in_the_clear_is_told_of_https() {
    let served = start(None, Limits::default()).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = format!("PUT / HTTP/1.1\r\nHost: h\r\n\r\n{}", "a".repeat(20_000));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{answer}"
    );
    assert!(body.contains("use https"), "{answer}");
}

#[tokio::test]
async fn a_stop_lets_requests_end_and_waits_for_no_handshake() {
    let limits = Limits {
        handshake_time: Duration::from_secs(600),
        drain_time: Duration::from_secs(600),
        ..Limits::default()
    };
    let mut served = start(None, limits).await;
    let _silent = TcpStream::connect(served.address).await.unwrap();
    let client = served.client().build().unwrap();
    let under_way = tokio::spawn(client.get(served.url("/slow")).send());
    served.begun.notified().await;
    served.stop.take().unwrap().send(()).unwrap();
    let answer = under_way.await.unwrap().unwrap();
    assert_eq!(answer.text().await.unwrap(), "there");
    tokio::time::timeout(Duration::from_secs(30), served.server)
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let authority = Authority::new();
    let (one, other) = (authority.certify(), authority.certify());
    std::fs::write(path("one.pem"), &one.certificate).unwrap();
    std::fs::write(path("one.key"), &one.key).unwrap();
    std::fs::write(path("other.key"), &other.key).unwrap();
    std::fs::write(path("empty.pem"), "").unwrap();
    let open = async |certificate: &str, key: &str, authorities: Option<&str>| {
        let files = TlsFiles {
            certificate: path(certificate),
            key: path(key),
            clients: authorities.map(|authorities| Clients {
                authorities: path(authorities),
                demand: Demand::Required,
            }),
        };
        Tls::open(files)
            .await
            .err()
            .map_or(String::new(), |error| error.to_string())
    };
    assert_eq!(open("one.pem", "one.key", None).await, "");
    assert_eq!(open("one.pem", "one.key", Some("one.pem")).await, "");
    let error = open("none.pem", "one.key", None).await;
    assert!(
        error.contains("none.pem") && error.contains("No such file"),
        "{error}"
    );
    let error = open("one.key", "one.key", None).await;
    assert!(error.contains("one.key: no certificate is in it"), "{error}");
    let error = open("one.pem", "one.pem", None).await;
    assert!(
        error.contains("one.pem") && error.contains("one private key"),
        "{error}"
    );
    let error = open("one.pem", "other.key", None).await;
    assert!(error.contains("other.key") && error.contains("own"), "{error}");
    let error = open("one.pem", "one.key", Some("empty.pem")).await;
    assert!(error.contains("empty.pem: no certificate is in it"), "{error}");
}
