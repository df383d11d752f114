//! `selvedge edge`

use std::{net::SocketAddr, path::PathBuf};

use selvedge_edge::{Edge, OriginToken, OriginUrl};
use selvedge_edge_native::{KeyFile, Native, Pop, Trust};
use selvedge_listen::{Limits, serve, serve_tls};

use super::{bind, http::variable_of, open_tls};
use crate::{config::Config, failure::Failure, stop};

/// What the origin asks edges for, where the configuration does not say it.
const ORIGIN_TOKEN: &str = "SELVEDGE_ORIGIN_TOKEN";

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

    /// JWK Set of the keys that tokens are signed with (`selvedge token keygen` makes one); read again when it changes
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
    let keys = args.keys.or_else(|| config.keys.clone()).ok_or_else(|| {
        Failure::configuration(
            "keys",
            "name a JWK Set with --keys or edge.keys; `selvedge token keygen --out private.json --set keys.json` makes one",
        )
    })?;

    let origin = OriginUrl::parse(&config.origin).map_err(|error| Failure::configuration("origin", error))?;
    let native = Native::with_tls(origin, &config.origin_tls()?)
        .map_err(|error| Failure::configuration("edge.origin", error))?;
    let native = match config.documents.clone() {
        Some(folder) => native.with_documents(folder),
        None => native,
    };
    let scheme = config.scheme();
    let unusable = |error: &dyn std::fmt::Display| Failure::configuration(keys.display(), error);
    let file = KeyFile::open(&keys).await.map_err(|error| unusable(&error))?;
    let of_environment = || variable_of(ORIGIN_TOKEN).map(|token| OriginToken::parse(&token));
    let token = match config.origin_token {
        Some(token) => Some(token),
        None => of_environment()
            .transpose()
            .map_err(|error| Failure::configuration(ORIGIN_TOKEN, error))?,
    };
    let edge = Edge::with_site(file.text(), config.site).map_err(|error| unusable(&error))?;
    let edge = edge.with_origin_token(token);
    let trust = Trust {
        proxies: config.trusted_proxies,
        facts: config.facts,
    };
    let pop = Pop::new(edge, native, scheme.into(), trust);
    let tls = open_tls("edge.tls", config.tls).await?;
    let stop = stop::requested()?;
    let listener = bind(config.listen).await?;
    let listening = listener
        .local_addr()
        .map_err(|error| Failure::run("the listener", error))?;
    tracing::info!(%listening, origin = config.origin, tls = tls.is_some(), "edge");
    let router = pop.router();
    let serve = async {
        match tls {
            Some(tls) => serve_tls(listener, tls, router, Limits::default(), stop).await,
            None => serve(listener, router, Limits::default(), stop).await,
        }
    };
    tokio::select! {
        () = serve => {}
        // Never ends by itself.
        () = file.follow(pop) => {}
    }
    Ok(())
}
