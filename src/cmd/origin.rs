//! `selvedge origin`

use std::{net::SocketAddr, path::PathBuf};

use selvedge_origin::{Error, Origin, clock};

use super::bind;
use crate::{config::Config, failure::Failure, stop};

/// Encoders push to `http://<listen>/ingest/<channel>/`; edges fetch from `http://<listen>/live/<channel>/`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file (TOML); selvedge.example.toml shows every key
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// Folder of the media store [default: selvedge-data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut config = Config::load(args.config.as_deref())?.origin;
    config.listen = args.listen.unwrap_or(config.listen);
    config.data = args.data.unwrap_or(config.data);
    config.check().map_err(failure)?;

    let tls = config.tls.is_some();
    let stop = stop::requested()?;
    let listener = bind(config.listen).await?;
    let listening = listener
        .local_addr()
        .map_err(|error| Failure::run("the listener", error))?;
    let origin = Origin::open(config, clock::system()).await.map_err(failure)?;
    tracing::info!(%listening, tls, "origin");
    origin.serve(listener, stop).await.map_err(failure)
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Config { .. } => Failure::configuration("[origin]", error),
        _ => Failure::run("the origin", error),
    }
}
