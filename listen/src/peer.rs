//! Whom a request comes from.

use std::{net::SocketAddr, sync::Arc};

/// The other end of a request's connection: an extension of each request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its address, which is a proxy's where one stands between.
    pub address: SocketAddr,
    /// What its handshake told; `None` where the connection is not encrypted.
    pub tls: Option<Arc<TlsFacts>>,
}

/// What a TLS handshake told of the peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFacts {
    /// The version that both ends agreed on.
    pub protocol: Protocol,
    /// The protocol above TLS that both agreed on (RFC 7301), such as `h2`; `None` where the peer offered none.
    pub alpn: Option<Vec<u8>>,
    /// What the peer sent as its certificate and those above it, each in DER. The first one is its own and was
    /// verified; those after it may be anybody's. Empty where it showed none.
    pub client_certificates: Vec<Vec<u8>>,
    /// The public keys of its own certificate and of those that lead from there to an authority: each a DER
    /// `SubjectPublicKeyInfo` (RFC 5280 §4.1). `None` where the peer was asked for no certificate.
    pub client_keys: Option<Vec<Vec<u8>>>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}
