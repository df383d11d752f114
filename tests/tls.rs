//! An origin and an edge that end TLS themselves, as real processes with a configuration file.

mod support;

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::{Server, said, selvedge};

#[expect(clippy::unwrap_used, reason = "a test that cannot go on stops here")]
fn certify(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("ca.pem"), root.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn a_request_goes_over_tls_to_the_edge_and_from_there_to_the_origin() {
    let folder = support::temporary_folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    certify(folder.path());
    let (_key, set) = support::make_key(folder.path());
    let files = format!(
        "certificate = {:?}\nkey = {:?}\nclient_ca = {:?}\n",
        path("chain.pem"),
        path("key.pem"),
        path("ca.pem")
    );
    let origin = Server::configured(
        "origin",
        folder.path(),
        &format!("[origin]\ndata = {:?}\n[origin.tls]\n{files}", path("data")),
        &[],
    );
    let edge = Server::configured(
        "edge",
        folder.path(),
        &format!(
            "[edge]\nkeys = {set:?}\norigin = \"https://{}\"\norigin_ca = {:?}\norigin_certificate = {:?}\n\
             origin_key = {:?}\n[edge.tls]\n{files}client_certificates = \"optional\"\n",
            origin.address,
            path("ca.pem"),
            path("chain.pem"),
            path("key.pem")
        ),
        &[],
    );
    rustls::crypto::ring::default_provider()
        .install_default()
        .unwrap();
    let root = std::fs::read(path("ca.pem")).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()])
        .build()
        .unwrap();
    let key = path("private.json");
    let minted = selvedge(&[
        "token",
        "mint",
        "--key",
        &key,
        "--path-prefix",
        "/live/",
        "--ttl",
        "5m",
    ]);
    let token = String::from_utf8(minted.stdout).unwrap();
    let url = format!("https://{}/t/{}/live/none/v/0-1.m4s", edge.address, token.trim());
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(
        answer.status(),
        404,
        "from the origin, which knows no such channel"
    );
    assert!(answer.text().await.unwrap().contains("unknown-channel"));

    let direct = client
        .get(format!("https://{}/healthz", origin.address))
        .send()
        .await;
    assert!(direct.is_err(), "the origin asks for a certificate");
    let clear = origin.get("/healthz");
    assert!(
        clear.starts_with("HTTP/1.1 400") && clear.contains("https"),
        "{clear}"
    );
    assert_eq!(edge.stop(), 0);
    assert_eq!(origin.stop(), 0);
}

#[test]
fn files_that_cannot_be_used_end_a_command_with_a_line_that_names_them() {
    let folder = support::temporary_folder();
    let file = folder.path().join("selvedge.toml");
    std::fs::write(
        &file,
        "[origin.tls]\ncertificate = \"/nowhere/chain.pem\"\nkey = \"k\"\n",
    )
    .unwrap();
    let output = selvedge(&[
        "origin",
        "--config",
        file.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let line = said(&output);
    assert!(
        line.contains("selvedge: ") && line.contains("/nowhere/chain.pem"),
        "{line}"
    );
}
