//! The subcommands, one a file: arguments, and a call into a library.

pub(crate) mod breaks;
pub(crate) mod creative;
pub(crate) mod demo;
pub(crate) mod edge;
pub(crate) mod encode;
mod http;
pub(crate) mod origin;
pub(crate) mod token;
pub(crate) mod watermark;

use std::net::SocketAddr;

use selvedge_listen::{Tls, TlsFiles};
use tokio::net::TcpListener;

use crate::failure::Failure;

/// Opens a listening socket, or says who has to give way.
async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::configuration(
            format!("listen {address}"),
            format!("{error}: stop what listens there or choose another with --listen"),
        )
    })
}

/// Reads certificate and key, where a table names them.
async fn open_tls(table: &str, files: Option<TlsFiles>) -> Result<Option<Tls>, Failure> {
    match files {
        Some(files) => Tls::open(files)
            .await
            .map(Some)
            .map_err(|error| Failure::configuration(table, error)),
        None => Ok(None),
    }
}
