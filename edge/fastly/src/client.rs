//! What Fastly knows of a client: from its connection, and from the geolocation of its address.

use std::{borrow::Cow, net::IpAddr, sync::OnceLock};

use fastly::{
    geo::{Geo, geo_lookup},
    handle::RequestHandle,
    http::Version,
};
use fastly_shared::ClientCertVerifyResult;
use selvedge_edge::{Coordinates, FingerprintKind, RequestContext, certificate::keys_of_pem};

/// A request's client. Each fact is read from the host when it is asked for.
pub(crate) struct Client {
    request: RequestHandle,
    geo: OnceLock<Option<Geo>>,
}

impl Client {
    pub(crate) fn of(request: RequestHandle) -> Self {
        Self {
            request,
            geo: OnceLock::new(),
        }
    }

    fn geo(&self) -> Option<&Geo> {
        self.geo
            .get_or_init(|| self.address().and_then(geo_lookup))
            .as_ref()
    }
}

impl RequestContext for Client {
    fn address(&self) -> Option<IpAddr> {
        Some(self.request.client_ip_addr()?.to_canonical())
    }

    fn asn(&self) -> Option<u32> {
        // Number 0 is nobody's (RFC 7607).
        self.geo().map(Geo::as_number).filter(|asn| *asn != 0)
    }

    fn country(&self) -> Option<Cow<'_, str>> {
        let code = self.geo()?.country_code();
        (code.len() == 2).then(|| Cow::Owned(code.to_ascii_uppercase()))
    }

    fn subdivision(&self) -> Option<Cow<'_, str>> {
        // Where there is none, the database writes a text that is no code.
        let code = self.geo()?.region()?;
        let is_code = (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_code.then(|| Cow::Owned(code.to_ascii_uppercase()))
    }

    fn coordinates(&self) -> Option<Coordinates> {
        let geo = self.geo()?;
        let (latitude, longitude) = (geo.latitude(), geo.longitude());
        // An unknown place is written as one beyond the poles.
        let exists = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        exists.then_some(Coordinates { latitude, longitude })
    }

    fn alpn(&self) -> Option<Cow<'_, [u8]>> {
        // The host tells the protocol and not how it was agreed on, which without TLS it was not.
        self.request.client_tls_protocol_bytes()?;
        let alpn: &[u8] = match self.request.get_version() {
            Version::HTTP_10 => b"http/1.0",
            Version::HTTP_11 => b"http/1.1",
            Version::HTTP_2 => b"h2",
            Version::HTTP_3 => b"h3",
            _ => return None,
        };
        Some(Cow::Borrowed(alpn))
    }

    fn certificate_keys(&self) -> Option<Vec<Cow<'_, [u8]>>> {
        let Some(pem) = self.request.client_tls_client_raw_certificate_bytes() else {
            // Over TLS, none was shown.
            return self.request.client_tls_protocol_bytes().map(|_| Vec::new());
        };
        // Of a certificate that the service did not accept, nothing follows.
        match self.request.client_tls_client_cert_verify_result() {
            Some(ClientCertVerifyResult::Ok) => {}
            _ => return None,
        }
        let keys = keys_of_pem(str::from_utf8(&pem).ok()?)?;
        Some(keys.into_iter().map(Cow::Owned).collect())
    }

    fn tls_fingerprint(&self, kind: FingerprintKind) -> Option<Cow<'_, str>> {
        // The host knows of no fingerprint where there was no TLS.
        self.request.client_tls_protocol_bytes()?;
        match kind {
            FingerprintKind::Ja3 => {
                let md5 = self.request.client_tls_ja3_md5()?;
                Some(Cow::Owned(md5.iter().map(|byte| format!("{byte:02x}")).collect()))
            }
            FingerprintKind::Ja4 => self.request.client_tls_ja4().map(Cow::Owned),
            _ => None,
        }
    }
}
