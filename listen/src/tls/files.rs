//! Where certificates and keys lie.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Error;

/// The files that TLS is ended with, all of them PEM: a table `tls` of a configuration file.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct TlsFiles {
    /// The server's certificate, first, and those between it and the root that clients trust.
    pub certificate: PathBuf,
    /// The certificate's private key: PKCS #8, SEC 1 or PKCS #1.
    pub key: PathBuf,
    /// Whose certificates clients show. Without it they are asked for none.
    pub clients: Option<Clients>,
}

/// Whose certificates clients show.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Clients {
    /// File with the certificates of the authorities that clients' certificates must come from.
    pub authorities: PathBuf,
    /// What becomes of a client that shows none. One that shows another authority's is refused in either case.
    pub demand: Demand,
}

/// What becomes of a client without a certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// Its handshake fails.
    #[default]
    Required,
    /// It is served, as one that showed none.
    Optional,
}

/// [`TlsFiles`] as written in a configuration file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificates: Option<Demand>,
}

impl TryFrom<Table> for TlsFiles {
    type Error = &'static str;

    fn try_from(table: Table) -> Result<Self, &'static str> {
        let (certificate, key) = match (table.certificate, table.key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => {
                return Err("`key` is missing: name the PEM file of the certificate's private key");
            }
            (None, _) => {
                return Err("`certificate` is missing: name the PEM file of the certificate and its chain");
            }
        };
        let clients = match (table.client_ca, table.client_certificates) {
            (Some(authorities), demand) => Some(Clients {
                authorities,
                demand: demand.unwrap_or_default(),
            }),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(
                    "`client_certificates` says nothing without `client_ca`: name the PEM file of the authorities that \
                     clients' certificates come from",
                );
            }
        };
        Ok(Self {
            certificate,
            key,
            clients,
        })
    }
}

impl From<TlsFiles> for Table {
    fn from(files: TlsFiles) -> Self {
        let (client_ca, client_certificates) = match files.clients {
            Some(clients) => (Some(clients.authorities), Some(clients.demand)),
            None => (None, None),
        };
        Self {
            certificate: Some(files.certificate),
            key: Some(files.key),
            client_ca,
            client_certificates,
        }
    }
}

impl TlsFiles {
    /// Reads them all.
    pub(super) async fn read(&self) -> Result<Contents, Error> {
        let authorities = match &self.clients {
            Some(clients) => Some(read(&clients.authorities).await?),
            None => None,
        };
        Ok(Contents {
            certificate: read(&self.certificate).await?,
            key: read(&self.key).await?,
            authorities,
        })
    }
}

/// What the files held at one moment. It has a private key, so it is never printed.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Contents {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) authorities: Option<Vec<u8>>,
}

async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |error: io::Error| Error::Read {
        file: path.to_owned(),
        reason: error.to_string(),
    };
    if tokio::fs::metadata(path).await.map_err(failed)?.len() > MAX_FILE {
        return Err(Error::Read {
            file: path.to_owned(),
            reason: "longer than a megabyte: no certificate and no key".to_owned(),
        });
    }
    tokio::fs::read(path).await.map_err(failed)
}

/// Longest file that is read, in bytes: a bundle of all public roots is a quarter of it.
const MAX_FILE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(toml: &str) -> String {
        toml::from_str::<TlsFiles>(toml).unwrap_err().message().to_owned()
    }

    #[test]
    fn what_is_missing_is_named_with_the_fix() {
        assert_eq!(
            refused("certificate = 'c.pem'"),
            "`key` is missing: name the PEM file of the certificate's private key"
        );
        assert!(refused("key = 'k.pem'").starts_with("`certificate` is missing"));
        let without_authority = "certificate = 'c'\nkey = 'k'\nclient_certificates = 'optional'";
        assert!(refused(without_authority).contains("`client_ca`"));
        assert!(
            refused("certificate = 'c'\nkey = 'k'\nclient_ca = 'a'\nclient_certificates = 'asked'")
                .contains("optional")
        );
        assert!(refused("certificates = 'c'").contains("unknown field `certificates`"));
    }

    #[test]
    fn an_authority_alone_demands_certificates() {
        let files: TlsFiles = toml::from_str("certificate = 'c'\nkey = 'k'\nclient_ca = 'a'").unwrap();
        assert_eq!(files.clients.as_ref().unwrap().demand, Demand::Required);
        let written = toml::to_string(&files).unwrap();
        assert_eq!(toml::from_str::<TlsFiles>(&written).unwrap(), files);
    }
}
