//! An origin by itself: `cargo run -p selvedge-origin --example serve -- [address] [folder]`.
//! Answers browsers of any site, so that a player on another port can be pointed at it.

use std::path::PathBuf;

use selvedge_origin::{Config, Origin, clock};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let mut arguments = std::env::args().skip(1);
    let mut config = Config {
        cors_origin: "*".to_owned(),
        ..Config::default()
    };
    if let Some(address) = arguments.next() {
        config.listen = address.parse()?;
    }
    if let Some(folder) = arguments.next() {
        config.data = PathBuf::from(folder);
    }
    let listener = tokio::net::TcpListener::bind(config.listen).await?;
    println!("http://{}/", listener.local_addr()?);
    let origin = Origin::open(config, clock::system()).await?;
    let stop = async {
        // Without a signal handler there is nothing to wait for but the end of the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(origin.serve(listener, stop).await?)
}
