//! The configuration file of `selvedge origin` and `selvedge edge`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use selvedge_edge::{OriginToken, Site};
use selvedge_edge_native::{Facts, OriginTls, Prefix};
use selvedge_listen::TlsFiles;
use serde::Deserialize;

use crate::failure::Failure;

/// The whole file: a table for each command. `selvedge.example.toml` shows every key.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) origin: selvedge_origin::Config,
    pub(crate) edge: EdgeConfig,
}

/// The table `[edge]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EdgeConfig {
    /// Address to listen on.
    pub(crate) listen: SocketAddr,
    /// URL of the origin, or of the shield before it.
    pub(crate) origin: String,
    /// File with the authorities that the origin's certificate must come from; without one, those of the system.
    pub(crate) origin_ca: Option<PathBuf>,
    /// File with the certificate that this edge shows to the origin.
    pub(crate) origin_certificate: Option<PathBuf>,
    /// File with that certificate's private key.
    pub(crate) origin_key: Option<PathBuf>,
    /// What the origin asks edges for before it gives out variants of marked media.
    pub(crate) origin_token: Option<OriginToken>,
    /// What viewers use to reach this edge; without it, what it serves.
    pub(crate) scheme: Option<Scheme>,
    /// Certificate and key, where the edge ends TLS itself.
    pub(crate) tls: Option<TlsFiles>,
    /// File with the JWK Set of the keys that tokens are signed with.
    pub(crate) keys: Option<PathBuf>,
    /// Folder of the documents that operators have put there.
    pub(crate) documents: Option<PathBuf>,
    /// Proxies before this edge that say who the client is.
    pub(crate) trusted_proxies: Vec<Prefix>,
    /// The header fields in which they say more than its address.
    pub(crate) facts: Facts,
    /// The site document, as a table.
    pub(crate) site: Site,
}

/// A scheme that viewers use.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl From<Scheme> for http::uri::Scheme {
    fn from(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Http => Self::HTTP,
            Scheme::Https => Self::HTTPS,
        }
    }
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            origin: "http://127.0.0.1:8080".into(),
            origin_ca: None,
            origin_certificate: None,
            origin_key: None,
            origin_token: None,
            scheme: None,
            tls: None,
            keys: None,
            documents: None,
            trusted_proxies: Vec::new(),
            facts: Facts::default(),
            site: Site::default(),
        }
    }
}

impl EdgeConfig {
    /// What viewers use to reach this edge.
    pub(crate) fn scheme(&self) -> Scheme {
        let served = if self.tls.is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        };
        self.scheme.unwrap_or(served)
    }

    /// How the origin is known at an `https` URL, and what it is shown.
    pub(crate) fn origin_tls(&self) -> Result<OriginTls, Failure> {
        let identity = match (&self.origin_certificate, &self.origin_key) {
            (Some(certificate), Some(key)) => {
                let mut pem = read("edge.origin_certificate", certificate)?;
                pem.push(b'\n');
                pem.extend(read("edge.origin_key", key)?);
                Some(pem)
            }
            (None, None) => None,
            _ => {
                return Err(Failure::configuration(
                    "edge.origin_certificate",
                    "goes with edge.origin_key: name both files or neither",
                ));
            }
        };
        let authorities = match &self.origin_ca {
            Some(file) => Some(read("edge.origin_ca", file)?),
            None => None,
        };
        Ok(OriginTls {
            authorities,
            identity,
        })
    }
}

fn read(key: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| Failure::configuration(format!("{key}: {}", file.display()), error))
}

impl Config {
    /// Reads a file, or gives the defaults where none is named.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::configuration(format!("--config {}", path.display()), error))?;
        toml::from_str(&text).map_err(|error| explain(path, &text, &error))
    }
}

/// One line that names the place, the key and what it should be.
fn explain(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let at = error.span().map_or(0, |span| span.start);
    let before = text.get(..at).unwrap_or_default();
    let line_number = before.matches('\n').count() + 1;
    let line = text.lines().nth(line_number - 1).unwrap_or_default();
    let key = line.split_once('=').map(|(key, _)| key.trim());
    let place = match key {
        Some(key) => format!("{}:{line_number}: {key}", path.display()),
        None => format!("{}:{line_number}", path.display()),
    };
    Failure::configuration(place, error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(toml: &str) -> String {
        let error = toml::from_str::<Config>(toml).unwrap_err();
        explain(Path::new("selvedge.toml"), toml, &error).to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_the_known_ones() {
        let line = refused("[edge]\nlisten = \"127.0.0.1:1\"\norigins = \"x\"\n");
        assert_eq!(
            line,
            "selvedge.toml:3: origins: unknown field `origins`, expected one of `listen`, `origin`, `origin_ca`, `origin_certificate`, `origin_key`, `origin_token`, `scheme`, `tls`, `keys`, `documents`, `trusted_proxies`, `facts`, `site`"
        );
    }

    #[test]
    fn a_wrong_value_is_named_by_its_key() {
        let line = refused("[edge]\nlisten = \"8081\"\n");
        assert_eq!(line, "selvedge.toml:2: listen: invalid socket address syntax");
    }

    #[test]
    fn a_token_for_the_origin_does_not_show() {
        let line = refused("[edge]\norigin_token = \"s3cret words\"\n");
        assert_eq!(
            line,
            "selvedge.toml:2: origin_token: the origin's token is none: expected printable characters without blanks"
        );
        let config: Config = toml::from_str("[edge]\norigin_token = \"s3cret\"\n").unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn a_proxy_that_is_no_address_is_named() {
        let line = refused("[edge]\ntrusted_proxies = [\"10.0.0.0/99\"]\n");
        assert_eq!(
            line,
            "selvedge.toml:2: trusted_proxies: \"10.0.0.0/99\" is neither an address nor a prefix such as 10.0.0.0/8"
        );
    }

    #[test]
    fn a_certificate_without_a_key_is_named_with_the_fix() {
        let line = refused("[edge.tls]\ncertificate = \"chain.pem\"\n");
        assert_eq!(
            line,
            "selvedge.toml:1: `key` is missing: name the PEM file of the certificate's private key"
        );
    }

    #[test]
    fn the_scheme_follows_from_tls_unless_it_is_named() {
        let scheme = |toml: &str| toml::from_str::<Config>(toml).unwrap().edge.scheme();
        let tls = "[edge.tls]\ncertificate = \"c\"\nkey = \"k\"\n";
        assert_eq!(scheme(""), Scheme::Http);
        assert_eq!(scheme(tls), Scheme::Https);
        assert_eq!(scheme("[edge]\nscheme = \"https\""), Scheme::Https);
        assert_eq!(scheme(&format!("[edge]\nscheme = \"http\"\n{tls}")), Scheme::Http);
    }

    #[test]
    fn what_the_example_shows_behind_a_hash_is_known_too() {
        let example = include_str!("../selvedge.example.toml");
        let is_setting = |line: &&str| {
            let line = line.trim_start_matches("# ");
            let key = line.split(" = ").next().unwrap_or_default();
            line.starts_with('[') || line.contains(" = ") && !key.contains(' ')
        };
        let shown: Vec<&str> = example
            .lines()
            .filter(is_setting)
            .map(|line| line.trim_start_matches("# "))
            .collect();
        let config: Config = toml::from_str(&shown.join("\n")).unwrap();
        assert_eq!(config.edge.keys, Some("keys.json".into()));
        assert!(config.edge.tls.is_some_and(|tls| tls.clients.is_some()));
        assert!(config.origin.tls.is_some_and(|tls| tls.clients.is_some()));
        assert_ne!(config.edge.facts, Facts::default());
        assert!(config.edge.origin_token.is_some());
        assert!(config.edge.site.streams.is_some());
        assert!(config.edge.site.dialect.composite.is_some());
        assert!(config.edge.site.own_issuer.is_some());
    }

    #[test]
    fn the_example_holds_the_defaults() {
        let example: Config = toml::from_str(include_str!("../selvedge.example.toml")).unwrap();
        let default = Config::default();
        assert_eq!(example.origin, default.origin);
        assert_eq!(example.edge.listen, default.edge.listen);
        assert_eq!(example.edge.origin, default.edge.origin);
        assert_eq!(example.edge.origin_token, default.edge.origin_token);
        assert_eq!(example.edge.scheme(), default.edge.scheme());
        assert_eq!(example.edge.tls, default.edge.tls);
        assert_eq!(example.edge.trusted_proxies, default.edge.trusted_proxies);
        assert_eq!(example.edge.facts, default.edge.facts);
        assert_eq!(example.edge.site, default.edge.site);
    }
}
