//! `selvedge edge`

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use selvedge_edge::{Edge, OriginUrl};
use selvedge_edge_native::{Native, router};
use selvedge_listen::Limits;

use super::bind;
use crate::{config::Config, failure::Failure, stop};

/// Viewers fetch from `http://<listen>/live/<channel>/`, with a token in the path, the query, a header or a
/// cookie.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file (TOML); selvedge.example.toml shows every key
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Address to listen on [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,

    /// URL of the origin, or of the shield before it [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    origin: Option<String>,

    /// JWK Set of the keys that tokens are signed with (`selvedge token key` makes one)
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,

    /// Say in Server-Timing what was decided, for operators and demos
    #[arg(long)]
    server_timing: bool,
}

pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let mut config = Config::load(args.config.as_deref())?.edge;
    config.listen = args.listen.unwrap_or(config.listen);
    config.origin = args.origin.unwrap_or(config.origin);
    config.site.server_timing |= args.server_timing;
    let keys = args.keys.or(config.keys).ok_or_else(|| {
        Failure::configuration(
            "keys",
            "name a JWK Set with --keys or edge.keys; `selvedge token key --out private.json --set keys.json` makes one",
        )
    })?;

    let origin = OriginUrl::parse(&config.origin).map_err(|error| Failure::configuration("origin", error))?;
    let native = Native::new(origin).map_err(|error| Failure::run("the HTTP client", error))?;
    let edge = Edge::with_site(&read(&keys)?, config.site)
        .map_err(|error| Failure::configuration(keys.display(), error))?;
    let stop = stop::requested()?;
    let listener = bind(config.listen).await?;
    let listening = listener
        .local_addr()
        .map_err(|error| Failure::run("the listener", error))?;
    tracing::info!(%listening, origin = config.origin, "edge");
    selvedge_listen::serve(
        listener,
        router(edge, native, config.scheme.into()),
        Limits::default(),
        stop,
    )
    .await;
    Ok(())
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::configuration(path.display(), error))
}
