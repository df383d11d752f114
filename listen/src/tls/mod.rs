//! TLS 1.2 and 1.3, with certificates that may change while the server runs.

mod files;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ProtocolVersion, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};

use self::files::Contents;
pub use self::files::{Clients, Demand, TlsFiles};
use crate::{
    peer::{Protocol, TlsFacts},
    socket::Socket,
};

/// Why TLS cannot be ended with what the files hold.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: {reason}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// A file that should hold certificates holds none, or something that is none.
    #[error("{}: {reason}: it must hold certificates in PEM, each between BEGIN CERTIFICATE and END CERTIFICATE", file.display())]
    Certificates {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of the key holds none.
    #[error("{}: {reason}: it must hold one private key in PEM, not encrypted", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key are readable, and of no use together.
    #[error("{} with {}: {reason}: the key must be the certificate's own", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong with the two.
        reason: String,
    },
}

/// The server's side of TLS, in the form that its files had when they were last good.
pub struct Tls {
    files: TlsFiles,
    /// Replaced as a whole; a connection keeps the one that it began with.
    current: RwLock<InForce>,
    /// What was read last, or why nothing was: each is acted on once.
    last: Mutex<Result<Contents, Error>>,
}

/// What a connection begins with.
#[derive(Clone)]
struct InForce {
    config: Arc<ServerConfig>,
    /// The authorities of clients; `None` where they are asked for no certificate.
    authorities: Option<Arc<RootCertStore>>,
}

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`Error`] names the file that cannot be used, and why.
    pub async fn open(files: TlsFiles) -> Result<Self, Error> {
        let contents = files.read().await?;
        let in_force = configure(&files, &contents)?;
        Ok(Self {
            files,
            current: RwLock::new(in_force),
            last: Mutex::new(Ok(contents)),
        })
    }

    /// Looks at the files every two seconds for as long as the future is polled, and goes on with what they say: new
    /// connections get it, those under way keep what they have. Files that cannot be used change nothing but the log.
    ///
    /// The content is compared, not the time of the last change: a file that is replaced by another, or that a
    /// mounted volume swaps, counts as much as one that is written to. Between the writing of a certificate and that
    /// of its key the two do not go together, which is told and mended by the next look.
    pub async fn follow(&self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    async fn look(&self) {
        let now = self.files.read().await;
        let in_force = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if *last == now {
                return;
            }
            last.clone_from(&now);
            now.and_then(|contents| configure(&self.files, &contents))
        };
        let certificate = self.files.certificate.display();
        match in_force {
            Ok(in_force) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = in_force;
                tracing::info!(%certificate, "certificate in force");
            }
            Err(error) => {
                tracing::error!(%certificate, %error, "certificate not taken: the one before stays in force");
            }
        }
    }

    /// Shakes hands. The caller bounds the time.
    pub(crate) async fn accept(&self, socket: Socket) -> std::io::Result<(TlsStream<Socket>, TlsFacts)> {
        let now = self
            .current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let stream = TlsAcceptor::from(now.config).accept(socket).await?;
        let facts = facts(stream.get_ref().1, now.authorities.as_deref());
        Ok((stream, facts))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

fn facts(connection: &ServerConnection, authorities: Option<&RootCertStore>) -> TlsFacts {
    let certificates = connection.peer_certificates().unwrap_or_default();
    TlsFacts {
        protocol: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => Protocol::Tls12,
            _ => Protocol::Tls13,
        },
        alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        client_certificates: certificates
            .iter()
            .map(|certificate| certificate.to_vec())
            .collect(),
        client_keys: authorities.and_then(|authorities| keys_of(certificates, authorities)),
    }
}

/// The keys of the certificates that lead from the client's own to an authority. What else it sent proves nothing:
/// anybody may send anybody's certificate after its own.
fn keys_of(certificates: &[CertificateDer<'_>], authorities: &RootCertStore) -> Option<Vec<Vec<u8>>> {
    let Some((own, above)) = certificates.split_first() else {
        return Some(Vec::new());
    };
    let own = EndEntityCert::try_from(own).ok()?;
    let mut keys = vec![own.subject_public_key_info().to_vec()];
    if !above.is_empty() {
        let path = own.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &authorities.roots,
            above,
            UnixTime::now(),
            KeyUsage::client_auth(),
            None,
            None,
        );
        let path = path.ok()?;
        let between = path.intermediate_certificates();
        keys.extend(between.map(|certificate| certificate.subject_public_key_info().to_vec()));
    }
    Some(keys)
}

fn configure(files: &TlsFiles, contents: &Contents) -> Result<InForce, Error> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&files.certificate, &contents.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|error| Error::Key {
        file: files.key.clone(),
        reason: error.to_string(),
    })?;
    let pair = |error: rustls::Error| Error::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        reason: error.to_string(),
    };
    let (authorities, verifier): (_, Arc<dyn ClientCertVerifier>) =
        match (&files.clients, &contents.authorities) {
            (Some(clients), Some(pem)) => {
                let wrong = |reason: String| Error::Certificates {
                    file: clients.authorities.clone(),
                    reason,
                };
                let mut roots = RootCertStore::empty();
                for certificate in certificates(&clients.authorities, pem)? {
                    roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
                }
                let roots = Arc::new(roots);
                let builder =
                    WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
                let builder = match clients.demand {
                    Demand::Required => builder,
                    Demand::Optional => builder.allow_unauthenticated(),
                };
                let verifier = builder.build().map_err(|error| wrong(error.to_string()))?;
                (Some(roots), verifier)
            }
            _ => (None, WebPkiClientVerifier::no_client_auth()),
        };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Sessions are resumed by tickets: a store of sessions would forget most viewers of a busy edge. Keys of tickets
    // are made anew with each configuration, so that no session outlives the authorities that it was judged by.
    config.ticketer = ring::Ticketer::new().map_err(pair)?;
    Ok(InForce {
        config: Arc::new(config),
        authorities,
    })
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |reason: String| Error::Certificates {
        file: file.to_owned(),
        reason,
    };
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("no certificate is in it".to_owned()));
    }
    Ok(certificates)
}

/// How often the files are looked at: a read of a few kilobytes costs nothing.
const INTERVAL: Duration = Duration::from_secs(2);
